//! Names and numbers that are valid by construction.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of an environment or application, in bytes.
pub const NAME_MAX: usize = 64;

/// Why some bytes are no name of an environment or application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// There is nothing.
    Empty,
    /// More than [`NAME_MAX`] bytes.
    TooLong,
    /// The first byte is none of `A-Z a-z 0-9`.
    BadStart,
    /// A byte is none of `A-Z a-z 0-9 . _ -`.
    BadByte,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the name is empty"),
            Self::TooLong => write!(f, "the name is longer than {NAME_MAX} bytes"),
            Self::BadStart => write!(f, "the name does not start with a letter or digit"),
            Self::BadByte => write!(f, "the name has a character outside A-Z a-z 0-9 . _ -"),
        }
    }
}

impl std::error::Error for NameError {}

fn check_name(name: &[u8]) -> Result<&str, NameError> {
    let first = *name.first().ok_or(NameError::Empty)?;
    if name.len() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    if !first.is_ascii_alphanumeric() {
        return Err(NameError::BadStart);
    }
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !name.iter().all(allowed) {
        return Err(NameError::BadByte);
    }
    std::str::from_utf8(name).map_err(|_| NameError::BadByte)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl $name {
            /// Takes `[A-Za-z0-9][A-Za-z0-9._-]*`, [`NAME_MAX`] bytes at most.
            ///
            /// # Errors
            /// What is wrong with the name.
            pub fn new(name: impl AsRef<[u8]>) -> Result<Self, NameError> {
                check_name(name.as_ref()).map(|name| Self(name.to_owned()))
            }

            /// The name; it needs no escaping anywhere.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }
    };
}

name!(
    /// The name of an environment: a folder of the deploy repository.
    Environment
);
name!(
    /// The name of an application: a deploy file's name without `.deploy`.
    Application
);

/// What a deploy file decides about: one application in one environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Where.
    pub environment: Environment,
    /// What.
    pub application: Application,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.environment, self.application))
    }
}

/// A whole commit hash: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits, not all zero.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Revision(String);

/// Why some bytes are no whole commit hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionError {
    /// Hexadecimal, but shorter than 40 digits.
    Abbreviated,
    /// Hexadecimal, but neither 40 nor 64 digits.
    WrongLength,
    /// All zeroes, which names no commit.
    Null,
    /// Something else than hexadecimal digits.
    NotHexadecimal,
}

impl fmt::Display for RevisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abbreviated => "an abbreviated commit hash",
            Self::WrongLength => "neither 40 nor 64 hexadecimal digits long",
            Self::Null => "the null hash, which names no commit",
            Self::NotHexadecimal => "no commit hash",
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
    /// Takes a whole hash in either case.
    ///
    /// # Errors
    /// What the bytes are instead of a whole hash.
    pub fn new(hash: impl AsRef<[u8]>) -> Result<Self, RevisionError> {
        let hash = hash.as_ref();
        if hash.is_empty() || !hash.iter().all(u8::is_ascii_hexdigit) {
            return Err(RevisionError::NotHexadecimal);
        }
        match hash.len() {
            40 | 64 if hash.iter().all(|b| *b == b'0') => Err(RevisionError::Null),
            40 | 64 => Ok(Self(String::from_utf8_lossy(hash).to_ascii_lowercase())),
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

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("#{}", self.0))
            }
        }
    };
}

number!(
    /// The number of a deployment, `#42`, unique in its state directory.
    DeploymentId
);
number!(
    /// The number of an event; it counts up with each thing that happens.
    EventId
);
number!(
    /// The number of a rollout, unique in its state directory.
    RolloutId
);

/// Some text is no number of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANumber;

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a deployment's number is written 42 or #42")
    }
}

impl std::error::Error for NotANumber {}

impl FromStr for DeploymentId {
    type Err = NotANumber;

    /// Takes `42` and `#42`.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        match text.strip_prefix('#').unwrap_or(text).parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(NotANumber),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "a".repeat(65);
        let table: &[(&str, Result<(), NameError>)] = &[
            ("production", Ok(())),
            ("9-a._B", Ok(())),
            (&long[1..], Ok(())),
            (&long, Err(NameError::TooLong)),
            ("", Err(NameError::Empty)),
            (".git", Err(NameError::BadStart)),
            ("..", Err(NameError::BadStart)),
            ("-h", Err(NameError::BadStart)),
            ("a b", Err(NameError::BadByte)),
            ("a/b", Err(NameError::BadByte)),
            ("a\nb", Err(NameError::BadByte)),
            ("é", Err(NameError::BadStart)),
            ("aé", Err(NameError::BadByte)),
        ];
        for (name, expect) in table {
            assert_eq!(Environment::new(name).map(|_| ()), *expect, "{name:?}");
        }
    }

    #[test]
    fn revisions() {
        use RevisionError::*;
        let sha1 = "60375125ABEC57111e2eaeac7081f8f45bdfe28b";
        assert_eq!(
            Revision::new(sha1).unwrap().as_str(),
            sha1.to_ascii_lowercase()
        );
        assert_eq!(Revision::new(sha1).unwrap().short(), "6037512");
        assert!(Revision::new("ab".repeat(32)).is_ok());
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

    #[test]
    fn deployment_numbers() {
        assert_eq!("42".parse(), Ok(DeploymentId(42)));
        assert_eq!("#42".parse(), Ok(DeploymentId(42)));
        for bad in ["", "#", "0", "-1", "x", "##1", "99999999999999999999"] {
            assert!(bad.parse::<DeploymentId>().is_err(), "{bad:?}");
        }
    }
}
