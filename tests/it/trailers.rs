//! Trailers that are spelt wrong: a refusal names them, and an accepted push warns of them. They
//! never count.

use crate::applications::{
    commits, deploy, forget_if_refused, refused, short, try_deploy_saying, world,
};
use crate::world::World;

const A: &str = "production/a";

/// A world in which the third of three commits of `a` is deployed.
fn deployed(config: &str) -> (World, Vec<String>) {
    let world = world(&["a"], config);
    let main = commits(&world, "a", 3);
    deploy(&world, A, &main[2]);
    (world, main)
}

/// Pushes a commit with a message that must be refused. Returns the hash of the commit, and what
/// the push says.
#[track_caller]
fn refusal(world: &World, revision: &str, message: &str) -> (String, String) {
    world.deploy_rev(A, revision);
    world.commit_saying(message);
    let commit = world.git(&["rev-parse", "HEAD"]);
    let push = world.push_with(&["origin", "HEAD:refs/heads/main"]);
    forget_if_refused(world, &push);
    (short(&commit).to_owned(), refused(push))
}

#[track_caller]
fn assert_names(said: &str, commit: &str, line: usize, written: &str, trailer: &str) {
    let expect = format!(
        "line {line} of the message of {commit} has {trailer}, which does not count: \
         it is spelt {written} and not {trailer}: <reason>, in a paragraph of its own"
    );
    assert!(said.contains(&expect), "{expect:?} is missing: {said}");
}

#[test]
fn refused_rollback_names_the_misspelt_trailer() {
    let (world, main) = deployed("");
    for (message, line, written) in [
        ("Deploy-Rolback: alarms", 3, "Deploy-Rolback"),
        ("Deploy-Roll-Back: alarms", 3, "Deploy-Roll-Back"),
        ("Deploy_Rollback: alarms", 3, "Deploy_Rollback"),
        ("deploy-rollback alarms", 3, "deploy-rollback"),
        ("Deploy Rollback: alarms", 3, "Deploy Rollback"),
        ("Depoly-Rollback: alarms", 3, "Depoly-Rollback"),
        (
            "Deploy\u{2011}Rollback: alarms",
            3,
            "Deploy\u{2011}Rollback",
        ),
        ("Rollback: alarms", 3, "Rollback"),
        ("Prose.\n\n* Deploy-Rolback: alarms", 5, "Deploy-Rolback"),
        (
            "Deploy-Rolback: alarms\n\n---------\n\nCo-authored-by: B <b@example.org>",
            3,
            "Deploy-Rolback",
        ),
    ] {
        let (commit, said) = refusal(&world, &main[0], message);
        assert!(said.contains("would go back 2 commits"), "{said}");
        assert_names(&said, &commit, line, written, "Deploy-Rollback");
    }
    assert_eq!(world.history().len(), 1);
}

#[test]
fn refusal_names_a_trailer_that_nobody_knows() {
    let (world, main) = deployed("");
    for name in ["Deploy-Freeze", "Deploy-Back", "deploy-REASON"] {
        let (commit, said) = refusal(&world, &main[0], &format!("{name}: alarms"));
        let expect = format!(
            "line 3 of the message of {commit} has {name}, \
             which is not a trailer that deploy-by-code knows"
        );
        assert!(said.contains(&expect), "{expect:?} is missing: {said}");
        assert!(!said.contains("nothing was done"), "{said}");
    }
}

#[test]
fn refusal_for_want_of_another_reason_does_not_name_the_slip() {
    let (world, main) = deployed("");
    let (_, said) = refusal(&world, &main[0], "Deploy-Relese: fixed");
    assert!(!said.contains("does not count"), "{said}");

    let (_, said) = refusal(&world, &main[0], "Deploy the version before the alarms");
    assert!(!said.contains("of the message of"), "{said}");
}

#[test]
fn refused_release_names_the_misspelt_trailer() {
    let (world, main) = deployed("");
    try_deploy_saying(&world, A, &main[0], "Deploy-Rollback: alarms").ok();
    world.settled();

    let (commit, said) = refusal(&world, &main[2], "Deploy-Realease: fixed");
    assert_names(&said, &commit, 3, "Deploy-Realease", "Deploy-Release");
}

#[test]
fn refused_change_alone_names_the_misspelt_trailer() {
    let group = "[environments.production]\ntogether = [\"a\", \"b\"]\n";
    let world = world(&["a", "b"], group);
    let (a, b) = (commits(&world, "a", 2), commits(&world, "b", 1));
    world.deploy_rev("production/b", &b[0]);
    deploy(&world, A, &a[0]);

    let (commit, said) = refusal(&world, &a[1], "Deploy-Along: b is the same");
    assert_names(&said, &commit, 3, "Deploy-Along", "Deploy-Alone");
}

#[test]
fn frozen_environment_names_the_misspelt_override_only_if_somebody_may_override() {
    for (override_by, is_named) in [("override_by = [\"alice\"]", true), ("", false)] {
        let world = world(
            &["a"],
            &format!("[environments.production]\n{override_by}\n"),
        );
        let main = commits(&world, "a", 1);
        let freeze = ["freeze", "production", "--reason", "incident 7"];
        world.cmd(&freeze).ok();

        let (commit, said) = refusal(&world, &main[0], "Deploy-Overide: fire");
        assert!(said.contains("production is frozen"), "{said}");
        if is_named {
            assert_names(&said, &commit, 3, "Deploy-Overide", "Deploy-Override");
        } else {
            assert!(!said.contains("Deploy-Over"), "{said}");
        }
    }
}

#[test]
fn accepted_push_warns_once_of_each_trailer_that_nobody_knows() {
    let world = world(&["a", "b"], "");
    let (a, b) = (commits(&world, "a", 1), commits(&world, "b", 1));
    for (environment, message, meant) in [
        ("production", "Deploy-Freeze: x\nReviewed-by: A <a>", ""),
        (
            "staging",
            "Deploy-Rolback: x",
            " (did you mean Deploy-Rollback?)",
        ),
    ] {
        world.deploy_rev(&format!("{environment}/a"), &a[0]);
        world.deploy_rev(&format!("{environment}/b"), &b[0]);
        world.commit_saying(message);
        let commit = world.git(&["rev-parse", "HEAD"]);
        let name = message.split(':').next().unwrap();
        let warning = format!(
            "line 3 of the message of {} has {name}, which is not a trailer that \
             deploy-by-code knows; nothing was done with it{meant}",
            short(&commit)
        );
        let old = world.tip();
        let said = world.push().remote();
        let warnings = said.iter().filter(|line| line.contains("warning"));
        let expect = format!("deploy-by-code: warning {environment}/a.deploy: {warning}");
        assert_eq!(warnings.collect::<Vec<_>>(), [&expect]);
        world.settled();

        let plan = world.cmd(&["plan", &old, &commit]);
        plan.says(&format!("warning: {warning}"));
    }
}

#[test]
fn accepted_push_does_not_warn_of_prose() {
    let (world, _) = deployed("");
    let main = commits(&world, "a", 2);
    for (revision, message) in main.iter().zip([
        "Deploy-time: it takes long\nand nobody knows why",
        "Reviewed-by: A <a>\n\nDeploy-Rollback: not needed",
    ]) {
        let push = try_deploy_saying(&world, A, revision, message).ok();
        push.says_nothing_of("warning");
        world.settled();
    }
}

#[test]
fn what_a_refusal_names_is_escaped_and_bounded() {
    let (world, main) = deployed("");
    let many = "Deploy-Rolback\u{1b}: alarms\n\n".repeat(500);
    let (_, said) = refusal(&world, &main[0], &many);
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert_eq!(said.matches("does not count").count(), 3, "{said}");
}
