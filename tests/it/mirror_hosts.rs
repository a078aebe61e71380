//! Mirrors from real hosts: over ssh, over HTTP with TLS, and what a host can do wrong. The user of
//! the hooks has keys, known hosts and git's configuration in the home folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::git_host::{
    GitHost, Home, configure, mirror, processes_at, processes_in, want_new, world,
};
use crate::nobody::user;
use crate::processes::{BINARY, in_background, kill_one, of_program};
use crate::run::{Run, run};
use crate::ssh::Sshd;
use crate::world::World;

/// The longest that a refusal may take which waits for nobody.
const QUICK: Duration = Duration::from_secs(10);

/// A world with a host, of whose certificate the user knows.
fn with_host(text: &str) -> Option<(World, GitHost)> {
    let world = world("https://127.0.0.1:1/{application}.git", text);
    let home = Home::new(&world)?;
    let host = GitHost::start(&world, "host");
    configure(&world, &format!("{}/{{application}}.git", host.url()), text);
    trust(&home, "");
    Some((world, host))
}

/// Lets the user know the authority of the hosts.
fn trust(home: &Home<'_>, more: &str) {
    let ca = home.0.path("tls/ca.pem");
    home.gitconfig(&format!("[http]\n\tsslCAInfo = {}\n{more}", ca.display()));
}

/// Pushes a deploy file for a new revision.
#[track_caller]
fn push_new(home: &Home<'_>, variables: &[(&str, &str)]) -> Run {
    want_new(home.0, "new");
    home.push_with(variables)
}

#[test]
fn revision_on_a_host_with_tls_is_deployed() {
    let Some((world, host)) = with_host("") else {
        return;
    };
    let home = Home(&world);
    push_new(&home, &[]).ok().says("fetching web…");
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    let requests = host.requests();

    // The runner and post-receive asked nothing more.
    assert!(requests <= 3, "{requests} requests");
    home.cmd(&["doctor"])
        .ok()
        .says(&format!("mirror: {}/web.git: fetched just now", host.url()));
}

#[test]
fn host_that_wants_a_login_gets_the_one_of_the_hooks_user() {
    let Some((world, host)) = with_host("") else {
        return;
    };
    let home = Home(&world);
    host.answers("login deploy:s3cret");
    let begin = Instant::now();
    // Whatever the pusher has for git to ask with, it is not asked.
    let asked = world.path("asked");
    let ask = world.path("ask");
    fs::write(&ask, format!("#!/bin/sh\ntouch {}\n", asked.display())).unwrap();
    fs::set_permissions(&ask, fs::Permissions::from_mode(0o755)).unwrap();
    let ask = ask.to_str().unwrap();
    push_new(&home, &[("GIT_ASKPASS", ask), ("SSH_ASKPASS", ask)])
        .exits(1)
        .says("could not read Username for")
        .says("terminal prompts disabled");
    assert!(begin.elapsed() < QUICK && !asked.exists());

    let netrc = world.secret_file(
        "home/.netrc",
        "machine 127.0.0.1 login deploy password s3cret\n",
    );
    assert!(netrc.ends_with("home/.netrc"));
    home.push().ok();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    assert!(!world.logs(1).contains("s3cret"));
}

#[test]
fn host_that_is_not_known_or_leads_elsewhere_is_refused() {
    let Some((world, host)) = with_host("") else {
        return;
    };
    let home = Home(&world);
    home.gitconfig("");
    push_new(&home, &[]).exits(1).says("certificate");

    // To a protocol that anybody on the way can change.
    trust(&home, "");
    let plain = GitHost::start_plain(&world, "plain");
    host.answers(&format!("to {}", plain.url()));
    home.push().exits(1).says("can't be fetched");
    assert_eq!(plain.requests(), 0);

    // To another host, as git does by default.
    let other = GitHost::start(&world, "other");
    host.answers(&format!("to {}", other.url()));
    home.push().ok();
    assert!(other.requests() > 0);
}

#[test]
fn rubbish_from_a_host_is_escaped_and_no_mirror() {
    let Some((world, host)) = with_host("") else {
        return;
    };
    host.answers("rubbish");
    let push = push_new(&Home(&world), &[]).exits(1);
    assert!(
        push.all().contains("can't be fetched from https://"),
        "{push:?}"
    );
    assert!(!push.all().contains("\u{1b}[2J"), "{push:?}");
}

#[test]
fn host_that_hangs_or_is_slow_is_given_up_and_sees_nothing_of_the_pusher() {
    let Some((world, host)) = with_host("fetch_timeout = \"1s\"") else {
        return;
    };
    let home = Home(&world);
    for mode in ["hang", "slow"] {
        host.answers(mode);
        let requests = host.requests();
        want_new(&world, mode);
        world.commit();
        let mut push = home.command("git", "work");
        push.args(["push", "origin", "HEAD:refs/heads/main"])
            .env("HTTP_AUTHORIZATION", "Basic s3cret")
            .env("SSH_AUTH_SOCK", "/s3cret")
            .env("GIT_CONFIG_PARAMETERS", "'http.extraheader=s3cret: 1'");
        let begin = Instant::now();
        let mut push = in_background(&mut push);
        world.wait_until("the host is asked", || host.requests() > requests);

        let mirrors = world.state().join("mirrors");
        let fetching = processes_in(&mirrors);
        assert!(
            fetching.iter().any(|it| it.contains("git-remote-https")),
            "{fetching:?}"
        );
        assert_eq!(secrets_in(&mirrors), Vec::<String>::new());
        // The push would last as long as whoever has its output.
        let hook = of_program(&world.path(""), Path::new(BINARY))[0];
        let output = fs::read_link(format!("/proc/{hook}/fd/2")).unwrap();
        let has_output = |path: &PathBuf| descriptors(path).contains(&output);
        assert!(has_output(&format!("/proc/{hook}").into()));
        assert!(!processes_at(&mirrors).iter().any(has_output));
        assert_eq!(push.wait().unwrap().code(), Some(1));
        assert!(begin.elapsed() < QUICK, "{:?}", begin.elapsed());
        world.wait_until("nothing is left", || processes_in(&mirrors).is_empty());
    }
}

/// A host can kill a hook. Then git must not go on: the next process to hold the lock removes what
/// it takes for left behind.
#[test]
fn git_ends_with_the_hook_that_started_it() {
    let Some((world, host)) = with_host("fetch_timeout = \"60s\"") else {
        return;
    };
    let home = Home(&world);
    host.answers("hang");
    want_new(&world, "one");
    world.commit();
    let mut push = home.command("git", "work");
    push.args(["push", "origin", "HEAD:refs/heads/main"]);
    let mut push = in_background(&mut push);
    world.wait_until("the host is asked", || host.requests() > 0);

    let is_git = |line: &String| line.contains("fetch --progress");
    let mirrors = world.state().join("mirrors");
    assert!(processes_in(&mirrors).iter().any(is_git));
    let hooks = of_program(&world.path(""), Path::new(BINARY));
    assert_eq!(hooks.len(), 1, "only pre-receive runs");
    kill_one(hooks[0]);
    assert_eq!(push.wait().unwrap().code(), Some(1));
    world.wait_until("git has ended", || {
        !processes_in(&mirrors).iter().any(is_git)
    });

    host.answers("git");
    home.push().ok();
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
}

/// What a process has open.
fn descriptors(process: &Path) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
    let links = descriptors.flatten().map(|it| fs::read_link(it.path()));
    links.flatten().collect()
}

/// The environments of the processes in a folder that have a secret of the pusher.
fn secrets_in(folder: &Path) -> Vec<String> {
    let of_fetch = processes_at(folder).into_iter();
    let environments = of_fetch.map(|path| fs::read(path.join("environ")).unwrap_or_default());
    let texts = environments.map(|it| String::from_utf8_lossy(&it).into_owned());
    texts.filter(|text| text.contains("s3cret")).collect()
}

#[test]
fn protocol_of_git_is_not_used_even_if_the_user_configures_it() {
    let Some((world, host)) = with_host("") else {
        return;
    };
    let home = Home(&world);
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let apps = world.path("apps");
    let mut daemon = world.command("git", ".");
    daemon
        .args([
            "daemon",
            "--export-all",
            "--reuseaddr",
            "--listen=127.0.0.1",
        ])
        .args([format!("--port={port}"), "--informative-errors".to_owned()])
        .arg(format!("--base-path={}", apps.display()))
        .arg(&apps);
    let mut daemon = in_background(&mut daemon);
    let there = format!("git://127.0.0.1:{port}/");
    let is_there = || {
        let url = format!("{there}web.git");
        run(world.command("git", ".").args(["ls-remote", &url]), b"").code == Some(0)
    };
    world.wait_until("the daemon listens", is_there);

    trust(
        &home,
        &format!("[url \"{there}\"]\n\tinsteadOf = {}/\n", host.url()),
    );
    push_new(&home, &[])
        .exits(1)
        .says("transport 'git' not allowed");
    assert_eq!(host.requests(), 0);
    let _ = daemon.kill();
    let _ = daemon.wait();
}

#[test]
fn revision_on_a_host_with_ssh_is_deployed_by_the_key_of_the_hooks_user() {
    let world = world("ssh://x@127.0.0.1:1/x", "");
    let Some(home) = Home::new(&world) else {
        return;
    };
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    let url = format!(
        "ssh://{}@127.0.0.1:{}{}/{{application}}.git",
        user(),
        sshd.port,
        world.path("apps").display()
    );
    configure(&world, &url, "fetch_timeout = \"20s\"");
    let dot_ssh = world.path("home/.ssh");
    fs::create_dir(&dot_ssh).unwrap();
    fs::set_permissions(&dot_ssh, fs::Permissions::from_mode(0o700)).unwrap();
    let host_key = fs::read_to_string(world.path("host.pub")).unwrap();
    let known = format!("[127.0.0.1]:{} {host_key}", sshd.port);

    let begin = Instant::now();
    push_new(&home, &[("SSH_ASKPASS", "/bin/false"), ("DISPLAY", ":0")])
        .exits(1)
        .says("Host key verification failed.");
    fs::write(dot_ssh.join("known_hosts"), &known).unwrap();
    home.push().exits(1).says("Permission denied (publickey");
    assert!(begin.elapsed() < 2 * QUICK, "{:?}", begin.elapsed());

    fs::copy(world.path("client"), dot_ssh.join("id_ed25519")).unwrap();
    home.push().ok().says("fetching web…");
    assert_eq!(world.settled(), ["#1 production/web succeeded"]);
    // The form of scp(1), with the user's configuration of ssh.
    fs::write(
        dot_ssh.join("config"),
        format!(
            "Host host\n HostName 127.0.0.1\n Port {}\n HostKeyAlias [127.0.0.1]:{0}\n",
            sshd.port
        ),
    )
    .unwrap();
    let apps = world.path("apps");
    let url = format!("{}@host:{}/{{application}}.git", user(), apps.display());
    configure(&world, &url, "");
    fs::remove_dir_all(mirror(&world)).unwrap();
    push_new(&home, &[]).ok();
    assert_eq!(world.settled()[1], "#2 production/web succeeded");

    // A host that accepts the connection and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("ssh://x@127.0.0.1:{port}/{{application}}.git");
    configure(&world, &url, "fetch_timeout = \"1s\"");
    push_new(&home, &[])
        .exits(1)
        .says("it gave no whole answer within 1 s");
    world.wait_until("nothing is left", || {
        processes_in(&world.state().join("mirrors")).is_empty()
    });
}
