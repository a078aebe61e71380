//! Application repositories on other hosts: when their mirrors are fetched, and what is deployed
//! from them. The host is a folder of this machine here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::Instant;

use crate::applications::{commit, commit_on};
use crate::git_host::{
    FILE, Home, bring_back, hang, mirror, processes_in, take_away, want_new, world,
};
use crate::run::run;
use crate::world::World;

/// Lets one deployment run until the gate `end` is open, and another one wait for it.
fn queue_a_second(world: &World) {
    world.job("note start; hold end");
    for (n, message) in ["one", "two"].into_iter().enumerate() {
        want_new(world, message);
        world.push();
        if n == 0 {
            world.wait_for("production/web #1 start");
        }
    }
}

#[test]
fn revision_on_another_host_is_fetched_once_and_deployed() {
    let world = world(FILE, "");
    world.job(
        "git --git-dir=\"$DEPLOY_REPOSITORY\" cat-file -e \"$DEPLOY_REVISION\" && \
         note \"$DEPLOY_REPOSITORY\"",
    );
    let one = want_new(&world, "one");
    let push = world.push();
    let fetching = |line: &&String| line.contains("fetching");
    let said: Vec<_> = push
        .remote()
        .into_iter()
        .filter(|it| fetching(&it))
        .collect();
    assert_eq!(said, ["deploy-by-code: fetching web…"]);
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    let mirror = mirror(&world);
    assert_eq!(
        world.ran(),
        [format!("production/web #1 {}", mirror.display())]
    );
    assert!(!world.logs(1).contains("fetching"), "{}", world.logs(1));
    assert!(!mirror.join("FETCH_HEAD").exists());

    // What is known is not fetched again, and what is not known is.
    world.deploy_file("staging/web", format!("{one}\n"));
    world.push().says_nothing_of("fetching");
    want_new(&world, "two");
    world.push().says("fetching web…");
    let status = world.settled();
    assert_eq!(status.last().unwrap(), "#3 production/web succeeded");
    world.cmd(&["check"]).ok().says_nothing_of("fetching");
}

#[test]
fn checkout_is_written_from_the_mirror() {
    let world = world(FILE, "");
    let srv = world.path("srv");
    let keys = format!(
        "[defaults]\nrepository = \"file://{}/{{application}}.git\"\ncheckout = \"{}\"\n",
        world.path("apps").display(),
        srv.display()
    );
    world.config_file(&keys);
    let commit = "blob=$(echo hello | git hash-object -w --stdin) && \
                  tree=$(printf '100644 blob %s\\tindex.html\\n' $blob | git mktree) && \
                  commit=$(git commit-tree -m one $tree) && \
                  git update-ref refs/heads/main $commit && echo $commit";
    let commit = world.shell_in("apps/web.git", commit).ok();
    world.deploy_rev("production/web", commit.line());
    world.push();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    let deployed = fs::read_to_string(srv.join("current/index.html"));
    assert_eq!(deployed.unwrap(), "hello\n");
}

#[test]
fn revision_that_comes_to_an_allowed_ref_is_accepted_from_then_on() {
    let world = world(FILE, "");
    let one = commit(&world, "web", "main", "one");
    let fix = commit_on(&world, "web", "fix", "fix", &[&one]);
    world.deploy_rev("production/web", &fix);
    world
        .try_push()
        .exits(1)
        .says("is not on refs/heads/main of web")
        .says("it is only on refs/heads/fix");

    let apps = "apps/web.git";
    world.git_in(apps, &["update-ref", "refs/heads/main", &fix]);
    world.push().says("fetching web…");
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);

    // A branch that is gone there is gone here.
    world.git_in(apps, &["update-ref", "-d", "refs/heads/fix"]);
    want_new(&world, "two");
    world.push();
    let refs = world.git_in(mirror(&world), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
}

#[test]
fn host_that_is_down_refuses_what_is_new_and_lets_pass_what_is_known() {
    let world = world(FILE, "fetch_max_age = \"0s\"");
    let one = commit(&world, "web", "main", "one");
    let two = commit(&world, "web", "main", "two");
    world.deploy_rev("staging/web", &two);
    world.push();
    assert_eq!(world.settled(), ["#1 staging/web succeeded"]);
    assert!(
        world.logs(1).contains("fetching file://"),
        "{}",
        world.logs(1)
    );
    let phases = &world.show(1)["phases"];
    assert_eq!(
        (&phases[0]["phase"], &phases[1]["phase"]),
        (&"fetch".into(), &"command".into())
    );
    let three = commit(&world, "web", "main", "three");
    take_away(&world);

    world.deploy_rev("production/web", &one);
    world
        .push()
        .says("warning production/web.deploy: could not fetch web from file://")
        .says("does not appear to be a git repository")
        .says("judged by what was known just now");
    assert_eq!(
        world.settled().last().unwrap(),
        "#2 production/web succeeded"
    );
    let log = world.logs(2);
    assert!(log.contains("it goes on with what was known "), "{log}");

    world.deploy_rev("production/web", &three);
    world
        .try_push()
        .exits(1)
        .says("is not in the repository of web, and web can't be fetched from file://")
        .says("does not appear to be a git repository")
        .says("what is known of it is ")
        .says("hint: push again when the host can be reached");
    // Nobody who only looks waits for the host.
    world.cmd(&["status"]).ok().says_nothing_of("fetch");
    world.cmd(&["log"]).ok();
    world
        .cmd(&["doctor"])
        .says("mirror: file://")
        .says("the host can't be asked: ")
        .says("the last fetch that failed was ");

    bring_back(&world);
    world.push();
    assert_eq!(
        world.settled().last().unwrap(),
        "#3 production/web succeeded"
    );
}

#[test]
fn host_that_was_never_reached_is_explained() {
    let named = "[environments.production]\n[applications.web]\n";
    let world = world(FILE, named);
    let one = commit(&world, "web", "main", "one");
    take_away(&world);
    world.deploy_rev("production/web", &one);
    world
        .try_push()
        .exits(1)
        .says("can't be checked: web can't be fetched from file://")
        .says("deploy-by-code check");
    world.cmd(&["doctor"]).says("never fetched");

    bring_back(&world);
    world.push();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
}

#[test]
fn branch_that_was_set_back_on_the_host_does_not_take_away_what_is_deployed() {
    let world = world(FILE, "");
    let one = commit(&world, "web", "main", "one");
    let two = want_new(&world, "two");
    world.push();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);

    let other = commit_on(&world, "web", "main", "other", &[&one]);
    world.git_in(
        "apps/web.git",
        &["reflog", "expire", "--expire=all", "--all"],
    );
    world.git_in("apps/web.git", &["gc", "-q", "--prune=now"]);
    world.deploy_rev("production/web", &other);
    world
        .try_push()
        .exits(1)
        .says("it would gain 1 commit and lose 1 commit")
        .says(&two[..7]);

    // Not even after the objects were put in order.
    let mirror = mirror(&world);
    let packs = "for n in $(seq 51); do \
                 blob=$(echo $n | git hash-object -w --stdin); \
                 echo $blob | git pack-objects -q objects/pack/pack >&2; done; echo $blob";
    let packed = world.shell_in(mirror.to_str().unwrap(), packs).ok();
    let reason = "Deploy-Rollback: it was set back";
    world.git(&["commit", "-q", "--amend", "-m", "Deploy", "-m", reason]);
    world.push();
    assert_eq!(
        world.settled().last().unwrap(),
        "#2 production/web succeeded"
    );
    world.wait_until_idle();
    let packs = fs::read_dir(mirror.join("objects/pack")).unwrap().flatten();
    let packs = packs.filter(|it| it.path().extension().is_some_and(|it| it == "pack"));
    assert_eq!(packs.count(), 1);
    world.git_in(&mirror, &["cat-file", "-e", &two]);
    world.git_in(&mirror, &["cat-file", "-e", packed.line()]);
}

#[test]
fn hanging_host_is_given_up_with_everything_that_was_started() {
    let world = world(FILE, "fetch_timeout = \"1s\"");
    let one = commit(&world, "web", "main", "one");
    hang(&world, "web");
    world.deploy_rev("production/web", &one);
    let begin = Instant::now();
    world
        .try_push()
        .exits(1)
        .says("it gave no whole answer within 1 s");
    assert!(begin.elapsed().as_secs() < 10);
    world.wait_until("nothing is left", || {
        processes_in(&world.path("apps")).is_empty()
    });
    let left = fs::read_dir(world.state().join("mirrors"))
        .unwrap()
        .flatten();
    let left: Vec<_> = left.map(|it| it.path()).filter(|it| it.is_dir()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn hanging_host_holds_up_no_known_revision_twice() {
    let world = world(FILE, "fetch_timeout = \"1s\"");
    let one = commit(&world, "web", "main", "one");
    world.deploy_rev("staging/web", &one);
    world.push();
    world.wait_until_idle();

    // As if it was fetched an hour ago.
    let fetched = mirror(&world).join("deploy-by-code.fetched");
    let ms: i64 = fs::read_to_string(&fetched)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    fs::write(&fetched, (ms - 3_600_000).to_string()).unwrap();
    hang(&world, "web");
    world.deploy_rev("production/web", &one);
    world
        .push()
        .says("fetching web…")
        .says("judged by what was known 1 h ago");
    world.wait_until_idle();
    world.deploy_rev("test/web", &one);
    world
        .push()
        .says("judged by what was known 1 h ago")
        .says_nothing_of("fetching");
}

#[test]
fn deployment_waits_for_a_revision_that_is_gone_and_tells_how_far_it_is() {
    let world = world(FILE, "fetch_timeout = \"3s\"");
    queue_a_second(&world);
    fs::remove_dir_all(mirror(&world)).unwrap();
    hang(&world, "web");
    world.open("end");
    world.wait_until("it waits for another try", || {
        world.show(2)["reason"]
            .as_str()
            .is_some_and(|why| why.contains("could not fetch file://"))
    });
    let log = world.logs(2);
    assert!(
        log.contains("deploy-by-code: waiting for the host\n"),
        "{log}"
    );

    fs::remove_file(world.path("apps/web.git/packed-refs")).unwrap();
    assert_eq!(world.settled()[1], "#2 production/web succeeded");
}

#[test]
fn host_with_many_refs_is_fetched() {
    let world = world(FILE, "");
    let one = commit(&world, "web", "main", "one");
    // With long names, git would print more than a mebibyte about 4,000 of them.
    let name = "x".repeat(150);
    let create = format!(
        "for n in $(seq 4000); do echo \"create refs/tags/{name}-$n {one}\"; done | \
         git update-ref --stdin && git pack-refs --all"
    );
    world.shell_in("apps/web.git", &create).ok();

    world.deploy_rev("production/web", &one);
    world.push();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    let tags = world.git_in(mirror(&world), &["for-each-ref", "refs/tags"]);
    assert_eq!(tags.lines().count(), 4000);
}

#[test]
fn cancel_ends_a_fetch_that_hangs() {
    let world = world(FILE, "fetch_timeout = \"60s\"");
    queue_a_second(&world);
    fs::remove_dir_all(mirror(&world)).unwrap();
    hang(&world, "web");
    world.open("end");
    let apps = world.path("apps");
    world.wait_until("it is fetched", || !processes_in(&apps).is_empty());

    world.cmd(&["cancel", "2"]).ok();
    let status = world.settled();
    assert!(
        status[1].starts_with("#2 production/web cancelled: by "),
        "{status:?}"
    );
    world.wait_until("nothing is left", || processes_in(&apps).is_empty());
}

#[test]
fn mirror_of_a_repository_with_sha256_is_one_with_sha256() {
    let world = world(FILE, "");
    fs::remove_dir_all(world.path("apps/web.git")).unwrap();
    let init = [
        "init",
        "-q",
        "--bare",
        "--object-format=sha256",
        "-b",
        "main",
        "web.git",
    ];
    world.git_in("apps", &init);
    let one = commit(&world, "web", "main", "one");
    assert_eq!(one.len(), 64);
    world.deploy_rev("production/web", &one);
    world.push();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    want_new(&world, "two");
    world.push();
    assert_eq!(world.settled()[1], "#2 production/web succeeded");
}

/// A slow host.
#[test]
fn whoever_follows_a_long_fetch_sees_each_second_how_much_has_arrived() {
    let world = world(FILE, "fetch_timeout = \"60s\"");
    let Some(home) = Home::new(&world) else {
        return;
    };
    let blobs = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do \
                 blob=$(head -c 40000 /dev/urandom | git hash-object -w --stdin); \
                 printf '100644 blob %s\\t%s\\n' $blob $n; done | git mktree";
    let tree = world.shell_in("apps/web.git", blobs).ok().line().to_owned();
    let commit = ["commit-tree", "-m", "large", &tree];
    let commit = world.git_in("apps/web.git", &commit);
    world.git_in("apps/web.git", &["update-ref", "refs/heads/main", &commit]);
    world.job("hold end");
    world.deploy_rev("production/web", &commit);
    home.push().ok();
    world.deploy_rev("production/web", &commit);
    world.commit();
    let mut push = home.command("git", "work");
    push.args(["push", "-o", "follow", "origin", "HEAD:refs/heads/main"]);
    let push = thread::spawn(move || run(&mut push, b""));
    world.wait_until("the second deployment waits", || world.history().len() == 2);

    let slow = world.path("slow");
    fs::write(
        &slow,
        "#!/bin/sh\n\"$@\" | python3 -c 'import sys, time\n\
         while part := sys.stdin.buffer.read(40000):\n\
         \x20 sys.stdout.buffer.write(part); sys.stdout.flush(); time.sleep(0.25)'\n",
    )
    .unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    home.gitconfig(&format!(
        "[uploadpack]\npackObjectsHook = {}\n",
        slow.display()
    ));
    fs::remove_dir_all(mirror(&world)).unwrap();
    world.open("end");
    let said = push.join().unwrap().ok().remote();
    let shares = said.iter().filter_map(|line| {
        let received = line.strip_prefix("deploy-by-code: received ")?;
        let (share, rest) = received.split_once(" %, ")?;
        rest.contains(" of 14 objects, ")
            .then(|| share.parse().unwrap())
    });
    let shares: Vec<u8> = shares.collect();
    assert!(!shares.is_empty() && shares.is_sorted(), "{said:#?}");
    assert_eq!(said.last().unwrap(), "deploy-by-code: 1 of 1 succeeded");
}
