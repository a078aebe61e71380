//! What `check` and `doctor` say about the people who must sign, and what `plan` and `check` say
//! about what they have signed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::run::run;
use crate::signing::{
    ONE_APPROVAL, approve, commit_signed, configure_signers, make_key, public_key, push_commits,
    world_of_signers,
};
use crate::world::World;

const A: &str = "production/a";

/// A server that wants an approval for production, and whose deploy branch exists.
fn started() -> World {
    let world = world_of_signers(&format!("[environments.staging]\n{ONE_APPROVAL}"));
    world.deploy("staging/b", 1);
    world.push();
    world.settled();
    world
}

#[track_caller]
fn push_topic(world: &World) {
    world.push_with(&["origin", "HEAD:refs/heads/topic"]).ok();
}

/// Adds lines to the file of allowed signers.
fn add_signers(world: &World, lines: &str) {
    let file = world.path("signers");
    fs::write(&file, fs::read_to_string(&file).unwrap() + lines).unwrap();
}

/// The lines of `doctor` about signatures.
fn doctor(world: &World) -> String {
    let found = world.cmd(&["doctor", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let found = found.as_array().unwrap().iter();
    let found = found.filter(|check| check["name"] == "signatures");
    let lines: Vec<String> = found
        .map(|check| {
            let [level, found, fix] = ["level", "found", "fix"].map(|key| check[key].as_str());
            format!("{level:?} {found:?} {fix:?}")
        })
        .collect();
    lines.join("\n")
}

#[test]
fn plan_tells_by_its_exit_status_whether_the_push_would_be_accepted() {
    let world = started();
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    push_topic(&world);

    let forms = [&["plan"][..], &["plan", "--json"], &["plan", "--markdown"]];
    for form in forms {
        let run = world.cmd(&[form, &["main", "topic"]].concat()).exits(1);
        run.says("there is none")
            .says("Deploy-Approve: production/a");
    }
    push_commits(&world).exits(1);

    approve(&world, "bob", A);
    push_topic(&world);
    for form in forms {
        let run = world.cmd(&[form, &["main", "topic"]].concat()).ok();
        run.says("approved by bob");
    }
    let plan = &world.json(&["plan", "main", "topic"])[0];
    assert_eq!(plan["approvals"][0]["by"], "bob@example.org", "{plan}");
    push_commits(&world).ok();

    // What can't be judged is neither.
    world.cmd(&["plan", "main", "nowhere"]).exits(1);
    world.config_file("nonsense = 1\n");
    world.cmd(&["plan", "main", "topic"]).exits(3);
}

#[test]
fn plan_in_markdown_begins_with_a_line_that_a_script_can_find() {
    let world = started();
    let after_marker = || {
        let plan = world.cmd(&["plan", "--markdown", "main", "topic"]);
        let rest = plan.stdout.strip_prefix("<!-- deploy-by-code plan -->\n\n");
        rest.unwrap_or_else(|| panic!("{plan:?}")).to_owned()
    };
    world.write("README", "x");
    push_topic(&world);
    assert!(after_marker().starts_with("**Not deployed:**"));

    world.deploy(A, 1);
    push_topic(&world);
    assert!(after_marker().contains("**refused:**"));

    // The branch has gone on meanwhile.
    world.git(&["checkout", "-q", "-b", "other", "origin/main"]);
    world.deploy("staging/b", 2);
    world.push();
    assert!(after_marker().contains("does not contain"));
}

#[test]
fn check_of_another_commit_says_which_approvals_are_missing() {
    let world = started();
    world.deploy(A, 1);
    commit_signed(&world, "alice", &["Deploy"]);
    push_topic(&world);
    let missing = "refused production/a.deploy: production needs 1 approval";
    world.cmd(&["check", "topic"]).exits(1).says(missing);

    // The branch has gone on meanwhile.
    world.git(&["checkout", "-q", "-b", "other", "origin/main"]);
    world.deploy("staging/b", 2);
    world.push();
    world.cmd(&["check", "topic"]).exits(1).says(missing);

    world.git(&["checkout", "-q", "-"]);
    approve(&world, "bob", A);
    push_topic(&world);
    world.cmd(&["check", "topic"]).ok();

    // What is on the branch, or was there, needs nothing more.
    world.cmd(&["check", "main"]).ok();
    world.cmd(&["check", "main~1"]).ok();
    world.cmd(&["check"]).ok();
}

#[test]
fn keys_and_people_that_are_as_they_should_be_are_counted() {
    let world = started();
    let found = doctor(&world);
    assert!(
        found.contains("ssh-keygen checks signatures, allowed_signers has 3 keys, 3 people"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 1, "{found}");
    world
        .cmd(&["check"])
        .ok()
        .says_nothing_of("warning: people");
}

#[test]
fn lines_of_allowed_signers_that_do_not_count_are_named() {
    let world = started();
    make_key(&world, "grace");
    let [alice, carol, grace] = ["alice", "carol", "grace"].map(|name| public_key(&world, name));
    add_signers(
        &world,
        &format!(
            "# a comment\n\
             dave@example.org ssh-ed25519 AAAAbroken\n\
             *@example.org {alice}\n\
             erin@example.org {carol}\n\
             alice@example.org namespaces=\"file\" {alice}\n\
             {alice} frank@example.org\n\
             grace@example.org valid-before=\"20260101\" {grace}\n\
             grace@example.org valid-after=\"29990101Z\" {grace}\n"
        ),
    );

    let check = world.cmd(&["check"]).ok();
    let found = doctor(&world);
    for expected in [
        "ssh-keygen can't use line 5: invalid key, line 9: invalid key",
        "a pattern gives a key to nobody: line 6: \\\"*@example.org\\\"",
        "so it counts for the first: lines 1 and 6, lines 3 and 7",
        "namespaces does not allow signatures of git: line 8",
        "the key is not valid now: line 10, line 11",
    ] {
        assert!(found.contains(expected), "{expected}: {found}");
        let expected = expected.replace("\\\"", "\"");
        assert!(check.stderr.contains(&expected), "{expected}: {check:?}");
    }
    assert!(found.contains("3 people can sign"), "{found}");
}

#[test]
fn people_of_the_configuration_who_have_no_key_are_named() {
    let world = started();
    configure_signers(
        &world,
        "groups = { ops = [\"bob@example.org\", \"Carol@example.org\"] }\n\
         [environments.staging]\n\
         override_by = [\"deployer\", \"zoe@elsewhere.org\"]\n\
         [environments.production]\n\
         approvals = 1\n\
         approvers = [\"ops\", \"alise@example.org\"]\n",
    );

    let mut check = world.cmd(&["check"]).ok();
    let found = doctor(&world);
    for (key, name, hint) in [
        (
            "people.groups.ops",
            "Carol@example.org",
            "write \"carol@example.org\"",
        ),
        (
            "environments.production.approvers",
            "alise@example.org",
            "did you mean \"alice@example.org\"?",
        ),
        (
            "environments.staging.override_by",
            "zoe@elsewhere.org",
            "add the person's key",
        ),
    ] {
        let expected = format!("{key}: no key is known of \"{name}\"");
        check = check.says(&format!("warning: {expected}")).says(hint);
        assert!(found.contains(name), "{expected}: {found}");
    }
    check.says_nothing_of("bob@").says_nothing_of("deployer");
}

#[test]
fn too_few_people_for_the_approvals_are_an_error() {
    let world = started();
    for (section, says) in [
        (
            "approvals = 2\napprovers = [\"bob@example.org\", \"bo@example.org\"]\n",
            "environments.production.approvals: it is 2, and of its approvers fewer can have a key",
        ),
        (
            "approvals = 3\n",
            "environments.production.approvals: it is 3, which takes 4 people who sign, and 3 can",
        ),
    ] {
        configure_signers(
            &world,
            &format!("[environments.staging]\n[environments.production]\n{section}"),
        );
        world
            .cmd(&["check"])
            .exits(1)
            .says(&format!("refused {says}"));
        let found = doctor(&world);
        assert!(found.contains("problem") && found.contains(says), "{found}");
    }
}

#[test]
fn files_of_keys_that_cannot_be_used_are_an_error() {
    let world = started();
    let signers = world.path("signers");
    let revoked = world.path("revoked");
    configure_signers(
        &world,
        &format!(
            "revoked_keys = \"{}\"\n[environments.staging]\n{ONE_APPROVAL}",
            revoked.display()
        ),
    );
    let fails = |says: &str| {
        world
            .cmd(&["check"])
            .exits(1)
            .says("refused people")
            .says(says);
        let found = doctor(&world);
        assert!(found.contains("problem") && found.contains(says), "{found}");
    };

    fails("revoked: No such file");
    fs::write(&revoked, "nonsense\n").unwrap();
    fails("so no signature counts");
    fs::write(&revoked, public_key(&world, "carol") + "\n").unwrap();
    world.cmd(&["check"]).ok();

    fs::set_permissions(&signers, Permissions::from_mode(0o666)).unwrap();
    fails("can change");
    fs::remove_file(&signers).unwrap();
    fails("signers: No such file");

    // Nothing is refused where nothing has to be signed.
    let section = "[environments.production]\noverride_by = [\"alice@example.org\"]\n";
    configure_signers(&world, &format!("[environments.staging]\n{section}"));
    let check = world.cmd(&["check"]).ok();
    check
        .says("warning: people: allowed_signers")
        .says("No such file");
}

#[test]
fn programs_that_do_not_check_signatures_are_an_error() {
    let world = started();
    let fake = world.path("bin/ssh-keygen");
    fs::create_dir(world.path("bin")).unwrap();
    fs::write(&fake, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&fake, Permissions::from_mode(0o755)).unwrap();

    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", world.path("bin").display());
    run(world.binary().arg("check").env("PATH", path), b"")
        .exits(1)
        .says("ssh-keygen does not call a good signature good");
}
