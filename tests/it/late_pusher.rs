//! Pushes that another process plans before their own hooks do: what the pusher has a right to
//! still counts, and everybody learns who it was.

use std::fs;
use std::process::Child;
use std::thread;

use crate::applications::{bring_back, take_away};
use crate::checkout::{one_file, world as with_application};
use crate::hosts::script;
use crate::late::push_as;
use crate::notify::{got, told};
use crate::processes::{BINARY, in_background};
use crate::run::{Run, run};
use crate::world::World;

const A: &str = "production/a";
const B: &str = "production/b";

/// What accepts everything while production is frozen, and lets alice override it.
const HOLD: &str = "[environments.production]\non_freeze = \"hold\"\noverride_by = [\"alice\"]\n";

fn freeze(world: &World) {
    let freeze = ["freeze", "production", "--reason", "incident 7"];
    world.cmd(&freeze).ok();
}

#[track_caller]
fn wait_until_frozen(world: &World, id: usize) {
    world.wait_until("it waits for the thaw", || {
        let history = world.history();
        history.len() >= id && history[id - 1].contains("queued: frozen by ")
    });
}

/// Calls post-receive by hand for a push of a person whom the git host authenticates.
fn post_receive_as(world: &World, person: &str, line: &str) -> Run {
    let mut hook = world.command(BINARY, "deploy.git");
    hook.arg("post-receive")
        .envs([("GIT_DIR", "."), ("GL_USER", person)]);
    run(&mut hook, line.as_bytes()).ok()
}

/// Holds post-receive of alice's pushes up until a gate is open.
fn hold_post_receive_up(world: &World) {
    let hooks = world.path("deploy.git/hooks");
    fs::create_dir(hooks.join("held")).unwrap();
    fs::rename(hooks.join("post-receive"), hooks.join("held/post-receive")).unwrap();
    script(
        &hooks.join("post-receive"),
        "#!/bin/sh\n\
         if [ \"$GL_USER\" = alice ]; then\n\
         touch ../in-hook\n\
         until [ -e ../gate.hook ]; do sleep 0.02; done\n\
         fi\n\
         exec hooks/held/post-receive\n",
    );
}

/// Begins a push of alice's that overrides a freeze, and waits until its post-receive is held up.
fn begin_override(world: &World) -> Child {
    world.deploy(A, 1);
    world.commit_saying("Deploy-Override: fire");
    begin_push(world)
}

fn begin_push(world: &World) -> Child {
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    let child = in_background(push.env("GL_USER", "alice"));
    world.wait_until("post-receive is held up", || world.path("in-hook").exists());
    child
}

#[test]
fn override_counts_although_another_process_plans_the_push_first() {
    let world = told("\"override\", \"planned\"");
    world.config_file(&format!("{}{HOLD}", world.config_text()));
    hold_post_receive_up(&world);
    freeze(&world);
    // Without it, only post-receive says who pushed.
    fs::remove_file(world.path("deploy.git/hooks/reference-transaction")).unwrap();

    let mut push = begin_override(&world);
    world.cmd(&["reconcile"]).ok().says("#1 production/a");
    wait_until_frozen(&world, 1);
    world.open("hook");
    push.wait().unwrap();

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    let shown = world.show(1);
    assert_eq!(shown["pusher"], "alice");
    assert_eq!(shown["exceptions"][0]["reason"], "fire");

    // Whoever looks at the push again adds nothing.
    let line = format!("{} {} refs/heads/main\n", crate::world::NULL, world.tip());
    post_receive_as(&world, "alice", &line);
    world.wait_until_told();
    let titles: Vec<_> = got(&world)
        .iter()
        .map(|event| event["title"].clone())
        .collect();
    assert_eq!(
        titles,
        [
            "a 0000001 queued",
            "a 0000001 queued, overrides a safeguard"
        ]
    );
}

#[test]
fn override_counts_before_post_receive_has_run() {
    let world = World::installed();
    world.config(HOLD);
    world.write("README", "x");
    world.push();
    hold_post_receive_up(&world);
    freeze(&world);

    let mut push = begin_override(&world);
    world.cmd(&["reconcile"]).ok();

    // The `reconcile` that reference-transaction started knows the pusher too.
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    world.open("hook");
    push.wait().unwrap();
    assert_eq!(world.show(1)["pusher"], "alice");
}

#[test]
fn override_counts_for_own_commits_where_several_pushes_are_planned_at_once() {
    let world = World::installed();
    world.config(HOLD);
    freeze(&world);
    world.deploy(B, 1);
    world.commit_saying("Deploy-Override: mine");
    world.push_unseen();
    world.deploy(A, 1);
    world.commit_saying("Deploy-Override: fire");
    let line = world.push_unseen();

    post_receive_as(&world, "alice", &line)
        .says("#1 override: fire")
        .says_nothing_of("#1 waits")
        .says("#2 waits until production is thawed");

    world.wait_until("the one is deployed, and the other waits", || {
        let history = world.history();
        history[0] == "#1 production/a succeeded" && history[1].contains("queued: frozen by ")
    });
    assert!(world.show(2)["pusher"].is_null());
    world.cmd(&["cancel", "2"]).ok();
    world.settled();
}

#[test]
fn override_is_for_the_freeze_that_the_pusher_met() {
    let world = World::installed();
    world.config(HOLD);
    world.job("note start; hold end");
    world.deploy(A, 1);
    world.deploy(B, 1);
    world.commit_saying("Deploy-Override: fire");
    let line = world.push_unseen();
    world.cmd(&["reconcile"]).ok().says("#2 production/b");
    world.wait_for("production/a #1 start");
    post_receive_as(&world, "alice", &line).says("#2 production/b");
    assert_eq!(world.show(2)["pusher"], "alice");

    freeze(&world);
    post_receive_as(&world, "alice", &line).says_nothing_of("override");

    world.open("end");
    wait_until_frozen(&world, 2);
    world.cmd(&["cancel", "2"]).ok();
    world.settled();
}

#[test]
fn override_of_what_is_judged_again_counts_for_a_pusher_who_was_known_late() {
    let world = with_application(HOLD);
    let one = one_file(&world, "one");
    freeze(&world);
    world.deploy_rev(A, &one);
    world.commit_saying("Deploy-Override: fire");
    let line = world.push_unseen();
    take_away(&world, "a");
    world.cmd(&["reconcile"]).ok().says("problem production/a");
    post_receive_as(&world, "alice", &line).says("problem production/a");

    bring_back(&world, "a");
    world.cmd(&["reconcile"]).ok().says("#1 production/a");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.show(1)["pusher"], "alice");
}

#[test]
fn override_of_what_is_judged_again_lends_nobody_the_right_of_another() {
    let world = with_application(HOLD);
    let (one, two) = (one_file(&world, "one"), one_file(&world, "two"));
    world.deploy_rev(A, &one);
    world.commit_saying("Deploy-Override: because I can");
    let line = world.push_unseen();
    take_away(&world, "a");
    post_receive_as(&world, "mallory", &line).says("problem production/a");

    world.deploy_rev(A, &two);
    world.commit();
    let line = world.push_unseen();
    post_receive_as(&world, "alice", &line).says("problem production/a");
    freeze(&world);
    bring_back(&world, "a");
    world.cmd(&["reconcile"]).ok().says("#1 production/a");

    wait_until_frozen(&world, 1);
    world.cmd(&["cancel", "1"]).ok();
    world.settled();
}

/// Holds post-receive of a push of alice's up until another process looks whether there is
/// something to plan. That process has `word` in its command line.
fn push_beside(world: &World, word: &str, work: impl FnOnce() -> Run + Send) -> Run {
    hold_post_receive_up(world);
    world.deploy(A, 1);
    world.commit();
    let mut push = begin_push(world);

    let is_it = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline"));
        line.is_ok_and(|line| line.contains(word))
    };
    let worked = thread::scope(|scope| {
        let work = scope.spawn(work);
        world.wait_until("the other process is there", || {
            work.is_finished() || world.ours().iter().any(is_it)
        });
        world.open("hook");
        work.join().unwrap()
    });
    push.wait().unwrap();
    worked
}

/// The pusher in the event that was recorded when the first deployment was planned.
fn recorded_pusher(world: &World) -> serde_json::Value {
    let database = rusqlite::Connection::open(world.state().join("state.db")).unwrap();
    let sql = "SELECT data FROM events WHERE kind = 'planned' ORDER BY id LIMIT 1";
    let data: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    data["planned"]["pusher"]["name"].clone()
}

#[test]
fn push_is_left_to_its_own_hooks_when_another_push_comes() {
    let world = World::installed();
    let push = push_beside(&world, "pre-receive", || {
        world.write("README", "x");
        push_as(&world, "bob").ok()
    });

    push.says_nothing_of("earlier push");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(recorded_pusher(&world), "alice");
}

#[test]
fn push_is_left_to_its_own_hooks_when_a_runner_starts() {
    let world = World::installed();
    push_beside(&world, "run\0production", || {
        world.cmd(&["run", "production"]).ok()
    });

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(recorded_pusher(&world), "alice");
}
