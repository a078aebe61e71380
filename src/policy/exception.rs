//! The reasons by which a deployment gets past a rule.

use serde::{Deserialize, Serialize};

use crate::text;

/// Which rule a deployment gets past with a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExceptionKind {
    /// `Deploy-Rollback`: it goes back.
    Rollback,
    /// `Deploy-Release`: it deploys what was rolled back.
    Release,
    /// `Deploy-Override`: it deploys to an environment that is frozen, or without enough approvals.
    Override,
    /// `Deploy-Alone`: it deploys without the applications that belong to it.
    Alone,
    /// `retry --stale`: it deploys what the deploy file does not ask for any more.
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

    /// The name of the trailer that gives such a reason; `None`: no trailer does.
    #[must_use]
    pub fn trailer(self) -> Option<&'static str> {
        match self {
            Self::Rollback => Some("Deploy-Rollback"),
            Self::Release => Some("Deploy-Release"),
            Self::Override => Some("Deploy-Override"),
            Self::Alone => Some("Deploy-Alone"),
            Self::Stale => None,
        }
    }

    /// The kind of reason that the trailer `Deploy-<name>` gives. `name` is in lower case. `None`:
    /// the trailer gives no reason.
    #[must_use]
    pub fn of_trailer(name: &str) -> Option<Self> {
        let mut kinds = Self::ALL
            .into_iter()
            .filter(|kind| kind.trailer().is_some());
        kinds.find(|kind| kind.as_str() == name)
    }

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

/// A reason by which a deployment got past a rule. It is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Which rule it is about.
    pub kind: ExceptionKind,
    /// The reason, as it was given. It can contain any characters.
    pub reason: String,
    /// Who signed the commit that gives the reason; `None`: the right to give it does not come from
    /// a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Exception {
    /// A reason that nobody needs to sign.
    #[must_use]
    pub fn new(kind: ExceptionKind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            signed_by: None,
        }
    }

    /// The reason and who signed it, escaped, with at most so many characters of the reason.
    #[must_use]
    pub fn shown(&self, most: usize) -> String {
        let reason = text::escape(&self.reason, most);
        match &self.signed_by {
            Some(by) => format!("{reason} (signed by {})", text::escape(by, 200)),
            None => reason,
        }
    }
}
