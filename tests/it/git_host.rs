//! Hosts of application repositories, and what the user of the hooks has in the home folder to get
//! in there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::applications::{commit, make};
use crate::cgroups::unshare_or_skip;
use crate::http_server::{PYTHON, authority, data};
use crate::nobody::{root_or_skip, unix_user};
use crate::processes::BINARY;
use crate::run::{Run, run};
use crate::world::World;

/// A world whose applications have the repositories `apps/NAME.git`, by a URL. `text` continues the
/// section `[defaults]` of the configuration.
pub fn world(url: &str, text: &str) -> World {
    let world = World::installed();
    make(&world, &["web"]);
    configure(&world, url, text);
    world
}

/// Replaces the configuration.
pub fn configure(world: &World, url: &str, text: &str) {
    world.config(&format!("repository = \"{url}\"\n{text}"));
}

/// The URL of the repositories in the world itself.
pub const FILE: &str = "file://{W}/apps/{application}.git";

/// Makes a commit on `main` of `web`, and writes it into the deploy file of `production/web`.
pub fn want_new(world: &World, message: &str) -> String {
    let revision = commit(world, "web", "main", message);
    world.deploy_rev("production/web", &revision);
    revision
}

/// The only mirror of a world.
pub fn mirror(world: &World) -> PathBuf {
    let entries = fs::read_dir(world.state().join("mirrors")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut mirrors: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "git"))
        .collect();
    assert_eq!(mirrors.len(), 1, "{mirrors:?}");
    mirrors.remove(0)
}

/// Takes the host away.
pub fn take_away(world: &World) {
    fs::rename(world.path("apps"), world.path("apps.away")).unwrap();
}

/// Brings it back.
pub fn bring_back(world: &World) {
    fs::rename(world.path("apps.away"), world.path("apps")).unwrap();
}

/// Lets the host answer nothing about an application: git waits for the other end of a pipe.
pub fn hang(world: &World, application: &str) {
    let refs = world.path(&format!("apps/{application}.git/packed-refs"));
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&refs, mode).unwrap();
}

/// The home folder of the user that runs the tests, which is `home` in the world. Only root can
/// arrange this: it gives the processes below a mount namespace with a passwd(5) of their own.
pub struct Home<'w>(pub &'w World);

impl<'w> Home<'w> {
    /// `None`: the test is skipped.
    #[track_caller]
    pub fn new(world: &'w World) -> Option<Self> {
        if !root_or_skip() || !unshare_or_skip() {
            return None;
        }
        let home = world.path("home");
        let number = format!(":{}:", unix_user().uid);
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = |line: &str| {
            let mut fields: Vec<&str> = line.split(':').collect();
            if line.contains(&number) && fields[2] == unix_user().uid.to_string() {
                fields[5] = home.to_str().unwrap();
            }
            fields.join(":") + "\n"
        };
        let passwd: String = passwd.lines().map(line).collect();
        fs::write(world.path("passwd"), passwd).unwrap();
        Some(Self(world))
    }

    /// A command whose user has this home folder.
    pub fn command(&self, program: &str, folder: &str) -> Command {
        let mut command = self.0.command("unshare", folder);
        let script = "mount --bind \"$0\" /etc/passwd && exec \"$@\"";
        command
            .args(["--mount", "sh", "-c", script])
            .arg(self.0.path("passwd"))
            .arg(program);
        command
    }

    /// Writes git's configuration of the user.
    pub fn gitconfig(&self, text: &str) {
        fs::write(self.0.path("home/.gitconfig"), text).unwrap();
    }

    /// Commits and pushes to the deploy branch, with more variables in the environment.
    #[track_caller]
    pub fn push_with(&self, variables: &[(&str, &str)]) -> Run {
        self.0.commit();
        let mut push = self.command("git", "work");
        push.args(["push", "origin", "HEAD:refs/heads/main"]);
        run(push.envs(variables.iter().copied()), b"")
    }

    /// Commits and pushes to the deploy branch.
    #[track_caller]
    pub fn push(&self) -> Run {
        self.push_with(&[])
    }

    /// Runs the binary under test.
    #[track_caller]
    pub fn cmd(&self, arguments: &[&str]) -> Run {
        let mut command = self.command(BINARY, ".");
        run(
            command.arg("-C").arg(self.0.repository()).args(arguments),
            b"",
        )
    }
}

/// A host that answers over HTTP: tests/data/git_host/server.py. It ends with this value.
pub struct GitHost {
    process: Child,
    folder: PathBuf,
    scheme: &'static str,
}

impl GitHost {
    /// A host with TLS and a certificate of the world's own authority.
    pub fn start(world: &World, name: &str) -> Self {
        authority(world);
        Self::start_with(world, name, &["tls/server.pem", "tls/server.key"])
    }

    /// A host without TLS.
    pub fn start_plain(world: &World, name: &str) -> Self {
        Self::start_with(world, name, &[])
    }

    fn start_with(world: &World, name: &str, certificate: &[&str]) -> Self {
        let folder = world.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("requests"), "").unwrap();
        fs::write(folder.join("mode"), "git").unwrap();
        let mut command = world.command(PYTHON, ".");
        command
            .arg(data("git_host/server.py"))
            .arg(&folder)
            .arg(world.path("apps"))
            .args(certificate);
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        world.wait_until("the host listens", || folder.join("port").exists());
        Self {
            process,
            folder,
            scheme: if certificate.is_empty() {
                "http"
            } else {
                "https"
            },
        }
    }

    /// How it answers from now on.
    pub fn answers(&self, mode: &str) {
        fs::write(self.folder.join("mode.new"), mode).unwrap();
        fs::rename(self.folder.join("mode.new"), self.folder.join("mode")).unwrap();
    }

    /// The URL of its root, without a slash.
    pub fn url(&self) -> String {
        let port = fs::read_to_string(self.folder.join("port")).unwrap();
        format!("{}://127.0.0.1:{port}", self.scheme)
    }

    /// How many requests it got.
    pub fn requests(&self) -> usize {
        let requests = fs::read_to_string(self.folder.join("requests")).unwrap();
        requests.lines().count()
    }
}

impl Drop for GitHost {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folders in /proc of the processes whose current folder is in a folder.
pub fn processes_at(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let is_there = |path: &PathBuf| {
        let current = fs::read_link(path.join("cwd"));
        current.is_ok_and(|current| current.starts_with(folder))
    };
    let there = entries.map(|entry| entry.path()).filter(is_there);
    there.collect()
}

/// Their command lines.
pub fn processes_in(folder: &Path) -> Vec<String> {
    let line = |path: PathBuf| {
        let line = fs::read(path.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ")
    };
    processes_at(folder).into_iter().map(line).collect()
}
