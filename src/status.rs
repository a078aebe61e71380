//! The states of a deployment and the one table of legal transitions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Recorded, not begun.
    Queued,
    /// Its command may be running.
    Running,
    /// The command ended with 0, and the checkout's `current` was flipped.
    Succeeded,
    /// The command ended otherwise, or could not be started.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// A newer one of the same application took its place before it began.
    Superseded,
    /// One that it waits for did not succeed.
    Skipped,
    /// The runner or the machine died; the outcome is unknown.
    Interrupted,
}

use Status::{Cancelled, Failed, Interrupted, Queued, Running, Skipped, Succeeded, Superseded};

/// Every legal transition. What has ended stays as it is: trying again makes a new deployment.
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

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        !matches!(self, Queued | Running)
    }

    /// Whether a deployment may go from this status to `next`.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        TRANSITIONS.contains(&(self, next))
    }

    /// Whether `retry` takes a deployment with this status.
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

impl FromStr for Status {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("done".parse::<Status>(), Err(()));
    }

    #[test]
    fn what_has_ended_stays() {
        for from in Status::ALL {
            for to in Status::ALL {
                if from.has_ended() || from == to || to == Queued {
                    assert!(!from.may_become(to), "{from} -> {to}");
                }
            }
            assert!(from.has_ended() || Status::ALL.iter().any(|to| from.may_become(*to)));
        }
        assert!(
            !Queued.may_become(Succeeded)
                && !Queued.may_become(Interrupted)
                && !Running.may_become(Superseded)
        );
    }
}
