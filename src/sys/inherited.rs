//! Files that a command inherits open, for programs that take a file only by its path.
//!
//! Protocol: the command opens `/proc/self/fd/NUMBER` (proc(5)), which is the file that is open
//! under this number. So what it reads is what this process has read or made itself, and nobody can
//! put another file in its place.
//!
//! It does not work where /proc is not mounted. That is an error here, and is not left to the
//! command, which could take it for an answer that it finds no such file.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::errno::Errno;
use nix::libc;

/// Lets a command inherit files, and returns the paths by which it finds them. The files must stay
/// open until it was started.
///
/// # Errors
/// There are no such paths.
pub fn inherit(command: &mut Command, files: &[&File]) -> io::Result<Vec<PathBuf>> {
    let numbers: Vec<libc::c_int> = files.iter().map(|file| file.as_raw_fd()).collect();
    let paths = numbers.iter();
    let paths: Vec<PathBuf> = paths
        .map(|number| PathBuf::from(format!("/proc/self/fd/{number}")))
        .collect();
    for path in &paths {
        path.metadata().map_err(|error| {
            let path = path.display();
            io::Error::new(error.kind(), format!("{path}: {error}; mount /proc"))
        })?;
    }

    let keep = move || {
        for number in &numbers {
            // SAFETY: fcntl with F_SETFD takes a number and touches no memory.
            #[expect(unsafe_code, reason = "sys is where it may stand")]
            let kept = unsafe { libc::fcntl(*number, libc::F_SETFD, 0) };
            Errno::result(kept).map_err(io::Error::from)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only fcntl is called, which is an async-signal-safe system
    // call. The list of numbers was made before.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        command.pre_exec(keep);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sys::file::in_memory;
    use crate::sys::output::output_within;

    #[test]
    fn command_reads_an_inherited_file_by_its_path() {
        let file = in_memory(b"content").unwrap();
        let mut command = Command::new("cat");
        let paths = inherit(&mut command, &[&file]).unwrap();

        command.args(&paths).args(&paths);
        let output = output_within(command, Duration::from_secs(60), 100).unwrap();
        assert_eq!(output.stdout, b"contentcontent");
    }
}
