//! The names of environments and applications.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of an environment or application, in bytes.
pub const NAME_MAX: usize = 64;

/// Why some bytes are not the name of an environment or application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// There are no bytes.
    Empty,
    /// There are more than [`NAME_MAX`] bytes.
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

    let is_allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !name.iter().all(is_allowed) {
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
            /// Takes a name of the form `[A-Za-z0-9][A-Za-z0-9._-]*`, at most [`NAME_MAX`] bytes
            /// long.
            ///
            /// # Errors
            /// The name has another form or is too long.
            pub fn new(name: impl AsRef<[u8]>) -> Result<Self, NameError> {
                check_name(name.as_ref()).map(|name| Self(name.to_owned()))
            }

            /// The same name in lower case.
            #[must_use]
            pub fn to_lower_case(&self) -> Self {
                Self(self.0.to_ascii_lowercase())
            }

            /// The name. It needs no escaping anywhere.
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
    /// The name of an environment. It is the name of a folder of the deploy repository.
    Environment
);
name!(
    /// The name of an application. It is the name of a deploy file without `.deploy`.
    Application
);
name!(
    /// The name of somebody who is told of what happens: of a section `[notify.NAME]`.
    NotifyName
);

/// One application in one environment. Each deploy file is about one target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The environment.
    pub environment: Environment,
    /// The application.
    pub application: Application,
}

/// `production/website`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.environment, self.application))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_has_safe_characters_and_a_limited_length() {
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
}
