//! Noticing that somebody writes to a file, with inotify(7).
//!
//! Protocol: the kernel makes the watch readable when the file is written to, whoever does it. So a
//! file that is written to all of a sudden is looked at at once, and one at rest costs nothing.
//!
//! It does not promise that there is a watch: a user has only a few of them. Nor does it notice
//! what another machine writes on a network file system.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// A watch of one file.
pub struct FileWatch(Inotify);

impl FileWatch {
    /// Begins to watch a file.
    ///
    /// # Errors
    /// The file can't be read, or the kernel has no more watches.
    pub fn new(file: &Path) -> io::Result<Self> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        watch.add_watch(file, AddWatchFlags::IN_MODIFY)?;
        Ok(Self(watch))
    }

    /// Forgets what was written so far: it can be read again when more is written.
    pub fn clear(&self) {
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::sys::clock::Deadline;
    use crate::sys::poll::wait_until_readable;

    #[test]
    fn write_by_another_descriptor_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut file = File::create(&path).unwrap();
        let watch = FileWatch::new(&path).unwrap();
        let is_noticed = || {
            let patience = Duration::from_millis(50);
            let end = Deadline::after(patience);
            wait_until_readable(&[watch.as_fd()], patience).unwrap();
            !end.is_over()
        };

        assert!(!is_noticed());
        file.write_all(b"x").unwrap();
        assert!(is_noticed());
        watch.clear();
        assert!(!is_noticed());
    }
}
