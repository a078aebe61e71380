//! HTTP servers on the loopback interface that answer as a test tells them to
//! (tests/data/notify/server.py), and the certificates that they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::processes::{self, BINARY};
use crate::run::{Run, run, skip};
use crate::world::World;

/// The Python that Debian has, with the modules of Debian's packages.
pub const PYTHON: &str = "/usr/bin/python3";

/// A file below tests/data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// A server. It ends with this value.
pub struct Server {
    process: Child,
    folder: PathBuf,
    scheme: &'static str,
    port: String,
}

impl Server {
    /// A server with TLS and a certificate of the world's own authority; see [`authority`].
    pub fn start(world: &World, name: &str) -> Self {
        Self::start_at(world, name, "0", true)
    }

    /// A server without TLS.
    pub fn start_plain(world: &World, name: &str) -> Self {
        Self::start_at(world, name, "0", false)
    }

    fn start_at(world: &World, name: &str, port: &str, is_tls: bool) -> Self {
        let folder = world.path(name);
        fs::create_dir_all(&folder).unwrap();
        let _ = fs::remove_file(folder.join("port"));
        for file in ["answers", "requests"] {
            let mut open = fs::OpenOptions::new();
            open.append(true)
                .create(true)
                .open(folder.join(file))
                .unwrap();
        }

        let mut command = world.command(PYTHON, ".");
        command.arg(data("notify/server.py")).arg(&folder).arg(port);
        if is_tls {
            authority(world);
            command.args(["tls/server.pem", "tls/server.key"]);
        }
        let process = command.stdin(Stdio::null()).spawn().unwrap();
        world.wait_until("the server listens", || folder.join("port").exists());

        Self {
            process,
            port: fs::read_to_string(folder.join("port")).unwrap(),
            folder,
            scheme: if is_tls { "https" } else { "http" },
        }
    }

    /// Ends the server. Returns what starts it again at the same port.
    pub fn stop(self, world: &World) -> impl Fn() -> Self + use<'_> {
        let name = self
            .folder
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let (port, is_tls) = (self.port.clone(), self.scheme == "https");
        drop(self);
        move || Self::start_at(world, &name, &port, is_tls)
    }

    /// How it answers from now on, one line for each request.
    pub fn answers(&self, lines: &[&str]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.folder.join("answers.test"), text).unwrap();
        fs::rename(
            self.folder.join("answers.test"),
            self.folder.join("answers"),
        )
        .unwrap();
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// The requests that it got, in their order, as JSON.
    pub fn requests(&self) -> Vec<Value> {
        let text = self.request_lines();
        // The last line may be about to be written.
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        whole
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The same, as the file has them.
    pub fn request_lines(&self) -> String {
        fs::read_to_string(self.folder.join("requests")).unwrap()
    }

    /// The requests, once there are so many.
    #[track_caller]
    pub fn wait_for(&self, world: &World, count: usize) -> Vec<Value> {
        world.wait_until(&format!("the server got {count} requests"), || {
            self.requests().len() >= count
        });
        self.requests()
    }

    /// How much of a huge text it has sent, in bytes.
    pub fn sent(&self, world: &World) -> u64 {
        let file = self.folder.join("sent");
        world.wait_until("the client has left", || {
            fs::read_to_string(&file).is_ok_and(|text| !text.is_empty())
        });
        fs::read_to_string(file).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Makes an authority in the world's folder `tls` (`ca.pem`), and a certificate of its for the
/// servers. Returns the path of the authority's own certificate.
pub fn authority(world: &World) -> PathBuf {
    let ca = world.path("tls/ca.pem");
    if !ca.exists() {
        fs::create_dir(world.path("tls")).unwrap();
        let script = "\
            new='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'\n\
            openssl req -x509 $new -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test authority' \
              -addext keyUsage=critical,keyCertSign\n\
            openssl req $new -keyout server.key -out server.csr -subj /CN=server\n\
            echo subjectAltName=IP:127.0.0.1 >names\n\
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
              -out server.pem -days 2 -extfile names\n";
        world.shell_in("tls", &format!("set -e\n{script}")).ok();
    }
    ca
}

impl World {
    /// Adds a section `[notify.NAME]` to the configuration.
    pub fn notify(&self, name: &str, keys: &str) {
        let text = self.config_text();
        self.config_file(&format!("{text}\n[notify.{name}]\n{keys}\n"));
    }

    /// Writes a file that only this user can read, and returns its path.
    pub fn secret_file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The program that tells, for the deploy repository. The caller adds arguments.
    pub fn notifier(&self) -> Command {
        let mut command = self.command(notifier_path().to_str().unwrap(), ".");
        command.arg("-C").arg(self.repository());
        command
    }

    /// Sends a test event to one of those who are told.
    #[track_caller]
    pub fn notify_test(&self, name: &str) -> Run {
        run(self.notifier().args(["--test", name]), b"")
    }

    /// The processes that tell somebody.
    pub fn notifiers(&self) -> Vec<i32> {
        let path = fs::canonicalize(notifier_path()).unwrap();
        let exe = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe"));
        let all = processes::of(&self.path("")).into_iter();
        all.filter(|pid| exe(pid).is_ok_and(|exe| exe == path))
            .collect()
    }

    /// Waits until nothing happens any more and everything is told.
    #[track_caller]
    pub fn wait_until_told(&self) {
        self.wait_until_idle();
        self.wait_until("everything is told", || self.notifiers().is_empty());
    }
}

fn notifier_path() -> PathBuf {
    Path::new(BINARY).with_file_name("deploy-by-code-notify")
}

/// The Python of a virtual environment with the Standard Webhooks library, which is made once.
/// `None`: it can't be had here, and the test is left out.
pub fn standard_webhooks() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("standardwebhooks-1.1.0");
        let python = folder.join("bin/python");
        let script = "\
            \"$0/bin/python\" -c 'import standardwebhooks' 2>/dev/null || {\n\
              /usr/bin/python3 -m venv --clear \"$0\" &&\n\
              \"$0/bin/python\" -m pip install --quiet --disable-pip-version-check \
                standardwebhooks==1.1.0\n\
            }";
        // pip may need the machine's settings: a proxy, a mirror.
        let mut command = Command::new("sh");
        let made = run(command.args(["-c", script]).arg(&folder), b"");
        if made.code == Some(0) {
            return Some(python);
        }
        skip(&format!(
            "the library standardwebhooks can't be installed: {made:?}"
        ));
        None
    })
    .as_deref()
}
