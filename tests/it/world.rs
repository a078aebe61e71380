//! A temporary folder with a deploy repository, a clone of it, and everything else that a test
//! needs.
//!
//! The machine's settings do not influence the tests: the environment is cleared, and git's global
//! configuration is not read. Processes that a world started are killed when the test ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::statvfs::{FsFlags, statvfs};
use tempfile::TempDir;

use crate::init;
use crate::processes::{self, BINARY};
use crate::run::{Run, run};

/// The object name that git writes where there is no object.
pub const NULL: &str = "0000000000000000000000000000000000000000";

/// What the clone has in its configuration. Without `maintenance`, git would start one more process
/// after each commit.
const CLONE: &str = r#"
[remote "origin"]
    url = ../deploy.git
    fetch = +refs/heads/*:refs/remotes/origin/*
[maintenance]
    auto = false
"#;

/// The functions that a job script can call: `note` appends a line to the file `ran`, and
/// `hold NAME` waits until the test opens the gate of that name.
const PROLOGUE: &str = r#"
note() { echo "$DEPLOY_ENVIRONMENT/$DEPLOY_APPLICATION #$DEPLOY_ID $*" >> "$W/ran"; }
hold() { while [ -d "$W" ] && [ ! -e "$W/gate.$1" ]; do sleep 0.03; done; }
"#;

/// The folder in which worlds are made: TMPDIR if it is set, otherwise memory if there is enough of
/// it and programs may be started there. Nobody cuts the power in a test, so a disk shows no more
/// than memory does, and every push waits for it: git, SQLite and the program under test have to be
/// sure that what they wrote is on it.
fn parent() -> PathBuf {
    const MEMORY: &str = "/dev/shm";
    const ENOUGH: u64 = 1 << 30;

    let is_fit = statvfs(MEMORY).is_ok_and(|stat| {
        stat.blocks_available() * stat.fragment_size() >= ENOUGH
            && !stat.flags().contains(FsFlags::ST_NOEXEC)
    });
    match std::env::var_os("TMPDIR") {
        None if is_fit => MEMORY.into(),
        _ => std::env::temp_dir(),
    }
}

/// The n-th revision: 40 digits, of which the first seven are the number. It exists in no
/// application repository.
pub fn rev(n: u32) -> String {
    format!("{n:07}{:033}", 0)
}

/// See the head of the file.
pub struct World {
    folder: TempDir,
}

impl World {
    /// A deploy repository without hooks, with a configuration that runs the job script.
    pub fn new() -> Self {
        Self::with_init(&[])
    }

    /// The same, with more arguments for `git init`.
    pub fn with_init(arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("dbc-it.")
            .tempdir_in(parent())
            .unwrap();
        let world = Self { folder };
        fs::create_dir(world.path("home")).unwrap();

        for (folder, is_bare) in [("deploy.git", true), ("work", false)] {
            if arguments.is_empty() {
                init::init(&world, folder, is_bare);
            } else {
                let all = [&init::arguments(is_bare), arguments, &[folder]].concat();
                world.git_in(".", &all);
            }
        }

        let config = world.path("work/.git/config");
        let settings = fs::read_to_string(&config).unwrap() + CLONE;
        fs::write(config, settings).unwrap();
        world.config("");
        world.job("note start; note end");
        world
    }

    /// A deploy repository with the hooks installed.
    pub fn installed() -> Self {
        let world = Self::new();
        world.install();
        world
    }

    /// A path in the world's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The deploy repository.
    pub fn repository(&self) -> PathBuf {
        self.path("deploy.git")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.path("deploy.git/deploy-by-code")
    }

    /// Writes a configuration whose command is the job script. `text` comes after the settings of
    /// the section `[defaults]`, so it can add more of them or begin another section.
    pub fn config(&self, text: &str) {
        let job = self.path("job");
        self.config_file(&format!(
            "[defaults]\n\
             command = [\"/bin/sh\", \"{}\"]\n\
             kill_after = \"1s\"\n\
             grace = \"300ms\"\n\
             {text}\n",
            job.display()
        ));
    }

    /// Puts top-level keys in front of the configuration.
    pub fn config_top(&self, keys: &str) {
        self.config_file(&format!("{keys}\n{}", self.config_text()));
    }

    /// What the configuration file contains.
    pub fn config_text(&self) -> String {
        fs::read_to_string(self.path("deploy.git/deploy-by-code.toml")).unwrap()
    }

    /// Writes the whole configuration file. `{W}` stands for the folder of the world.
    pub fn config_file(&self, text: &str) {
        let text = text.replace("{W}", self.folder.path().to_str().unwrap());
        fs::write(self.path("deploy.git/deploy-by-code.toml"), text).unwrap();
    }

    /// Writes the job script, which every deployment runs.
    pub fn job(&self, body: &str) {
        // A deployment may be reading the old script at this moment, so the file is replaced.
        fs::write(
            self.path("job.new"),
            format!("W='{}'{PROLOGUE}{body}\n", self.folder.path().display()),
        )
        .unwrap();
        fs::rename(self.path("job.new"), self.path("job")).unwrap();
    }

    /// Opens a gate, for which a job may be waiting.
    pub fn open(&self, gate: &str) {
        fs::write(self.path(&format!("gate.{gate}")), "").unwrap();
    }

    /// Installs the hooks.
    pub fn install(&self) -> Run {
        self.cmd(&["install"]).ok()
    }

    // Commands.

    /// A command in a folder of the world, with a cleared environment. The dates of commits are
    /// fixed, so that their hashes are the same in every run.
    pub fn command(&self, program: &str, folder: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path().join(folder))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("TZ", "UTC");

        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ada Lovelace")
                .env(format!("GIT_{who}_EMAIL"), "ada@example.org");
            command.env(format!("GIT_{who}_DATE"), "2026-01-02T03:04:05Z");
        }

        command
    }

    /// The binary under test with the option that names the deploy repository. The caller adds
    /// arguments.
    pub fn binary(&self) -> Command {
        let mut command = self.command(BINARY, ".");
        command.arg("-C").arg(self.repository());
        command
    }

    /// Runs the binary under test for the deploy repository.
    #[track_caller]
    pub fn cmd(&self, arguments: &[&str]) -> Run {
        run(self.binary().args(arguments), b"")
    }

    /// Runs the binary under test in a folder of the world, without an option that names the deploy
    /// repository.
    #[track_caller]
    pub fn cmd_in(&self, folder: &str, arguments: &[&str]) -> Run {
        run(self.command(BINARY, folder).args(arguments), b"")
    }

    /// Runs a command of the shell in a folder of the world.
    #[track_caller]
    pub fn shell_in(&self, folder: &str, script: &str) -> Run {
        run(self.command("sh", folder).args(["-c", script]), b"")
    }

    /// Runs a listing command and parses its JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let run = self.cmd(&[arguments, &["--json"]].concat()).ok();
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error} in {run:#?}"))
    }

    /// What a command prints on a terminal of 80 columns. `arguments` are words for a shell.
    pub fn on_a_terminal(&self, arguments: &str, variables: &[(&str, &str)]) -> Vec<u8> {
        let call = format!(
            "stty cols 80; '{BINARY}' -C '{}' {arguments}; true",
            self.repository().display()
        );
        let output = self
            .command("script", ".")
            .args(["-qec", &call, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();

        assert!(
            !output.stdout.is_empty(),
            "{arguments} prints nothing on a terminal: {output:?}"
        );

        output.stdout
    }

    /// Runs git in a folder of the world, and returns what it prints.
    #[track_caller]
    pub fn git_in(&self, folder: impl AsRef<Path>, arguments: &[&str]) -> String {
        run(self.command("git", folder).args(arguments), b"")
            .ok()
            .line()
            .to_owned()
    }

    /// Runs git in the clone.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_in("work", arguments)
    }

    /// Runs git in the deploy repository.
    #[track_caller]
    pub fn server_git(&self, arguments: &[&str]) -> String {
        self.git_in("deploy.git", arguments)
    }

    /// Calls a hook by hand, in the way git does.
    #[track_caller]
    pub fn hook(&self, name: &str, input: &str) -> Run {
        let mut command = self.command(BINARY, "deploy.git");
        run(command.arg(name).env("GIT_DIR", "."), input.as_bytes())
    }

    // Deploy files and pushes.

    /// Writes a file in the clone.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path("work").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes the deploy file of `environment/application`.
    pub fn deploy_file(&self, target: &str, content: impl AsRef<[u8]>) {
        self.write(&format!("{target}.deploy"), content);
    }

    /// Prepends an entry for any revision to the deploy file of `environment/application`.
    pub fn deploy_rev(&self, target: &str, revision: &str) {
        let path = self.path("work").join(format!("{target}.deploy"));
        let old = fs::read_to_string(path).unwrap_or_default();
        self.deploy_file(target, format!("{revision}\n* Deploy {target}\n{old}"));
    }

    /// Prepends an entry for the n-th revision.
    pub fn deploy(&self, target: &str, n: u32) {
        self.deploy_rev(target, &rev(n));
    }

    /// Removes the deploy file of `environment/application`.
    pub fn retire(&self, target: &str) {
        fs::remove_file(self.path("work").join(format!("{target}.deploy"))).unwrap();
    }

    /// Commits what has changed in the clone, if anything has. Returns the hash of the clone's last
    /// commit, or an empty text if there is none.
    #[track_caller]
    pub fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        let mut commit = self.command("git", "work");
        let commit = run(commit.args(["commit", "-q", "-m", "Deploy"]), b"");
        assert!(
            commit.code == Some(0) || commit.stdout.contains("nothing to commit"),
            "{commit:?}"
        );

        let head = fs::read_to_string(self.path("work/.git/HEAD")).unwrap();
        let branch = head.trim_end().strip_prefix("ref: ");
        if let Some(commit) = branch.and_then(|branch| self.loose_ref("work/.git", branch)) {
            return commit;
        }
        let mut head = self.command("git", "work");
        head.args(["rev-parse", "-q", "--verify", "HEAD"]);
        run(&mut head, b"").line().to_owned()
    }

    /// Commits with trailers, or other text, as the last paragraph of the message.
    #[track_caller]
    pub fn commit_saying(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "Deploy", "-m", message]);
    }

    /// Commits with trailers and pushes to the deploy branch; the push can be refused.
    #[track_caller]
    pub fn try_push_saying(&self, message: &str) -> Run {
        self.commit_saying(message);
        run(
            &mut self.push_command(&["origin", "HEAD:refs/heads/main"]),
            b"",
        )
    }

    /// Commits and pushes to the deploy branch; the push can be refused.
    #[track_caller]
    pub fn try_push(&self) -> Run {
        self.push_with(&["origin", "HEAD:refs/heads/main"])
    }

    /// Commits and runs `git push` with the arguments given; the push can be refused.
    #[track_caller]
    pub fn push_with(&self, arguments: &[&str]) -> Run {
        self.commit();
        run(&mut self.push_command(arguments), b"")
    }

    /// A `git push` in the clone, without a commit before it.
    pub fn push_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("git", "work");
        command.arg("push").args(arguments);
        command
    }

    /// Commits and pushes to the deploy branch; the push must be accepted.
    #[track_caller]
    pub fn push(&self) -> Run {
        self.try_push().ok()
    }

    /// Does something while the folder of hooks is away, so that git starts none of them. Nor may
    /// hooks and runners of earlier pushes notice it: it waits until they have ended.
    pub fn without_hooks<T>(&self, action: impl FnOnce() -> T) -> T {
        self.wait_until_idle();
        let (hooks, away) = (self.path("deploy.git/hooks"), self.path("hooks.away"));
        fs::rename(&hooks, &away).unwrap();
        let result = action();
        fs::rename(&away, &hooks).unwrap();
        result
    }

    /// Pushes without hooks, and returns the line that they would have read.
    #[track_caller]
    pub fn push_unseen(&self) -> String {
        let old = self.tip();
        self.without_hooks(|| self.push());
        format!("{old} {} refs/heads/main\n", self.tip())
    }

    /// The commit at the tip of the deploy branch, or [`NULL`] if there is no such branch.
    pub fn tip(&self) -> String {
        if let Some(tip) = self.loose_ref("deploy.git", "refs/heads/main") {
            return tip;
        }
        let tip = self.server_git(&["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
        if tip.is_empty() { NULL.to_owned() } else { tip }
    }

    /// The object that a ref names, read from the file in which git usually keeps it: a test asks
    /// for it very often, and each process costs time. None: git has to say it.
    pub fn loose_ref(&self, git_dir: &str, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path(git_dir).join(name)).ok()?;
        let id = text.strip_suffix('\n')?;
        let is_whole = [40, 64].contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        is_whole.then(|| id.to_owned())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.describe());
        }
        processes::kill_all(self.folder.path());
    }
}
