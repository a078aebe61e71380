//! The words for what can happen, as configurations, rows and messages have them. Pure.

use std::fmt;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A deployment was recorded and waits for its turn.
    Planned,
    /// A deployment was recorded that overrides what stands in its way.
    Override,
    /// A push was refused.
    Refused,
    /// A deployment began.
    Started,
    /// A deployment ended well.
    Succeeded,
    /// A deployment did not.
    Failed,
    /// Somebody cancelled a deployment.
    Cancelled,
    /// A newer deployment took another one's place.
    Superseded,
    /// What a deployment waited for did not succeed.
    Skipped,
    /// The runner or the machine died, and the outcome is unknown.
    Interrupted,
    /// An application is no longer wanted in an environment.
    Retired,
    /// Somebody froze an environment.
    Frozen,
    /// Somebody thawed it.
    Thawed,
    /// Somebody decided that an environment does not wait any more for what a dead runner left.
    Released,
    /// Something on the deploy branch can't be deployed.
    Problem,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Planned,
        Self::Override,
        Self::Refused,
        Self::Started,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Superseded,
        Self::Skipped,
        Self::Interrupted,
        Self::Retired,
        Self::Frozen,
        Self::Thawed,
        Self::Released,
        Self::Problem,
    ];

    /// The kinds that somebody is told of who does not say which: those that end a deployment,
    /// problems, freezes and overrides.
    pub const USUAL: [Self; 10] = [
        Self::Override,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Superseded,
        Self::Skipped,
        Self::Interrupted,
        Self::Frozen,
        Self::Thawed,
        Self::Problem,
    ];

    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Override => "override",
            Self::Refused => "refused",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
            Self::Retired => "retired",
            Self::Frozen => "frozen",
            Self::Thawed => "thawed",
            Self::Released => "released",
            Self::Problem => "problem",
        }
    }

    /// The kind with a word; `None`: no kind has it.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_by_its_word() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::of_word(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::of_word("Failed"), None);
    }
}
