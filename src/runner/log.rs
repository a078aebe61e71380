//! The log of a deployment, with a limit of size.
//!
//! The command writes straight into the file, so a command goes on when its runner is killed. While
//! it runs, a hole is punched into the middle of a file above the limit, which gives the disk space
//! back. When it has ended, the file is written anew: the head, a line that says how much is left
//! out, and the tail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::sys::sharing::Sharing;
use crate::sys::sparse::punch_hole;

/// A log file with a limit.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// In bytes.
    limit: u64,
    /// Where the hole ends.
    punched_up_to: u64,
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
        })
    }

    /// A descriptor with which a command appends to the log.
    ///
    /// # Errors
    /// The file can't be opened.
    pub(super) fn for_command(&self) -> io::Result<File> {
        // The file that is open already: by its name somebody could lead to another one.
        let opened = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        OpenOptions::new().append(true).open(opened)
    }

    /// Writes a line of this program's own. Where the log can't be written, everything goes on
    /// without that line.
    pub(super) fn say(&mut self, line: &str) {
        let unfinished = if self.ends_its_line() { "" } else { "\n" };
        let _ = writeln!(self.file, "{unfinished}deploy-by-code: {line}");
    }

    /// Whether what was written last ends with a line break.
    fn ends_its_line(&self) -> bool {
        let mut last = [0];
        let Some(at) = self.size().checked_sub(1) else {
            return true;
        };
        self.file.read_exact_at(&mut last, at).is_err() || last == *b"\n"
    }

    fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Gives back the disk space of what is neither head nor tail.
    pub(super) fn keep_within_limit(&mut self) {
        let half = self.limit / 2;
        let start = self.punched_up_to.max(half);
        let end = self.size().saturating_sub(half);
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
        let size = self.size();
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
