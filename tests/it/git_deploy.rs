//! `git deploy`: the commands for a clone, as git calls them, and the published status in a clone.

use std::path::Path;

use expect_test::expect_file;

use crate::approvers::{change, clone, command_of, git, git_deploy, world_of_clones};
use crate::published_status::{REF, subjects, wait_for};
use crate::run::{Run, run};
use crate::signing::ONE_APPROVAL;
use crate::transcript::Transcript;
use crate::world::World;

/// A server on which `a` is deployed in production and in staging and `b` has failed, and a clone
/// of bob's. Returns the commits of `a`.
fn world() -> (World, Vec<String>) {
    let world = world_of_clones("");
    let log = world.git_in("a", &["log", "--reverse", "--format=%H"]);
    let commits: Vec<String> = log.lines().map(str::to_owned).collect();
    world.job("test $DEPLOY_APPLICATION != b");
    let t = Transcript::new(&world);
    t.deploy("production/a", &commits[0], "");
    t.deploy("staging/a", &commits[1], "");
    t.deploy("production/b", &commits[2], "");
    world.wait_until("all of it is published", || {
        let last = subjects(&world, REF).pop();
        last.is_some_and(|last| last.ends_with(" failed (#3)"))
    });
    clone(&world, "bob");
    (world, commits)
}

#[test]
fn status_and_log_of_the_server_are_seen_in_a_clone() {
    let (world, commits) = world();
    world
        .cmd(&["freeze", "staging", "--reason", "incident 7"])
        .ok();
    wait_for(&world, "staging frozen");

    let mut t = Transcript::new(&world);
    t.name_all(&commits);
    let calls: [&[&str]; 8] = [
        &["status"],
        &["status", "production/b"],
        &["status", "testing"],
        &["log"],
        &["log", "production", "-n", "1"],
        &["log", "-n", "0"],
        &["deploy"],
        &["status", "--status-ref", "refs/x"],
    ];
    for call in calls {
        let shown = format!("git deploy {}", call.join(" "));
        t.add(&shown, &git_deploy(&world, "bob", call));
    }
    t.is(expect_file!["snapshots/git_deploy.txt"]);
}

#[test]
fn json_is_what_is_published() {
    let (world, commits) = world();
    let json = |arguments: &[&str]| -> serde_json::Value {
        let run = git_deploy(&world, "bob", arguments).ok();
        serde_json::from_str(&run.stdout).unwrap()
    };
    let status = json(&["status", "production/a", "--json"]);
    assert_eq!(status["applications"][0]["deployed"], *commits[0]);
    assert_eq!(status["applications"].as_array().unwrap().len(), 1);
    assert_eq!(status["environments"][0]["approvals"], 0);
    let log = json(&["log", "--json", "-n", "1"]);
    assert_eq!(log[0]["status"], "failed");

    // What was fetched is still known where the server can't be reached.
    std::fs::rename(world.repository(), world.path("gone.git")).unwrap();
    git_deploy(&world, "bob", &["status"]).exits(4);
    git_deploy(&world, "bob", &["status", "--no-fetch"])
        .ok()
        .says("from refs/deploy-by-code/status of origin");
    std::fs::rename(world.path("gone.git"), world.repository()).unwrap();
}

#[test]
fn nobody_who_publishes_nothing_is_believed() {
    let (world, _) = world();
    let wrong = |content: &str| {
        std::fs::write(world.path("work/status.json"), content).unwrap();
        std::fs::write(world.path("work/log.json"), "[]").unwrap();
        world.git(&["checkout", "-q", "--orphan", "wrong"]);
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "Status"]);
        let hash = world.git(&["rev-parse", "HEAD"]);
        world.git_in("deploy.git", &["fetch", "-q", "../work", "wrong"]);
        world.server_git(&["update-ref", REF, &hash]);
        git_deploy(&world, "bob", &["status"])
    };
    wrong(&"[".repeat(100_000))
        .exits(4)
        .says("status.json at refs/deploy-by-code/status");
    world.git(&["checkout", "-q", "main"]);
    world.git(&["branch", "-q", "-D", "wrong"]);
    let row = r#"{"environment":"production","application":"a","deployed":null,"deployment":null,
        "rollout":null,"since":null,"by":"\u001b[2J","wanted":null,"newest":1,"state":"failed",
        "reason":"\u001b]0;x\u0007","rolled_back":null}"#;
    let status = format!(
        r#"{{"event":"x","at":"2026-01-02T03:04:05Z","frozen":[{{"environment":"production",
        "by":"\u001b","reason":"\u001b","since":"2026-01-02T03:04:05Z","until":null}}],
        "applications":[{row}],"left_out":3}}"#
    );
    let run = wrong(&status).ok();
    assert!(run.all().contains("\\u{1b}]0;x"), "{run:?}");
    assert!(!run.all().contains('\u{1b}'), "{run:?}");
}

#[test]
fn help_and_mistakes_name_what_was_typed() {
    let world = world_of_clones("");
    clone(&world, "bob");
    git_deploy(&world, "bob", &["-h"])
        .ok()
        .says("Usage: git deploy <COMMAND>")
        .says("Example:\n  git deploy status")
        .says_nothing_of("deploy-by-code ");
    for command in ["propose", "approve", "status", "log"] {
        git_deploy(&world, "bob", &[command, "-h"])
            .ok()
            .says(&format!("Usage: git deploy {command}"))
            .says(&format!("Example:\n  git deploy {command}"))
            .says_nothing_of("deploy-by-code ");
    }
    git_deploy(&world, "bob", &["aprove"])
        .exits(2)
        .says("unrecognized subcommand 'aprove'")
        .says("git deploy");
    git_deploy(&world, "bob", &["status"])
        .exits(1)
        .says("git deploy: origin publishes no status at refs/deploy-by-code/status")
        .says("can set publish = ");
    let mut elsewhere = command_of(&world, "home", "git-deploy");
    run(elsewhere.arg("status"), b"")
        .exits(4)
        .says("git deploy: git ");
}

/// In the way in which git's completion calls it.
#[test]
fn completion_works_in_bash() {
    let (world, _) = world();
    git(&world, "bob", &["fetch", "-q"]).ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let completions = root.join("packaging/completions/git-deploy.bash");
    let complete = |words: &str, cword: usize| {
        let script = format!(
            "__git() {{ git \"$@\"; }}\n\
             __gitcomp_nl() {{ mapfile -t COMPREPLY <<<\"$1\"; }}\n\
             . '{}'\n\
             words=(git {words}) cword={cword} __git_cmd_idx=1\n\
             _git_deploy\n\
             echo \"${{COMPREPLY[@]}}\"\n",
            completions.display()
        );
        let mut bash = command_of(&world, "bob", "bash");
        run(bash.args(["-c", &script]), b"").ok().stdout
    };
    assert_eq!(complete("deploy sta", 2), "status\n");
    assert_eq!(complete("deploy ''", 2), "log status approve propose\n");
    assert_eq!(complete("deploy status staging/", 3), "staging/a\n");
    assert_eq!(complete("deploy approve ori", 3), "origin/main\n");
    assert_eq!(complete("deploy approve --me", 3), "--merge\n");
    assert_eq!(complete("deploy propose production/a ''", 4), "\n");
}

/// A server on which `a` is deployed in staging and nothing in production, which needs an approval.
fn world_before_production() -> (World, Vec<String>) {
    let section = format!("[environments.staging]\n{ONE_APPROVAL}");
    let world = world_of_clones(&section);
    let log = world.git_in("a", &["log", "--reverse", "--format=%H"]);
    let commits: Vec<String> = log.lines().map(str::to_owned).collect();
    Transcript::new(&world).deploy("staging/a", &commits[1], "");
    world.wait_until("it is published", || {
        let last = subjects(&world, REF).pop();
        last.is_some_and(|last| last.ends_with(" succeeded (#1)"))
    });
    for person in ["alice", "bob"] {
        clone(&world, person);
    }
    (world, commits)
}

/// The command at the end of a line that begins like this.
fn command_in(run: &Run, begin: &str) -> Vec<String> {
    let mut lines = run.stdout.lines();
    let line = lines.find(|line| line.starts_with(begin));
    let (_, command) = line.expect(begin).rsplit_once(": git ").unwrap();
    command.split(' ').map(str::to_owned).collect()
}

fn git_as_printed(world: &World, person: &str, run: &Run, begin: &str) -> Run {
    let words = command_in(run, begin);
    git(
        world,
        person,
        &words.iter().map(String::as_str).collect::<Vec<_>>(),
    )
}

#[test]
fn first_deploy_of_an_environment_is_signed_and_approved_as_it_is_said() {
    let (world, _) = world_before_production();
    let train = ["propose", "production", "--from", "staging", "--new"];
    let refused = git_deploy(&world, "alice", &train).exits(1);
    refused.says("deploy-by-code propose production/a --from staging --new\n");

    // git of alice signs nothing by itself.
    let arguments = [
        "propose",
        "production/a",
        "--from",
        "staging",
        "--new",
        "--push",
    ];
    let keyless = [&["-c", "user.signingKey=", "deploy"], arguments.as_slice()].concat();
    git(&world, "alice", &keyless)
        .exits(1)
        .says("git has no key to sign with");
    assert_eq!(world.git_in("alice", &["status", "--porcelain"]), "");

    let proposed = git_deploy(&world, "alice", &arguments).ok();
    let mut approve = command_in(&proposed, "somebody else has to approve it: ");
    approve.push("--yes".to_owned());
    let approve: Vec<&str> = approve.iter().map(String::as_str).collect();
    let approved = git(&world, "bob", &approve)
        .ok()
        .says("production needs 1 approval by people whose signatures the server knows");
    git_as_printed(&world, "bob", &approved, "when it has all of its approvals").ok();
    world.settled();
    assert_eq!(world.status("production/a")["status"], "succeeded");
}

#[test]
fn branch_that_somebody_named_is_one_word_of_the_printed_command() {
    let (world, commits) = world();
    clone(&world, "alice");
    let branch = "next;touch${IFS}x";
    let entry = format!("{}\n* Deploy alarms\n", commits[2]);
    change(&world, "alice", branch, "staging/a", &entry);
    let name = format!("origin/{branch}");
    let approved = git_deploy(&world, "bob", &["approve", &name, "--yes"]).ok();
    let line = approved
        .stdout
        .lines()
        .find(|line| line.starts_with("to push it: "));
    let (_, command) = line.unwrap().split_once(": ").unwrap();

    let mut shell = command_of(&world, "bob", "sh");
    run(shell.args(["-c", command]), b"").ok();

    assert!(!world.path("bob/x").exists());
    let pushed = world.server_git(&["log", "-1", "--format=%s", &format!("refs/heads/{branch}")]);
    assert_eq!(pushed, "Approve staging/a");
}

#[test]
fn name_that_was_mistyped_gets_the_nearest_one() {
    let (world, commits) = world();
    clone(&world, "alice");
    let entry = format!("{}\n* Deploy alarms\n", commits[2]);
    change(&world, "alice", "next", "staging/a", &entry);
    let table: [(&[&str], &str); 5] = [
        (&["status", "prodction"], "did you mean production? "),
        (&["log", "stagin/a"], "did you mean staging/a? "),
        (
            &["approve", "next", "--yes"],
            "did you mean the branch origin/next?",
        ),
        (&["approve", "nxt", "--yes"], "to see them: git branch -r\n"),
        (
            &["approve", "--yes"],
            "git branch -r --no-merged origin/main\n",
        ),
    ];
    for (arguments, said) in table {
        git_deploy(&world, "bob", arguments).exits(1).says(said);
    }
}
