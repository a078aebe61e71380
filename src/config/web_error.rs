//! What can be wrong with a value of the section `[web]`.

use std::fmt;

use crate::text;

/// A text that does not say what is needed. Each holds the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WebError {
    /// It is not a path on a web server.
    BasePath(String),
    /// It is a URL of commits that does not name the commit.
    CommitUrl(String),
    /// It is not an environment and an application.
    HiddenTargets(String),
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |found: &str| text::quote(found, 80);
        match self {
            Self::BasePath(path) => write!(f, "{} is not a path like \"/deploys\"", quote(path)),
            Self::CommitUrl(url) => write!(f, "{} does not name {{revision}}", quote(url)),
            Self::HiddenTargets(text) => {
                write!(f, "{} is not like \"production/website\"", quote(text))
            }
        }
    }
}

impl std::error::Error for WebError {}
