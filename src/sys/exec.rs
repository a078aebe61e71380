//! Why a program could not be executed.
//!
//! Protocol: some numbers of errno(3) are about the machine at this moment: it has no memory, no
//! number for a process, no file or no space left, or a disk fails. The same call can succeed a
//! little later. All others are about what was asked for, for example a program that is missing.
//!
//! execve(2) fails with a number of its own, `ENOEXEC`, for a file that may be executed
//! but is neither a program of this machine nor a script that names its interpreter in a first line
//! that begins with `#!`. A shell, and git, run such a file as a shell script.
//!
//! It does not promise that the file is a shell script: a program for another kind of machine gives
//! the same number.

use std::io;

use nix::errno::Errno;
use nix::libc::ENOEXEC;

/// Whether a program could not be started because the file does not say what should run it.
#[must_use]
pub fn names_no_interpreter(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ENOEXEC)
}

/// Whether an error is about the machine at this moment and not about what was asked for.
#[must_use]
pub fn is_momentary(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw);
    matches!(
        number,
        Some(
            Errno::EAGAIN
                | Errno::ENOMEM
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOSPC
                | Errno::EDQUOT
                | Errno::EIO
                | Errno::EINTR
                | Errno::EBUSY
                | Errno::ENODEV
                | Errno::ENOBUFS
                | Errno::ESTALE
                | Errno::ETIMEDOUT
                | Errno::ETXTBSY
        )
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::OpenOptionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn script_without_a_first_line_for_the_kernel_names_none() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o700);
        io::Write::write_all(&mut options.open(&script).unwrap(), b"exit 0\n").unwrap();

        let error = Command::new(&script).status().unwrap_err();
        assert!(names_no_interpreter(&error), "{error:?}");

        let error = Command::new(folder.path().join("missing")).status();
        assert!(!names_no_interpreter(&error.unwrap_err()));
    }

    #[test]
    fn missing_program_is_not_a_momentary_error() {
        for (errno, expect) in [
            (Errno::EAGAIN, true),
            (Errno::ENOMEM, true),
            (Errno::EMFILE, true),
            (Errno::ENOSPC, true),
            (Errno::ENOENT, false),
            (Errno::EACCES, false),
            (Errno::ENOEXEC, false),
            (Errno::EPERM, false),
        ] {
            assert_eq!(is_momentary(&errno.into()), expect, "{errno}");
        }
        assert!(!is_momentary(&io::Error::other("no errno")));
    }
}
