//! Why the program can't start.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use deploy_by_code::text::escape;
use deploy_by_code::verbs::{self, Kind};

/// The program can't start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// A repository can't be used.
    #[error(transparent)]
    Verb(#[from] verbs::Error),
    /// Root has been asked to show somebody else's repository: the user is its owner.
    #[error("{} belongs to {}, but this program runs as root", shown(.0), .1)]
    OfOther(PathBuf, String),
    /// Other machines could reach the address.
    #[error("{0} can be reached by other machines")]
    Public(String),
    /// It is not possible to listen on the address.
    #[error("it is not possible to listen on {0}")]
    Listen(String, #[source] io::Error),
    /// The process can't work.
    #[error("the server can't work")]
    System(#[source] io::Error),
}

fn shown(path: &std::path::Path) -> String {
    escape(path.as_os_str().as_encoded_bytes(), 200)
}

impl StartError {
    /// What to do; `None`: the message says it.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Verb(error) => error.hint(),
            Self::OfOther(..) => Some("start the program as the owner of the repository"),
            Self::Public(_) => Some(
                "let a web server that asks people who they are stand in front, and listen on \
                 127.0.0.1 or --unix; if everybody who reaches this address may read the page: \
                 --allow-public",
            ),
            Self::Listen(..) => Some("choose another one with --listen or --unix"),
            Self::System(_) => None,
        }
    }

    /// The exit code, as deploy-by-code(1) has them.
    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Public(_) => 2,
            Self::OfOther(..) => 1,
            Self::Verb(error) => match error.kind() {
                Kind::Refused => 1,
                Kind::Usage => 2,
                Kind::Configuration => 3,
                Kind::State => 4,
            },
            _ => 4,
        })
    }
}
