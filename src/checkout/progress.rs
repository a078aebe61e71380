//! How far a long export is.

use std::time::Duration;

use crate::sys::clock::Deadline;
use crate::text::grouped;

/// After which time the first line comes.
const FIRST: Duration = Duration::from_secs(2);

/// The time between two lines.
const EACH: Duration = Duration::from_secs(1);

/// Counts what was exported, and says it from time to time.
pub(super) struct Progress {
    all: u64,
    files: u64,
    bytes: u64,
    next: Deadline,
}

impl Progress {
    /// Of so many files.
    pub(super) fn of(all: u64) -> Self {
        Self {
            all,
            files: 0,
            bytes: 0,
            next: Deadline::after(FIRST),
        }
    }

    /// Counts files and bytes, and says how far it is if it is time.
    pub(super) fn add(&mut self, files: u64, bytes: u64, say: &mut dyn FnMut(&str)) {
        self.files += files;
        self.bytes += bytes;
        if self.next.is_over() {
            self.next = Deadline::after(EACH);
            say(&line(self.files, self.all, self.bytes));
        }
    }

    /// Takes back so many files, which have to be sent after all.
    pub(super) fn again(&mut self, files: u64) {
        self.files = self.files.saturating_sub(files);
    }

    /// Says that everything was sent and only the disk is waited for, if `is_written` does not come
    /// until the next line is due.
    pub(super) fn end(&self, is_written: impl FnOnce(Duration) -> bool, say: &mut dyn FnMut(&str)) {
        if !is_written(self.next.left()) {
            let line = line(self.files, self.all, self.bytes);
            say(&format!("{line}; waiting for the disk"));
        }
    }
}

fn line(files: u64, all: u64, bytes: u64) -> String {
    let share = (files.saturating_mul(100)).checked_div(all).unwrap_or(100);
    format!(
        "exported {} of {} files ({share} %), {} MiB",
        grouped(files),
        grouped(all),
        grouped(bytes / (1024 * 1024))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_is_named_only_if_it_is_waited_for() {
        for (is_written, expect) in [
            (true, ""),
            (
                false,
                "exported 2 of 2 files (100 %), 3 MiB; waiting for the disk",
            ),
        ] {
            let (mut progress, mut said) = (Progress::of(2), String::new());
            progress.add(2, 3 << 20, &mut |line| panic!("{line} is said too early"));
            let wait = |time: Duration| {
                assert!(time > FIRST / 2 && time <= FIRST, "{time:?}");
                is_written
            };
            progress.end(wait, &mut |line| said.push_str(line));
            assert_eq!(said, expect);
        }
    }

    #[test]
    fn line_names_files_share_and_bytes() {
        let table = [
            (
                (12_000, 20_000, 48 << 20),
                "exported 12,000 of 20,000 files (60 %), 48 MiB",
            ),
            ((0, 1, 0), "exported 0 of 1 files (0 %), 0 MiB"),
            (
                (999, 1_234_567, 5 << 40),
                "exported 999 of 1,234,567 files (0 %), 5,242,880 MiB",
            ),
            ((0, 0, 0), "exported 0 of 0 files (100 %), 0 MiB"),
        ];
        for ((files, all, bytes), expected) in table {
            assert_eq!(line(files, all, bytes), expected);
        }
    }
}
