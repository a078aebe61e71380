//! How far a fetch is, by what git says about it.

use std::time::Duration;

use crate::sys::clock::Deadline;
use crate::text;

/// How long a fetch is silent, and how often it says afterwards how far it is.
const SILENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(1);

/// The longest line that is looked at, in bytes.
const LINE_MAX: usize = 200;

/// Makes lines for people of what git writes with `--progress`. The other host writes a part of
/// that: only numbers are taken over.
#[derive(Debug)]
pub struct FetchProgress {
    /// The line that is not finished yet.
    line: Vec<u8>,
    /// How far it is.
    now: Option<String>,
    next: Deadline,
}

impl Default for FetchProgress {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            now: None,
            next: Deadline::after(SILENCE),
        }
    }
}

impl FetchProgress {
    /// Takes what git has written since the last call, if anything, and returns what to say now.
    pub fn hear(&mut self, written: &[u8]) -> Option<String> {
        for byte in written {
            if matches!(byte, b'\r' | b'\n') {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                self.now = progress(&line).or(self.now.take());
            } else if self.line.len() < LINE_MAX {
                self.line.push(*byte);
            }
        }
        if !self.next.is_over() {
            return None;
        }
        self.next = Deadline::after(PAUSE);
        Some(
            self.now
                .clone()
                .unwrap_or_else(|| "waiting for the host".to_owned()),
        )
    }
}

/// What a line about progress says, as `Receiving objects:  45% (450/1000), 12.00 MiB | 5 MiB/s`.
/// `None`: it is no such line.
fn progress(line: &str) -> Option<String> {
    let (what, rest) = line.split_once(':')?;
    let what = match what {
        "Receiving objects" => "received",
        "Resolving deltas" => "resolved",
        _ => return None,
    };
    let of = if what == "received" {
        "objects"
    } else {
        "deltas"
    };

    let (share, rest) = rest.trim_start().split_once("% (")?;
    let (counts, rest) = rest.split_once(')')?;
    let (done, all) = counts.split_once('/')?;
    let (share, done, all): (u8, u64, u64) =
        (share.parse().ok()?, done.parse().ok()?, all.parse().ok()?);
    let (done, all) = (text::grouped(done), text::grouped(all));
    let size = size(rest).map_or_else(String::new, |size| format!(", {size}"));
    Some(format!("{what} {share} %, {done} of {all} {of}{size}"))
}

/// The amount in `, 12.00 MiB | 5.00 MiB/s`, without what is behind its point.
fn size(rest: &str) -> Option<String> {
    let amount = rest.strip_prefix(", ")?.split(" | ").next()?;
    let (number, unit) = amount.trim_end_matches([',', '.']).split_once(' ')?;
    let whole: u64 = number.split('.').next()?.parse().ok()?;
    ["bytes", "KiB", "MiB", "GiB"]
        .contains(&unit)
        .then(|| format!("{} {unit}", text::grouped(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_become_numbers_for_people() {
        let table = [
            (
                "Receiving objects:  45% (450/1000), 12.00 MiB | 5.00 MiB/s",
                Some("received 45 %, 450 of 1,000 objects, 12 MiB"),
            ),
            (
                "Receiving objects: 100% (3/3), 275 bytes | 275.00 KiB/s, done.",
                Some("received 100 %, 3 of 3 objects, 275 bytes"),
            ),
            (
                "Receiving objects:   0% (1/1234567)",
                Some("received 0 %, 1 of 1,234,567 objects"),
            ),
            (
                "Resolving deltas:  50% (1/2)",
                Some("resolved 50 %, 1 of 2 deltas"),
            ),
            ("remote: Counting objects: 100% (3/3), done.", None),
            ("Receiving objects: \u{1b}[2J% (1/2)", None),
            ("Receiving objects: 1% (1/99999999999999999999999)", None),
            (
                "Receiving objects: 1% (1/2), 1 evil | x",
                Some("received 1 %, 1 of 2 objects"),
            ),
            ("", None),
        ];
        for (line, expect) in table {
            assert_eq!(progress(line).as_deref(), expect, "{line:?}");
        }
    }

    #[test]
    fn nothing_is_said_before_two_seconds_and_no_line_is_kept_without_end() {
        let mut progress = FetchProgress::default();
        assert_eq!(progress.hear(&[b'x'; 10 * LINE_MAX]), None);
        assert_eq!(progress.line.len(), LINE_MAX);
        assert_eq!(
            progress.hear(b"\nReceiving objects:  45% (450/1000)\r"),
            None
        );
        progress.next = Deadline::after(Duration::ZERO);
        let said = progress.hear(b"").unwrap();
        assert_eq!(said, "received 45 %, 450 of 1,000 objects");
        assert_eq!(progress.hear(b""), None, "a second has not passed");
    }
}
