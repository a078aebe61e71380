//! A key of the configuration, and tables of keys.

use super::document::DocumentEntry;

/// A key, and how its value gets into a section of type `S`.
pub(super) struct Key<S: 'static> {
    pub(super) name: &'static str,
    pub(super) read: fn(&mut S, &mut DocumentEntry<'_, '_>),
}

pub(super) const fn key<S>(
    name: &'static str,
    read: fn(&mut S, &mut DocumentEntry<'_, '_>),
) -> Key<S> {
    Key { name, read }
}

/// The row of a key; `None`: the table has no such key.
pub(super) fn find<S>(keys: &'static [Key<S>], name: &str) -> Option<&'static Key<S>> {
    keys.iter().find(|key| key.name == name)
}

/// The names of the keys of a table.
pub(super) fn names<S>(keys: &'static [Key<S>]) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|key| key.name)
}
