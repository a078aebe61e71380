//! The name of a section in `environments`: that of one environment, or a pattern for many.

use std::str::FromStr;

use crate::id::{Environment, NameError};

/// The name of a section in `environments`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EnvironmentKey {
    /// One environment.
    Name(Environment),
    /// Every environment that matches, and that has no section of its own.
    Pattern(EnvironmentPattern),
}

/// A name in which `*` stands for any characters, or none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EnvironmentPattern(String);

impl FromStr for EnvironmentKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if !text.contains('*') {
            return text.parse().map(Self::Name);
        }
        // What is beside the stars must be what a name can have.
        Environment::new(text.replace('*', "a"))?;
        Ok(Self::Pattern(EnvironmentPattern(text.to_owned())))
    }
}

impl EnvironmentKey {
    /// Whether it is about an environment.
    pub(super) fn is(&self, environment: &Environment) -> bool {
        match self {
            Self::Name(name) => name == environment,
            Self::Pattern(pattern) => pattern.matches(environment),
        }
    }
}

impl EnvironmentPattern {
    /// The pattern as it is in the file.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for an environment.
    pub(super) fn matches(&self, environment: &Environment) -> bool {
        let name = environment.as_str();
        // Most patterns begin with something, and a hook asks often.
        let may_match = self.0.split('*').next();
        may_match.is_some_and(|start| name.starts_with(start))
            && can_be_same(self.0.as_bytes(), name.as_bytes())
    }

    /// Whether there is a name that both patterns stand for.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        can_be_same(self.0.as_bytes(), other.0.as_bytes())
    }
}

/// Whether a text exists that both patterns stand for. A pattern without a star stands for itself
/// alone. The time grows with the product of the lengths.
fn can_be_same(a: &[u8], b: &[u8]) -> bool {
    // Each row is about one beginning of `a`: for each beginning of `b`, whether both can be the
    // same.
    let mut row = vec![false; b.len() + 1];
    row[0] = true;
    for (end, byte) in b.iter().enumerate() {
        row[end + 1] = row[end] && *byte == b'*';
    }

    for a in a {
        let above = row;
        row = vec![above[0] && *a == b'*'; b.len() + 1];
        for (end, b) in b.iter().enumerate() {
            row[end + 1] = match (a, b) {
                (b'*', _) | (_, b'*') => above[end + 1] || row[end] || above[end],
                (a, b) => above[end] && a == b,
            };
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        let table = [
            ("review-*", "review-1 review- review-a.b", "review staging"),
            ("*", "a review-1", ""),
            ("*-test", "a-test a-test-test", "test a-test-"),
            ("a*b*c", "abc axbxc abbcc", "ab acb abcd"),
            ("*1*", "1 a1 1a a1b", "a"),
        ];
        for (pattern, yes, no) in table {
            let Ok(EnvironmentKey::Pattern(pattern)) = pattern.parse() else {
                panic!("{pattern} is not a pattern");
            };
            for (names, expect) in [(yes, true), (no, false)] {
                for name in names.split_whitespace() {
                    let name = Environment::new(name).unwrap();
                    assert_eq!(pattern.matches(&name), expect, "{pattern:?} {name}");
                }
            }
        }
    }

    #[test]
    fn patterns_overlap_where_one_name_can_be_both() {
        let table = [
            ("review-*", "*-test", true),
            ("review-*", "review-ios-*", true),
            ("*", "a*", true),
            ("a*b", "b*a", false),
            ("review-*", "preview-*", false),
            ("a*", "b*", false),
            ("a*c", "ab*d", false),
            ("a*c*", "*b", true),
        ];
        for (a, b, expect) in table {
            assert_eq!(can_be_same(a.as_bytes(), b.as_bytes()), expect, "{a} {b}");
            assert_eq!(can_be_same(b.as_bytes(), a.as_bytes()), expect, "{b} {a}");
        }
    }

    #[test]
    fn key_is_a_name_or_a_pattern() {
        let is_good = |text: &str| text.parse::<EnvironmentKey>().is_ok();
        assert!(is_good("production") && is_good("review-*") && is_good("*"));
        for text in ["", "a/*", "-*", "rev?ew", "[a]*", &"*".repeat(65)] {
            assert!(!is_good(text), "{text}");
        }
    }
}
