//! Running a command to its end, with a deadline, and looking at what it said.

use std::fmt;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long anything that a test waits for may take. It is generous: a test that needs it has
/// failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a command said, and how it ended.
pub struct Run {
    command: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command with `input` on its standard input, until it has ended *and* every copy of its
/// stdout and stderr is closed.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Run {
    // The environment is always the same; Command's own way to show it would bury the rest.
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
            "after {DEADLINE:?} this still runs: {shown}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

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
        write!(
            f,
            "\n$ {command}\nexit status {code:?}, signal {signal:?}\nstdout: {stdout}\nstderr: {stderr}\n"
        )
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

    /// Asserts that a text stands in stdout or stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.all().contains(text),
            "{text:?} is missing in {self:#?}"
        );
        self
    }

    /// Asserts that a text stands neither in stdout nor in stderr.
    #[track_caller]
    pub fn says_nothing_of(self, text: &str) -> Self {
        assert!(!self.all().contains(text), "{text:?} stands in {self:#?}");
        self
    }

    /// Stdout, then stderr.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Of a push: what the hooks said, line by line.
    pub fn remote(&self) -> Vec<String> {
        let lines = self.stderr.lines().flat_map(|line| line.split('\r'));
        lines
            .filter_map(|line| line.strip_prefix("remote: "))
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// Stdout without its closing newline.
    pub fn line(&self) -> &str {
        self.stdout.trim_end_matches('\n')
    }
}
