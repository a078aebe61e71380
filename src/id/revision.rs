//! Commit hashes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A whole commit hash: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits that are not all
/// zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Revision(String);

/// Why some bytes are not a whole commit hash. The text goes after "is".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionError {
    /// They are hexadecimal digits, but fewer than 40.
    Abbreviated,
    /// They are more than 40 hexadecimal digits, but not 64.
    WrongLength,
    /// They are all zeroes. No commit has this hash.
    Null,
    /// They are not hexadecimal digits.
    NotHexadecimal,
}

impl fmt::Display for RevisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abbreviated => "an abbreviated commit hash",
            Self::WrongLength => "neither 40 nor 64 hexadecimal digits long",
            Self::Null => "the null hash, which names no commit",
            Self::NotHexadecimal => "not a commit hash",
        })
    }
}

impl std::error::Error for RevisionError {}

impl TryFrom<String> for Revision {
    type Error = RevisionError;

    fn try_from(hash: String) -> Result<Self, RevisionError> {
        Self::new(hash)
    }
}

impl Revision {
    /// Takes a whole hash, in upper or lower case.
    ///
    /// # Errors
    /// The bytes are something else than a whole hash.
    pub fn new(hash: impl AsRef<[u8]>) -> Result<Self, RevisionError> {
        let hash = hash.as_ref();
        if hash.is_empty() || !hash.iter().all(u8::is_ascii_hexdigit) {
            return Err(RevisionError::NotHexadecimal);
        }

        match hash.len() {
            40 | 64 if hash.iter().all(|b| *b == b'0') => Err(RevisionError::Null),
            40 | 64 => {
                let mut digits = hash.to_vec();
                digits.make_ascii_lowercase();
                let digits = String::from_utf8(digits);
                digits.map(Self).map_err(|_| RevisionError::NotHexadecimal)
            }
            0..40 => Err(RevisionError::Abbreviated),
            _ => Err(RevisionError::WrongLength),
        }
    }

    /// All digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hash_is_a_revision() {
        let sha1 = "60375125ABEC57111e2eaeac7081f8f45bdfe28b";
        let revision = Revision::new(sha1).unwrap();
        assert_eq!(revision.as_str(), sha1.to_ascii_lowercase());
        assert_eq!(revision.short(), "6037512");

        assert!(Revision::new("ab".repeat(32)).is_ok());
    }

    #[test]
    fn anything_else_is_refused_with_its_cause() {
        use RevisionError::*;
        for (text, expect) in [
            ("", NotHexadecimal),
            ("main", NotHexadecimal),
            ("6037512", Abbreviated),
            (&"a".repeat(39), Abbreviated),
            (&"a".repeat(41), WrongLength),
            (&"a".repeat(65), WrongLength),
            (&"0".repeat(40), Null),
            (&"g".repeat(40), NotHexadecimal),
        ] {
            assert_eq!(Revision::new(text), Err(expect), "{text:?}");
        }
    }
}
