//! The configuration: every problem at once, with its place and the nearest right word; closed to
//! the deploy branch, open to all others.

use std::fs;

use crate::world::World;

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
fn check_shows_every_problem_with_place_and_nearest_word() {
    let world = World::installed();
    world.config_file(BROKEN);
    let check = world.cmd(&["check"]).exits(3);
    let said = check.all();
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
fn text_that_is_no_toml_is_a_problem_with_a_place() {
    let world = World::installed();
    world.config_file("[defaults]\ncommand = [\"/bin/true\"\n[environments\n");
    world.cmd(&["check"]).exits(3).says("deploy-by-code.toml:");
    for command in [&["status"][..], &["plan", "main", "main"]] {
        let code = world.cmd(command).code;
        assert!(
            matches!(code, Some(0 | 3 | 4)),
            "{command:?} ended with {code:?}"
        );
    }
}

#[test]
fn a_broken_configuration_closes_the_deploy_branch_only() {
    let world = World::installed();
    let good = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(BROKEN);
    world.deploy("production/x", 1);
    let push = world.try_push().exits(1);
    push.says("deploy-by-code.toml:2:1")
        .says("deploy-by-code.toml:9:11")
        .says("\"command\"");
    let topic = world
        .push_with(&["origin", "HEAD:refs/heads/topic", "HEAD:refs/tags/v1"])
        .ok();
    assert_eq!(topic.remote(), [""; 0]);
    world.config_file(&good);
    world.push();
    assert_eq!(world.settled(), ["#1 production/x succeeded"]);
}

#[test]
fn post_receive_with_a_broken_configuration_loses_nothing() {
    let world = World::installed();
    let good = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file("[defaults]\ncomand = []\n");
    world.deploy("production/x", 1);
    let line = world.push_unseen();
    let hook = world.hook("post-receive", &line).exits(1);
    assert!(hook.stderr.contains("deploy-by-code.toml:2:1"), "{hook:#?}");
    assert_eq!(world.cmd(&["reconcile"]).code, Some(3));
    world.config_file(&good);
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), ["#1 production/x succeeded"]);
}

#[test]
fn a_cycle_in_after_is_an_error() {
    let world = World::installed();
    let good = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    for (text, names) in [
        ("[applications.a]\nafter = [\"a\"]", "a after a"),
        (
            "[applications.a]\nafter = [\"b\"]\n[applications.b]\nafter = [\"c\"]\n[applications.c]\nafter = [\"a\"]",
            "after",
        ),
        (
            "[environments.production.applications.a]\nafter = [\"b\"]\n[applications.b]\nafter = [\"a\"]",
            "after",
        ),
    ] {
        world.config(text);
        world.cmd(&["check"]).exits(3).says("cycle").says(names);
        world.deploy("production/a", 1);
        world.try_push().exits(1).says("cycle");
    }
    world.config_file(&good);
    assert_eq!(world.history(), [""; 0]);
}

#[test]
fn an_explicit_file_wins() {
    let world = World::installed();
    fs::write(world.path("other.toml"), "[defaults]\nnonsense = 1\n").unwrap();
    let other = world.path("other.toml");
    world
        .cmd(&["--config", other.to_str().unwrap(), "check"])
        .exits(3)
        .says("other.toml:2:1");
    world.cmd(&["check"]).ok();
    world
        .cmd(&["--config", "/nonexistent/config.toml", "check"])
        .says("/nonexistent/config.toml");
    let missing = world
        .cmd(&["--config", "/nonexistent/config.toml", "check"])
        .code;
    assert!(matches!(missing, Some(3 | 4)), "{missing:?}");
}

#[test]
fn what_the_pushed_tree_brings_along_is_not_read() {
    let world = World::installed();
    world.write(
        "deploy-by-code.toml",
        "[defaults]\ncommand = [\"/bin/false\"]\n",
    );
    world.write("production/deploy-by-code.toml", "nonsense");
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn another_branch_than_the_one_of_the_state_asks_for_install() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let old = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!("branch = \"other\"\n{old}"));
    world.deploy("production/a", 2);
    let commit = world.commit();
    world.push_with(&["origin", &format!("{commit}:refs/heads/other")]);
    world.cmd(&["reconcile"]).says("install");
    assert_eq!(
        world.history().len(),
        1,
        "nothing is taken for new because the branch is another one"
    );
    world.install();
    world.server_git(&["update-ref", "refs/heads/other", &commit]);
    world.cmd(&["reconcile"]).ok();
    assert!(world.settled().len() <= 2);
}

#[test]
fn the_state_directory_can_be_elsewhere() {
    let world = World::new();
    let old = fs::read_to_string(world.path("deploy.git/deploy-by-code.toml")).unwrap();
    world.config_file(&format!(
        "state_dir = {:?}\n{old}",
        world.path("elsewhere/state")
    ));
    world.install();
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert!(world.path("elsewhere/state/logs/1.log").exists());
    assert!(!world.state().exists());
}
