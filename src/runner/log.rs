//! The log of a deployment, with a limit of size.
//!
//! The command writes straight into the file, so a command goes on when its runner is killed. While
//! it runs, a hole is punched into the middle of a file above the limit, which gives the disk space
//! back. While the file grows, it is looked at every [`LOOK`]. While it is at rest, the kernel says
//! when it is written to, so that a look comes at once, however long the command was silent. When
//! the command has ended, the file is written anew: the head, a line that says how much is left
//! out, and the tail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::phase::Phase;
use crate::sys::clock::{self, Deadline};
use crate::sys::sharing::Sharing;
use crate::sys::sparse::punch_hole;
use crate::sys::watch::FileWatch;

/// How often to look at a file that grows. What the command writes in this time comes on top of the
/// limit, and so does what it writes until a busy machine lets this process look. A second costs
/// 200 looks at the size of a file.
const LOOK: Duration = Duration::from_millis(5);

/// After how many looks at a file at rest the kernel is asked to watch it. A command that ends at
/// once needs no watch, and to close one can take 10 ms.
const LOOKS_AT_REST: u32 = 20;

/// A log file with a limit.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// In bytes.
    limit: u64,
    /// Where the hole ends.
    punched_up_to: u64,
    /// The size at the last look.
    seen: u64,
    /// How many looks ago the file had grown.
    at_rest: u32,
    /// `None`: it is not needed yet, or the kernel gives none.
    watch: Option<FileWatch>,
}

impl Log {
    /// Opens the file for appending, and makes it where it is missing. `limit` is in bytes.
    ///
    /// # Errors
    /// It can't be opened.
    pub(super) fn create(path: PathBuf, sharing: Sharing, limit: u64) -> io::Result<Self> {
        let file = sharing.open_file(&path, OpenOptions::new().read(true).append(true))?;
        Ok(Self {
            path,
            file,
            limit,
            punched_up_to: 0,
            seen: 0,
            at_rest: 0,
            watch: None,
        })
    }

    /// A descriptor with which a command appends to the log.
    ///
    /// # Errors
    /// The file can't be opened.
    pub(super) fn for_command(&self) -> io::Result<File> {
        OpenOptions::new().append(true).open(self.opened())
    }

    /// A path to the file that is open: by its name somebody could lead to another one.
    fn opened(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line of this program's own. Where the log can't be written, everything goes on
    /// without that line.
    pub(super) fn say(&mut self, line: &str) {
        let unfinished = if self.ends_its_line() { "" } else { "\n" };
        let _ = writeln!(self.file, "{unfinished}deploy-by-code: {line}");
    }

    /// Writes the heading of a phase.
    pub(super) fn heading(&mut self, phase: Phase) {
        self.say(&format!("== {phase}"));
    }

    /// Whether what was written last ends with a line break.
    fn ends_its_line(&self) -> bool {
        let mut last = [0];
        match self.size() {
            Ok(0) => true,
            Ok(size) => self.file.read_exact_at(&mut last, size - 1).is_err() || last == *b"\n",
            Err(_) => true,
        }
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// When to call [`Log::keep_within_limit`] next: when this descriptor can be read, where there
    /// is one, and in any case after this time, but not later than `patience`.
    pub(super) fn next_look(&self, patience: Duration) -> (Option<BorrowedFd<'_>>, Duration) {
        match &self.watch {
            Some(watch) if self.at_rest > 0 => (Some(watch.as_fd()), patience),
            _ => (None, patience.min(LOOK)),
        }
    }

    /// Waits, and keeps the file within its limit meanwhile.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = Deadline::after(time);
        loop {
            self.keep_within_limit();
            if end.is_over() {
                return;
            }
            clock::sleep(LOOK.min(end.left()));
        }
    }

    /// Gives back the disk space of what is neither head nor tail.
    pub(super) fn keep_within_limit(&mut self) {
        if let Some(watch) = &self.watch {
            watch.clear();
        }
        // Where the size can't be read, the next look comes soon.
        let Ok(size) = self.size() else {
            self.at_rest = 0;
            return;
        };
        let is_growing = size != self.seen;
        self.at_rest = if is_growing {
            0
        } else {
            self.at_rest.saturating_add(1)
        };
        self.seen = size;
        if self.at_rest == LOOKS_AT_REST && self.watch.is_none() {
            self.watch = FileWatch::new(&self.opened()).ok();
        }

        let half = self.limit / 2;
        let start = self.punched_up_to.max(half);
        let end = size.saturating_sub(half);
        // Not after each line, because a hole is made of whole blocks.
        if end > start + half / 2
            && punch_hole(&self.file, start, end - start).is_ok_and(|punched| punched)
        {
            self.punched_up_to = end;
        }
    }

    /// Writes a file above the limit anew, as head and tail. A process that has the old file open
    /// keeps the old file.
    ///
    /// # Errors
    /// The new file can't be written; the old one stays.
    pub(super) fn close(self, sharing: Sharing) -> io::Result<()> {
        let size = self.size()?;
        if size <= self.limit {
            return Ok(());
        }
        let new = self.path.with_extension("log.new");
        rewrite(&self.file, size, self.limit / 2, &new, sharing)?;
        fs::rename(&new, &self.path)
    }
}

/// Writes the first and the last `half` bytes of a file into a new one.
fn rewrite(old: &File, size: u64, half: u64, path: &Path, sharing: Sharing) -> io::Result<()> {
    let mut new = sharing.open_file(path, OpenOptions::new().write(true))?;
    // A process that died can have left a part of it.
    new.set_len(0)?;

    let mut old = old;
    old.seek(SeekFrom::Start(0))?;
    io::copy(&mut old.take(half), &mut new)?;
    let left_out = size - 2 * half;
    writeln!(new, "\n[deploy-by-code: {left_out} bytes left out]")?;

    old.seek(SeekFrom::Start(size - half))?;
    io::copy(&mut old.take(half), &mut new)?;
    new.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::wait_until_readable;

    #[test]
    fn log_above_the_limit_keeps_its_head_and_tail() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        let mut log = Log::create(path.clone(), Sharing::PRIVATE, 8192).unwrap();
        let mut command = log.for_command().unwrap();

        for number in 0..100_000 {
            writeln!(command, "line {number:06}").unwrap();
            if number % 1000 == 0 {
                log.keep_within_limit();
            }
        }
        log.close(Sharing::PRIVATE).unwrap();

        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("line 000000\n"));
        assert!(text.ends_with("line 099999\n"));
        assert!(
            text.contains("\n[deploy-by-code: 1191808 bytes left out]\n"),
            "the number of bytes that are left out is wrong; the log has {} bytes",
            text.len()
        );
        assert!(text.len() < 8300 && !text.contains('\0'));
    }

    #[test]
    fn write_after_a_rest_is_looked_at_at_once_and_then_often() {
        const LONG: Duration = Duration::from_secs(20);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        let mut log = Log::create(path, Sharing::PRIVATE, 8192).unwrap();
        let mut command = log.for_command().unwrap();

        assert_eq!(log.next_look(LONG).1, LOOK, "nothing is watched yet");
        for _ in 0..=LOOKS_AT_REST {
            log.keep_within_limit();
        }
        let (watch, patience) = log.next_look(LONG);
        assert_eq!(patience, LONG);
        writeln!(command, "line").unwrap();
        let end = Deadline::after(LONG);
        wait_until_readable(&[watch.unwrap()], LONG).unwrap();
        assert!(!end.is_over(), "the write was not noticed");

        log.keep_within_limit();
        let (watch, patience) = log.next_look(LONG);
        assert!(watch.is_none() && patience == LOOK);
    }

    #[test]
    fn log_below_the_limit_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("1.log");
        let mut log = Log::create(path.clone(), Sharing::PRIVATE, 8192).unwrap();

        log.say("hello");
        write!(log.for_command().unwrap(), "tail").unwrap();
        log.say("bye");
        log.keep_within_limit();
        log.close(Sharing::PRIVATE).unwrap();

        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "deploy-by-code: hello\ntail\ndeploy-by-code: bye\n"
        );
    }
}
