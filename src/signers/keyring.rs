//! The people that a keyring names (RFC 9580, sections 4.2 and 5.11; GnuPG, doc keybox.txt). This
//! decides nothing about a signature: gpgv does that.

use super::gpg::address;

/// How a keybox says what it is, and where.
const KEYBOX: (usize, &[u8]) = (8, b"KBXf");

/// The kind of a block of a keybox that holds an OpenPGP key.
const OPENPGP_BLOCK: u8 = 2;

/// The tags of packets.
const PUBLIC_KEY: u8 = 6;
const USER_ID: u8 = 13;

/// The mail addresses that each key names. What can't be read ends the list.
pub(super) fn people(keyring: &[u8]) -> Vec<Vec<String>> {
    let (at, magic) = KEYBOX;
    let is_keybox = keyring
        .get(at..)
        .is_some_and(|rest| rest.starts_with(magic));
    let mut people = Vec::new();
    if is_keybox {
        for block in keybox_blocks(keyring) {
            add_people(block, &mut people);
        }
    } else {
        add_people(keyring, &mut people);
    }
    people
}

/// The OpenPGP keys in the blocks of a keybox.
fn keybox_blocks(keybox: &[u8]) -> Vec<&[u8]> {
    let number = |bytes: &[u8], at: usize| -> Option<usize> {
        let bytes = bytes.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_be_bytes(*bytes)).ok()
    };
    let mut blocks = Vec::new();
    let mut rest = keybox;
    while let Some(length) = number(rest, 0)
        && let Some(block) = rest.get(..length.max(1))
    {
        if block.get(4) == Some(&OPENPGP_BLOCK)
            && let (Some(start), Some(length)) = (number(block, 8), number(block, 12))
            && let Some(key) = block.get(start..start.saturating_add(length))
        {
            blocks.push(key);
        }
        rest = &rest[block.len()..];
    }
    blocks
}

/// Adds the people that a row of packets names.
fn add_people(mut packets: &[u8], people: &mut Vec<Vec<String>>) {
    while let Some((tag, body, rest)) = packet(packets) {
        match tag {
            PUBLIC_KEY => people.push(Vec::new()),
            USER_ID => {
                let user = String::from_utf8_lossy(body);
                if let (Some(person), Some(address)) = (people.last_mut(), address(&user)) {
                    person.push(address);
                }
            }
            _ => {}
        }
        packets = rest;
    }
}

/// The first packet: its tag, its body and what comes after it. A body in parts belongs to no key.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let is_new = first & 0x40 != 0;
    let size = |count: usize| -> Option<(usize, &[u8])> {
        let (size, rest) = rest.split_at_checked(count)?;
        let size = size
            .iter()
            .fold(0, |size, byte| size << 8 | usize::from(*byte));
        Some((size, rest))
    };
    let (length, rest) = if is_new {
        match *rest.first()? {
            0..=191 => size(1)?,
            192..=223 => {
                let (length, rest) = size(2)?;
                (length - (192 << 8) + 192, rest)
            }
            224..=254 => return None,
            255 => {
                let (length, rest) = size(5)?;
                (length & 0xffff_ffff, rest)
            }
        }
    } else {
        match first & 3 {
            0 => size(1)?,
            1 => size(2)?,
            2 => size(4)?,
            _ => return None,
        }
    };
    let tag = if is_new {
        first & 0x3f
    } else {
        first >> 2 & 0x0f
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((tag, body, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signers::proof::KEYRING;

    /// The parts of a keyring, and the people that its keys name.
    type Row<'a> = (Vec<&'a [u8]>, &'a [&'a [&'a str]]);

    #[test]
    fn addresses_of_keys_are_read_in_every_form_of_a_packet() {
        let key = [0x98, 1, 0];
        let user = b"Ada <ada@x>";
        let old = [&[0xb4, 11], &user[..]].concat();
        let new = [&[0xcd, 11], &user[..]].concat();
        let long = [&[0xcd, 0xff, 0, 0, 0, 11], &user[..]].concat();
        let two = [&[0xb5, 0, 11], &user[..]].concat();
        let bare = [&[0xb4, 5], &b"b@x.y"[..]].concat();
        let nobody = [&[0xb4, 3], &b"Ada"[..]].concat();
        let table: &[Row<'_>] = &[
            (vec![&key, &old], &[&["ada@x"]]),
            (
                vec![&key, &new, &bare, &key, &long],
                &[&["ada@x", "b@x.y"], &["ada@x"]],
            ),
            (vec![&key, &two, &key, &nobody], &[&["ada@x"], &[]]),
            (vec![&old], &[]),
            (vec![&key, &[0xb4, 12], user], &[&[]]),
            (vec![&key, &[0xcd, 224], user], &[&[]]),
            (vec![b"no keyring"], &[]),
            (vec![], &[]),
        ];
        for (parts, expected) in table {
            assert_eq!(people(&parts.concat()), *expected, "{parts:?}");
        }
    }

    #[test]
    fn keyring_and_keybox_name_the_same_people() {
        let expected = [["proof@deploy-by-code.invalid"]];
        assert_eq!(people(KEYRING), expected);

        let length = |length: usize| u32::try_from(length).unwrap().to_be_bytes();
        let head = [&length(32)[..], &[1, 1, 0, 0], b"KBXf", &[0; 20]].concat();
        let block = [
            &length(20 + KEYRING.len())[..],
            &[OPENPGP_BLOCK, 1, 0, 0],
            &length(20),
            &length(KEYRING.len()),
            &[0; 4],
            KEYRING,
        ]
        .concat();
        assert_eq!(people(&[head.clone(), block].concat()), expected);
        // A block whose length is zero ends nothing in a circle.
        assert!(people(&[&head[..], &[0; 40]].concat()).is_empty());
    }
}
