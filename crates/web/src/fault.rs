//! Why a page can't be shown.

use std::io;

use axum::http::StatusCode;
use deploy_by_code::verbs::{self, Kind};
use deploy_by_code::{deploy_repository, git, store};

/// A page can't be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no such thing, or it is hidden.
    #[error("{0}")]
    NotFound(String),
    /// The address asks for something in a wrong way.
    #[error("{0}")]
    Query(String),
    /// It is not known what may be shown.
    #[error(
        "the configuration of this repository has mistakes, so it is not known what this page may \
         show"
    )]
    Configuration,
    /// The list of registered repositories can't be read.
    #[error("the list of repositories can't be read")]
    Registry(#[source] io::Error),
    /// This user has registered no repository.
    #[error("no repository of this user is registered")]
    NothingRegistered,
    /// The repository or its state can't be read.
    #[error(transparent)]
    Verb(#[from] verbs::Error),
    /// There is too much to do.
    #[error("too many people look at this page at the moment")]
    Crowded,
    /// Somebody else looks at the repository, and gets no answer.
    #[error("this repository gives no answer at the moment")]
    Busy,
    /// The memory for answers is taken.
    #[error("too many answers wait for their readers; ask again in a moment")]
    Unread,
    /// What works on the page has ended.
    #[error("this page could not be made")]
    Broken,
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        Self::Verb(error.into())
    }
}

impl From<git::Error> for Fault {
    fn from(error: git::Error) -> Self {
        Self::Verb(error.into())
    }
}

impl From<deploy_repository::Error> for Fault {
    fn from(error: deploy_repository::Error) -> Self {
        Self::Verb(error.into())
    }
}

impl Fault {
    /// A path is that of no page.
    pub(crate) fn no_page() -> Self {
        Self::NotFound("there is no such page".to_owned())
    }

    /// The status of the answer (RFC 9110, 15).
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::Verb(error) => match error.kind() {
                Kind::Refused => StatusCode::NOT_FOUND,
                Kind::Usage => StatusCode::BAD_REQUEST,
                Kind::Configuration | Kind::State => StatusCode::SERVICE_UNAVAILABLE,
            },
            Self::Configuration
            | Self::Registry(_)
            | Self::NothingRegistered
            | Self::Crowded
            | Self::Busy
            | Self::Unread => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the administrator can do; `None`: nothing.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Configuration => Some("to see the mistakes: deploy-by-code check"),
            Self::NothingRegistered => {
                Some("run as the owner of a repository: deploy-by-code install")
            }
            Self::Verb(error) if self.status() == StatusCode::SERVICE_UNAVAILABLE => error.hint(),
            _ => None,
        }
    }
}
