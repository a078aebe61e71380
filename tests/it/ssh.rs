//! Pushes through a real sshd on loopback. The deployment does not depend on the pusher's
//! connection.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::ci::ci_script;
use crate::hosts::script;
use crate::nobody::{unix_user, user};
use crate::processes::{BINARY, alive, in_background, kill_one, of};
use crate::pushers::pusher;
use crate::run::{run, skip};
use crate::world::World;

const SSHD: &str = "/usr/sbin/sshd";

/// An sshd of a world, whose key for the host is `host`, and `client` the one that gets in. It is
/// ended when this value is dropped.
pub struct Sshd<'w> {
    world: &'w World,
    daemon: Child,
    /// Where it listens, on the loopback interface.
    pub port: u16,
}

impl<'w> Sshd<'w> {
    /// Starts an sshd. Where that is not possible, it returns `None` and the test is skipped.
    #[track_caller]
    pub fn start(world: &'w World) -> Option<Self> {
        let user = unix_user();
        if !Path::new(SSHD).exists() {
            skip(&format!("{SSHD} is not installed"));
            return None;
        }

        let shells = fs::read_to_string("/etc/shells").unwrap_or_default();
        if !shells.lines().any(|shell| Path::new(shell) == user.shell) {
            let (name, shell) = (user.name, user.shell.display());
            skip(&format!("{name} may not log in, its shell is {shell}"));
            return None;
        }

        if nix::unistd::Uid::effective().is_root() {
            // The folder for privilege separation, which the system's service would make.
            fs::create_dir_all("/run/sshd").unwrap();
        }

        for key in ["host", "client"] {
            let mut keygen = world.command("ssh-keygen", ".");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
            run(&mut keygen, b"").ok();
        }

        fs::rename(world.path("client.pub"), world.path("authorized")).unwrap();
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(world.path("client"), private).unwrap();

        // Another process can take the free port before sshd does.
        let sshd = (0..5).find_map(|_| Self::try_to_start(world));
        if sshd.is_none() {
            let log = fs::read_to_string(world.path("sshd.log")).unwrap_or_default();
            panic!("sshd does not start: {log}");
        }

        sshd
    }

    fn try_to_start(world: &'w World) -> Option<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let folder = world.path("");
        let folder = folder.display();
        let config = format!(
            "Port {port}\n\
             ListenAddress 127.0.0.1\n\
             HostKey {folder}host\n\
             AuthorizedKeysFile {folder}authorized\n\
             PidFile none\n\
             StrictModes no\n\
             UsePAM no\n\
             PermitRootLogin yes\n\
             PasswordAuthentication no\n\
             AllowTcpForwarding no\n\
             SetEnv GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 PATH={path}\n",
            path = path_with_the_program()
        );

        fs::write(world.path("sshd_config"), config).unwrap();

        let daemon = in_background(
            world
                .command(SSHD, ".")
                .args(["-D", "-f"])
                .arg(world.path("sshd_config"))
                .arg("-E")
                .arg(world.path("sshd.log")),
        );
        let mut sshd = Self {
            world,
            daemon,
            port,
        };

        for _ in 0..500 {
            let log = fs::read_to_string(world.path("sshd.log")).unwrap_or_default();
            if log.contains("Server listening") {
                return Some(sshd);
            }
            if sshd.daemon.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }

        None
    }

    /// A `git push` to this sshd, after a commit.
    fn push(&self, options: &[&str]) -> Command {
        self.world.commit();
        let url = format!(
            "ssh://{}@127.0.0.1:{}{}",
            user(),
            self.port,
            self.world.repository().display()
        );
        let mut push = self.world.push_command(options);
        push.args([url.as_str(), "HEAD:refs/heads/main"])
            .env("GIT_SSH_COMMAND", self.ssh());
        push
    }

    /// The command `ssh` with the options for this sshd.
    fn ssh(&self) -> String {
        format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o BatchMode=yes \
             -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
            self.world.path("client").display()
        )
    }
}

/// A search path on which the program under test is found first.
fn path_with_the_program() -> String {
    let folder = Path::new(BINARY).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", folder.display())
}

/// Kills the client of a push, with the ssh that it started.
#[track_caller]
fn kill_client(client: &mut Child) {
    assert!(client.try_wait().unwrap().is_none(), "it had ended already");
    let group = nix::unistd::Pid::from_raw(client.id().cast_signed());
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(client.wait().unwrap().signal(), Some(9));
}

impl Drop for Sshd<'_> {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Kills every process of the session on the server, as some hosts do when a connection ends. A
/// hook must be among them.
#[track_caller]
fn kill_session(world: &World) {
    let command_line = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).into_owned()
    };
    let is_hook = |pid: &i32| command_line(pid).contains("post-receive");
    let mut session = of(&world.path(""));
    session.retain(|pid| is_hook(pid) || command_line(pid).contains("receive-pack"));

    assert!(session.iter().any(is_hook), "post-receive does not run");
    session.into_iter().for_each(kill_one);
}

#[test]
fn ssh_push_returns_while_the_job_runs() {
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

    // The daemon ends as well. The job goes on.
    drop(sshd);
    assert_eq!(world.history(), ["#1 production/a running"]);
    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

#[test]
fn ssh_client_that_is_killed_leaves_the_job_running() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    world.job("echo output; note start; hold end; echo more output; note end");
    world.deploy("production/a", 1);
    let mut client = in_background(sshd.push(&["-o", "follow"]).process_group(0));
    world.wait_for("production/a #1 start");

    kill_client(&mut client);
    world.open("end");

    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
    assert_eq!(world.logs(1), "output\nmore output\n");
    world.wait_until_idle();
}

#[test]
fn ssh_push_with_follow_shows_the_log_and_ends() {
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
fn ssh_session_that_is_killed_leaves_the_job_running() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    world.job("note start; hold end; note end");
    world.deploy("production/a", 1);
    let mut client = in_background(&mut sshd.push(&["-o", "wait"]));
    world.wait_for("production/a #1 start");

    kill_session(&world);
    assert!(!client.wait().unwrap().success());

    world.open("end");
    assert_eq!(world.settled(), ["#1 production/a succeeded"]);
}

/// The control of the test above: a hook that deploys by itself does not survive.
#[test]
fn ssh_session_that_is_killed_ends_a_plain_hook() {
    let world = World::new();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    script(
        &world.path("deploy.git/hooks/post-receive"),
        "#!/bin/sh\n\
         echo $$ > ../new.pid\n\
         mv ../new.pid ../pid\n\
         until [ -e ../gate.end ]; do sleep 0.02; done\n\
         touch ../finished\n",
    );
    world.deploy("production/a", 1);
    let mut client = in_background(&mut sshd.push(&[]));
    let pid = world.path("pid");
    world.wait_until("the hook runs", || pid.exists());
    let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();

    kill_session(&world);
    assert!(!client.wait().unwrap().success());

    world.wait_until("the hook is gone", || !alive(pid));
    world.open("end");
    assert!(!world.path("finished").exists());
}

/// Many servers have one account for everybody, whose keys may only push and fetch, and each of
/// which has a name.
#[test]
fn ssh_forced_command_alone_names_the_pusher() {
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

    let (name, known_by) = pusher(&world, 1);
    assert_eq!((name.as_str(), known_by.as_str()), ("alice", "ssh key"));

    // The client cannot choose another name.
    world.deploy("production/a", 2);
    let mut push = sshd.push(&["--receive-pack=DEPLOY_BY_CODE_PUSHER=bob git-receive-pack"]);
    assert_ne!(run(&mut push, b"").code, Some(0));
    assert_eq!(world.history().len(), 1);
}

#[test]
fn ci_script_that_waits_over_ssh_exits_with_the_outcome() {
    let world = World::installed();
    let Some(sshd) = Sshd::start(&world) else {
        return;
    };
    // The script has `ssh`, the name of a host and a path. This `ssh` knows how to reach the host.
    fs::create_dir(world.path("bin")).unwrap();
    let ssh = format!("{} -p {}", sshd.ssh(), sshd.port);
    let ssh = ssh.replacen("ssh", "/usr/bin/ssh", 1);
    script(
        &world.path("bin/ssh"),
        &format!("#!/bin/sh\nexec {ssh} \"$@\"\n"),
    );
    let as_written = ci_script("Waiting over ssh");
    let written = as_written
        .replace("git@server", &format!("{}@127.0.0.1", user()))
        .replace("/srv/git/deploys.git", world.repository().to_str().unwrap());
    let run_script = || {
        world.commit();
        let mut script = world.command("sh", "work");
        let path = std::env::var("PATH").unwrap();
        let bin = world.path("bin");
        script.env("PATH", format!("{}:{path}", bin.display()));
        run(script.args(["-c", &written]), b"")
    };

    world.job("sleep 0.3; test $DEPLOY_APPLICATION != bad");
    world.deploy("production/a", 1);
    world.deploy("production/b", 1);
    run_script()
        .ok()
        .says("#1 production/a succeeded in ")
        .says("#2 production/b succeeded in ");

    world.deploy("production/bad", 1);
    world.deploy("production/c", 1);
    run_script()
        .exits(1)
        .says("#3 production/bad failed: exit status 1")
        .says("#4 production/c succeeded in ");

    world.deploy_file("production/a", "nonsense\n");
    run_script().exits(1);
    assert_eq!(world.settled().len(), 4, "the push was refused");
}
