//! Why nobody can tell whose signature something has.

use std::io;
use std::path::PathBuf;
use std::process::Output;

use crate::sys::output::OutputError;
use crate::text;

/// The program that looks at SSH signatures.
pub(super) const SSH_KEYGEN: &str = "ssh-keygen";

/// The program that looks at OpenPGP signatures.
pub(super) const GPGV: &str = "gpgv";

/// Why nobody can tell whose signature something has. The server is the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of keys can't be read.
    #[error("{key} {}: {source}", text::escape(path.as_os_str().as_encoded_bytes(), 200))]
    Read {
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// Others can change a file of keys, or put another one in its place.
    #[error(
        "{key} {}: users other than root and the owner of the repository can change {}",
        text::escape(path.as_os_str().as_encoded_bytes(), 200),
        text::escape(part.as_os_str().as_encoded_bytes(), 200)
    )]
    Changeable {
        /// The key of the configuration that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The file, or the folder or link on the way to it, that they can change.
        part: PathBuf,
    },

    /// A program gave no answer.
    #[error("{program}: {source}")]
    Program {
        /// The program.
        program: &'static str,
        /// Why not.
        source: OutputError,
    },

    /// A program failed in a way that says nothing about the signature.
    #[error("{program}: {complaint}")]
    Complaint {
        /// The program.
        program: &'static str,
        /// What it printed, escaped.
        complaint: String,
    },

    /// There is no memory for a file that a program reads, or the program could not find it.
    #[error("no file in memory can be made and found: {0}")]
    Memory(#[source] io::Error),
}

impl Error {
    /// An error that says how a program ended, and the last line of what it said.
    pub(super) fn complaint(program: &'static str, output: &Output) -> Self {
        Self::Complaint {
            program,
            complaint: format!("{}: {}", output.status, last_line(output)),
        }
    }

    /// What to do about it, where the message does not say so.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Changeable { .. } => {
                Some("let the file and its folders belong to root, and run: chmod go-w on them")
            }
            Self::Program { program, .. } => Some(match *program {
                GPGV => "install gpgv",
                _ => "install ssh-keygen (package openssh-client)",
            }),
            _ => None,
        }
    }
}

/// The last line of what a program said, escaped.
pub(super) fn last_line(output: &Output) -> String {
    let stderr = output.stderr.trim_ascii();
    let line = stderr.rsplit(|byte| *byte == b'\n').next();
    text::escape(line.unwrap_or_default(), 200)
}
