//! git, as the person uses it in a folder.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::error::Error;
use crate::text;

/// The most that git may print where its output is read, in bytes.
const OUTPUT_MAX: u64 = 1024 * 1024;

/// The variables that lead git to another repository than that of the folder, or to other objects
/// of it. A git that calls this program sets them (`git rev-parse --local-env-vars`). The variables
/// with settings are left out: `git -c user.signingKey=… deploy propose` means what it says.
const ELSEWHERE: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// git in a folder, with everything that the person has set up. What git writes to standard error
/// goes to the person. It inherits standard input and the terminal, so it can ask for a password.
#[derive(Debug, Clone)]
pub struct UsersGit {
    folder: PathBuf,
}

impl UsersGit {
    /// git in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn command(&self, arguments: &[&OsStr]) -> Command {
        let mut command = Command::new("git");
        for name in ELSEWHERE {
            command.env_remove(name);
        }
        command.arg("-C").arg(&self.folder).args(arguments);
        command
    }

    /// Runs git, which shows the person everything that it prints.
    ///
    /// # Errors
    /// git can't be started. A git that fails is not an error here.
    pub fn show<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<ExitStatus, Error> {
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        self.command(&arguments).status().map_err(Error::Start)
    }

    /// Runs git, and returns how it ended and what it printed, at most a mebibyte.
    ///
    /// # Errors
    /// git can't be started, or printed too much. A git that fails is not an error here.
    fn output(&self, arguments: &[&OsStr]) -> Result<(ExitStatus, Vec<u8>), Error> {
        let call = || call(arguments);
        let read = |source| Error::Read {
            call: call(),
            source,
        };
        let mut command = self.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::Start)?;

        let mut bytes = Vec::new();
        let stdout = child.stdout.take().into_iter();
        let read_all = |stdout: std::process::ChildStdout| {
            // When the pipe is dropped, a git that still prints ends.
            stdout.take(OUTPUT_MAX + 1).read_to_end(&mut bytes)
        };
        let outcome: Result<usize, _> = stdout.map(read_all).sum();
        let status = child.wait().map_err(read)?;
        outcome.map_err(read)?;

        if bytes.len() as u64 > OUTPUT_MAX {
            return Err(Error::TooLarge {
                call: call(),
                max_bytes: OUTPUT_MAX,
            });
        }
        Ok((status, bytes))
    }

    /// What git printed, without the end of its last line.
    ///
    /// # Errors
    /// git can't be started, failed, or printed too much or the end of no line.
    pub fn answer<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Vec<u8>, Error> {
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        match self.output(&arguments)? {
            (status, printed) if status.success() => whole(&arguments, printed),
            (status, _) => Err(self.failed(&arguments, status)),
        }
    }

    /// The same, for a command of git that exits with 1 to say that there is no answer.
    ///
    /// # Errors
    /// As for [`UsersGit::answer`].
    pub fn answer_if_any<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
    ) -> Result<Option<Vec<u8>>, Error> {
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        match self.output(&arguments)? {
            (status, printed) if status.success() => whole(&arguments, printed).map(Some),
            (status, _) if status.code() == Some(1) => Ok(None),
            (status, _) => Err(self.failed(&arguments, status)),
        }
    }

    /// Runs git for what it does, and not for what it prints.
    ///
    /// # Errors
    /// git can't be started, failed, or printed too much.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<(), Error> {
        self.answer(arguments).map(drop)
    }

    /// The error of a command that failed.
    pub fn failed<S: AsRef<OsStr>>(&self, arguments: &[S], status: ExitStatus) -> Error {
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        Error::Failed {
            folder: self.folder.clone(),
            call: call(&arguments),
            status,
        }
    }
}

/// The name of the command that some arguments begin with.
fn call(arguments: &[&OsStr]) -> String {
    let name = arguments.first().map(|name| name.as_bytes());
    text::escape(name.unwrap_or_default(), 40)
}

/// What git printed, if it is nothing or its last line has an end.
fn whole(arguments: &[&OsStr], mut printed: Vec<u8>) -> Result<Vec<u8>, Error> {
    match printed.pop() {
        None | Some(b'\n') => Ok(printed),
        // With -z, each item ends with a NUL.
        Some(0) => {
            printed.push(0);
            Ok(printed)
        }
        Some(last) => {
            printed.push(last);
            Err(unexpected(&call(arguments), &printed))
        }
    }
}

/// The error of an answer that can't be understood.
pub(super) fn unexpected(call: &str, printed: &[u8]) -> Error {
    Error::Unexpected {
        call: call.to_owned(),
        printed: text::quote(printed, 200),
    }
}
