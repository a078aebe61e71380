//! The status of a deployment, and the table of all legal transitions. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The status of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is recorded and has not begun.
    Queued,
    /// It has begun. Its command may be running.
    Running,
    /// All of its programs ended with exit status 0, and `current` points to the new release, if
    /// there is a checkout.
    Succeeded,
    /// One of its programs ended with another status or could not be started, or its release could
    /// not be made.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// A newer deployment of the same application took its place before it began.
    Superseded,
    /// A deployment that it waited for did not succeed.
    Skipped,
    /// The runner or the machine died. Nobody knows whether the command succeeded.
    Interrupted,
}

use Status::{Cancelled, Failed, Interrupted, Queued, Running, Skipped, Succeeded, Superseded};

/// Every legal transition. A deployment that has ended keeps its status: a retry makes a new
/// deployment.
const TRANSITIONS: &[(Status, Status)] = &[
    (Queued, Running),
    (Queued, Cancelled),
    (Queued, Superseded),
    (Queued, Skipped),
    (Running, Succeeded),
    (Running, Failed),
    (Running, Cancelled),
    (Running, Interrupted),
];

impl Status {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Queued,
        Running,
        Succeeded,
        Failed,
        Cancelled,
        Superseded,
        Skipped,
        Interrupted,
    ];

    /// The word that users see and the store keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Queued => "queued",
            Running => "running",
            Succeeded => "succeeded",
            Failed => "failed",
            Cancelled => "cancelled",
            Superseded => "superseded",
            Skipped => "skipped",
            Interrupted => "interrupted",
        }
    }

    /// Whether the deployment is over.
    #[must_use]
    pub fn has_ended(self) -> bool {
        !matches!(self, Queued | Running)
    }

    /// Whether a deployment may change from this status to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        TRANSITIONS.contains(&(self, next))
    }

    /// Whether a deployment with this status may be retried.
    #[must_use]
    pub fn may_be_retried(self) -> bool {
        matches!(self, Failed | Interrupted | Cancelled | Skipped)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownStatus;

impl fmt::Display for UnknownStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Status::ALL.map(Status::as_str);
        write!(f, "a status is one of: {}", words.join(", "))
    }
}

impl std::error::Error for UnknownStatus {}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_each_status_is_read_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("done".parse::<Status>(), Err(UnknownStatus));
    }

    #[test]
    fn deployment_that_has_ended_keeps_its_status() {
        for from in Status::ALL {
            for to in Status::ALL {
                if from.has_ended() || from == to || to == Queued {
                    assert!(!from.may_become(to), "{from} -> {to}");
                }
            }
            assert!(from.has_ended() || Status::ALL.iter().any(|to| from.may_become(*to)));
        }
    }

    #[test]
    fn deployment_must_begin_before_it_can_succeed() {
        assert!(!Queued.may_become(Succeeded));
        assert!(!Queued.may_become(Interrupted));
        assert!(!Running.may_become(Superseded));
    }
}
