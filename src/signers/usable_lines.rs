//! Which lines of a file of allowed signers give a key to somebody, and why the others do not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::allowed_signers::{AllowedLine, parse};
use super::examined::{ExaminedKeys, listed};
use super::known::is_pattern;
use super::proof::SSH_SIGNATURE;
use super::ssh;
use crate::text;
use crate::time::Timestamp;

/// The key of the configuration that names the file.
const KEY: &str = "people.allowed_signers";

/// How far a time zone can be from another, and more.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The lines that count now. Says of others why they do not. `has_program`: whether ssh-keygen can
/// be asked.
pub(super) fn usable_lines(
    file: &[u8],
    has_program: bool,
    now: Timestamp,
    examined: &mut ExaminedKeys,
) -> Vec<AllowedLine> {
    let mut lines = parse(file);
    if has_program {
        complaints(file, &mut lines, examined);
    }
    let mut leave_out = |what: &str, fix: &str, why: &mut dyn FnMut(&AllowedLine) -> Why| {
        let mut shown = Vec::new();
        lines.retain(|line| match why(line) {
            Why::Counts => true,
            Why::CountsPartly(text) => {
                shown.push(text);
                true
            }
            Why::IsNone(text) => {
                shown.push(text);
                false
            }
        });
        if let Some(shown) = listed(&shown) {
            examined.fault(false, KEY, format!("{what}: {shown}"), fix);
        }
    };
    let at = |line: &AllowedLine| format!("line {}", line.number);

    // Dates without a zone are of the server's, so a key of which one can't be sure is left.
    let (yesterday, tomorrow) = (day(now.before(DAY)), day(now.after(DAY)));
    leave_out(
        "the key is not valid now",
        "correct valid-before or valid-after, or remove the line",
        &mut |line| {
            let is_now = *line.days.end() >= yesterday && *line.days.start() <= tomorrow;
            Why::unless(is_now, || at(line))
        },
    );
    leave_out(
        "namespaces does not allow signatures of git",
        "write namespaces=\"git\", or leave it out",
        &mut |line| Why::unless(line.is_for_git, || at(line)),
    );

    leave_out(
        "a pattern gives a key to nobody",
        "write the mail address of the person who has the key",
        &mut |line| {
            let pattern = line.names.iter().find(|name| is_pattern(name));
            match pattern {
                Some(pattern) if !line.is_authority => {
                    Why::CountsPartly(format!("{}: {}", at(line), text::quote(pattern, 100)))
                }
                _ => Why::Counts,
            }
        },
    );

    let mut first: BTreeMap<String, AllowedLine> = BTreeMap::new();
    leave_out(
        "two people have the same key, so it counts for the first",
        "leave each key to the person who has it",
        &mut |line| {
            let known = first.entry(line.key.clone());
            let known = known.or_insert_with(|| line.clone());
            let is_same = line.names.iter().all(|name| known.names.contains(name));
            Why::unless(is_same || line.is_authority, || {
                format!("lines {} and {}", known.number, line.number)
            })
        },
    );

    let count = lines.len();
    let s = if count == 1 { "" } else { "s" };
    let good = format!("allowed_signers has {count} key{s}");
    examined.good.push(good);
    lines
}

/// What is wrong with a line.
enum Why {
    Counts,
    CountsPartly(String),
    IsNone(String),
}

impl Why {
    fn unless(counts: bool, shown: impl FnOnce() -> String) -> Self {
        if counts {
            Self::Counts
        } else {
            Self::IsNone(shown())
        }
    }
}

/// What ssh-keygen says about lines that it can't use, which are removed. It looks at all of them
/// for a key that nobody has.
fn complaints(file: &[u8], lines: &mut Vec<AllowedLine>, examined: &mut ExaminedKeys) {
    let complaints = match ssh::complaints(file, SSH_SIGNATURE) {
        Ok(complaints) => complaints,
        Err(error) => {
            let fix = "correct the file: most of its lines can't be used";
            return examined.fault(true, KEY, error.to_string(), fix);
        }
    };
    let is_good = |line: &AllowedLine| !complaints.iter().any(|(number, _)| *number == line.number);
    lines.retain(is_good);

    let shown = complaints
        .iter()
        .map(|(number, why)| format!("line {number}: {why}"));
    if let Some(shown) = listed(&shown.collect::<Vec<_>>()) {
        let found = format!("ssh-keygen can't use {shown}");
        let fix = "correct these lines: each is NAME@HOST, a space, and a public key; see \
                   ssh-keygen(1), ALLOWED SIGNERS";
        examined.fault(false, KEY, found, fix);
    }
}

/// The day of a time as a number: 20271231.
fn day(time: Timestamp) -> u32 {
    let date = time.minute();
    let digits: String = date.chars().filter(char::is_ascii_digit).take(8).collect();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_that_count_are_left() {
        let key = "ssh-rsa AAAAB3";
        let file = format!(
            "a@x {key}1\nb@x {key}1\na@x {key}1\nc@x valid-before=\"20260102\" {key}2\n\
             d@x valid-before=\"20260103\" {key}3\ne@x valid-after=\"20260106\" {key}4\n\
             f@x namespaces=\"file\" {key}5\ng@x {key}5\n*@x {key}6\n*@y cert-authority {key}7\n\
             h@x {key}6\n"
        );
        let now = Timestamp::parse("2026-01-04 12:00").unwrap();
        let mut examined = ExaminedKeys::default();
        let lines = usable_lines(file.as_bytes(), false, now, &mut examined);
        let numbers: Vec<usize> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [1, 3, 5, 8, 9, 10]);

        let found: Vec<&str> = examined.faults.iter().map(|fault| &*fault.found).collect();
        assert_eq!(
            found,
            [
                "the key is not valid now: line 4, line 6",
                "namespaces does not allow signatures of git: line 7",
                "a pattern gives a key to nobody: line 9: \"*@x\"",
                "two people have the same key, so it counts for the first: lines 1 and 2, lines 9 \
                 and 11",
            ]
        );
        assert!(examined.faults.iter().all(|fault| !fault.is_error));
    }
}
