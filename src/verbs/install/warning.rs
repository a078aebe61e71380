//! Steps that are left out although the work continues.

use std::fmt;

use super::found::Goal;

/// Why somebody who is not root can't continue.
pub(super) const UNITS_ARE_ROOTS: &str =
    "only root can change the systemd units of this repository";

/// What such a user can do.
pub(super) const UNITS_HINT: &str =
    "run this as root; the hooks and the state will belong to the repository's owner";

/// A step that is left out, which the caller should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// Somebody has held the lock of the repository's folder for too long.
    FolderLocked,
    /// The repository's units stay, since this process does not run as root.
    UnitsStay,
    /// The repository's entry in the timer's list was made by another user.
    EntryOfAnother {
        /// The number of that user.
        user: u32,
        /// What was to be done about the entry.
        goal: Goal,
    },
    /// Only another user can change the repository's entry in the timer's list.
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
            Self::UnitsStay | Self::EntryOfAnother { .. } | Self::EntryForOwner { .. } => {
                Some(UNITS_HINT)
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let consequence = |goal: Goal| match goal {
            Goal::Install => "so the timer does not look after this repository",
            Goal::Uninstall => "so the entry stays",
        };
        match self {
            Self::FolderLocked => f.write_str(
                "somebody has locked the repository's folder for 10 s; continuing without the lock",
            ),
            Self::UnitsStay => write!(f, "{UNITS_ARE_ROOTS}, so they stay"),
            Self::EntryOfAnother { user, goal } => write!(
                f,
                "this repository's entry in the timer's list belongs to user {user}, {}",
                consequence(*goal)
            ),
            Self::EntryForOwner { owner, goal } => write!(
                f,
                "only user {owner} or root can change this repository's entry in the timer's list, \
                 {}",
                consequence(*goal)
            ),
        }
    }
}
