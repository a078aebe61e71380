//! What a command finds when it starts (environment, open files, folder, session, user), and its
//! log.

use std::collections::BTreeMap;
use std::fs;

use crate::faults::strace_or_skip;
use crate::nobody::{root_or_skip, unix_user};
use crate::processes::BINARY;
use crate::run::run;
use crate::world::{World, rev};

/// The variables of a command whose values depend on the machine. DEPLOY_STATE_DIR marks the
/// processes of the command, so that they are found without cgroups.
const VARYING: [&str; 4] = ["DEPLOY_STATE_DIR", "PATH", "LANG", "LOGNAME"];

#[test]
fn command_environment_is_clean_and_complete() {
    let world = World::installed();
    world.config_file(
        "[defaults]\n\
         command = [\"/usr/bin/env\", \"-0\"]\n\
         env = { REGION = \"eu\", ODD = \"a b $c\\n\" }\n",
    );
    world.deploy("production/a", 1);
    world.push();
    world.deploy("production/a", 2);
    let commit = world.commit();

    let options = ["-o", "wait", "-o", "x=y", "origin", "HEAD:refs/heads/main"];
    let mut push = world.push_command(&options);
    push.env("HTTP_AUTHORIZATION", "Basic c2VjcmV0")
        .env("GL_USER", "alice")
        .env("SECRET", "x")
        .env("GIT_TRACE", "0")
        .env("LC_ALL", "C")
        .env("LD_LIBRARY_PATH", "/nonexistent")
        .env("DEPLOY_APPLICATION", "forged");
    run(&mut push, b"").ok();
    world.settled();

    let raw = fs::read_to_string(world.state().join("logs/2.log")).unwrap();
    let found: BTreeMap<_, _> = raw
        .split_terminator('\0')
        .filter_map(|line| line.split_once('='))
        .collect();
    let user = unix_user();
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
        ("DEPLOY_REPOSITORY", ""),
        ("DEPLOY_PHASE", "command"),
        ("REGION", "eu"),
        ("ODD", "a b $c\n"),
        ("USER", &user.name),
        ("HOME", user.dir.to_str().unwrap()),
    ];

    for (name, value) in fixed {
        assert_eq!(found.get(name), Some(&value), "{name} in {found:#?}");
    }
    for name in VARYING {
        assert!(!found[name].is_empty(), "{name} in {found:#?}");
    }
    let count = fixed.len() + VARYING.len();
    assert_eq!(found.len(), count, "there are others: {found:#?}");
}

#[test]
fn command_gets_no_previous_revision_the_first_time() {
    let world = World::installed();
    world.job("note \"previous=[${DEPLOY_PREVIOUS_REVISION-unset}]\"");
    world.deploy("production/a", 1);
    world.push();
    world.settled();
    assert_eq!(world.ran(), ["production/a #1 previous=[]"]);
}

#[test]
fn command_words_in_braces_are_replaced() {
    let world = World::installed();
    world.config_file(
        "[defaults]\n\
         command = [\"/usr/bin/printf\", \"%s\\n\", \"{id} {environment}/{application}\", \
         \"{revision}\", \"[{previous_revision}]\", \"{commit}\", \"{pusher}\", \
         \"{{literal}}\", \"$HOME `id`\"]\n",
    );
    world.deploy("production/a", 1);
    world.commit();

    // What replaces a word is not replaced again.
    let mut push = world.push_command(&["origin", "HEAD:refs/heads/main"]);
    run(push.env("GL_USER", "{id}"), b"").ok();
    world.settled();

    let expect = format!(
        "1 production/a\n{}\n[]\n{}\n{{id}}\n{{literal}}\n$HOME `id`\n",
        rev(1),
        world.tip()
    );
    assert_eq!(world.logs(1), expect);
}

#[test]
fn command_gets_clean_descriptors_session_umask_and_folder() {
    let world = World::installed();
    let script = "ls /proc/self/fd | tr '\\n' ' '; echo; readlink /proc/self/fd/0; umask; pwd; \
                  cut -d' ' -f1,5,6 /proc/$$/stat; trap; cat";
    world.config_file(&format!(
        "[defaults]\ncommand = [\"/bin/sh\", \"-c\", {script:?}]"
    ));
    world.deploy("production/a", 1);
    world.commit();

    // The hook inherits the pusher's open files, umask and ignored signals.
    world
        .shell_in(
            "work",
            "exec 7</etc/passwd 9</etc/passwd; umask 077; trap '' HUP INT; \
             git push origin HEAD:refs/heads/main",
        )
        .ok();
    world.settled();
    let log = world.logs(1);

    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines[0].trim(), "0 1 2 3", "3 is the folder that ls reads");
    assert_eq!(lines[1], "/dev/null");
    assert_eq!(lines[2], "0022");

    let folder = fs::canonicalize(world.state().join("work")).unwrap();
    assert_eq!(lines[3], folder.to_str().unwrap());

    let ids: Vec<_> = lines[4].split(' ').collect();
    assert!(
        ids[0] == ids[1] && ids[1] == ids[2],
        "process, process group and session are the same: {ids:?}"
    );
    assert_eq!(lines.len(), 5, "a signal is ignored: {log}");
}

#[test]
fn command_signals_have_their_default_action() {
    let world = World::installed();
    world.config_file(
        "[defaults]\n\
         command = [\"/bin/grep\", \"-E\", \"^Sig(Ign|Blk):\", \"/proc/self/status\"]\n",
    );
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    // git starts hooks with posix_spawn(3) of glibc, which leaves the signals 32 and 33 ignored.
    let internal = 0b11 << 31;
    let log = world.logs(1);
    assert_eq!(log.lines().count(), 2, "{log}");

    for line in log.lines() {
        let mask = u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        assert_eq!(mask & !internal, 0, "{line}");
    }
}

#[test]
fn settings_of_the_more_specific_level_win() {
    let world = World::installed();
    world.config(
        r#"env = { LEVEL = "defaults", D = "1" }
        [environments.staging]
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
fn log_limit_keeps_head_and_tail_and_says_what_is_missing() {
    let world = World::installed();
    world.config("log_limit = \"64KiB\"");
    world.job(
        "echo the head; i=0\n\
         while [ $i -lt 20000 ]; do\n\
         echo \"line $i of a great many that nobody reads\"; i=$((i+1))\n\
         done\n\
         echo the tail",
    );
    world.deploy("production/a", 1);
    world.push();
    world.settled();

    let file = fs::read(world.state().join("logs/1.log")).unwrap();
    assert!(file.len() < 72 * 1024, "{} bytes", file.len());
    assert!(file.len() > 48 * 1024, "{} bytes", file.len());

    let log = world.logs(1);
    assert!(log.starts_with("the head\n"), "{} bytes", log.len());
    assert!(log.ends_with("the tail\n"), "{} bytes", log.len());

    let says_what_is_missing =
        |line: &str| line.starts_with("[deploy-by-code: ") && line.ends_with(" bytes left out]");
    assert!(log.lines().any(says_what_is_missing));
}

#[test]
fn log_can_be_read_while_the_job_writes() {
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
fn user_setting_gives_up_all_rights_of_root() {
    if !root_or_skip() {
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
}

#[test]
fn user_setting_with_an_unknown_user_fails_the_deployment() {
    let world = World::installed();
    world.config_file("[defaults]\ncommand = [\"/bin/true\"]\nuser = \"nobody-of-that-name\"");
    world.deploy("production/a", 1);

    world.push();

    let history = world.settled();
    assert!(
        history[0].starts_with("#1 production/a failed: "),
        "{history:#?}"
    );
}

/// Otherwise the next file that is opened would be the standard output.
#[test]
fn standard_descriptors_that_are_closed_lead_to_dev_null() {
    if !strace_or_skip() {
        return;
    }
    let world = World::new();
    let trace = world.path("trace");
    let script = format!(
        "strace -f -o '{}' -e trace=openat sh -c \"exec '{BINARY}' --version <&- >&- 2>&-\"",
        trace.display()
    );
    world.shell_in(".", &script).ok();

    let trace = fs::read_to_string(trace).unwrap();
    for fd in 0..3 {
        let opened = format!("\"/dev/null\", O_RDWR) = {fd}\n");
        assert!(trace.contains(&opened), "{trace}");
    }
}
