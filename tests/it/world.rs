//! A temporary folder with a deploy repository, a clone of it, and everything else that a test
//! needs.
//!
//! Nothing of the machine gets in: the environment is cleared, git's own configuration is nulled.
//! What a world starts ends with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::processes::{self, BINARY};
use crate::run::{Run, run};

/// The object name that git writes for "there is none".
pub const NULL: &str = "0000000000000000000000000000000000000000";

/// What a job script may call: `note` leaves a line in `ran`, `hold NAME` waits until the test
/// opens the gate of that name.
const PROLOGUE: &str = r#"
note() { echo "$DEPLOY_ENVIRONMENT/$DEPLOY_APPLICATION #$DEPLOY_ID $*" >> "$W/ran"; }
hold() { while [ -d "$W" ] && [ ! -e "$W/gate.$1" ]; do sleep 0.03; done; }
"#;

/// The n-th revision: 40 digits, of which the first seven are the number. No application repository
/// has it.
pub fn rev(n: u32) -> String {
    format!("{n:07}{:033}", 0)
}

/// See the head of the file.
pub struct World {
    folder: TempDir,
}

impl World {
    /// A deploy repository whose hooks are not installed yet, with a configuration that runs the
    /// job script.
    pub fn new() -> Self {
        Self::with_init(&[])
    }

    /// The same with more arguments for `git init`.
    pub fn with_init(arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("dbc-it.")
            .tempdir()
            .unwrap();
        let world = Self { folder };
        fs::create_dir(world.path("home")).unwrap();
        for (folder, bare) in [("deploy.git", true), ("work", false)] {
            let mut init = vec!["init", "-q", "-b", "main"];
            init.extend(bare.then_some("--bare"));
            init.extend(arguments);
            init.push(folder);
            world.git_in(Path::new("."), &init);
        }
        world.git(&["remote", "add", "origin", "../deploy.git"]);
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

    /// Writes the configuration. `text` goes on where the section `[defaults]` with the job script
    /// as command ends.
    pub fn config(&self, text: &str) {
        let job = self.path("job");
        self.config_file(&format!(
            "[defaults]\ncommand = [\"/bin/sh\", \"{}\"]\nkill_after = \"1s\"\ngrace = \"300ms\"\n{text}\n",
            job.display()
        ));
    }

    /// Writes the whole configuration.
    pub fn config_file(&self, text: &str) {
        fs::write(self.path("deploy.git/deploy-by-code.toml"), text).unwrap();
    }

    /// Writes the script that carries every deployment out.
    pub fn job(&self, body: &str) {
        // Renamed into place, since a deployment may be reading the old one.
        fs::write(
            self.path("job.new"),
            format!("W='{}'{PROLOGUE}{body}\n", self.folder.path().display()),
        )
        .unwrap();
        fs::rename(self.path("job.new"), self.path("job")).unwrap();
    }

    /// Opens a gate at which a job holds.
    pub fn open(&self, gate: &str) {
        fs::write(self.path(&format!("gate.{gate}")), "").unwrap();
    }

    /// Installs the hooks.
    pub fn install(&self) -> Run {
        self.cmd(&["install"]).ok()
    }

    // Commands.

    /// A command in a folder of the world, in a cleared environment.
    pub fn command(&self, program: &str, folder: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path().join(folder))
            .env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8");
        command
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

    /// The binary under test for the deploy repository, to be given arguments.
    pub fn binary(&self) -> Command {
        let mut command = self.command(BINARY, ".");
        command.arg("-C").arg(self.repository());
        command
    }

    /// Runs the binary under test.
    #[track_caller]
    pub fn cmd(&self, arguments: &[&str]) -> Run {
        run(self.binary().args(arguments), b"")
    }

    /// Runs a listing command and reads its JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let run = self.cmd(&[arguments, &["--json"]].concat()).ok();
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error} in {run:#?}"))
    }

    /// What a command shows on a terminal of 80 columns, in a shell.
    pub fn on_a_terminal(&self, arguments: &str, variables: &[(&str, &str)]) -> Vec<u8> {
        let call = format!(
            "stty cols 80; '{BINARY}' -C '{}' {arguments}; true",
            self.repository().display()
        );
        let mut script = self.command("script", ".");
        script
            .args(["-qec", &call, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh");
        let output = script
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            !output.stdout.is_empty(),
            "{arguments} shows nothing on a terminal: {output:?}"
        );
        output.stdout
    }

    /// Runs git in a folder of the world.
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

    /// Calls a hook by hand, as git does.
    #[track_caller]
    pub fn hook(&self, name: &str, input: &str) -> Run {
        let mut command = self.command(BINARY, "deploy.git");
        run(command.arg(name).env("GIT_DIR", "."), input.as_bytes())
    }

    // Deploy files and pushes.

    /// Writes a file of the clone.
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

    /// Removes a deploy file.
    pub fn retire(&self, target: &str) {
        fs::remove_file(self.path("work").join(format!("{target}.deploy"))).unwrap();
    }

    /// Commits what the clone's folder has, if it differs, and says the name of its last commit, if
    /// there is one.
    #[track_caller]
    pub fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        if !self.git(&["status", "--porcelain"]).is_empty() {
            self.git(&["commit", "-q", "-m", "Deploy"]);
        }
        run(
            self.command("git", "work")
                .args(["rev-parse", "-q", "--verify", "HEAD"]),
            b"",
        )
        .line()
        .to_owned()
    }

    /// Commits with a message of its own and pushes to the deploy branch; the result can be a
    /// refusal.
    #[track_caller]
    pub fn try_push_saying(&self, message: &str) -> Run {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "Deploy", "-m", message]);
        run(
            &mut self.push_command(&["origin", "HEAD:refs/heads/main"]),
            b"",
        )
    }

    /// Commits and pushes to the deploy branch; the result can be a refusal.
    #[track_caller]
    pub fn try_push(&self) -> Run {
        self.push_with(&["origin", "HEAD:refs/heads/main"])
    }

    /// The same with arguments of one's own.
    #[track_caller]
    pub fn push_with(&self, arguments: &[&str]) -> Run {
        self.commit();
        run(&mut self.push_command(arguments), b"")
    }

    /// A `git push` in the clone.
    pub fn push_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("git", "work");
        command.arg("push").args(arguments);
        command
    }

    /// Commits and pushes to the deploy branch; it must be taken.
    #[track_caller]
    pub fn push(&self) -> Run {
        self.try_push().ok()
    }

    /// Does something while no hook is in its place, as if it had never been started.
    pub fn without_hooks<T>(&self, action: impl FnOnce() -> T) -> T {
        let (hooks, away) = (self.path("deploy.git/hooks"), self.path("hooks.away"));
        fs::rename(&hooks, &away).unwrap();
        let result = action();
        fs::rename(&away, &hooks).unwrap();
        result
    }

    /// Pushes while no hook is in its place, and says the line that the hooks would have read.
    #[track_caller]
    pub fn push_unseen(&self) -> String {
        let old = self.tip();
        self.without_hooks(|| self.push());
        format!("{old} {} refs/heads/main\n", self.tip())
    }

    /// The commit at the deploy branch's tip in the deploy repository, or the null name.
    pub fn tip(&self) -> String {
        let tip = self.server_git(&["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
        if tip.is_empty() { NULL.to_owned() } else { tip }
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
