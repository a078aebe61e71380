//! The people that the files of keys name.

use std::collections::BTreeSet;

use super::allowed_signers::{AllowedLine, matches_pattern};

/// The people that the files of keys name, and whom certificates can name. Whether a key was
/// revoked, or whether one of OpenPGP is valid now, is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownPeople {
    /// The names of each person. No name is one of two people.
    people: Vec<BTreeSet<String>>,
    /// The lists of patterns of people to whom an authority gives certificates.
    certified: Vec<Vec<String>>,
}

impl KnownPeople {
    /// The people of the lines of a file of allowed signers that count, and of the keys of a
    /// keyring.
    pub(super) fn of(lines: &[AllowedLine], keyring: Vec<Vec<String>>) -> Self {
        let mut known = Self::default();
        for line in lines {
            if line.is_authority {
                known.certified.push(line.names.clone());
            } else {
                let names = line.names.iter().filter(|name| !is_pattern(name));
                known.add(names.cloned().collect());
            }
        }
        for names in keyring {
            known.add(names.into_iter().collect());
        }
        known
    }

    /// Adds the names of one person, who can be known by another of them.
    fn add(&mut self, names: BTreeSet<String>) {
        if names.is_empty() {
            return;
        }
        let lower = |names: &BTreeSet<String>| -> BTreeSet<String> {
            names.iter().map(|name| name.to_lowercase()).collect()
        };
        let own = lower(&names);
        let (mut same, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.people)
            .into_iter()
            .partition(|person| !lower(person).is_disjoint(&own));
        self.people = others;
        same.push(names);
        self.people.push(same.into_iter().flatten().collect());
    }

    /// How many people there are, besides those whom certificates name.
    #[must_use]
    pub fn count(&self) -> usize {
        self.people.len()
    }

    /// Whether certificates can name people besides these.
    #[must_use]
    pub fn has_authority(&self) -> bool {
        !self.certified.is_empty()
    }

    /// The names of all people.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.people.iter().flatten().map(String::as_str)
    }

    /// Whether a key or a certificate can be of somebody with this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.person(name).is_some() || self.is_certified(name)
    }

    /// How many people these names can be at most.
    #[must_use]
    pub fn count_of(&self, names: &BTreeSet<String>) -> usize {
        let people: BTreeSet<usize> = names.iter().filter_map(|name| self.person(name)).collect();
        let others = names.iter().filter(|name| self.person(name).is_none());
        people.len() + others.filter(|name| self.is_certified(name)).count()
    }

    fn person(&self, name: &str) -> Option<usize> {
        self.people.iter().position(|names| names.contains(name))
    }

    fn is_certified(&self, name: &str) -> bool {
        self.certified.iter().any(|patterns| {
            let matches = |pattern: &String| match pattern.strip_prefix('!') {
                Some(pattern) => (matches_pattern(pattern, name), false),
                None => (matches_pattern(pattern, name), true),
            };
            let found: Vec<bool> = patterns
                .iter()
                .map(matches)
                .filter_map(|(is_matched, is_meant)| is_matched.then_some(is_meant))
                .collect();
            !found.is_empty() && found.iter().all(|is_meant| *is_meant)
        })
    }
}

/// Whether a name is a pattern for many people. The key of a person belongs to nobody if it is.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '!'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signers::allowed_signers::parse;

    #[test]
    fn people_are_counted_once_whatever_names_and_keys_they_have() {
        let key = "ssh-rsa AAAAB3";
        let file = format!(
            "a@x {key}1\na@x,aa@x {key}2\nb@x {key}3\nB@x,c@x {key}4\n*@y {key}5\n\
             *@z,!bad@z cert-authority {key}7\n"
        );
        let known = KnownPeople::of(
            &parse(file.as_bytes()),
            vec![vec!["e@x".to_owned()], vec![]],
        );
        assert_eq!((known.count(), known.has_authority()), (3, true));
        for (name, is_known) in [
            ("a@x", true),
            ("aa@x", true),
            ("A@x", false),
            ("b@x", true),
            ("any@y", false),
            ("e@x", true),
            ("any@z", true),
            ("bad@z", false),
        ] {
            assert_eq!(known.knows(name), is_known, "{name}");
        }
        let count =
            |names: &[&str]| known.count_of(&names.iter().map(ToString::to_string).collect());
        assert_eq!(count(&["a@x", "aa@x", "nobody@x"]), 1);
        assert_eq!(count(&["b@x", "c@x", "any@z", "other@z"]), 3);
    }
}
