//! The phases of a deployment, in the order in which they come. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A phase of a deployment. A deployment has those that its configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// What is missing is fetched from the host of the application's repository.
    Fetch,
    /// The files of the revision are written into a release.
    Export,
    /// The command runs.
    Command,
    /// `current` moves to the release, and then the program that `activate` names runs.
    Activate,
    /// The program that `verify` names checks what is active now.
    Verify,
    /// `current` moves back to the release before, and what `activate` names runs again.
    GoBack,
}

impl Phase {
    /// Every phase, in the order in which they come.
    pub const ALL: [Self; 6] = [
        Self::Fetch,
        Self::Export,
        Self::Command,
        Self::Activate,
        Self::Verify,
        Self::GoBack,
    ];

    /// The word that users see and the store keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Export => "export",
            Self::Command => "command",
            Self::Activate => "activate",
            Self::Verify => "verify",
            Self::GoBack => "go-back",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such phase")]
pub struct UnknownPhase;

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(word: &str) -> Result<Self, UnknownPhase> {
        let phase = Self::ALL.into_iter().find(|phase| phase.as_str() == word);
        phase.ok_or(UnknownPhase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_a_phase_is_read_back_and_is_that_of_its_json() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
            let json = serde_json::to_string(&phase).unwrap();
            assert_eq!(json, format!("\"{phase}\""));
        }
        assert_eq!("go back".parse::<Phase>(), Err(UnknownPhase));
    }
}
