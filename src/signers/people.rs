//! Which names are of one person, as the file of allowed signers has them.
//!
//! A line gives a key to a name (ssh-keygen(1), ALLOWED SIGNERS). Where one key has several names,
//! in one line or in several, these are names of one person. So a person who has more keys, each
//! with a name of its own, is known as one.

use std::collections::{BTreeMap, BTreeSet};

use super::allowed_signers::parse;

/// The names of each key that has more than one. The key of an authority is nobody's own, and its
/// names are patterns.
pub(super) fn same_people(allowed_signers: &[u8]) -> Vec<BTreeSet<String>> {
    let lines = parse(allowed_signers).into_iter();
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines.filter(|line| !line.is_authority) {
        let own = line.names.into_iter().filter(|name| is_name(name));
        names.entry(line.key).or_default().extend(own);
    }
    let names = names.into_values();
    names.filter(|names| names.len() > 1).collect()
}

/// Whether a name is that of one person, and not a pattern for many.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(['*', '?', '!', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_key_are_of_one_person() {
        let table = [
            ("a@x ssh-ed25519 AAAA1\nb@x ssh-ed25519 AAAA2", ""),
            ("a@x,b@x ssh-ed25519 AAAA1 comment", "a@x=b@x"),
            (
                "a@x ssh-ed25519 AAAA1\n\n b@x ssh-ed25519 AAAA1\r\n",
                "a@x=b@x",
            ),
            (
                "a@x namespaces=\"git\",valid-after=\"20200101\" ssh-ed25519 AAAA1\n\
                 b@x\tssh-ed25519 AAAA1 AAAA2",
                "a@x=b@x",
            ),
            ("\"a b@x,c@x\" ssh-ed25519 AAAA1", "a b@x=c@x"),
            ("# a@x,b@x ssh-ed25519 AAAA1", ""),
            ("a@x,b@x,*@x cert-authority ssh-ed25519 AAAA1", ""),
            (
                "a@x,b@x namespaces=\"git\",Cert-Authority ssh-rsa AAAA1",
                "",
            ),
            (
                "a@x,*@y,!c@y ssh-ed25519 AAAA1\nb@x ssh-ed25519 AAAA1",
                "a@x=b@x",
            ),
            ("\"a@x,b@x ssh-ed25519 AAAA1", ""),
            ("a@x,b@x", ""),
            ("a@x,b@x no-key", ""),
        ];
        for (file, expect) in table {
            let found = same_people(file.as_bytes()).into_iter();
            let found: Vec<String> = found
                .map(|names| names.into_iter().collect::<Vec<_>>().join("="))
                .collect();
            assert_eq!(found.join(" "), expect, "{file}");
        }
        assert_eq!(same_people(b"\xff\xfe").len(), 0);
    }
}
