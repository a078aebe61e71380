//! The lines of a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS), as far as one needs
//! them to find slips. This decides nothing about a signature: ssh-keygen does that.

use std::ops::RangeInclusive;

/// A line that gives names to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllowedLine {
    /// Its number, from 1.
    pub(super) number: usize,
    /// The names and patterns of people.
    pub(super) names: Vec<String>,
    /// Whether the key is one that signs the keys of people.
    pub(super) is_authority: bool,
    /// Whether the key may sign what git signs.
    pub(super) is_for_git: bool,
    /// The days before and after which the key is not valid, as numbers: 20271231. They can be days
    /// of any time zone.
    pub(super) days: RangeInclusive<u32>,
    /// The text of the key.
    pub(super) key: String,
}

/// How the text of each key begins: with a length below 256, in base64.
const KEY_BEGIN: &str = "AAAA";

/// The lines that have names and a key. Others are comments, or ssh-keygen complains of them.
pub(super) fn parse(file: &[u8]) -> Vec<AllowedLine> {
    let text = String::from_utf8_lossy(file);
    let lines = text.split('\n').zip(1..);
    lines
        .filter_map(|(line, number)| read(line.trim_matches(is_space), number))
        .collect()
}

fn read(line: &str, number: usize) -> Option<AllowedLine> {
    if line.starts_with('#') {
        return None;
    }
    // What is quoted may contain spaces and ends with its quote.
    let (names, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => line.split_once(is_space)?,
    };
    let rest = rest.trim_start_matches(is_space);
    let words = |text: &str| -> Vec<String> {
        let words = text.split(is_space).filter(|word| !word.is_empty());
        words.take(2).map(str::to_owned).collect()
    };
    let (options, rest) = match words(rest).get(1) {
        Some(key) if key.starts_with(KEY_BEGIN) => ("", rest),
        _ => rest.split_at(options_end(rest)),
    };
    let key = words(rest).get(1)?.clone();
    if !key.starts_with(KEY_BEGIN) {
        return None;
    }

    let options = split_options(options);
    let is_authority = |option: &String| option.eq_ignore_ascii_case("cert-authority");
    let namespaces = options
        .iter()
        .find_map(|option| value(option, "namespaces"));
    let day = |name: &str| {
        let time = options.iter().find_map(|option| value(option, name))?;
        time.get(..8)?.parse().ok()
    };
    let days = day("valid-after").unwrap_or(0)..=day("valid-before").unwrap_or(u32::MAX);
    let names = names.split(',').filter(|name| !name.is_empty());
    Some(AllowedLine {
        number,
        names: names.map(str::to_owned).collect(),
        is_authority: options.iter().any(is_authority),
        is_for_git: namespaces.is_none_or(has_git),
        days,
        key,
    })
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

/// Where the options end: at the first space outside of quotes.
fn options_end(text: &str) -> usize {
    let mut is_quoted = false;
    let end = text.find(|c| {
        is_quoted ^= c == '"';
        is_space(c) && !is_quoted
    });
    end.unwrap_or(text.len())
}

/// The options between commas, of which those in quotes separate nothing.
fn split_options(options: &str) -> Vec<String> {
    let mut is_quoted = false;
    let options = options.split(|c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    options.map(str::to_owned).collect()
}

/// The value of an option, if it has this name.
fn value<'a>(option: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = option.split_once('=')?;
    found
        .eq_ignore_ascii_case(name)
        .then(|| value.trim_matches('"'))
}

/// Whether a list of namespaces has that of git.
fn has_git(namespaces: &str) -> bool {
    let mut namespaces = namespaces.split(',');
    namespaces.any(|name| matches_pattern(name, "git"))
}

/// Whether a name is matched by a pattern (ssh_config(5), PATTERNS): `*` stands for any characters,
/// `?` for one.
pub(super) fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // Where to go on if the last star has to stand for one character more.
    let mut star: Option<(usize, usize)> = None;

    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else {
                    return false;
                };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line, and what it means: names, whether the key is of an authority and for git.
    type Row = (&'static str, Option<(&'static [&'static str], bool, bool)>);

    #[test]
    fn lines_are_read_as_ssh_keygen_reads_them() {
        let table: &[Row] = &[
            ("a@x ssh-ed25519 AAAAC3", Some((&["a@x"], false, true))),
            (
                "  a@x\tssh-ed25519  AAAAC3 a comment\r",
                Some((&["a@x"], false, true)),
            ),
            (
                "a@x,b@x ssh-rsa AAAAB3",
                Some((&["a@x", "b@x"], false, true)),
            ),
            (
                "\"a@x,b c\" ssh-rsa AAAAB3",
                Some((&["a@x", "b c"], false, true)),
            ),
            (
                "*@x cert-authority ssh-rsa AAAAB3",
                Some((&["*@x"], true, true)),
            ),
            (
                "a@x CERT-authority,namespaces=\"git\" ssh-rsa AAAAB3",
                Some((&["a@x"], true, true)),
            ),
            (
                "a@x namespaces=\"file,a b\" ssh-rsa AAAAB3",
                Some((&["a@x"], false, false)),
            ),
            (
                "a@x Namespaces=\"file,g*\" ssh-rsa AAAAB3",
                Some((&["a@x"], false, true)),
            ),
            (
                "a@x valid-before=\"20300101\",namespaces=\"cert-authority\" ssh-rsa AAAAB3",
                Some((&["a@x"], false, false)),
            ),
            ("# a@x ssh-ed25519 AAAAC3", None),
            ("", None),
            ("a@x", None),
            ("a@x ssh-ed25519", None),
            ("a@x ssh-ed25519 BBBB", None),
            ("a@x cert-authority ssh-ed25519", None),
            ("\"a@x ssh-ed25519 AAAAC3", None),
            ("ssh-ed25519 AAAAC3 a@x", None),
        ];
        for (line, expected) in table {
            let lines = parse(format!("\n{line}\n").as_bytes());
            let found = lines.first().map(|line| {
                assert_eq!(line.number, 2);
                let names: Vec<&str> = line.names.iter().map(String::as_str).collect();
                (names, line.is_authority, line.is_for_git)
            });
            let expected = expected.map(|(names, is_authority, is_for_git)| {
                (names.to_vec(), is_authority, is_for_git)
            });
            assert_eq!(found, expected, "{line:?}");
        }
    }

    #[test]
    fn days_of_validity_are_read() {
        for (options, days) in [
            ("valid-before=\"20271231\"", 0..=20_271_231),
            ("Valid-After=\"202601010930Z\"", 20_260_101..=u32::MAX),
            (
                "valid-after=\"20260101\",valid-before=\"20271231235959\"",
                20_260_101..=20_271_231,
            ),
            ("valid-before=\"soon\"", 0..=u32::MAX),
            ("cert-authority", 0..=u32::MAX),
        ] {
            let lines = parse(format!("a@x {options} ssh-rsa AAAAB3").as_bytes());
            assert_eq!(lines[0].days, days, "{options}");
        }
    }

    #[test]
    fn patterns_stand_for_names() {
        let table = [
            ("*@x", "a@x", true),
            ("*@x", "a@xy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b", "xaayab", true),
            ("*a*b", "xaayac", false),
            ("", "", true),
            ("**", "", true),
            ("a", "A", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches_pattern(pattern, name), expected, "{pattern} {name}");
        }
    }
}
