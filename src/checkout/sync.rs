//! Writing to disk while a release is still being made.

use std::ffi::OsStr;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::sys::folder::OpenFolder;

/// How long to wait between two times.
const PAUSE: Duration = Duration::from_millis(50);

/// Does some work, and meanwhile lets the folder's file system write to disk what there is. So less
/// is left when the work is done. It promises nothing: whoever needs the files on disk still has to
/// sync the file system. No error gets lost by this, because the kernel tells it once to each open
/// folder (syncfs(2)), and this opens one of its own.
pub(super) fn syncing<T>(folder: &OpenFolder, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = sync_channel::<()>(0);
    thread::scope(|scope| {
        if let Ok(folder) = folder.folder(OsStr::new(".")) {
            let sync = move || {
                while is_done.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                    let _ = folder.sync_file_system();
                }
            };
            // Without the thread, everything is written at the end.
            let _ = thread::Builder::new().spawn_scoped(scope, sync);
        }
        let worked = work();
        drop(done);
        worked
    })
}
