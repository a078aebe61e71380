//! The configuration: every error is reported at once, with its place and the nearest right word.
//! An error closes the deploy branch, and no other branch.

use std::fs;

use crate::world::{World, rev};

const BROKEN: &str = r#"[defaults]
comand = ["/bin/true"]
timeout = 5
queue = "newest"
[environments.production]
promotes_from = "stagging"
parallel = "two"
[environments.staging]
timeout = "soon"
[applications.a]
after = ["b"]
[applications.b]
after = ["a"]
checkout = "/srv/{enviroment}"
"#;

#[test]
fn config_errors_are_all_listed_with_place_and_nearest_word() {
    let world = World::installed();
    world.config_file(BROKEN);

    let said = world.cmd(&["check"]).exits(3).all();

    for (place, what) in [
        ("deploy-by-code.toml:2:1", "comand"),
        ("deploy-by-code.toml:3:11", "timeout"),
        ("deploy-by-code.toml:4:9", "queue"),
        ("deploy-by-code.toml:6:17", "stagging"),
        ("deploy-by-code.toml:7:12", "parallel"),
        ("deploy-by-code.toml:9:11", "timeout"),
        ("deploy-by-code.toml:14:12", "enviroment"),
    ] {
        let line = said.lines().find(|line| line.contains(place));
        assert!(
            line.is_some_and(|line| line.contains(what)),
            "{place} {what} is missing: {said}"
        );
    }
    for near in ["\"command\"", "\"staging\"", "{environment}", "latest"] {
        assert!(said.contains(near), "{near} is not offered: {said}");
    }
    assert!(said.contains("cycle"), "{said}");
}

#[test]
fn config_that_is_no_toml_is_refused_with_its_place() {
    let world = World::installed();
    world.config_file("[defaults]\ncommand = [\"/bin/true\"\n[environments\n");

    for command in [&["check"][..], &["plan", "main", "main"]] {
        world.cmd(command).exits(3).says("deploy-by-code.toml:3:1");
    }
    // What is recorded can be seen nevertheless.
    world
        .cmd(&["status"])
        .ok()
        .says("warning: ")
        .says("deploy-by-code.toml:3:1");
}

#[test]
fn config_error_closes_the_deploy_branch_only() {
    let world = World::installed();
    let good = world.config_text();
    world.config_file(BROKEN);
    world.deploy("production/x", 1);

    world
        .try_push()
        .exits(1)
        .says("deploy-by-code.toml:2:1")
        .says("deploy-by-code.toml:9:11")
        .says("\"command\"");
    let others = ["origin", "HEAD:refs/heads/topic", "HEAD:refs/tags/v1"];
    assert_eq!(world.push_with(&others).ok().remote(), [""; 0]);

    world.config_file(&good);
    world.push();
    assert_eq!(world.settled(), ["#1 production/x succeeded"]);
}

#[test]
fn config_error_in_post_receive_loses_nothing() {
    let world = World::installed();
    let good = world.config_text();
    world.config_file("[defaults]\ncomand = []\n");
    world.deploy("production/x", 1);
    let line = world.push_unseen();

    let hook = world.hook("post-receive", &line).exits(1);
    assert!(hook.stderr.contains("deploy-by-code.toml:2:1"), "{hook:#?}");
    world.cmd(&["reconcile"]).exits(3);

    world.config_file(&good);
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), ["#1 production/x succeeded"]);
}

#[test]
fn config_with_a_cycle_in_after_is_refused() {
    let world = World::installed();
    let itself = "[applications.a]\nafter = [\"a\"]";
    let three = "[applications.a]\nafter = [\"b\"]\n\
                 [applications.b]\nafter = [\"c\"]\n\
                 [applications.c]\nafter = [\"a\"]";
    let two_levels = "[environments.production.applications.a]\nafter = [\"b\"]\n\
                      [applications.b]\nafter = [\"a\"]";

    for (text, cycle) in [
        (itself, "a after a"),
        (three, "a after b after c after a"),
        (two_levels, "a after b after a"),
    ] {
        world.config(text);
        world.cmd(&["check"]).exits(3).says("cycle").says(cycle);
        world.deploy("production/a", 1);
        world.try_push().exits(1).says("cycle");
    }
    world.config("");
    assert_eq!(world.history(), [""; 0]);
}

#[test]
fn config_option_wins_over_the_repositorys_file() {
    let world = World::installed();
    let other = world.path("other.toml");
    fs::write(&other, "[defaults]\nnonsense = 1\n").unwrap();

    world.cmd(&["check"]).ok();
    world
        .cmd(&["--config", other.to_str().unwrap(), "check"])
        .exits(3)
        .says("other.toml:2:1");
    world
        .cmd(&["--config", "/nonexistent/config.toml", "check"])
        .exits(3)
        .says("/nonexistent/config.toml");
}

#[test]
fn config_in_the_pushed_tree_is_not_read() {
    let world = World::installed();
    let pushed = "[defaults]\ncommand = [\"/bin/false\"]\n";
    world.write("deploy-by-code.toml", pushed);
    world.write("production/deploy-by-code.toml", "nonsense");
    world.deploy("production/a", 1);

    world.push();

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

/// Otherwise everything that differs between the two branches would be deployed.
#[test]
fn config_with_another_branch_than_before_needs_install() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    world.config_top("branch = \"other\"");

    world.deploy("production/a", 2);
    world
        .push_with(&["origin", "HEAD:refs/heads/other"])
        .exits(1)
        .says("run: deploy-by-code install");
    world.without_hooks(|| world.push_with(&["origin", "HEAD:refs/heads/other"]).ok());
    world
        .cmd(&["reconcile"])
        .exits(4)
        .says("to start from the tip of refs/heads/other, run: deploy-by-code install");
    assert_eq!(world.history().len(), 1);

    // install counts what is on the other branch as deployed.
    world.install();
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled().len(), 1);
    world.deploy("production/a", 3);
    world.push_with(&["origin", "HEAD:refs/heads/other"]).ok();
    assert_eq!(world.settled()[1..], ["#2 production/a succeeded"]);
    assert_eq!(world.show(2)["revision"], rev(3));
}

#[test]
fn state_dir_can_be_outside_of_the_repository() {
    let world = World::new();
    world.config_top(&format!("state_dir = {:?}", world.path("elsewhere/state")));
    world.install();

    world.deploy("production/a", 1);
    world.push();

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert!(world.path("elsewhere/state/logs/1.log").exists());
    assert!(!world.state().exists());
}

/// A chain of applications is as long as the largest configuration allows.
#[test]
fn config_with_a_long_chain_of_applications_is_read() {
    let world = World::installed();
    let mut chain = "[applications]\n".to_owned();
    for n in 0..40_000 {
        chain.push_str(&format!("a{n}.after=[\"a{}\"]\n", n + 1));
    }
    world.config(&chain);
    world.deploy("production/a0", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a0 succeeded"]);

    world.config(&format!("{chain}a40000.after=[\"a0\"]\n"));
    let check = world.cmd(&["check"]).exits(3);
    let cycle = "after makes a cycle: a0 after a1 after a2";
    assert!(check.says(cycle).all().len() < 1000);
    world.deploy("production/a0", 2);
    world.try_push().exits(1).says("after … after a0");
}
