//! What can go wrong with a mirror: processes that are killed or that come at the same time,
//! damage, other users, and people who may only look.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Instant;

use crate::applications::{commit, make};
use crate::git_host::{FILE, bring_back, hang, mirror, take_away, want_new, world};
use crate::nobody::Nobody;
use crate::processes::{BINARY, in_background};
use crate::run::run;
use crate::world::World;

/// A world whose application was deployed from another host, and its mirror.
fn world_with_mirror() -> (World, PathBuf) {
    let world = world(FILE, "");
    want_new(&world, "one");
    world.push();
    world.wait_until_idle();
    let mirror = mirror(&world);
    (world, mirror)
}

/// A file of the only mirror.
fn mirror_file(world: &World, extension: &str) -> PathBuf {
    let lock = fs::read_dir(world.state().join("mirrors")).unwrap();
    let mut paths = lock.map(|entry| entry.unwrap().path());
    let lock = paths.find(|path| path.to_str().unwrap().ends_with(".lock"));
    let name = lock.unwrap().to_str().unwrap().to_owned();
    let name = name
        .trim_end_matches(".tidy.lock")
        .trim_end_matches(".lock");
    PathBuf::from(format!("{name}.{extension}"))
}

#[test]
fn damaged_mirror_is_named_and_made_anew_once_it_is_removed() {
    let (world, mirror) = world_with_mirror();
    for damage in ["rm HEAD", "echo x > refs/heads/x"] {
        world.shell_in(mirror.to_str().unwrap(), damage).ok();
        want_new(&world, damage);
        world
            .try_push()
            .exits(1)
            .says(&format!("the mirror {} is damaged", mirror.display()))
            .says("remove it, and it is made anew");
        fs::remove_dir_all(&mirror).unwrap();
        world.cmd(&["check"]).ok();
    }
    // What is this program's own is put right.
    fs::write(mirror.join("config"), "[").unwrap();
    want_new(&world, "new");
    world.push();
    assert_eq!(
        world.settled().last().unwrap(),
        "#2 production/web succeeded"
    );
}

#[test]
fn what_a_killed_fetch_left_and_what_somebody_configured_does_no_harm() {
    let (world, mirror) = world_with_mirror();

    let evil = world.path("evil");
    fs::write(&evil, format!("#!/bin/sh\ntouch {}.ran\n", evil.display())).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "git config core.sshCommand {0}; git config core.hooksPath {1}; \
         git config core.fsmonitor {0}; git config core.alternateRefsCommand {0}; \
         git config url.ext::{0}.insteadOf file://; mkdir hooks; \
         for hook in reference-transaction post-fetch; do cp {0} hooks/$hook; done; \
         : > refs/heads/main.lock; : > packed-refs.lock; : > shallow.lock; \
         : > objects/pack/tmp_pack_XyZ; : > objects/pack/pack-1.keep",
        evil.display(),
        mirror.join("hooks").display(),
    );
    world.shell_in(mirror.to_str().unwrap(), &script).ok();
    fs::create_dir_all(mirror.with_extension("new").join("objects")).unwrap();

    want_new(&world, "two");
    world.push();
    assert_eq!(
        world.settled().last().unwrap(),
        "#2 production/web succeeded"
    );
    assert!(!world.path("evil.ran").exists());
    let found = world.shell_in(
        mirror.to_str().unwrap(),
        "find . -name '*.lock' -o -name 'tmp_*' -o -name '*.keep'; cat config",
    );
    assert_eq!(
        found.ok().stdout,
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tsharedrepository = 0600\n"
    );
}

/// Kills whichever process makes a system call for the n-th time, in a first fetch and in a later
/// one. The next fetch works.
#[test]
fn fetch_that_is_killed_at_any_system_call_is_done_again() {
    let world = world(FILE, "fetch_max_age = \"0s\"");
    commit(&world, "web", "main", "one");
    world.deploy_rev("production/web", &commit(&world, "web", "main", "two"));
    world.commit();
    let check = |kill: Option<(&str, u32)>| {
        let mut command = match kill {
            None => world.command(BINARY, "."),
            Some((call, n)) => {
                let mut command = world.command("strace", ".");
                let inject = format!("inject={call}:signal=KILL:when={n}");
                command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
                command.args([format!("trace={call}"), "-e".to_owned(), inject]);
                command.arg(BINARY);
                command
            }
        };
        command.arg("-C").arg(world.repository()).arg("check");
        run(&mut command, b"")
    };

    world.push();
    world.wait_until_idle();
    let mut killed = 0;
    for (call, n) in [
        ("rename", 1),
        ("unlink", 1),
        ("fsync", 1),
        ("openat", 40),
        ("write", 5),
        ("mkdir", 3),
        ("execve", 2),
    ] {
        for is_first in [true, false] {
            if is_first {
                fs::remove_dir_all(mirror_file(&world, "git")).unwrap();
            } else {
                commit(&world, "web", "main", "more");
            }
            let failed = mirror_file(&world, "failed");
            let _ = fs::remove_file(&failed);
            let done = check(Some((call, n)));
            let is_killed = done.code != Some(0) || failed.exists();
            assert!(is_killed || !is_first, "{call} {n}: {done:?}");
            killed += usize::from(is_killed);
            check(None).ok();
            world.git_in(mirror(&world), &["fsck", "--full"]);
        }
    }
    assert!(killed >= 10, "only {killed} fetches were killed");
}

#[test]
fn two_pushes_at_once_make_one_mirror_and_one_of_them_wins() {
    let world = world(FILE, "");
    world
        .shell_in(".", "git clone -q deploy.git other 2>&1")
        .ok();
    for (clone, environment) in [("work", "production"), ("other", "staging")] {
        let revision = commit(&world, "web", "main", environment);
        let file = world.path(clone).join(environment);
        fs::create_dir(&file).unwrap();
        fs::write(file.join("web.deploy"), revision).unwrap();
        world.git_in(clone, &["add", "."]);
        world.git_in(clone, &["commit", "-q", "-m", "Deploy"]);
    }
    let push = |clone| {
        let mut push = world.command("git", clone);
        in_background(push.args(["push", "-q", "origin", "HEAD:refs/heads/main"]))
    };
    let pushes = [push("work"), push("other")];
    let won = pushes.map(|mut push| push.wait().unwrap().success());
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");

    let settled = world.settled();
    assert_eq!(settled.len(), 1);
    assert!(settled[0].ends_with("/web succeeded"), "{settled:?}");
    mirror(&world);
}

#[test]
fn several_processes_at_once_make_one_mirror() {
    let world = world(FILE, "");
    want_new(&world, "one");
    world.without_hooks(|| world.push());
    let checks: Vec<_> = (0..4)
        .map(|_| in_background(world.binary().arg("check")))
        .collect();
    for mut check in checks {
        assert!(check.wait().unwrap().success());
    }
    mirror(&world);
}

#[test]
fn objects_that_git_does_not_accept_are_refused() {
    let world = world(FILE, "");
    let bad = "printf 'tree %s\\nauthor a <a@b> 1 +0000\\ncommitter nonsense\\n\\nx\\n' \
               $(git mktree </dev/null) | git hash-object -t commit -w --stdin --literally";
    let bad = world.shell_in("apps/web.git", bad).ok().line().to_owned();
    world.git_in("apps/web.git", &["update-ref", "refs/heads/main", &bad]);
    world.deploy_rev("production/web", &bad);
    world
        .try_push()
        .exits(1)
        .says("missingEmail")
        .says("fsck error in packed object");
}

#[test]
fn two_users_of_a_shared_repository_fetch_in_turn() {
    let world = World::new();
    let Some(nobody) = Nobody::sharing(&world) else {
        return;
    };
    crate::applications::make(&world, &["web"]);
    let url = format!(
        "file://{}/apps/{{application}}.git",
        world.path("").display()
    );
    world.config_file(&format!(
        "[defaults]\ncommand = [\"/usr/bin/id\", \"-un\"]\nrepository = \"{url}\"\n\
         fetch_max_age = \"0s\"\n"
    ));
    world.install();
    want_new(&world, "one");
    world.push();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);

    // upload-pack asks whose the folder is.
    let two = commit(&world, "web", "main", "two");
    world.shell_in(".", "chown -R nobody apps").ok();
    let script = format!(
        "rm -rf c && git clone -q ../deploy.git c && cd c && echo {two} > production/web.deploy && \
         git commit -q -a -m Deploy && umask 077 && git push -q origin HEAD:refs/heads/main"
    );
    nobody.run("other", &script).ok();
    assert_eq!(world.settled()[1], "#2 production/web succeeded");
    world.shell_in(".", "chown -R root apps").ok();
    let three = commit(&world, "web", "main", "three");
    world.git(&["pull", "-q", "--rebase", "origin", "main"]);
    world.deploy_rev("production/web", &three);
    world.push();
    assert_eq!(world.settled()[2], "#3 production/web succeeded");
}

/// The host decides what a person's git sends there, and the configuration which host that is.
#[test]
fn person_who_only_looks_fetches_nothing() {
    let world = world(FILE, "");
    let Some(nobody) = Nobody::new(&world) else {
        return;
    };
    want_new(&world, "one");
    world.without_hooks(|| world.push());
    world
        .shell_in(".", "chmod -R a+rwX deploy.git/deploy-by-code")
        .ok();

    let check = format!("GIT_CONFIG_GLOBAL=/dev/null '{BINARY}' -C deploy.git check");
    nobody
        .run(".", &check)
        .exits(1)
        .says("the repository of web can't be read")
        .says_nothing_of("fetching");
    assert!(!world.state().join("mirrors").exists());
}

#[test]
fn missed_push_whose_host_is_down_is_planned_once_the_host_is_back() {
    let world = world(FILE, "");
    want_new(&world, "one");
    world.push_unseen();
    take_away(&world);
    world
        .cmd(&["reconcile"])
        .says("can't be checked: web can't be fetched from file://");
    assert!(world.history().is_empty());
    bring_back(&world);
    world.cmd(&["reconcile"]).ok();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
}

#[test]
fn hosts_that_hang_together_take_no_longer_than_one() {
    let world = World::installed();
    make(&world, &["a", "b", "c", "d", "e", "web"]);
    crate::git_host::configure(&world, FILE, "fetch_timeout = \"1s\"");
    for name in ["a", "b", "c", "d", "e"] {
        let one = commit(&world, name, "main", "one");
        hang(&world, name);
        world.deploy_rev(&format!("production/{name}"), &one);
    }
    want_new(&world, "one");
    let begin = Instant::now();
    let push = world.try_push().exits(1);
    assert!(begin.elapsed().as_secs() < 8, "{:?}", begin.elapsed());
    for name in ["a", "b", "c", "d", "e"] {
        let refused = format!("{name} can't be fetched from file://");
        assert!(push.all().contains(&refused), "{push:?}");
    }
}

#[test]
fn hooks_that_nobody_installed_say_that_there_is_no_state_for_a_mirror() {
    let world = World::new();
    make(&world, &["web"]);
    crate::git_host::configure(&world, FILE, "");
    want_new(&world, "one");
    let new = world.commit();
    world.git(&["push", "-q", "origin", "HEAD:refs/heads/other"]);
    let line = format!("{} {new} refs/heads/main\n", crate::world::NULL);
    world
        .hook("pre-receive", &line)
        .exits(1)
        .says("there is no state yet; make it: deploy-by-code install");
    assert!(!world.state().exists());
}
