//! What there is to say about the files of keys and the programs that look at signatures.

use super::known::KnownPeople;

/// How many things of one kind are named.
const NAMED_MAX: usize = 5;

/// What there is to say about the files of keys and the programs.
#[derive(Debug, Clone, Default)]
pub struct ExaminedKeys {
    /// The people that the files name.
    pub people: KnownPeople,
    /// The files and programs that are as they should be, each with what it has.
    pub good: Vec<String>,
    /// What is wrong.
    pub faults: Vec<KeyFault>,
}

/// Something that keeps people from signing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFault {
    /// Whether nobody can deploy somewhere because of it. Otherwise some people can't sign.
    pub is_error: bool,
    /// The key of the configuration.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: String,
}

impl ExaminedKeys {
    pub(super) fn fault(&mut self, is_error: bool, key: &str, found: String, fix: &str) {
        let (key, fix) = (key.to_owned(), fix.to_owned());
        self.faults.push(KeyFault {
            is_error,
            key,
            found,
            fix,
        });
    }
}

/// Some things with commas between them; `None`: there are none.
pub(super) fn listed(things: &[String]) -> Option<String> {
    let mut named: Vec<String> = things.iter().take(NAMED_MAX).cloned().collect();
    if things.len() > NAMED_MAX {
        named.push(format!("and {} more", things.len() - NAMED_MAX));
    }
    (!named.is_empty()).then(|| named.join(", "))
}
