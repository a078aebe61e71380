//! Over a real sshd on loopback: what a pusher's connection has to do with the deployment, which is
//! nothing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::processes::kill_one;
use crate::run::run;
use crate::world::World;

struct Sshd<'w> {
    world: &'w World,
    daemon: Child,
    port: u16,
}

impl<'w> Sshd<'w> {
    /// Starts a daemon of the world's own, or prints why not.
    fn start(world: &'w World) -> Option<Self> {
        const SSHD: &str = "/usr/sbin/sshd";
        if !Path::new(SSHD).exists() {
            println!("skipped: {SSHD} is not installed");
            return None;
        }
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::current())
            .unwrap()
            .unwrap();
        let shells = fs::read_to_string("/etc/shells").unwrap_or_default();
        if !shells.lines().any(|shell| Path::new(shell) == user.shell) {
            println!(
                "skipped: {} may not log in, its shell is {}",
                user.name,
                user.shell.display()
            );
            return None;
        }
        if nix::unistd::Uid::effective().is_root() {
            // The folder for privilege separation, which its service would make.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        for key in ["host", "client"] {
            let mut keygen = world.command("ssh-keygen", ".");
            run(
                keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]),
                b"",
            )
            .ok();
        }
        fs::rename(world.path("client.pub"), world.path("authorized")).unwrap();
        let folder = world.path("");
        let folder = folder.display();
        for _ in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0))
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}host\nAuthorizedKeysFile {folder}authorized\n\
                 PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
                 AllowTcpForwarding no\nSetEnv GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\n"
            );
            fs::write(world.path("sshd_config"), config).unwrap();
            let mut sshd = world.command(SSHD, ".");
            sshd.arg("-D")
                .arg("-f")
                .arg(world.path("sshd_config"))
                .arg("-E")
                .arg(world.path("sshd.log"));
            let daemon = sshd
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut sshd = Self {
                world,
                daemon,
                port,
            };
            let listens = || {
                fs::read_to_string(world.path("sshd.log"))
                    .is_ok_and(|log| log.contains("Server listening"))
            };
            for _ in 0..200 {
                if listens() {
                    return Some(sshd);
                }
                if sshd.daemon.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
        panic!(
            "sshd does not start: {}",
            fs::read_to_string(world.path("sshd.log")).unwrap_or_default()
        );
    }

    fn push(&self, options: &[&str]) -> std::process::Command {
        self.world.commit();
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::current())
            .unwrap()
            .unwrap()
            .name;
        let url = format!(
            "ssh://{user}@127.0.0.1:{}{}",
            self.port,
            self.world.repository().display()
        );
        let mut push = self.world.push_command(options);
        push.args([url.as_str(), "HEAD:refs/heads/main"]);
        let known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
        let key = self.world.path("client");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let ssh = format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o BatchMode=yes {known}",
            key.display()
        );
        push.env("GIT_SSH_COMMAND", ssh);
        push
    }
}

impl Drop for Sshd<'_> {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

#[test]
fn the_push_returns_while_a_long_job_runs() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    world.job("echo output; note start; hold end; note end");
    world.deploy("production/a", 1);
    let push = run(&mut sshd.push(&[]), b"").ok();
    assert_eq!(
        push.remote()[0],
        "deploy-by-code: #1 production/a new -> 0000001 queued"
    );
    world.wait_for("production/a #1 start");
    // The connection is gone with the push; the job is not.
    drop(sshd);
    assert_eq!(world.history(), ["#1 production/a running"]);
    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn the_job_survives_the_client_being_killed() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    world.job("echo output; note start; hold end; echo more output; note end");
    world.deploy("production/a", 1);
    let mut push = sshd.push(&["-o", "follow"]);
    let mut client = push
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_for("production/a #1 start");
    let group = nix::unistd::Pid::from_raw(client.id().cast_signed());
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
    client.wait().unwrap();
    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.logs(1), "output\nmore output\n");
    world.wait_until("follower and runner are gone", || world.ours().is_empty());
}

#[test]
fn follow_over_ssh_streams_and_ends() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    world.job("echo output; sleep 0.2; exit 4");
    world.deploy("production/a", 1);
    let push = run(&mut sshd.push(&["-o", "follow"]), b"").ok();
    push.says("remote: output")
        .says("deploy-by-code: #1 production/a failed: exit status 4");
}

#[test]
fn the_server_side_dying_takes_no_job_along() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    let mut push = sshd.push(&["-o", "wait"]);
    let mut client = push
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    world.wait_for("production/a #1 start");
    // Every process of the session on the server, as a host does that cleans up after a connection.
    let session = crate::processes::of(&world.path(""))
        .into_iter()
        .filter(|pid| {
            let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            text.contains("receive-pack") || text.contains("post-receive")
        });
    session.for_each(kill_one);
    client.wait().unwrap();
    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

/// Keys that may only push and fetch, each with a name: one account for all, as many servers have
/// it.
#[test]
fn a_forced_command_names_the_pusher_and_git_shell_lets_nothing_else_through() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    let key = fs::read_to_string(world.path("authorized")).unwrap();
    let forced =
        r#"command="DEPLOY_BY_CODE_PUSHER=alice git-shell -c \"$SSH_ORIGINAL_COMMAND\"",restrict "#;
    fs::write(world.path("authorized"), format!("{forced}{key}")).unwrap();
    world.deploy("production/a", 1);
    run(&mut sshd.push(&["-o", "wait"]), b"")
        .ok()
        .says("#1 production/a succeeded");
    let shown = world.show(1);
    assert_eq!(
        (&shown["pusher"], &shown["pusher_known_by"]),
        (&"alice".into(), &"ssh key".into())
    );
    // Nobody chooses another name from outside.
    world.deploy("production/a", 2);
    let mut push = sshd.push(&["--receive-pack=DEPLOY_BY_CODE_PUSHER=bob git-receive-pack"]);
    assert_ne!(run(&mut push, b"").code, Some(0));
    assert_eq!(world.history().len(), 1);
}
