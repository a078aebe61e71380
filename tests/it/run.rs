//! Runs a command to its end, within a deadline, and checks what it printed.

use std::fmt;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything that a test waits for may take. It is generous, so that only a test that has
/// failed reaches it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Leaves a test out because this machine lacks a program or a right that the test needs. The
/// caller returns afterwards.
///
/// # Panics
///
/// Where the environment variable `CI` is set: there every test has to run.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "CI is set, and this test cannot run here: {reason}"
    );
    println!("skipped: {reason}");
}

/// What a command printed, and how it ended.
pub struct Run {
    command: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command with `input` on its standard input. It returns when the command has ended *and*
/// every process that inherited its stdout or stderr has closed them.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Run {
    // `Command`'s own `Debug` also prints the environment, which is the same in every test.
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let shown = words
        .map(|word| format!("{} ", word.to_string_lossy()))
        .collect::<String>();

    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    std::thread::spawn(move || stdin.write_all(&input));
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());

    let end = Instant::now() + DEADLINE;
    let text = |pipe: mpsc::Receiver<Vec<u8>>, name: &str| {
        let left = end.saturating_duration_since(Instant::now());
        let bytes = pipe
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("after {DEADLINE:?} {name} is still open: {shown}"));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (stdout, stderr) = (text(stdout, "stdout"), text(stderr, "stderr"));

    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Run {
                command: shown,
                code: status.code(),
                signal: status.signal(),
                stdout,
                stderr,
            };
        }

        assert!(
            Instant::now() < end,
            "after {DEADLINE:?} this command is still running: {shown}"
        );

        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads a pipe to its end in a thread of its own.
fn drain(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        sender.send(bytes)
    });
    receiver
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            code,
            signal,
            stdout,
            stderr,
        } = self;
        writeln!(f, "\n$ {command}")?;
        writeln!(f, "exit status {code:?}, signal {signal:?}")?;
        writeln!(f, "stdout: {stdout}\nstderr: {stderr}")
    }
}

impl Run {
    /// Asserts that the command ended with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Asserts that stdout or stderr contains a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.all().contains(text),
            "{text:?} is missing in {self:#?}"
        );
        self
    }

    /// Asserts that neither stdout nor stderr contains a text.
    #[track_caller]
    pub fn says_nothing_of(self, text: &str) -> Self {
        assert!(
            !self.all().contains(text),
            "{text:?} should not be in {self:#?}"
        );
        self
    }

    /// Stdout, followed by stderr.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// For a push: the lines that the hooks printed.
    pub fn remote(&self) -> Vec<String> {
        let lines = self.stderr.lines().flat_map(|line| line.split('\r'));
        lines
            .filter_map(|line| line.strip_prefix("remote: "))
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// Stdout without the newline at its end.
    pub fn line(&self) -> &str {
        self.stdout.trim_end_matches('\n')
    }
}
