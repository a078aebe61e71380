//! Pushes of a client that speaks git's protocol itself, and pushes to names that mean another ref:
//! whatever moves the deploy branch is judged, and nothing else is taken for it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::run::{Run, run, skip};
use crate::world::{NULL, World, rev};

const A: &str = "production/a";

/// A line of the protocol: its length, then its text (gitprotocol-pack(5)).
fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// Pushes some updates `OLD NEW REF` with all objects of the clone, in the order given. git's own
/// client would not send one ref twice.
#[track_caller]
pub fn push_raw(world: &World, updates: &[String]) -> Run {
    let mut input = Vec::new();
    for (n, update) in updates.iter().enumerate() {
        let capabilities = if n == 0 { "\0 report-status" } else { "" };
        input.extend(packet(&format!("{update}{capabilities}\n")).into_bytes());
    }
    input.extend(b"0000");

    let mut pack = world.command("git", "work");
    pack.args(["pack-objects", "--all", "--stdout", "-q"])
        .stdin(Stdio::null());
    input.extend(pack.output().unwrap().stdout);

    let mut receive = world.command("git", ".");
    run(receive.args(["receive-pack", "deploy.git"]), &input)
}

/// A world with a deployment, and two commits on top of the branch that are not pushed yet.
fn world_with_two_commits() -> (World, String, String, String) {
    let world = World::installed();
    world.deploy(A, 1);
    world.push();
    world.settled();
    let old = world.tip();
    world.deploy(A, 2);
    let good = world.commit();
    world.git(&["checkout", "-q", "-b", "other", &old]);
    world.deploy(A, 3);
    let other = world.commit();
    (world, old, good, other)
}

#[test]
fn ref_that_occurs_twice_is_refused_in_any_order() {
    let (world, old, good, other) = world_with_two_commits();
    let branch = "refs/heads/main";
    let line = |new: &str, name: &str| format!("{old} {new} {name}");
    let create = |new: &str| format!("{NULL} {new} refs/heads/feature");

    for updates in [
        vec![line(&other, branch), line(&good, branch)],
        vec![line(&good, branch), line(&other, branch)],
        vec![line(&good, branch), line(&good, branch)],
        vec![line(NULL, branch), line(&good, branch)],
        vec![line(&good, branch), create(&good), line(&other, branch)],
        // A ref that nothing is deployed from.
        vec![create(&good), create(&other)],
    ] {
        let push = push_raw(&world, &updates);
        assert!(
            push.stdout.contains("pre-receive hook declined"),
            "{push:?}"
        );
        assert!(
            push.stderr.contains("updates this ref more than once"),
            "{push:?}"
        );
        assert_eq!(world.tip(), old, "{updates:?}");
    }
    assert_eq!(world.settled().len(), 1);
    assert_eq!(
        world.server_git(&["for-each-ref", "refs/heads/feature"]),
        ""
    );

    // The control: the same client can push.
    let push = push_raw(&world, &[line(&good, branch), create(&other)]);
    assert!(push.stdout.contains("ok refs/heads/main"), "{push:?}");
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn post_receive_that_reads_a_ref_twice_plans_what_is_on_the_branch() {
    let (world, old, good, other) = world_with_two_commits();
    world.without_hooks(|| {
        let update = format!("{old} {good} refs/heads/main");
        push_raw(&world, &[update]);
    });
    let lines = format!("{old} {good} refs/heads/main\n{old} {other} refs/heads/main\n");

    world
        .hook("post-receive", &lines)
        .ok()
        .says("#2 production/a");

    assert_eq!(world.settled().len(), 2);
    assert_eq!(world.show(2)["revision"], rev(2));
    assert_eq!(world.show(2)["deploy_commit"], good);
}

#[test]
fn line_that_is_no_update_is_refused() {
    let (world, old, good, _) = world_with_two_commits();
    for line in [
        format!("{old} {good}\n"),
        format!("{old} main refs/heads/main\n"),
        format!("{old} {} refs/heads/main\n", &good[..12]),
        format!("{old} {good} refs/heads/x\nrubbish\n"),
    ] {
        world
            .hook("pre-receive", &line)
            .exits(1)
            .says("is not of the form: OLD NEW REF");
    }
}

/// Other names by which a push would move the deploy branch: a symbolic ref, one that leads there
/// through another one, the old form of one, and a ref that the deploy branch itself leads to.
#[test]
fn other_name_of_the_deploy_branch_is_refused() {
    let (world, old, good, _) = world_with_two_commits();
    let alias = |name: &str, target: &str| world.server_git(&["symbolic-ref", name, target]);
    alias("refs/heads/alias", "refs/heads/main");
    alias("refs/heads/alias-of-alias", "refs/heads/alias");
    alias("refs/tags/v1", "refs/heads/main");
    let heads = world.path("deploy.git/refs/heads");
    symlink("refs/heads/main", heads.join("link")).unwrap();

    for name in [
        "refs/heads/alias",
        "refs/heads/alias-of-alias",
        "refs/tags/v1",
        "refs/heads/link",
    ] {
        for push in [format!("+{good}:{name}"), format!(":{name}")] {
            let said = world.push_with(&["origin", &push]);
            assert_eq!(said.code, Some(1), "{push}: {said:?}");
            let expected = format!(
                "deploy-by-code: refused {name}: on the server this is another name of the deploy \
                 branch refs/heads/main (a symbolic ref), and deploy files are only judged under \
                 that name\n  hint: push to refs/heads/main"
            );
            assert_eq!(said.remote().join("\n"), expected, "{push}");
            assert_eq!(world.tip(), old, "{push}");
        }
    }

    // Among many refs of one folder, and with one in a folder that does not exist.
    let line = |name: &str| format!("{} {good} {name}\n", "0".repeat(40));
    for before in ["refs/heads/topic", "refs/heads/topic/x"] {
        let many = (0..40).map(|at| line(&format!("{before}{at}")));
        let many: String = many.collect();
        for name in ["refs/heads/alias-of-alias", "refs/heads/link"] {
            world
                .hook("pre-receive", &format!("{many}{}{many}", line(name)))
                .exits(1)
                .says(&format!(
                    "refused {name}: on the server this is another name"
                ));
        }
        world.hook("pre-receive", &many).ok();
    }

    // A symbolic ref that leads elsewhere is nobody's business.
    alias("refs/heads/elsewhere", "refs/heads/feature");
    world
        .push_with(&["origin", &format!("{good}:refs/heads/elsewhere")])
        .ok();
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn ref_that_the_deploy_branch_leads_to_is_refused() {
    let (world, old, good, _) = world_with_two_commits();
    world.server_git(&["branch", "-m", "main", "trunk"]);
    world.server_git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    world.server_git(&["symbolic-ref", "refs/heads/main", "refs/heads/trunk"]);
    assert_eq!(world.server_git(&["rev-parse", "refs/heads/main"]), old);

    world
        .push_with(&["origin", &format!("{good}:refs/heads/trunk")])
        .exits(1)
        .says("another name of the deploy branch refs/heads/main");
    world
        .push_with(&["origin", &format!("{good}:refs/heads/main")])
        .ok();
    assert_eq!(world.settled().last().unwrap(), "#2 production/a succeeded");
}

#[test]
fn other_name_of_the_deploy_branch_is_refused_with_a_broken_configuration_and_in_a_reftable() {
    let (world, _, good, _) = world_with_two_commits();
    world.server_git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    world.config_file("unknown = 1\n");
    let push = format!("{good}:refs/heads/alias");
    world
        .push_with(&["origin", &push])
        .exits(1)
        .says("another name of the deploy branch");

    let mut probe = world.command("git", ".");
    probe.args(["init", "-q", "--bare", "--ref-format=reftable", "probe.git"]);
    if run(&mut probe, b"").code != Some(0) {
        skip("this git cannot make reftable repositories");
        return;
    }
    let world = World::with_init(&["--ref-format=reftable"]);
    world.install();
    world.deploy(A, 1);
    world.push();
    world.server_git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    world.deploy(A, 2);
    world
        .push_with(&["origin", "HEAD:refs/heads/alias"])
        .exits(1)
        .says("another name of the deploy branch");
    world.push_with(&["origin", "HEAD:refs/heads/feature"]).ok();
}

#[test]
fn pushes_that_need_no_look_at_other_refs_still_work() {
    let (world, _, good, _) = world_with_two_commits();
    world.server_git(&["pack-refs", "--all"]);
    // A folder, a packed ref, and a ref whose name is a prefix of another one.
    for name in [
        "refs/heads/a/b",
        "refs/heads/a/c",
        "refs/tags/main",
        "refs/heads/mai",
    ] {
        world.push_with(&["origin", &format!("{good}:{name}")]).ok();
    }
    fs::remove_dir_all(world.path("deploy.git/refs/heads/a")).unwrap();
    world
        .push_with(&["origin", &format!("{good}:refs/heads/a")])
        .ok();
    assert_eq!(world.settled().len(), 1);
}
