//! The reasons by which a deployment gets past a rule.

use serde::{Deserialize, Serialize};

/// What a deploy commit gives a reason for: the trailer's name without `Deploy-`, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExceptionKind {
    /// `Deploy-Rollback`: going back.
    Rollback,
    /// `Deploy-Release`: deploying what was rolled back.
    Release,
    /// `Deploy-Override`: deploying while it is frozen.
    Override,
    /// `Deploy-Alone`: deploying without what belongs to it.
    Alone,
    /// `retry --stale`: deploying what the deploy file does not ask for any more.
    Stale,
}

impl ExceptionKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Rollback,
        Self::Release,
        Self::Override,
        Self::Alone,
        Self::Stale,
    ];

    /// Whether it is a reason to go back.
    #[must_use]
    pub fn goes_back(self) -> bool {
        matches!(self, Self::Rollback | Self::Stale)
    }

    /// The word that users see and the store keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Release => "release",
            Self::Override => "override",
            Self::Alone => "alone",
            Self::Stale => "stale",
        }
    }
}

/// A reason by which a deployment got past a rule, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// What for.
    pub kind: ExceptionKind,
    /// The reason, as it was given; anything can stand in it.
    pub reason: String,
}
