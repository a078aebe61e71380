//! Marks in application repositories: refs and notes that say what is deployed where.

use std::collections::BTreeMap;
use std::fs;

use crate::applications::{commit, commits, configure, deploy, try_deploy, world};
use crate::checkout;
use crate::run::{run, skip};
use crate::world::World;

const A: &str = "production/a";

/// The refs of the application repository `apps/NAME.git` that are marks.
pub fn marks(world: &World, name: &str) -> BTreeMap<String, String> {
    let listed = world.git_in(
        format!("apps/{name}.git"),
        &["for-each-ref", "--format=%(refname) %(objectname)"],
    );
    let refs = listed.lines().map(|line| line.split_once(' ').unwrap());
    refs.filter(|(name, _)| !name.starts_with("refs/heads/") && !name.starts_with("refs/notes/"))
        .map(|(name, id)| (name.to_owned(), id.to_owned()))
        .collect()
}

/// Waits until the marks of an application repository are these.
#[track_caller]
pub fn wait_for_marks(world: &World, name: &str, expected: &[(&str, &str)]) {
    let expected = expected.iter();
    let expected: BTreeMap<String, String> = expected
        .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
        .collect();
    let mut last = BTreeMap::new();
    let end = std::time::Instant::now() + crate::run::DEADLINE;
    while last != expected {
        assert!(
            std::time::Instant::now() < end,
            "{last:#?} should be {expected:#?}"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
        last = marks(world, name);
    }
}

/// The lines of the note of a commit; none if it has no note.
pub fn notes(world: &World, name: &str, commit: &str) -> Vec<String> {
    let mut git = world.command("git", format!("apps/{name}.git"));
    let shown = run(
        git.args(["notes", "--ref=deployments", "show", commit]),
        b"",
    );
    let lines = shown.stdout.lines().map(str::to_owned);
    lines.filter(|line| !line.is_empty()).collect()
}

/// Waits until the note of a commit has this many lines, and returns them.
#[track_caller]
pub fn wait_for_notes(world: &World, name: &str, commit: &str, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    world.wait_until("the note has its lines", || {
        lines = notes(world, name, commit);
        lines.len() >= count
    });
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

#[test]
fn marks_say_what_is_deployed_and_what_happened() {
    let world = world(&["a"], "marks = true");
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[0]);
    deploy(&world, A, &main[1]);
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &main[1]),
            ("refs/previous/production/a", &main[0]),
            ("refs/wanted/production/a", &main[1]),
        ],
    );

    let line = &wait_for_notes(&world, "a", &main[1], 1)[0];
    let finished = world.show(2)["finished_at"].as_str().unwrap().to_owned();
    let (start, end) = (
        format!("{finished} #2 production/a succeeded; by "),
        format!(
            "; deploy commit {} [{} #2]",
            world.tip(),
            fs::read_to_string(world.state().join("id")).unwrap().trim()
        ),
    );
    assert!(line.starts_with(&start) && line.ends_with(&end), "{line}");

    // What is wanted and failed is not what is deployed. Each deployment adds a line.
    world.job("exit 7");
    deploy(&world, A, &main[2]);
    deploy(&world, A, &main[2]);
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &main[1]),
            ("refs/previous/production/a", &main[0]),
            ("refs/wanted/production/a", &main[2]),
        ],
    );
    let lines = wait_for_notes(&world, "a", &main[2], 2);
    assert!(lines[0].contains(" #3 production/a failed: exit status 7; by "));
    assert!(lines[1].contains(" #4 production/a failed: exit status 7; by "));
}

/// The commands of docs/marks.md, in a clone of the application's repository.
#[test]
fn clone_fetches_the_marks_and_shows_what_is_not_deployed() {
    let world = world(&["website"], "marks = true");
    let main = commits(&world, "website", 3);
    deploy(&world, "production/website", &main[0]);
    wait_for_notes(&world, "website", &main[0], 1);

    world.git_in(".", &["clone", "-q", "apps/website.git", "website"]);
    let page = fs::read_to_string("docs/marks.md").unwrap();
    let recipe = page.split("```sh\n").nth(1).unwrap();
    let recipe = recipe.split("```").next().unwrap();
    let shown = world.shell_in("website", &format!("set -e\n{recipe}")).ok();

    let not_deployed = world.git_in("website", &["log", "--oneline", "-2", "main"]);
    let is_first = shown
        .stdout
        .starts_with(&format!("{not_deployed}\ncommit "));
    assert!(is_first, "{shown:?}");
    shown
        .says("Notes (deployments):")
        .says(" #1 production/website succeeded; by ");
}

#[test]
fn pushes_to_marks_are_refused_where_the_documented_setting_is_made() {
    let world = world(&["website"], "marks = true");
    let main = commits(&world, "website", 2);
    deploy(&world, "production/website", &main[0]);
    wait_for_notes(&world, "website", &main[0], 1);

    let page = fs::read_to_string("docs/marks.md").unwrap();
    let setting = page.split("```sh\n").nth(2).unwrap();
    let setting = setting.split("```").next().unwrap();
    world
        .shell_in("apps", &setting.replace("/srv/git/", ""))
        .ok();

    world.git_in(".", &["clone", "-q", "apps/website.git", "website"]);
    for name in [
        "refs/deployed/production/website",
        "refs/previous/production/website",
        "refs/wanted/production/website",
        "refs/waiting/production/website/7",
        "refs/notes/deployments",
    ] {
        let mut push = world.command("git", "website");
        run(push.args(["push", "origin", &format!("+main:{name}")]), b"")
            .exits(1)
            .says("deny updating a hidden ref");
    }
    // They can still be fetched, and written by the server.
    let fetched = world.git_in("website", &["ls-remote", "origin", "refs/deployed/*"]);
    assert!(fetched.contains(&main[0]), "{fetched}");
    deploy(&world, "production/website", &main[1]);
    wait_for_notes(&world, "website", &main[1], 1);
}

#[test]
fn marks_keep_alive_what_is_deployed_wanted_or_was_deployed_before() {
    let world = checkout::world(
        "command = [\"true\"]\nkeep_releases = 1\nmarks = true\n\
         allowed_refs = [\"refs/heads/main\", \"refs/deployed/production/*\", \
         \"refs/previous/production/*\"]\n\
         [environments.production]\non_freeze = \"hold\"\n",
    );
    let revisions: Vec<String> = ["1", "2", "3", "4"]
        .iter()
        .map(|content| checkout::one_file(&world, content))
        .collect();
    let [two, three, four] = [1, 2, 3].map(|n| &revisions[n]);
    checkout::deploy(&world, two);
    world
        .cmd(&["freeze", "production", "--reason", "a test"])
        .ok();
    world.deploy_rev(A, three);
    world.push();
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", two),
            ("refs/wanted/production/a", three),
        ],
    );

    // The branch is pushed away, and everything that no ref leads to is removed.
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    let tree = git(&["rev-parse", "main^{tree}"]);
    let other = git(&["commit-tree", "-m", "Begin anew", &tree]);
    git(&["update-ref", "refs/heads/main", &other]);
    git(&["gc", "-q", "--prune=now"]);
    let is_there = |commit: &str| {
        let mut command = world.command("git", "apps/a.git");
        run(command.args(["cat-file", "-e", commit]), b"").code == Some(0)
    };
    assert!(!is_there(four), "the control: no ref led to it");

    world.cmd(&["thaw", "production"]).ok();
    assert_eq!(world.settled().pop().unwrap(), "#2 production/a succeeded");
    assert_eq!(checkout::current(&world), "3");
    wait_for_notes(&world, "a", three, 1);

    git(&["gc", "-q", "--prune=now"]);
    assert_eq!(checkout::deploy(&world, three), "#3 production/a succeeded");
    assert_eq!(
        checkout::roll_back(&world, two),
        "#4 production/a succeeded"
    );
    assert_eq!(checkout::current(&world), "2");
    wait_for_notes(&world, "a", two, 2);

    // What the rollback took away can come back.
    git(&["gc", "-q", "--prune=now"]);
    world.deploy_rev(A, three);
    world.try_push_saying("Deploy-Release: a test").ok();
    assert_eq!(world.settled().pop().unwrap(), "#5 production/a succeeded");
    assert_eq!(checkout::current(&world), "3");
}

#[test]
fn what_waits_beside_the_wanted_revision_has_a_ref_until_it_is_over() {
    let world = world(&["a"], "marks = true\nqueue = \"all\"");
    world.job("note start; hold end$DEPLOY_ID");
    let main = commits(&world, "a", 3);
    for commit in &main {
        try_deploy(&world, A, commit).ok();
    }
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/waiting/production/a/1", &main[0]),
            ("refs/waiting/production/a/2", &main[1]),
            ("refs/wanted/production/a", &main[2]),
        ],
    );
    world.open("end1");
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &main[0]),
            ("refs/waiting/production/a/2", &main[1]),
            ("refs/wanted/production/a", &main[2]),
        ],
    );
    world.open("end2");
    world.open("end3");
    wait_for_marks(
        &world,
        "a",
        &[
            ("refs/deployed/production/a", &main[2]),
            ("refs/previous/production/a", &main[1]),
            ("refs/wanted/production/a", &main[2]),
        ],
    );
}

#[test]
fn retired_application_has_no_marks_and_gets_them_back() {
    let world = world(&["a", "b"], "marks = true");
    let (a, b) = (
        commit(&world, "a", "main", "a"),
        commit(&world, "b", "main", "b"),
    );
    deploy(&world, A, &a);
    deploy(&world, "production/b", &b);
    world.retire(A);
    world.push();
    wait_for_marks(&world, "a", &[]);
    assert_eq!(wait_for_notes(&world, "a", &a, 1).len(), 1, "notes stay");
    let both = |name: &str| {
        ["deployed", "wanted"].map(|folder| format!("refs/{folder}/production/{name}"))
    };
    let [deployed, wanted] = both("b");
    wait_for_marks(&world, "b", &[(&deployed, &b), (&wanted, &b)]);

    deploy(&world, A, &a);
    let [deployed, wanted] = both("a");
    wait_for_marks(&world, "a", &[(&deployed, &a), (&wanted, &a)]);
}

#[test]
fn every_name_has_marks_of_its_own() {
    // All of them have the same repository.
    let world = world(&["all"], "");
    configure(&world, "marks = true");
    let text = world.config_text().replace("{application}.git", "all.git");
    world.config_file(&text);

    let commit = commit(&world, "all", "main", "c");
    let targets = [
        ("a", "a"),
        ("a", "a.b"),
        ("a", "x.lock"),
        ("a", "x"),
        ("a", "y..z"),
        ("a", "y.z"),
        ("a", "end."),
        ("a", "end"),
        ("a.lock", "a"),
        ("a..b", "a"),
        ("a.", "a"),
    ];
    for (environment, application) in targets {
        world.deploy_rev(&format!("{environment}/{application}"), &commit);
    }
    world.push();
    world.settled();

    let names = [
        "a/a",
        "a/a.b",
        "a/x%2Elock",
        "a/x",
        "a/y%2E%2Ez",
        "a/y.z",
        "a/end%2E",
        "a/end",
        "a%2Elock/a",
        "a%2E%2Eb/a",
        "a%2E/a",
    ];
    let expected: Vec<String> = ["deployed", "wanted"]
        .iter()
        .flat_map(|folder| names.map(|name| format!("refs/{folder}/{name}")))
        .collect();
    let expected: Vec<(&str, &str)> = expected
        .iter()
        .map(|name| (name.as_str(), commit.as_str()))
        .collect();
    wait_for_marks(&world, "all", &expected);
    wait_for_notes(&world, "all", &commit, targets.len());
}

#[test]
fn both_kinds_of_hash_and_of_ref_storage_get_marks() {
    for option in ["--object-format=sha256", "--ref-format=reftable"] {
        let world = world(&[], "marks = true");
        let mut init = world.command("git", "apps");
        init.args(["init", "-q", "--bare", "-b", "main", option, "a.git"]);
        if run(&mut init, b"").code != Some(0) {
            skip("this git does not know the option");
            continue;
        }
        let main = commits(&world, "a", 2);
        deploy(&world, A, &main[0]);
        deploy(&world, A, &main[1]);
        deploy(&world, A, &main[1]);
        wait_for_marks(
            &world,
            "a",
            &[
                ("refs/deployed/production/a", &main[1]),
                ("refs/previous/production/a", &main[0]),
                ("refs/wanted/production/a", &main[1]),
            ],
        );
        wait_for_notes(&world, "a", &main[0], 1);
        wait_for_notes(&world, "a", &main[1], 2);
        world.git_in("apps/a.git", &["fsck", "--strict"]);
    }
}

#[test]
fn notes_of_others_stay_and_large_trees_of_notes_are_read() {
    let world = world(&["a"], "marks = true");
    let commits: String = (1..=300)
        .map(|n| format!("commit refs/heads/main\ncommitter A <a@example.org> {n} +0000\ndata 0\n"))
        .collect();
    let mut import = world.command("git", "apps/a.git");
    run(import.args(["fast-import", "--quiet"]), commits.as_bytes()).ok();
    let git = |arguments: &[&str]| world.git_in("apps/a.git", arguments);
    let main = git(&["rev-list", "--reverse", "main"]);
    let main: Vec<&str> = main.lines().collect();

    // git splits the tree of notes into folders when there are many.
    git(&[
        "notes",
        "--ref=deployments",
        "add",
        "-m",
        "by hand",
        main[0],
    ]);
    let pairs = main[1..281]
        .iter()
        .map(|commit| format!("{} {commit}\n", main[0]));
    let mut copy = world.command("git", "apps/a.git");
    copy.args(["notes", "--ref=deployments", "copy", "--stdin"]);
    run(&mut copy, pairs.collect::<String>().as_bytes()).ok();
    let tree = git(&["ls-tree", "-d", "refs/notes/deployments"]);
    assert!(tree.lines().count() > 100, "git made folders");

    for commit in [main[5], main[299]] {
        deploy(&world, A, commit);
    }
    let lines = wait_for_notes(&world, "a", main[5], 2);
    assert_eq!(lines[0], "by hand");
    wait_for_notes(&world, "a", main[299], 1);
    assert_eq!(wait_for_notes(&world, "a", main[6], 1), ["by hand"]);
    let listed = git(&["notes", "--ref=deployments", "list"]);
    assert_eq!(listed.lines().count(), 282);
}
