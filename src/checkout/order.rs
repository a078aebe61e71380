//! What a step of a checkout has to do. The runner writes it, and the process of the step reads it.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::{Link, SharedPath};
use crate::git::ExportRules;
use crate::id::{DeploymentId, Revision};

/// The longest order that is read, in bytes.
const ORDER_MAX: u64 = 16 * 1024 * 1024;

/// The command of this program that carries out one step of a checkout.
pub const STEP_COMMAND: &str = "checkout-step";

/// The exit code of a step that a fault of the server kept from beginning. It is the one that this
/// program has for such faults in every command.
pub const TRY_AGAIN: i32 = 4;

/// One step of a checkout, which is a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutStep {
    /// Fetch the mirror of the application's repository, which is on another host. It is not about
    /// the checkout, and has an order of its own.
    Fetch,
    /// Read a release out of the application's repository, and let another process write it.
    Export,
    /// Write a release.
    Write,
    /// Make a release the current one.
    MakeCurrent,
    /// Make the release the current one that was it before.
    GoBack,
    /// Remove old releases.
    Prune,
}

/// A word that is no step of a checkout.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("there is no such step")]
pub struct UnknownStep;

impl CheckoutStep {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Export => "export",
            Self::Write => "write",
            Self::MakeCurrent => "make-current",
            Self::GoBack => "switch-back",
            Self::Prune => "prune",
        }
    }
}

impl FromStr for CheckoutStep {
    type Err = UnknownStep;

    fn from_str(word: &str) -> Result<Self, UnknownStep> {
        let steps = [
            Self::Fetch,
            Self::Export,
            Self::Write,
            Self::MakeCurrent,
            Self::GoBack,
            Self::Prune,
        ];
        let step = steps.into_iter().find(|step| step.as_str() == word);
        step.ok_or(UnknownStep)
    }
}

/// What a runner hands to the process of a step.
pub trait StepOrder {
    /// The order as one line.
    ///
    /// # Errors
    /// It has something that JSON can't have.
    fn line(&self) -> io::Result<String>;

    /// The user that the step is about; `None`: the user of the runner.
    fn user(&self) -> Option<&str>;
}

/// Reads the line of an order.
///
/// # Errors
/// It can't be read.
pub(super) fn read_line(input: impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    input.take(ORDER_MAX).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// To whom a checkout's folder belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutOwner {
    /// The environment and the application, as `production/web`.
    pub target: String,
    /// The state that records the deployments: its id and its path, escaped.
    pub state: String,
}

impl fmt::Display for CheckoutOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target, self.state)
    }
}

/// The link to the current release, in a checkout's folder.
pub const CURRENT: &str = "current";

/// The folder of the releases, in a checkout's folder.
pub(super) const RELEASES: &str = "releases";

/// What a step of a checkout has to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutOrder {
    /// The checkout's folder; absolute.
    pub folder: PathBuf,
    /// To whom it has to belong.
    pub owner: CheckoutOwner,
    /// The application's repository; `None`: none is configured, and nothing can be exported.
    pub repository: Option<PathBuf>,
    /// The revision of the deployment.
    pub revision: Revision,
    /// The number of the deployment.
    pub id: DeploymentId,
    /// The deployment whose release may be used again, according to the record.
    pub reusable: Option<DeploymentId>,
    /// Whether a command runs in the release.
    pub has_command: bool,
    /// The user that everything in the folder belongs to; `None`: the user of this process.
    pub user: Option<String>,
    /// Whether the group may change what is written.
    pub is_shared: bool,
    /// The folder of the revision that the release is made of; `None`: it is all of it.
    pub subdirectory: Option<String>,
    /// What the release has in common with all others of the folder.
    pub shared: Vec<SharedPath>,
    /// What the revision may have that can't be written.
    pub rules: ExportRules,
    /// How files are taken that are the same in another release.
    pub link: Link,
    /// Whether nothing is taken from another release.
    pub is_alone: bool,
    /// The folder in `releases` that is to become the current one.
    pub release: Option<String>,
    /// Revisions that were deployed, each with its last deployment that succeeded, the newest of
    /// these first, according to the record.
    pub succeeded: Vec<(Revision, DeploymentId)>,
    /// How many releases are kept.
    pub keep: usize,
}

impl StepOrder for CheckoutOrder {
    fn line(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)? + "\n")
    }

    fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

impl CheckoutOrder {
    /// Reads an order's line.
    ///
    /// # Errors
    /// The line can't be read, or is no order.
    pub fn read(input: impl BufRead) -> io::Result<Self> {
        Ok(serde_json::from_slice(&read_line(input)?)?)
    }

    /// Whether a path of a release is one that all releases share, or below such a one.
    #[must_use]
    pub(super) fn shares(&self, path: &Path) -> bool {
        let mut shared = self.shared.iter();
        shared.any(|shared| path.starts_with(shared.as_str()))
    }

    /// The path of a release in the checkout's folder.
    #[must_use]
    pub fn release_path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.folder.join(RELEASES).join(name.as_ref())
    }
}
