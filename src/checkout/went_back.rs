//! What came of going back to the release before.

use std::ffi::OsStr;
use std::fmt;
use std::str::FromStr;

use super::release_name::ReleaseName;

/// What came of going back to the release before, as the step that did it says it in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WentBack {
    /// `current` leads to this release again.
    To(ReleaseName),
    /// The deployment had not moved `current`.
    NotMoved,
    /// `current` led to the same release before.
    Same,
    /// There was no release before, or it is gone.
    NothingBefore,
    /// Somebody made `current` lead elsewhere.
    Elsewhere,
}

/// The words for what needs no name.
const WORDS: [(&str, WentBack); 4] = [
    ("not-moved", WentBack::NotMoved),
    ("same", WentBack::Same),
    ("nothing-before", WentBack::NothingBefore),
    ("elsewhere", WentBack::Elsewhere),
];

/// How a line begins that names a release.
const TO: &str = "to ";

impl fmt::Display for WentBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::To(release) = self {
            return write!(f, "{TO}{release}");
        }
        let word = WORDS.iter().find(|(_, came)| came == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// A line that says nothing of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not say what came of going back")]
pub struct UnknownWentBack;

impl FromStr for WentBack {
    type Err = UnknownWentBack;

    fn from_str(line: &str) -> Result<Self, UnknownWentBack> {
        if let Some(name) = line.strip_prefix(TO) {
            let release = ReleaseName::parse(OsStr::new(name));
            return release.map(Self::To).ok_or(UnknownWentBack);
        }
        let word = WORDS.into_iter().find(|(word, _)| *word == line);
        word.map(|(_, came)| came).ok_or(UnknownWentBack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_read_back_and_nothing_else_is() {
        let name = ReleaseName::parse(OsStr::new(&"1".repeat(40))).unwrap();
        let words = WORDS.into_iter().map(|(_, came)| came);
        for came in words.chain([WentBack::To(name)]) {
            assert_eq!(came.to_string().parse(), Ok(came));
        }
        for line in ["", "to", "to ..", "to current", "Same"] {
            assert_eq!(line.parse::<WentBack>(), Err(UnknownWentBack), "{line}");
        }
    }
}
