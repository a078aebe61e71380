//! What is left undone without being a reason to stop.

use std::fmt;

use super::found::Goal;

/// What stands in the way of somebody who is not root.
pub(super) const UNITS_ARE_ROOTS: &str =
    "the units of systemd for this repository are only root's to change";

/// What to do about that.
pub(super) const UNITS_HINT: &str =
    "run this as root; the hooks and the state will be the repository's owner's";

/// Something that is left undone, and that whoever called should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Somebody has held the lock of the repository's folder for too long.
    FolderLocked,
    /// The repository's units stay, since this is not root.
    UnitsStay,
    /// The repository's entry in the timer's list was made by another user.
    EntryOfAnother {
        /// The number of that user.
        user: u32,
        /// What was to be done about the entry.
        goal: Goal,
    },
    /// The repository's entry in the timer's list is for another user to change.
    EntryForOwner {
        /// The number of the repository's owner.
        owner: u32,
        /// What was to be done about the entry.
        goal: Goal,
    },
}

impl Warning {
    /// What to do about it, if there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::FolderLocked => None,
            Self::UnitsStay => Some(UNITS_HINT),
            Self::EntryOfAnother { .. } | Self::EntryForOwner { .. } => {
                Some("run this as root: the hooks and the state will be the repository's owner's")
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consequence = |goal: Goal| match goal {
            Goal::Install => "so the timer does not look after it",
            Goal::Uninstall => "and stays",
        };
        match self {
            Self::FolderLocked => {
                f.write_str("somebody has locked the repository's folder for 10 s; going on")
            }
            Self::UnitsStay => write!(f, "{UNITS_ARE_ROOTS}, and stay"),
            Self::EntryOfAnother { user, goal } => write!(
                f,
                "this repository's entry in the timer's list is user {user}'s, {}",
                consequence(*goal)
            ),
            Self::EntryForOwner { owner, goal } => write!(
                f,
                "this repository is user {owner}'s to enter into the timer's list, {}",
                consequence(*goal)
            ),
        }
    }
}
