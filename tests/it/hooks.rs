//! The hooks as git calls them: quarantine, work trees, alternates, many refs, other hooks beside
//! them, push options.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::run::run;
use crate::world::{World, rev};

fn script(world: &World, path: &str, text: &str) {
    fs::write(world.path(path), format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(world.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn objects_in_quarantine_are_read_loose_and_packed() {
    for limit in ["1", "100000"] {
        let world = World::installed();
        world.server_git(&["config", "transfer.unpackLimit", limit]);
        world.deploy("production/a", 1);
        world.push();
        world.deploy_file("production/a", "nonsense\n");
        world.try_push().exits(1).says("production/a.deploy");
        world.deploy_file("production/a", rev(2));
        world.push();
        world.settled();
        assert_eq!(world.show(2)["revision"], rev(2));
    }
}

#[test]
fn a_linked_work_tree_shares_hooks_and_state() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push();
    world.server_git(&["worktree", "add", "-q", "--detach", "../linked", "main"]);
    world.deploy("production/a", 2);
    world.commit();
    world
        .push_with(&["../linked", "HEAD:refs/heads/main"])
        .ok()
        .says("#2 production/a 0000001 -> 0000002 queued");
    assert_eq!(world.settled().len(), 2);
    let status = run(
        world
            .command(crate::processes::BINARY, "linked")
            .args(["status", "--json"]),
        b"",
    )
    .ok();
    assert!(status.stdout.contains(&rev(2)), "{status:#?}");
}

#[test]
fn objects_in_alternates_are_found() {
    let world = World::new();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    fs::rename(world.repository(), world.path("old.git")).unwrap();
    world.git_in(
        ".",
        &["clone", "-q", "--bare", "--shared", "old.git", "deploy.git"],
    );
    world.config("");
    world.install();
    world.deploy("production/a", 2);
    let said = world.push().remote();
    assert_eq!(
        said[0],
        "deploy-by-code: #1 production/a 0000001 -> 0000002 queued"
    );
    assert_eq!(world.settled().len(), 1);
}

#[test]
fn thousands_of_refs_in_one_push() {
    let world = World::installed();
    world.deploy("production/a", 1);
    let commit = world.commit();
    let refs: String = (0..4000)
        .map(|n| format!("create refs/heads/topic/{n} {commit}\n"))
        .collect();
    run(
        world.command("git", "work").args(["update-ref", "--stdin"]),
        refs.as_bytes(),
    )
    .ok();
    let push = world
        .push_with(&["-q", "origin", "refs/heads/*:refs/heads/*"])
        .ok();
    assert_eq!(
        push.remote()[0],
        "deploy-by-code: #1 production/a new -> 0000001 queued"
    );
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn hooks_that_were_there_get_all_of_stdin_and_decide() {
    let world = World::new();
    for hook in ["pre-receive", "post-receive"] {
        script(
            &world,
            &format!("deploy.git/hooks/{hook}"),
            &format!(
                "cat > '{}.'$$; env > /dev/null; cat /dev/null; echo chained {hook}; ! test -e ../refuse",
                world.path(hook).display()
            ),
        );
    }
    let refs: Vec<_> = (0..1500).map(|n| format!("HEAD:refs/tags/t{n}")).collect();
    world.install();
    world.deploy("production/a", 1);
    let mut arguments = vec!["origin", "HEAD:refs/heads/main"];
    arguments.extend(refs.iter().map(String::as_str));
    world
        .push_with(&arguments)
        .ok()
        .says("chained pre-receive")
        .says("chained post-receive")
        .says("#1 production/a");
    for hook in ["pre-receive", "post-receive"] {
        let copies = fs::read_dir(world.path(".")).unwrap().flatten();
        let copies: Vec<_> = copies
            .filter(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(&format!("{hook}."))
            })
            .collect();
        assert_eq!(copies.len(), 1, "{hook} ran once");
        assert_eq!(
            fs::read_to_string(copies[0].path())
                .unwrap()
                .lines()
                .count(),
            1501,
            "lines of {hook}"
        );
    }
    world.settled();

    fs::write(world.path("refuse"), "").unwrap();
    world.deploy("production/a", 2);
    world.try_push().exits(1).says("chained pre-receive");
    assert_eq!(world.settled().len(), 1);
    fs::remove_file(world.path("refuse")).unwrap();
    world.push();
    assert_eq!(world.settled().len(), 2);
}

#[test]
fn a_hook_that_was_there_finds_what_lies_beside_it() {
    let world = World::new();
    let dispatch = "for hook in \"$(dirname \"$0\")/$(basename \"$0\").d\"/*; do \"$hook\"; done";
    script(
        &world,
        "deploy.git/hooks/post-receive",
        &format!(". \"$(dirname \"$0\")/lib.sh\"; {dispatch}"),
    );
    script(&world, "deploy.git/hooks/lib.sh", "echo from the library");
    fs::create_dir(world.path("deploy.git/hooks/post-receive.d")).unwrap();
    world.install();
    script(&world, "deploy.git/hooks/post-receive.d/ci", "echo from ci");
    world.deploy("production/a", 1);
    world
        .push()
        .says("from the library")
        .says("from ci")
        .says("#1 production/a");
    world.cmd(&["uninstall"]).ok();
    assert!(!world.path("deploy.git/hooks/chained").exists());
    world.deploy("production/a", 2);
    world.push().says("from ci").says_nothing_of("#2");
}

/// An install or uninstall can be stopped between two hooks, when one leads to the other.
#[test]
fn links_between_hooks_survive_an_install_that_was_stopped() {
    let world = World::new();
    let hooks = world.path("deploy.git/hooks");
    script(
        &world,
        "deploy.git/hooks/pre-receive",
        "echo \"checked by ${0##*/}\"",
    );
    let link = hooks.join("post-receive");
    std::os::unix::fs::symlink("pre-receive", &link).unwrap();
    let as_before = |when: &str| {
        world.cmd(&["uninstall"]).ok();
        assert_eq!(
            fs::read_link(&link).unwrap().to_str(),
            Some("pre-receive"),
            "{when}"
        );
        assert!(
            fs::read_to_string(hooks.join("pre-receive"))
                .unwrap()
                .contains("checked by"),
            "{when}"
        );
        assert!(!hooks.join("chained").exists(), "{when}");
    };
    let works = |number: u32| {
        world.install();
        world.deploy("production/a", number);
        world
            .push()
            .says("checked by pre-receive")
            .says("checked by post-receive")
            .says(&format!("#{number} "));
        world.settled();
    };
    works(1);
    fs::rename(hooks.join("chained/post-receive"), &link).unwrap();
    as_before("an uninstall had put the link back");
    let keep = || {
        fs::create_dir(hooks.join("chained")).unwrap();
        fs::rename(hooks.join("pre-receive"), hooks.join("chained/pre-receive")).unwrap();
    };
    keep();
    as_before("an install had kept the script");
    keep();
    works(2);
    as_before("an install had kept the script, and another one came");
    keep();
    std::os::unix::fs::symlink(crate::processes::BINARY, hooks.join("pre-receive")).unwrap();
    works(3);
    as_before("an install had set its first link");
    // Kept, such a link would lead to the new hook.
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(hooks.join("pre-receive"), &link).unwrap();
    world.cmd(&["install"]).exits(4).says("ln -sfn pre-receive");
}

#[test]
fn whoever_follows_keeps_no_other_hook_waiting() {
    let world = World::new();
    script(
        &world,
        "deploy.git/hooks/post-receive",
        &format!("touch '{}'", world.path("told").display()),
    );
    world.install();
    world.job("hold end");
    world.deploy("production/a", 1);
    world.commit();
    let mut push = world
        .push_command(&["-o", "follow", "origin", "HEAD:refs/heads/main"])
        .spawn()
        .unwrap();
    world.wait_until("the other hook has run", || world.path("told").exists());
    assert!(push.try_wait().unwrap().is_none());
    world.open("end");
    assert!(push.wait().unwrap().success());
}

#[test]
fn a_hook_can_be_tried_on_a_repository_that_is_named() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push_unseen();
    let input = format!("{} {} refs/heads/main\n", rev(0), world.tip());
    let mut hook = world.command(crate::processes::BINARY, ".");
    run(
        hook.args(["-C", "deploy.git", "post-receive"]),
        input.as_bytes(),
    )
    .ok()
    .says("#1 production/a");
    world.settled();
}

#[test]
fn a_chained_hook_that_reads_nothing_is_no_problem() {
    let world = World::new();
    for hook in ["pre-receive", "post-receive"] {
        script(
            &world,
            &format!("deploy.git/hooks/{hook}"),
            "exec 0</dev/null; exit 0",
        );
    }
    world.install();
    world.deploy("production/a", 1);
    let refs: Vec<_> = (0..1500)
        .map(|n| format!("HEAD:refs/tags/a-rather-long-name-to-fill-the-pipe-{n}"))
        .collect();
    let mut arguments = vec!["origin", "HEAD:refs/heads/main"];
    arguments.extend(refs.iter().map(String::as_str));
    world.push_with(&arguments).ok();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn a_script_of_ones_own_can_call_the_subcommands() {
    let world = World::installed();
    for hook in ["pre-receive", "post-receive", "reference-transaction"] {
        fs::remove_file(world.path(&format!("deploy.git/hooks/{hook}"))).unwrap();
        let call = format!("exec '{}' {hook} \"$@\"", crate::processes::BINARY);
        script(&world, &format!("deploy.git/hooks/{hook}"), &call);
    }
    world.deploy("production/a", 1);
    world.push().says("#1 production/a new -> 0000001 queued");
    world.deploy_file("production/b", "nonsense");
    world
        .try_push()
        .exits(1)
        .says("refused production/b.deploy");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn symlinks_made_by_hand_work_without_install() {
    let world = World::new();
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    world.push();
    for hook in ["pre-receive", "post-receive"] {
        std::os::unix::fs::symlink(
            crate::processes::BINARY,
            world.path(&format!("deploy.git/hooks/{hook}")),
        )
        .unwrap();
    }
    world.deploy("production/a", 2);
    assert_eq!(
        world.push().remote()[0],
        "deploy-by-code: #1 production/a 0000001 -> 0000002 queued"
    );
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn the_pusher_is_recorded_and_how_it_is_known() {
    let world = World::installed();
    // The first of these that is set counts; a host sets its own, and others do no harm.
    let variables = [
        ("REMOTE_USER", "remote", "http"),
        ("GITEA_PUSHER_NAME", "gitea", "gitea"),
        ("GL_USER", "gitolite", "gitolite"),
        ("GL_USERNAME", "gitlab", "gitlab"),
        ("DEPLOY_BY_CODE_PUSHER", "key", "ssh key"),
    ];
    for at in 0..=variables.len() {
        world.deploy("production/a", u32::try_from(at).unwrap() + 1);
        world.commit();
        let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
        run(
            push.envs(
                variables[..at]
                    .iter()
                    .map(|(variable, name, _)| (variable, name)),
            ),
            b"",
        )
        .ok();
        world.settled();
        let shown = world.show(u32::try_from(at).unwrap() + 1);
        let unix = nix::unistd::User::from_uid(nix::unistd::Uid::current())
            .unwrap()
            .unwrap()
            .name;
        let (name, known_by) = at.checked_sub(1).map_or((unix.as_str(), "unix"), |at| {
            (variables[at].1, variables[at].2)
        });
        assert_eq!(
            (&shown["pusher"], &shown["pusher_known_by"]),
            (&name.into(), &known_by.into())
        );
    }
    world.cmd(&["log"]).ok().says(" (gitolite)").says("unix");
}

#[test]
fn a_signed_push_names_its_signer() {
    let world = World::installed();
    run(
        world
            .command("ssh-keygen", ".")
            .args(["-q", "-t", "ed25519", "-N", "", "-f", "key"]),
        b"",
    )
    .ok();
    run(
        world
            .command("ssh-keygen", ".")
            .args(["-q", "-t", "ed25519", "-N", "", "-f", "unknown"]),
        b"",
    )
    .ok();
    let public = fs::read_to_string(world.path("key.pub")).unwrap();
    fs::write(world.path("signers"), format!("alice@example.org {public}")).unwrap();
    let signers = world.path("signers");
    for (key, value) in [
        ("receive.certNonceSeed", "a secret of the server"),
        ("gpg.format", "ssh"),
        ("gpg.ssh.allowedSignersFile", signers.to_str().unwrap()),
    ] {
        world.server_git(&["config", key, value]);
    }
    let push = |n: u32, key: &str| {
        world.deploy("production/a", n);
        world.commit();
        let key = world.path(key);
        for (name, value) in [
            ("gpg.format", "ssh"),
            ("user.signingKey", key.to_str().unwrap()),
        ] {
            world.git(&["config", name, value]);
        }
        let push = world
            .push_with(&["--signed", "origin", "HEAD:refs/heads/main"])
            .ok();
        world.settled();
        (push, world.show(n))
    };
    let (said, shown) = push(1, "key");
    let known = (&shown["pusher"], &shown["pusher_known_by"]);
    assert_eq!(
        known,
        (&"alice@example.org".into(), &"signature".into()),
        "{said:#?}"
    );
    // git calls a signature by a key that nobody knows good as well.
    let (said, shown) = push(2, "unknown");
    assert_eq!(shown["pusher_known_by"], "unix", "{said:#?}");
}

#[test]
fn push_option_follow_streams_the_log() {
    let world = World::installed();
    world.job("echo first line; sleep 0.3; echo last line >&2");
    world.deploy("production/a", 1);
    let push = world
        .push_with(&["-o", "follow", "origin", "HEAD:refs/heads/main"])
        .ok();
    let said = push.remote();
    let end = said
        .iter()
        .position(|line| line.starts_with("deploy-by-code: #1 production/a succeeded in "));
    let at = |line: &str| {
        said.iter()
            .position(|said| said == line)
            .unwrap_or_else(|| panic!("no {line:?}: {said:#?}"))
    };
    assert!(
        at("first line") < at("last line") && Some(at("last line")) < end,
        "{said:#?}"
    );
}

#[test]
fn push_option_follow_of_several_names_each() {
    let world = World::installed();
    world.job("echo from $DEPLOY_APPLICATION; test $DEPLOY_APPLICATION = a");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    let said = world
        .push_with(&["-o", "follow", "origin", "HEAD:refs/heads/main"])
        .ok()
        .remote();
    for expect in [
        "production/a | from a",
        "production/b | from b",
        "deploy-by-code: #2 production/b failed: exit status 1",
    ] {
        assert!(
            said.contains(&expect.to_owned()),
            "{expect:?} is missing: {said:#?}"
        );
    }
    assert!(
        said.iter()
            .any(|line| line.starts_with("deploy-by-code: #1 production/a succeeded in ")),
        "{said:#?}"
    );
}

#[test]
fn push_option_wait_says_the_outcome_only() {
    let world = World::installed();
    world.job("echo output; kill -9 $$");
    world.deploy("production/a", 1);
    let push = world
        .push_with(&["-o", "wait", "origin", "HEAD:refs/heads/main"])
        .ok();
    push.says("deploy-by-code: #1 production/a failed: signal 9")
        .says_nothing_of("output");
    assert_eq!(world.settled(), ["#1 production/a failed: signal 9"]);
}

#[test]
fn push_option_wait_ends_when_a_newer_one_takes_its_place() {
    let world = World::installed();
    world.job("note start; hold end");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    world.deploy("production/a", 2);
    world.commit();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            run(
                &mut world.push_command(&["-o", "wait", "origin", "HEAD:refs/heads/main"]),
                b"",
            )
            .ok()
        });
        world.wait_until("it is queued", || world.history().len() == 2);
        world.git(&["fetch", "-q", "origin"]);
        world.deploy("production/a", 3);
        world.push();
        waits
            .join()
            .unwrap()
            .says("deploy-by-code: #2 production/a superseded");
    });
    world.cmd(&["wait", "2"]).exits(1);
    world.open("end");
    assert_eq!(world.settled().len(), 3);
}

#[test]
fn push_options_without_anything_to_deploy_do_not_wait() {
    let world = World::installed();
    world.write("README.md", "Nothing to deploy.\n");
    let push = world
        .push_with(&[
            "-o",
            "follow",
            "-o",
            "wait",
            "origin",
            "HEAD:refs/heads/main",
        ])
        .ok();
    assert_eq!(push.remote(), [""; 0]);
}

#[test]
fn there_is_no_option_to_skip() {
    let world = World::installed();
    world.deploy("production/a", 1);
    world.push_with(&["-o", "skip-deploy", "origin", "HEAD:refs/heads/main"]);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn a_kept_hook_is_run_as_git_ran_it() {
    // A link that is relative to the folder of hooks, and a script without an interpreter line,
    // which git gives to /bin/sh.
    let world = World::new();
    std::fs::create_dir(world.path("deploy.git/custom")).unwrap();
    let check = world.path("deploy.git/custom/check");
    std::fs::write(&check, "echo checked\n! test -e refuse\n").unwrap();
    std::fs::set_permissions(&check, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let hook = world.path("deploy.git/hooks/pre-receive");
    std::os::unix::fs::symlink("../custom/check", &hook).unwrap();
    // As an install leaves it that is stopped half way.
    std::fs::create_dir(world.path("deploy.git/hooks/chained")).unwrap();
    std::os::unix::fs::symlink(
        "../../custom/check",
        world.path("deploy.git/hooks/chained/pre-receive"),
    )
    .unwrap();
    world.install();
    world.cmd(&["uninstall"]).ok();
    world.install();
    world.deploy("production/a", 1);
    world.push().says("checked");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    std::fs::write(world.path("deploy.git/refuse"), "").unwrap();
    world.deploy("production/a", 2);
    world.commit();
    world.try_push().exits(1).says("checked");
    // A check that is gone lets nothing through.
    std::fs::remove_file(world.path("deploy.git/refuse")).unwrap();
    let gone = world.path("deploy.git/custom/gone");
    std::fs::rename(&check, &gone).unwrap();
    world.try_push().exits(1).says("pre-receive");
    std::fs::rename(&gone, &check).unwrap();
    world.cmd(&["uninstall"]).ok();
    assert_eq!(
        std::fs::read_link(&hook).unwrap().to_str(),
        Some("../custom/check")
    );
}

#[test]
fn a_kept_hook_that_is_a_link_to_its_sibling_is_run() {
    let world = World::new();
    let hooks = world.path("deploy.git/hooks");
    std::fs::write(
        hooks.join("post-receive"),
        "#!/bin/sh\necho \"checked by ${0##*/}\"\n! test -e refuse\n",
    )
    .unwrap();
    std::fs::set_permissions(
        hooks.join("post-receive"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    std::os::unix::fs::symlink("post-receive", hooks.join("pre-receive")).unwrap();
    world.install();
    world.deploy("production/a", 1);
    world
        .push()
        .says("checked by pre-receive")
        .says("checked by post-receive");
    std::fs::write(world.path("deploy.git/refuse"), "").unwrap();
    world.deploy("production/a", 2);
    world.commit();
    world.try_push().exits(1).says("checked by pre-receive");
    world.cmd(&["uninstall"]).ok();
    assert_eq!(
        std::fs::read_link(hooks.join("pre-receive"))
            .unwrap()
            .to_str(),
        Some("post-receive")
    );
}
