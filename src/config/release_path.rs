//! Paths in a release: what the settings `subdirectory` and `shared` name. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text;

/// The file with the revision, which this program writes into each release.
pub const REVISION_FILE: &str = "REVISION";

/// The longest name of a file or folder, in bytes (limits.h, `NAME_MAX`).
const NAME_MAX: usize = 255;

/// The longest path, in bytes. The way to the checkout's folder comes before it.
const PATH_MAX: usize = 1000;

/// A path of a release that all releases of a checkout share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SharedPath {
    path: String,
    is_folder: bool,
}

impl SharedPath {
    /// The path from the root of the release, without slashes at its ends.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether an empty folder is made where there is nothing yet. Otherwise it is a file, and no
    /// file is made up.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// The name in its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The folders above it, the outermost first.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        let parts = self.path.split('/');
        parts.take(self.path.matches('/').count())
    }

    /// Whether it is another path, or a folder above that.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.as_str());
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

/// The folder of a revision that is deployed, as a path without a slash at its end. It is never the
/// whole revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Subdirectory(String);

impl Subdirectory {
    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subdirectory {
    type Error = ReleasePathError;

    fn try_from(text: String) -> Result<Self, ReleasePathError> {
        path(&text).map(|path| Self(path.to_owned()))
    }
}

/// A text that is no path in a release. Most hold the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleasePathError {
    /// It is empty, is not relative, or one of its parts is no name.
    NotInside(String),
    /// It has a part that is too long, or too many of them.
    TooLong(String),
    /// A part of it is `.git`.
    OfGit(String),
    /// It is the file that this program writes.
    OwnFile(String),
    /// It is below another path of the list, or the same one, or the other is below it.
    Overlap(String, String),
}

/// What follows the name of the key in a sentence.
impl fmt::Display for ReleasePathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |found: &str| text::quote(found, 80);
        match self {
            Self::NotInside(path) => write!(f, "{} is not a path in the revision", quote(path)),
            Self::TooLong(path) => write!(
                f,
                "{} is longer than {PATH_MAX} bytes, or a name in it than {NAME_MAX}",
                quote(path)
            ),
            Self::OfGit(path) => write!(f, "{} has .git in it, which no revision has", quote(path)),
            Self::OwnFile(path) => write!(
                f,
                "{} is the file in which each release has its revision",
                quote(path)
            ),
            Self::Overlap(path, other) => {
                write!(f, "{} and {} overlap", quote(path), quote(other))
            }
        }
    }
}

impl ReleasePathError {
    /// What to write instead.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NotInside(_) => {
                "write names of folders with / between them, for example \"services/web\", without \
                 . and .."
            }
            Self::TooLong(_) => "write a shorter path",
            Self::OfGit(_) | Self::OwnFile(_) => "leave it out",
            Self::Overlap(..) => "name only the folder that has the other one in it",
        }
    }
}

/// Checks a relative path of plain names, which may have one slash at its end, and takes that off.
fn path(text: &str) -> Result<&str, ReleasePathError> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let is_name =
        |part: &str| !matches!(part, "" | "." | "..") && !part.contains(|c: char| c.is_control());
    if !path.split('/').all(is_name) {
        return Err(ReleasePathError::NotInside(text.to_owned()));
    }
    if path.len() > PATH_MAX || path.split('/').any(|part| part.len() > NAME_MAX) {
        return Err(ReleasePathError::TooLong(text.to_owned()));
    }
    if path
        .split('/')
        .any(|part| part.eq_ignore_ascii_case(".git"))
    {
        return Err(ReleasePathError::OfGit(text.to_owned()));
    }
    Ok(path)
}

/// A folder of the revision, without a slash at its end; empty for the whole revision.
pub(super) fn subdirectory(text: &str) -> Result<String, ReleasePathError> {
    if text.is_empty() {
        return Ok(String::new());
    }
    path(text).map(str::to_owned)
}

/// A path that does not overlap with others of the list.
pub(super) fn shared_path(
    text: &str,
    others: &[SharedPath],
) -> Result<SharedPath, ReleasePathError> {
    let path = path(text)?;
    if path.split('/').next() == Some(REVISION_FILE) {
        return Err(ReleasePathError::OwnFile(text.to_owned()));
    }

    let shared = SharedPath {
        path: path.to_owned(),
        is_folder: false,
    };
    let is_folder = text.ends_with('/') || !shared.name().contains('.');
    let overlaps = |other: &&SharedPath| other.has(path) || shared.has(other.as_str());
    match others.iter().find(overlaps) {
        Some(other) => Err(ReleasePathError::Overlap(
            text.to_owned(),
            other.path.clone(),
        )),
        None => Ok(SharedPath {
            is_folder,
            ..shared
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdirectory_is_a_path_of_plain_names() {
        let long = "x".repeat(256);
        let deep = "x/".repeat(501);
        let table = [
            ("", Some("")),
            ("web", Some("web")),
            ("services/web", Some("services/web")),
            ("services/web/", Some("services/web")),
            ("a b/*[x]/:(top)", Some("a b/*[x]/:(top)")),
            ("..a/b..", Some("..a/b..")),
            (".github", Some(".github")),
            ("/", None),
            ("/web", None),
            ("web//", None),
            ("a//b", None),
            (".", None),
            ("./web", None),
            ("..", None),
            ("a/../b", None),
            ("a\nb", None),
            (".git", None),
            ("a/.GIT/b", None),
            (&long, None),
            (&deep, None),
        ];
        for (text, expect) in table {
            assert_eq!(subdirectory(text).ok().as_deref(), expect, "{text:?}");

            let folder = Subdirectory::try_from(text.to_owned()).ok();
            let expect = expect.filter(|expect| !expect.is_empty());
            assert_eq!(
                folder.as_ref().map(Subdirectory::as_str),
                expect,
                "{text:?}"
            );
        }
    }

    #[test]
    fn name_says_whether_a_shared_path_is_a_folder() {
        for (text, path, is_folder) in [
            ("storage", "storage", true),
            ("storage/", "storage", true),
            ("public/uploads", "public/uploads", true),
            (".env", ".env", false),
            (".env/", ".env", true),
            ("config/master.key", "config/master.key", false),
            ("conf.d/", "conf.d", true),
            ("conf.d/secrets", "conf.d/secrets", true),
        ] {
            let shared = shared_path(text, &[]).unwrap();
            assert_eq!((shared.as_str(), shared.is_folder()), (path, is_folder));
        }
    }

    #[test]
    fn shared_path_is_one_that_this_program_does_not_need() {
        for text in ["", "/", "/etc", "../x", "a/..", "a//b", ".git/config"] {
            assert!(shared_path(text, &[]).is_err(), "{text:?}");
        }
        for text in ["REVISION", "REVISION/", "REVISION/x"] {
            let error = ReleasePathError::OwnFile(text.to_owned());
            assert_eq!(shared_path(text, &[]), Err(error));
        }
        assert!(shared_path("doc/REVISION", &[]).is_ok());
    }

    #[test]
    fn shared_paths_that_overlap_are_a_mistake() {
        let others = ["a/b", "c.txt"].map(|text| shared_path(text, &[]).unwrap());
        for (text, is_good) in [
            ("a", false),
            ("a/b", false),
            ("a/b/", false),
            ("a/b/c", false),
            ("c.txt/d", false),
            ("a/bc", true),
            ("a/c", true),
            ("b", true),
        ] {
            assert_eq!(shared_path(text, &others).is_ok(), is_good, "{text:?}");
        }
    }

    #[test]
    fn parts_of_a_shared_path() {
        let shared = shared_path("a/b/c", &[]).unwrap();
        assert_eq!(shared.folders().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(shared.name(), "c");
        let shared = shared_path("c", &[]).unwrap();
        assert_eq!((shared.folders().count(), shared.name()), (0, "c"));
    }
}
