//! The names of the folders of releases.

use std::ffi::OsStr;
use std::fmt;

use crate::id::{DeploymentId, Revision};

/// The name of a release's folder: the revision. While `current` leads to that folder, the next
/// release of the revision is called `<revision>.<number of its deployment>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseName {
    name: String,
    revision: Revision,
}

impl ReleaseName {
    /// The usual name of a revision's release.
    pub(super) fn usual(revision: &Revision) -> Self {
        Self {
            name: revision.to_string(),
            revision: revision.clone(),
        }
    }

    /// The name that no other deployment uses.
    pub(super) fn own(revision: &Revision, id: DeploymentId) -> Self {
        Self {
            name: format!("{revision}.{}", id.0),
            revision: revision.clone(),
        }
    }

    /// Takes such a name; `None`: it is something else.
    #[must_use]
    pub fn parse(name: &OsStr) -> Option<Self> {
        let name = name.to_str()?;
        let (revision, id) = name.split_once('.').unwrap_or((name, "0"));
        let revision = Revision::new(revision).ok()?;
        let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && name.starts_with(revision.as_str())).then(|| Self {
            name: name.to_owned(),
            revision,
        })
    }

    /// The revision that is in the folder.
    #[must_use]
    pub fn revision(&self) -> &Revision {
        &self.revision
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl AsRef<OsStr> for ReleaseName {
    fn as_ref(&self) -> &OsStr {
        OsStr::new(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_releases_are_taken() {
        let revision = Revision::new("1".repeat(40)).unwrap();
        let names = [
            ReleaseName::usual(&revision),
            ReleaseName::own(&revision, DeploymentId(42)),
        ];
        for name in names {
            assert_eq!(ReleaseName::parse(name.as_ref()), Some(name.clone()));
            assert_eq!(name.revision(), &revision);
        }

        let long = "a".repeat(40);
        for other in [
            "",
            "..",
            "current",
            "1111111",
            &format!("{long}."),
            &format!("{long}.x"),
            &format!("{long}.1.2"),
            &format!("{long}/.."),
            &long.to_uppercase(),
        ] {
            assert_eq!(ReleaseName::parse(OsStr::new(other)), None, "{other:?}");
        }
    }
}
