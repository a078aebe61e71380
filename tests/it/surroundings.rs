//! What a command finds around it: environment, descriptors, folder, session, user; and its log.

use std::collections::BTreeMap;
use std::fs;

use crate::run::run;
use crate::world::{World, rev};

#[test]
fn the_environment_is_clean_and_complete() {
    let world = World::installed();
    world.config_file(
        "[defaults]\ncommand = [\"/usr/bin/env\", \"-0\"]\nenv = { REGION = \"eu\", ODD = \"a b $c\\n\" }",
    );
    world.deploy("production/a", 1);
    world.push();
    world.deploy("production/a", 2);
    let commit = world.commit();
    let mut push =
        world.push_command(&["-o", "wait", "-o", "x=y", "origin", "HEAD:refs/heads/main"]);
    push.env("HTTP_AUTHORIZATION", "Basic c2VjcmV0")
        .env("GL_USER", "alice")
        .env("SECRET", "x")
        .env("GIT_TRACE", "0");
    push.env("LC_ALL", "C")
        .env("LD_LIBRARY_PATH", "/nonexistent")
        .env("DEPLOY_APPLICATION", "forged");
    run(&mut push, b"").ok();
    world.settled();
    let raw = fs::read_to_string(world.state().join("logs/2.log")).unwrap();
    let found: BTreeMap<_, _> = raw
        .split_terminator('\0')
        .filter_map(|line| line.split_once('='))
        .collect();
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current())
        .unwrap()
        .unwrap();
    let (one, two) = (rev(1), rev(2));
    let fixed = [
        ("DEPLOY_ID", "2"),
        ("DEPLOY_ENVIRONMENT", "production"),
        ("DEPLOY_APPLICATION", "a"),
        ("DEPLOY_REVISION", &two),
        ("DEPLOY_PREVIOUS_REVISION", &one),
        ("DEPLOY_COMMIT", &commit),
        ("DEPLOY_PUSHER", "alice"),
        ("DEPLOY_CHECKOUT", ""),
        ("REGION", "eu"),
        ("ODD", "a b $c\n"),
        ("USER", &user.name),
        ("HOME", user.dir.to_str().unwrap()),
    ];
    for (name, value) in fixed {
        assert_eq!(found.get(name), Some(&value), "{name} in {found:#?}");
    }
    assert!(found.contains_key("DEPLOY_REPOSITORY"), "{found:#?}");
    assert!(!found["PATH"].is_empty() && !found["LANG"].is_empty());
    // The state directory marks the command's processes, so that they are found where there are no
    // cgroups.
    let known = [
        "DEPLOY_REPOSITORY",
        "DEPLOY_STATE_DIR",
        "PATH",
        "LANG",
        "LOGNAME",
    ];
    let extra: Vec<_> = found
        .keys()
        .filter(|name| !known.contains(name) && !fixed.iter().any(|(fixed, _)| fixed == *name))
        .collect();
    assert_eq!(extra, [&""; 0], "unexpected in the environment");
}

#[test]
fn the_first_time_there_is_no_previous_revision() {
    let world = World::installed();
    world.job("note \"previous=[${DEPLOY_PREVIOUS_REVISION-unset}]\"");
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    assert_eq!(world.ran(), ["production/a #1 previous=[]"]);
}

#[test]
fn braces_in_the_command_know_the_names() {
    let world = World::installed();
    world.config_file(
        "[defaults]\ncommand = [\"/usr/bin/printf\", \"%s\\n\", \"{id} {environment}/{application}\", \"{revision}\", \"[{previous_revision}]\", \"{commit}\", \"{pusher}\", \"{{literal}}\", \"$HOME `id`\"]",
    );
    world.deploy("production/a", 1);
    world.commit();
    run(
        world
            .push_command(&["origin", "HEAD:refs/heads/main"])
            .env("GL_USER", "{id}"),
        b"",
    )
    .ok();
    world.settled();
    let expect = format!(
        "1 production/a\n{}\n[]\n{}\n{{id}}\n{{literal}}\n$HOME `id`\n",
        rev(1),
        world.tip()
    );
    assert_eq!(world.logs(1), expect);
}

#[test]
fn descriptors_session_umask_and_folder() {
    let world = World::installed();
    let script = "ls /proc/self/fd | tr '\\n' ' '; echo; readlink /proc/self/fd/0; umask; pwd; cut -d' ' -f1,5,6 /proc/$$/stat; trap; cat";
    world.config_file(&format!(
        "[defaults]\ncommand = [\"/bin/sh\", \"-c\", {script:?}]"
    ));
    world.deploy("production/a", 1);
    world.commit();
    // A descriptor, an umask and an ignored signal of the pusher's, which the hook inherits.
    let mut shell = world.command("sh", "work");
    shell.args([
        "-c",
        "exec 7</etc/passwd 9</etc/passwd; umask 077; trap '' HUP INT; git push origin HEAD:refs/heads/main",
    ]);
    run(&mut shell, b"").ok();
    world.settled();
    let log = world.logs(1);
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[0].trim(), "0 1 2 3", "3 is the folder that ls reads");
    assert_eq!(lines[1], "/dev/null");
    assert_eq!(lines[2], "0022");
    assert_eq!(
        lines[3],
        fs::canonicalize(world.state().join("work"))
            .unwrap()
            .to_str()
            .unwrap()
    );
    let ids: Vec<_> = lines[4].split(' ').collect();
    assert!(
        ids[0] == ids[1] && ids[1] == ids[2],
        "pid, process group, session: {ids:?}"
    );
    assert_eq!(lines.len(), 5, "no signal is ignored: {log}");
}

#[test]
fn signals_have_their_default_action() {
    let world = World::installed();
    world.config_file(
        "[defaults]
command = [\"/bin/grep\", \"-E\", \"^Sig(Ign|Blk):\", \"/proc/self/status\"]",
    );
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    // glibc's posix_spawn(3), by which git starts hooks, leaves its two internal signals, 32 and
    // 33, ignored.
    let internal = 0b11 << 31;
    for line in world.logs(1).lines() {
        let mask = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(mask & !internal, 0, "{line}");
    }
}

#[test]
fn settings_of_the_more_specific_level_win() {
    let world = World::installed();
    world.config(
        r#"env = { LEVEL = "defaults", D = "1" }
        [environments.production]
        env = { LEVEL = "environment", E = "1" }
        [applications.a]
        env = { LEVEL = "application", A = "1" }
        [environments.production.applications.a]
        env = { LEVEL = "both", B = "1" }"#,
    );
    world.job("note $LEVEL D=$D E=$E A=$A B=$B");
    for target in ["production/a", "production/x", "staging/a", "staging/x"] {
        world.deploy(target, 1);
    }
    world.push();
    world.settled();
    let without_number = |line: String| {
        let mut words: Vec<_> = line.split(' ').collect();
        words.remove(1);
        words.join(" ")
    };
    let mut ran: Vec<_> = world.ran().into_iter().map(without_number).collect();
    ran.sort();
    assert_eq!(
        ran,
        [
            "production/a both D=1 E=1 A=1 B=1",
            "production/x environment D=1 E=1 A= B=",
            "staging/a application D=1 E= A=1 B=",
            "staging/x defaults D=1 E= A= B=",
        ]
    );
}

#[test]
fn the_log_is_capped_and_says_what_is_missing() {
    let world = World::installed();
    world.config("log_limit = \"64KiB\"");
    world.job("echo the head; i=0; while [ $i -lt 20000 ]; do echo \"line $i of a great many that nobody reads\"; i=$((i+1)); done; echo the tail");
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    let file = fs::read(world.state().join("logs/1.log")).unwrap();
    assert!(file.len() < 72 * 1024, "{} bytes", file.len());
    assert!(file.len() > 48 * 1024, "{} bytes", file.len());
    let log = world.logs(1);
    assert!(
        log.starts_with("the head\n") && log.ends_with("the tail\n"),
        "{} bytes",
        log.len()
    );
    assert!(log.lines().any(|line| line.starts_with("[deploy-by-code: ") && line.ends_with(" bytes left out]")));
}

#[test]
fn the_log_can_be_read_while_the_job_writes() {
    let world = World::installed();
    world.job("echo begun; note start; hold end; echo done");
    world.deploy("production/a", 1);
    world.push();
    world.wait_for("production/a #1 start");
    assert_eq!(world.logs(1), "begun\n");
    world.open("end");
    world.settled();
    assert_eq!(world.logs(1), "begun\ndone\n");
}

#[test]
fn another_user_when_run_as_root() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: not root");
        return;
    }
    let world = World::installed();
    let script = "id -un; id -gn; id -Gn; echo $USER $HOME; grep ^CapEff /proc/self/status";
    world.config_file(&format!(
        "[defaults]\ncommand = [\"/bin/sh\", \"-c\", {script:?}]\nuser = \"nobody\""
    ));
    world.deploy("production/a", 1);
    world.push();
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(
        world.logs(1),
        "nobody\nnogroup\nnogroup\nnobody /nonexistent\nCapEff:\t0000000000000000\n"
    );

    world.config_file("[defaults]\ncommand = [\"/bin/true\"]\nuser = \"nobody-of-that-name\"");
    world.deploy("production/a", 2);
    world.push();
    assert!(
        world.settled()[1].contains("failed: "),
        "an unknown user is no reason to run as root"
    );
}
