//! The file that says to whom a checkout's folder belongs, and which of its releases are good.
//!
//! The first line names the environment and the application, and the state that records their
//! deployments. Then there is a line for each release that became the current one, the newest of
//! these first: its folder, the deployment, and the fingerprint of its files at that moment. The
//! last line says which release was the current one before the newest deployment changed that.

use std::ffi::OsStr;
use std::io::{self, Read, Write};

use super::order::CheckoutOwner;
use super::release_name::ReleaseName;
use crate::id::DeploymentId;
use crate::sys::folder::OpenFolder;

/// The file's name.
pub(super) const FILE: &str = ".deploy-by-code";

/// The name of the file while it is written.
const UNFINISHED: &str = ".unfinished-claim";

/// The largest file that is read, in bytes.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// What stands in the place of a fingerprint that is unknown.
const NO_FINGERPRINT: &str = "-";

/// What stands in the place of a release where there was none.
const NO_RELEASE: &str = "-";

/// A release that became the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoodRelease {
    pub(super) name: ReleaseName,
    /// 0: an earlier version made it, and recorded no number.
    pub(super) deployment: DeploymentId,
    /// `None`: it is not used again.
    pub(super) fingerprint: Option<u64>,
}

/// Where `current` led before a deployment moved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LedBefore {
    /// The deployment that moved it, or was about to.
    pub(super) deployment: DeploymentId,
    /// `None`: there was no link, or it led to no release.
    pub(super) release: Option<ReleaseName>,
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Claim {
    /// The first line; empty where there is no file yet.
    pub(super) owner: Vec<u8>,
    pub(super) releases: Vec<GoodRelease>,
    /// `None`: no deployment of this version of the program has moved `current` yet.
    pub(super) before: Option<LedBefore>,
}

impl Claim {
    /// Reads the file of a checkout's folder.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn read(folder: &OpenFolder) -> io::Result<Self> {
        let file = match folder.file(OsStr::new(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(SIZE_MAX).read_to_end(&mut text)?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Self {
        // An editor may have added this. Spaces belong to the path of the state.
        let without_return = |line| <[u8]>::strip_suffix(line, b"\r").unwrap_or(line);
        let mut lines = text.split(|byte| *byte == b'\n').map(without_return);
        let owner = lines.next().unwrap_or_default();
        let lines: Vec<&[u8]> = lines.collect();
        Self {
            owner: owner.to_vec(),
            releases: lines.iter().filter_map(|line| release(line)).collect(),
            before: lines.iter().find_map(|line| before(line)),
        }
    }

    /// Writes the file anew, in one step.
    ///
    /// # Errors
    /// It can't be written; the old one stays.
    pub(super) fn write(&self, folder: &OpenFolder) -> io::Result<()> {
        let mut text = self.owner.clone();
        text.push(b'\n');
        for release in &self.releases {
            let GoodRelease {
                name,
                deployment,
                fingerprint,
            } = release;
            let fingerprint = fingerprint.map_or(NO_FINGERPRINT.to_owned(), |fingerprint| {
                format!("{fingerprint:016x}")
            });
            writeln!(text, "release {name} {} {fingerprint}", deployment.0)?;
        }
        if let Some(LedBefore {
            deployment,
            release,
        }) = &self.before
        {
            let name = release
                .as_ref()
                .map_or(NO_RELEASE.to_owned(), std::string::ToString::to_string);
            writeln!(text, "before {} {name}", deployment.0)?;
        }

        let unfinished = OsStr::new(UNFINISHED);
        folder.remove(unfinished)?;
        let mut file = folder.new_file(unfinished, false)?;
        file.write_all(&text)?;
        file.sync_all()?;
        folder.rename(unfinished, OsStr::new(FILE))?;
        folder.sync()
    }

    /// Whether the folder belongs to an owner, or to nobody yet. Version 0.1.0 named only the
    /// environment and the application, and nothing at all when it was killed in between.
    pub(super) fn allows(&self, owner: &CheckoutOwner) -> bool {
        self.is_of_earlier_version(owner) || self.owner == owner.to_string().as_bytes()
    }

    /// Whether the file does not say yet which state the folder belongs to.
    pub(super) fn is_of_earlier_version(&self, owner: &CheckoutOwner) -> bool {
        self.owner.is_empty() || self.owner == owner.target.as_bytes()
    }
}

/// A line about a release; `None`: it is something else.
fn release(line: &[u8]) -> Option<GoodRelease> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    if words.next()? != "release" {
        return None;
    }
    let release = GoodRelease {
        name: ReleaseName::parse(OsStr::new(words.next()?))?,
        deployment: DeploymentId(words.next()?.parse().ok()?),
        fingerprint: match words.next()? {
            NO_FINGERPRINT => None,
            number => Some(u64::from_str_radix(number, 16).ok()?),
        },
    };
    words.next().is_none().then_some(release)
}

/// A line about what was current before; `None`: it is something else.
fn before(line: &[u8]) -> Option<LedBefore> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    if words.next()? != "before" {
        return None;
    }
    let before = LedBefore {
        deployment: DeploymentId(words.next()?.parse().ok()?),
        release: match words.next()? {
            NO_RELEASE => None,
            name => Some(ReleaseName::parse(OsStr::new(name))?),
        },
    };
    words.next().is_none().then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(target: &str, state: &str) -> CheckoutOwner {
        CheckoutOwner {
            target: target.to_owned(),
            state: state.to_owned(),
        }
    }

    #[test]
    fn claim_names_target_and_state() {
        let own = owner("production/a", "id-1 /srv/git/deploy state");
        let table = [
            ("", true),
            ("\n", true),
            ("production/a\n", true),
            ("production/a id-1 /srv/git/deploy state\n", true),
            ("production/a id-1 /srv/git/deploy state\r\n", true),
            ("production/a id-1 /srv/git/deploy state \n", false),
            ("production/b\n", false),
            ("production/a id-2 /srv/git/deploy state\n", false),
            ("production/a id-1 /srv/git/copy state\n", false),
            ("staging/a id-1 /srv/git/deploy state\n", false),
            ("rubbish", false),
        ];
        for (text, expected) in table {
            assert_eq!(
                Claim::parse(text.as_bytes()).allows(&own),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn space_at_the_end_of_a_path_is_a_part_of_it() {
        let own = owner("production/a", "id /srv/state ");
        let written = format!("{own}\n");
        assert!(Claim::parse(written.as_bytes()).allows(&own));
        let other = owner("production/a", "id /srv/state");
        assert!(!Claim::parse(written.as_bytes()).allows(&other));
    }

    #[test]
    fn file_is_written_and_read_again() {
        let base = tempfile::tempdir().unwrap();
        let folder = OpenFolder::create_all(base.path()).unwrap();
        assert_eq!(Claim::read(&folder).unwrap(), Claim::default());

        let claim = Claim {
            owner: b"production/a id /srv".to_vec(),
            releases: [("1", 7, Some(u64::MAX - 1)), ("2", 6, None)]
                .map(|(digit, number, fingerprint)| GoodRelease {
                    name: ReleaseName::parse(OsStr::new(&digit.repeat(40))).unwrap(),
                    deployment: DeploymentId(number),
                    fingerprint,
                })
                .to_vec(),
            before: None,
        };
        let release = claim.releases.first().map(|release| release.name.clone());
        for release in [None, release] {
            let before = Some(LedBefore {
                deployment: DeploymentId(7),
                release,
            });
            let claim = Claim {
                before,
                ..claim.clone()
            };
            claim.write(&folder).unwrap();
            assert_eq!(Claim::read(&folder).unwrap(), claim);
            // An editor of another system has saved it.
            let text = std::fs::read_to_string(base.path().join(FILE)).unwrap();
            let text = text.replace('\n', "\r\n");
            assert_eq!(Claim::parse(text.as_bytes()), claim);
        }
        assert_eq!(folder.names().unwrap(), [FILE]);
    }

    #[test]
    fn lines_that_say_something_else_are_passed_over() {
        let hash = "a".repeat(40);
        for line in [
            "",
            "release",
            "release .. 1 0",
            &format!("release {hash} x 0"),
            &format!("release {hash} 1 xyz"),
            &format!("release {hash} 1 0 more"),
            &format!("later {hash} 1 0"),
        ] {
            assert_eq!(release(line.as_bytes()), None, "{line}");
        }
        for line in [
            "before",
            "before 1",
            "before x -",
            "before 1 ..",
            "before 1 - more",
            &format!("later 1 {hash}"),
        ] {
            assert_eq!(before(line.as_bytes()), None, "{line}");
        }
    }
}
