//! `Deploy-Override`, signed by somebody who may: it goes past missing approvals and a freeze.

use crate::run::run;
use crate::signing::{
    Attack, ONE_APPROVAL, approve, commit_of, commit_signed, git_with_key, go_to, head,
    push_commits, refuse_all, start_over, world_with_deployments,
};
use crate::world::World;

const A: &str = "production/a";
const OVERRIDE: &str = "Deploy-Override: the site is down";
const NONE: &str = "needs 1 approval by other people than who changed the file, and there is none";

fn world() -> World {
    let world = world_with_deployments(&format!(
        "{ONE_APPROVAL}override_by = [\"carol@example.org\"]\n"
    ));
    let file = world.path("told").display().to_string();
    let tell = format!("cat >>'{file}'");
    world.config_file(&format!(
        "{}\n[notify.program]\nkind = \"command\"\n\
         command = [\"/bin/sh\", \"-c\", {tell:?}]\nevents = [\"override\"]\n",
        world.config_text()
    ));
    world
}

/// Waits until the program was told of an override by carol, and of nothing else.
#[track_caller]
fn wait_until_told(world: &World) {
    let told = || std::fs::read_to_string(world.path("told")).unwrap_or_default();
    world.wait_until("the program is told", || {
        told().contains("carol@example.org")
    });
    let count = told().matches("overrides a safeguard").count();
    assert_eq!(count, 1, "{}", told());
}

/// A change of `production/a` with an override, signed with a key.
fn overridden_by(world: &World, key: &str) {
    world.deploy(A, 2);
    commit_signed(world, key, &["Deploy", OVERRIDE]);
}

#[test]
fn override_counts_only_where_somebody_signed_it_who_may() {
    let world = world();
    let attacks: &[Attack] = &[
        ("somebody else", |w| overridden_by(w, "alice"), NONE),
        (
            "somebody else with the name of one who may",
            |w| {
                w.deploy(A, 2);
                w.git(&["add", "-A"]);
                let mut git = git_with_key(w, "alice");
                git.args(["commit", "-q", "-S", "-m", "Deploy", "-m", OVERRIDE]);
                git.env("GIT_COMMITTER_EMAIL", "carol@example.org");
                run(&mut git, b"").ok();
            },
            NONE,
        ),
        (
            "nobody",
            |w| {
                w.deploy(A, 2);
                w.commit_saying(OVERRIDE);
            },
            "a commit that changes the file must be signed",
        ),
        (
            "on top of a change that nobody signed",
            |w| {
                w.deploy(A, 3);
                w.commit();
                overridden_by(w, "carol");
            },
            "a commit that changes the file must be signed",
        ),
        (
            "with a later change",
            |w| {
                overridden_by(w, "carol");
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
            },
            NONE,
        ),
        (
            "with a later change of the one who may",
            |w| {
                overridden_by(w, "carol");
                w.deploy(A, 3);
                commit_signed(w, "carol", &["Deploy"]);
            },
            NONE,
        ),
        (
            "of another file",
            |w| {
                w.deploy(A, 2);
                commit_signed(w, "alice", &["Deploy"]);
                w.deploy("production/b", 2);
                commit_signed(w, "carol", &["Deploy", OVERRIDE]);
            },
            "refused production/a.deploy: production needs 1 approval",
        ),
        (
            "in an empty commit",
            |w| {
                w.deploy(A, 2);
                commit_signed(w, "alice", &["Deploy"]);
                commit_signed(w, "carol", &["Override", OVERRIDE]);
            },
            NONE,
        ),
        (
            "in a merge that drops what was overridden",
            |w| {
                let start = head(w);
                overridden_by(w, "carol");
                let change = head(w);
                go_to(w, &start);
                w.deploy(A, 3);
                commit_signed(w, "alice", &["Deploy"]);
                let other = head(w);
                commit_of(w, "alice", &other, &[&change, &other], &["Merge"]);
            },
            NONE,
        ),
        (
            "as a placeholder",
            |w| {
                w.deploy(A, 2);
                commit_signed(w, "carol", &["Deploy", "Deploy-Override: <reason>"]);
            },
            NONE,
        ),
    ];
    refuse_all(&world, attacks);

    // The control.
    start_over(&world);
    overridden_by(&world, "carol");
    push_commits(&world).ok();
    world.settled();
    let log = world.json(&["log", "-n", "1"]);
    let exception = &log[0]["exceptions"][0];
    assert_eq!(exception["kind"], "override", "{log:#}");
    assert_eq!(exception["reason"], "the site is down", "{log:#}");
    assert_eq!(exception["signed_by"], "carol@example.org", "{log:#}");
    wait_until_told(&world);
}

#[test]
fn override_goes_past_a_freeze() {
    let world = world();
    world
        .cmd(&["freeze", "production", "--reason", "incident 7"])
        .ok();
    const FROZEN: &str = "production is frozen by";
    refuse_all(
        &world,
        &[
            (
                "approval",
                |w| {
                    w.deploy(A, 2);
                    commit_signed(w, "alice", &["Deploy"]);
                    approve(w, "bob", A);
                },
                FROZEN,
            ),
            (
                "override of somebody else",
                |w| overridden_by(w, "alice"),
                FROZEN,
            ),
            (
                "override with a later change",
                |w| {
                    overridden_by(w, "carol");
                    w.deploy(A, 3);
                    commit_signed(w, "alice", &["Deploy"]);
                    approve(w, "bob", A);
                },
                FROZEN,
            ),
        ],
    );

    start_over(&world);
    overridden_by(&world, "carol");
    push_commits(&world).ok();
    world.settled();
    let log = world.json(&["log", "-n", "1"]);
    assert_eq!(
        log[0]["revision"].as_str().unwrap()[..7],
        *"0000002",
        "{log:#}"
    );
    let exceptions = log[0]["exceptions"].as_array().unwrap();
    assert!(
        exceptions
            .iter()
            .all(|one| one["signed_by"] == "carol@example.org"),
        "{log:#}"
    );
}

#[test]
fn override_retires_too() {
    let world = world();
    world.retire(A);
    commit_signed(&world, "carol", &["Retire", OVERRIDE]);
    push_commits(&world).ok();
    wait_until_told(&world);
}
