//! The section `[people]`: whose signatures count, and what groups of people are called.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::document::DocumentEntry;
use super::key::{Key, find, key, names};
use super::mistake::MistakeKind;
use super::values;

/// Whose signatures count, and what groups of people are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// The file of SSH keys with the people that they belong to (ssh-keygen(1), ALLOWED SIGNERS).
    pub allowed_signers: Option<PathBuf>,
    /// The file of SSH keys that count no more: one key in each line, or a key revocation list
    /// (ssh-keygen(1), KEY REVOCATION LISTS).
    pub revoked_keys: Option<PathBuf>,
    /// The file of OpenPGP keys that count (gpgv(1), `--keyring`).
    pub gpg_keyring: Option<PathBuf>,
    /// The mail addresses of the people in each group.
    pub groups: BTreeMap<String, Vec<String>>,
}

impl People {
    /// Whether there is a file of keys, so that a signature can count.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.allowed_signers.is_some() || self.gpg_keyring.is_some()
    }

    /// The people that some names stand for: the members of groups, and each other name itself.
    pub(super) fn named(&self, names: &[String]) -> BTreeSet<String> {
        let members = |name: &String| match self.groups.get(name) {
            Some(members) => members.clone(),
            None => vec![name.clone()],
        };
        names.iter().flat_map(members).collect()
    }
}

/// The keys of the section.
pub(super) const PEOPLE: &[Key<People>] = &[
    key("allowed_signers", |to, value| {
        to.allowed_signers = value.read(values::absolute).map(PathBuf::from);
    }),
    key("revoked_keys", |to, value| {
        to.revoked_keys = value.read(values::absolute).map(PathBuf::from);
    }),
    key("gpg_keyring", |to, value| {
        to.gpg_keyring = value.read(values::absolute).map(PathBuf::from);
    }),
    key("groups", |to, value| to.groups = groups(value)),
];

/// Reads the section. `unknown` makes the mistake of a key that the section does not have.
pub(super) fn people(
    section: &mut DocumentEntry<'_, '_>,
    unknown: fn(&str, &str, Vec<&'static str>) -> MistakeKind,
) -> People {
    let mut read = People::default();
    for (name, value) in section.table().into_iter().flatten() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        match find(PEOPLE, name) {
            Some(known) => (known.read)(&mut read, &mut section.inner(name, value)),
            None => {
                let kind = unknown(&section.key, name, names(PEOPLE).collect());
                section.reader.report(at, kind);
            }
        }
    }
    read
}

/// A table of groups, each an array of mail addresses.
fn groups(table: &mut DocumentEntry<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::new();
    for (name, value) in table.table().into_iter().flatten() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        if name.is_empty() || name.contains('@') {
            let group = name.to_owned();
            table.reader.report(at, MistakeKind::GroupName { group });
            continue;
        }
        let members = table.inner(name, value).read_each(values::mail_address);
        groups.insert(name.to_owned(), members.unwrap_or_default());
    }
    groups
}
