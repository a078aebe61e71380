//! The numbers of deployments, events and rollouts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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

        impl FromStr for $name {
            type Err = NotANumber;

            /// Takes `42` and `#42`.
            fn from_str(text: &str) -> Result<Self, NotANumber> {
                match text.strip_prefix('#').unwrap_or(text).parse() {
                    Ok(number) if number > 0 => Ok(Self(number)),
                    _ => Err(NotANumber),
                }
            }
        }
    };
}

number!(
    /// The number of a deployment, shown as `#42`. It is unique in its state directory.
    DeploymentId
);
number!(
    /// The number of an event. A later event has a larger number.
    EventId
);
number!(
    /// The number of a notification: of one event for one of those who are told.
    NotificationId
);
number!(
    /// The number of a rollout. It is unique in its state directory.
    RolloutId
);

/// Some text is not a number as this program shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotANumber;

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number is written 42 or #42")
    }
}

impl std::error::Error for NotANumber {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_read_with_and_without_its_sign() {
        assert_eq!("42".parse(), Ok(DeploymentId(42)));
        assert_eq!("#42".parse(), Ok(DeploymentId(42)));

        for bad in ["", "#", "0", "-1", "x", "##1", "99999999999999999999"] {
            assert!(bad.parse::<DeploymentId>().is_err(), "{bad:?}");
        }
    }
}
