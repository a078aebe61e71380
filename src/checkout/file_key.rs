//! What makes a file of one release the same as a file of another one: its path, whether it may be
//! executed, and its content.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::order::CheckoutOrder;
use crate::git::ExportRules;

/// How many bytes of an object's id are compared. So many can't be made to agree on purpose.
const ID: usize = 16;

/// How many bytes a key has.
pub(super) const KEY: usize = 8 + ID;

/// A folder in a release, as a number that is made of its path.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlaceNumber(u64);

impl PlaceNumber {
    /// The release of an order. Its number is another one where files have other rights, or where
    /// another rule decides which of them there may be.
    pub(super) fn root(order: &CheckoutOrder) -> Self {
        Self::of_rights(order.is_shared, order.rules)
    }

    fn of_rights(is_shared: bool, rules: ExportRules) -> Self {
        let mut hasher = DefaultHasher::new();
        (is_shared, rules).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// A folder in this one.
    pub(super) fn inside(self, name: &[u8]) -> Self {
        Self(self.number(name, 'd'))
    }

    /// A file in this folder. `id` is that of its content.
    pub(super) fn file(self, name: &[u8], is_executable: bool, id: &[u8]) -> FileKey {
        let kind = if is_executable { 'x' } else { 'f' };
        let mut key = [0; KEY];
        let (place, content) = key.split_at_mut(8);
        place.copy_from_slice(&self.number(name, kind).to_le_bytes());
        for (to, from) in content.iter_mut().zip(id) {
            *to = *from;
        }
        FileKey(key)
    }

    fn number(self, name: &[u8], kind: char) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.0, name, kind).hash(&mut hasher);
        hasher.finish()
    }
}

/// A file with its path and its content. The paths of two files with the same key may differ, if
/// somebody took great pains; the contents do not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileKey(pub(super) [u8; KEY]);

impl FileKey {
    /// Takes the digits that a key is written with; `None`: they are none.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        let mut key = [0; KEY];
        if digits.len() != 2 * KEY || !digits.is_ascii() {
            return None;
        }
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(key))
    }
}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(is_shared: bool) -> PlaceNumber {
        PlaceNumber::of_rights(is_shared, ExportRules::default())
    }

    #[test]
    fn key_tells_path_rights_and_content_apart() {
        let pointers = ExportRules {
            lfs_pointers: true,
            ..ExportRules::default()
        };
        let (shared, pointers) = (root(true), PlaceNumber::of_rights(false, pointers));
        let root = root(false);
        let key = root.inside(b"a").file(b"b", false, &[7; 20]);
        let others = [
            shared.inside(b"a").file(b"b", false, &[7; 20]),
            pointers.inside(b"a").file(b"b", false, &[7; 20]),
            root.file(b"b", false, &[7; 20]),
            root.inside(b"a").inside(b"a").file(b"b", false, &[7; 20]),
            root.inside(b"a").file(b"c", false, &[7; 20]),
            root.inside(b"a").file(b"b", true, &[7; 20]),
            root.inside(b"a").file(b"b", false, &[8; 20]),
            root.inside(b"a/b").file(b"", false, &[7; 20]),
        ];
        for other in others {
            assert!(key != other, "{key} {other}");
        }
        assert!(key == root.inside(b"a").file(b"b", false, &[7; 20]));
    }

    #[test]
    fn key_is_written_and_read_again() {
        let key = root(false).file(b"a", false, &[0xf1; 32]);
        assert!(FileKey::parse(&key.to_string()) == Some(key));
        for other in [
            "",
            "00",
            &"x".repeat(48),
            &"\u{e9}".repeat(24),
            &"0".repeat(50),
        ] {
            assert!(FileKey::parse(other).is_none(), "{other}");
        }
    }
}
