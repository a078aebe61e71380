//! Where the mirror of a URL is.

use std::path::{Path, PathBuf};

use gix::hash::{Kind, hasher};

use crate::config::RepositoryUrl;

/// How much of a URL is in the name of its mirror, in bytes.
const SHOWN_MAX: usize = 60;

/// The mirror of an application repository on another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    pub(super) url: RepositoryUrl,
    /// The folder of all mirrors of a state.
    pub(super) mirrors: PathBuf,
    /// What the names of the mirror's folder and files begin with.
    name: String,
}

impl Mirror {
    /// The mirror of a URL in a state directory. It need not be there.
    #[must_use]
    pub fn new(state: &Path, url: RepositoryUrl) -> Self {
        Self {
            mirrors: Self::all(state),
            name: name(&url),
            url,
        }
    }

    /// The folder of all mirrors of a state.
    #[must_use]
    pub fn all(state: &Path) -> PathBuf {
        state.join("mirrors")
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &RepositoryUrl {
        &self.url
    }

    /// The repository. It need not be there.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.file("git")
    }

    /// A file or folder of the mirror in the folder of all mirrors.
    pub(super) fn file(&self, extension: &str) -> PathBuf {
        self.mirrors.join(format!("{}.{extension}", self.name))
    }
}

/// The name of a URL's mirror: what people recognise, and a hash that no other URL has.
fn name(url: &RepositoryUrl) -> String {
    let mut hasher = hasher(Kind::Sha256);
    hasher.update(url.as_str().as_bytes());
    // It only fails for SHA-1, where somebody makes two texts with one hash.
    let hash = hasher.try_finalize();
    let hash = hash.map_or_else(|_| String::new(), |hash| hash.to_string());

    let (_, shown) = url.as_str().split_once("://").unwrap_or(("", url.as_str()));
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let shown: String = shown.chars().map(plain).collect();
    let shown = shown.trim_end_matches(".git");
    let shown = &shown[shown.len().saturating_sub(SHOWN_MAX)..];
    format!("{}-{hash}", shown.trim_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RepositoryUrl {
        RepositoryUrl::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn name_says_which_url_it_is_and_is_a_safe_name_of_a_file() {
        let long = format!("https://example.org/{}", "a/".repeat(400));
        let table = [
            (
                "https://example.org/group/web.git",
                "example.org-group-web-",
            ),
            (
                "git@example.org:group/web.git",
                "git-example.org-group-web-",
            ),
            ("ssh://git@[::1]:22/~git/web", "git----1--22--git-web-"),
            ("file:///srv/git/web.git", "srv-git-web-"),
            ("https://example.org/a%20b", "example.org-a-20b-"),
            (&long, "a-a-a-"),
        ];
        for (text, expect) in table {
            let name = name(&url(text));
            assert!(name.starts_with(expect), "{name}");
            assert!(name.len() <= SHOWN_MAX + 1 + 64, "{name}");
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            assert!(name.chars().all(is_plain), "{name}");
        }
    }

    #[test]
    fn each_url_has_a_mirror_of_its_own() {
        let state = Path::new("/state");
        let folder = |text| Mirror::new(state, url(text)).folder();
        let one = folder("https://example.org/a/b.git");
        assert!(one.starts_with("/state/mirrors"), "{one:?}");
        for other in [
            "https://example.org/a-b.git",
            "https://example.org/a/b",
            "ssh://example.org/a/b.git",
        ] {
            assert_ne!(one, folder(other), "{other}");
        }
        assert_eq!(one, folder("https://example.org/a/b.git"));
    }
}
