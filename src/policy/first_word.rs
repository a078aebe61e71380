//! What somebody may have meant whose deploy file does not begin with a whole commit hash.

use crate::deployfile::ContentError;
use crate::id::{Revision, RevisionError};
use crate::text;

/// What was found in place of a revision, and what to do about it.
pub(super) struct FirstWord {
    pub(super) found: String,
    pub(super) hint: String,
}

/// What is at the beginning of a file in place of a revision.
pub(super) fn explain(error: &ContentError) -> FirstWord {
    let content = match error {
        ContentError::NotARevision { beginning, .. } => beginning.as_slice(),
        ContentError::NoRevision => &[],
    };
    let as_usual = |hint: String| FirstWord {
        found: error.to_string(),
        hint,
    };

    if let Some(encoding) = encoding(content) {
        return FirstWord {
            found: format!("the file is {encoding} text, and a deploy file is ASCII or UTF-8"),
            hint: format!(
                "save it as UTF-8 without a byte order mark{}",
                if encoding == "UTF-16" {
                    "; in Windows PowerShell, > writes UTF-16, and Out-File -Encoding ascii \
                     does not"
                } else {
                    ""
                }
            ),
        };
    }

    let text = String::from_utf8_lossy(content);
    let line = text.lines().next().unwrap_or_default();
    if line.starts_with("<<<<<<<") || line.starts_with("=======") || line.starts_with(">>>>>>>") {
        return as_usual(
            "these are the marks of a merge conflict: resolve it, with the entry to deploy at the \
             top"
            .to_owned(),
        );
    }
    if line.starts_with("version https://git-lfs") {
        return as_usual(
            "the file is a Git LFS pointer: remove deploy files from .gitattributes, and add the \
             file again"
                .to_owned(),
        );
    }
    match error {
        ContentError::NotARevision { word, error, .. } => {
            as_usual(hint(*error, word, line).unwrap_or_else(|| default_hint(*error)))
        }
        ContentError::NoRevision => as_usual(
            "write the whole commit hash to deploy as the first word; to retire the application, \
             delete the file"
                .to_owned(),
        ),
    }
}

/// The encoding of a text that is neither ASCII nor UTF-8, by its byte order mark (Unicode, 23.8)
/// or by where its zero bytes are.
fn encoding(content: &[u8]) -> Option<&'static str> {
    let is_zero: Vec<bool> = content.iter().take(4).map(|b| *b == 0).collect();
    match (content, is_zero.as_slice()) {
        ([0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..], _)
        | (_, [false, true, true, true] | [true, true, true, false]) => Some("UTF-32"),
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..], _)
        | (_, [false, true, false, true] | [true, false, true, false]) => Some("UTF-16"),
        _ => None,
    }
}

/// What to do about a first word that has, or is followed by, what was meant.
fn hint(error: RevisionError, word: &str, line: &str) -> Option<String> {
    match error {
        RevisionError::NotHexadecimal => {}
        RevisionError::WrongLength => {
            let count = word.chars().count();
            return Some(format!(
                "these are {count} digits: copy the hash again, as git rev-parse prints it"
            ));
        }
        RevisionError::Null | RevisionError::Abbreviated => return None,
    }

    let first = line.split_ascii_whitespace().next().unwrap_or_default();
    let invisible = first
        .chars()
        .find(|c| text::is_deceptive(*c) || c.is_whitespace());
    if let Some(c) = invisible {
        let c = c.escape_default();
        return Some(match c.to_string().as_str() {
            "\\u{feff}" => "save the file without a byte order mark".to_owned(),
            c => format!("{c} can't be seen: copy the hash again, as git rev-parse prints it"),
        });
    }

    if let Some(hash) = hash_in(line) {
        return Some(format!(
            "write nothing before it, around it or next to it: {hash}"
        ));
    }
    is_name(first).then(|| {
        format!(
            "write the whole hash, as git rev-parse {first} prints it: a name can come to mean \
             another commit"
        )
    })
}

fn default_hint(error: RevisionError) -> String {
    match error {
        RevisionError::Null => "to retire the application, delete the file",
        _ => "write the whole hash, 40 or 64 hexadecimal digits, as git rev-parse prints it",
    }
    .to_owned()
}

/// A whole hash that stands in a line.
fn hash_in(line: &str) -> Option<Revision> {
    line.split(|c: char| !c.is_ascii_hexdigit())
        .find_map(|digits| Revision::new(digits).ok())
}

/// Whether a word can be the name of a branch, a tag or another commit that git understands, and
/// stand in a command.
fn is_name(word: &str) -> bool {
    let may_begin = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    may_begin && word.chars().all(is_part) && word.len() <= 72
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployfile;

    const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";

    fn explained(content: &[u8]) -> (String, String) {
        let error = deployfile::revision(content).unwrap_err();
        let FirstWord { found, hint } = explain(&error);
        (found, hint)
    }

    #[test]
    fn other_encoding_is_named() {
        let little =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let big =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
        let wide = |text: &str| -> Vec<u8> {
            text.chars()
                .flat_map(|c| u32::from(c).to_le_bytes())
                .collect()
        };
        let table = [
            (little(&format!("\u{feff}{A}\r\n")), "UTF-16"),
            (big(&format!("\u{feff}{A}\r\n")), "UTF-16"),
            (little(A), "UTF-16"),
            (big(A), "UTF-16"),
            (wide(&format!("\u{feff}{A}")), "UTF-32"),
            (wide(A), "UTF-32"),
        ];
        for (content, encoding) in table {
            let (found, hint) = explained(&content);
            let expect =
                format!("the file is {encoding} text, and a deploy file is ASCII or UTF-8");
            assert_eq!(found, expect);
            assert!(hint.starts_with("save it as UTF-8 without a byte order mark"));
            assert_eq!(hint.contains("PowerShell"), encoding == "UTF-16");
        }
    }

    #[test]
    fn hash_with_something_around_it_is_named() {
        let alone = format!("write nothing before it, around it or next to it: {A}");
        for content in [
            format!("\"{A}\"\n"),
            format!("'{A}'"),
            format!("`{A}`"),
            format!("<{A}>"),
            format!("{A},"),
            format!("{A}."),
            format!("{A};\n"),
            format!("{A}:"),
            format!("commit {A}\n"),
            format!("* {A}\n"),
            format!("- {A} why\n"),
            format!("revision: {A}"),
            format!("sha1:{A}"),
            format!("rev={A}"),
            format!("https://git.example.org/web/commit/{A}"),
            format!("{{\"commit\": \"{A}\"}}"),
            format!("{A}\u{e9}"),
            format!("\n\n  commit {A}\n"),
        ] {
            assert_eq!(explained(content.as_bytes()).1, alone, "{content}");
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        assert!(explained(digest.as_bytes()).1.ends_with(&"a".repeat(64)));
    }

    #[test]
    fn character_that_cannot_be_seen_is_named() {
        for (c, shown) in [
            ('\u{200b}', "\\u{200b}"),
            ('\u{200e}', "\\u{200e}"),
            ('\u{202e}', "\\u{202e}"),
            ('\u{a0}', "\\u{a0}"),
            ('\u{0}', "\\u{0}"),
            ('\u{1b}', "\\u{1b}"),
        ] {
            for content in [format!("{c}{A}"), format!("{A}{c}"), format!("6037{c}{A}")] {
                let expect = format!(
                    "{shown} can't be seen: copy the hash again, as git rev-parse prints it"
                );
                assert_eq!(explained(content.as_bytes()).1, expect, "{content:?}");
            }
        }
        let (_, hint) = explained(format!("\u{feff}{A}").as_bytes());
        assert_eq!(hint, "save the file without a byte order mark");
    }

    #[test]
    fn other_slips_have_hints_of_their_own() {
        let table = [
            (
                "main\n",
                "write the whole hash, as git rev-parse main prints it: a name",
            ),
            (
                "origin/main",
                "write the whole hash, as git rev-parse origin/main prints",
            ),
            (
                "v1.2-3-g60375125",
                "write the whole hash, as git rev-parse v1.2-3-g6037512",
            ),
            ("-h", "write the whole hash, 40 or 64"),
            ("$(git rev-parse HEAD)", "write the whole hash, 40 or 64"),
            ("`id`;rm", "write the whole hash, 40 or 64"),
            ("\u{fffd}", "write the whole hash, 40 or 64"),
            (&"a".repeat(41), "these are 41 digits: copy the hash again"),
            ("6037512", "write the whole hash, 40 or 64"),
            ("<<<<<<< HEAD\n", "these are the marks of a merge conflict"),
            (
                "version https://git-lfs.github.com/spec/v1\n",
                "the file is a Git LFS pointer",
            ),
            (
                &"0".repeat(40),
                "to retire the application, delete the file",
            ),
            (
                "\r\n\r\n",
                "write the whole commit hash to deploy as the first word",
            ),
        ];
        for (content, expect) in table {
            let (_, hint) = explained(content.as_bytes());
            assert!(hint.starts_with(expect), "{content:?}: {hint}");
        }
        assert!(
            explained(b"\xe9\xe8")
                .1
                .starts_with("write the whole hash, 40 or 64")
        );
    }
}
