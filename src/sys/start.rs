//! How the process begins.
//!
//! Protocol: the C library calls the program's `main` itself, without the start of Rust's standard
//! library, which reads /proc/self/maps to find the end of the stack. For a hook that has nothing
//! to do, that is a good part of all its work. What else that start does is done here, in the same
//! way: the three standard descriptors are open afterwards, so that no file that is opened later
//! gets one of their numbers, and SIGPIPE is ignored, so that a reader who has gone away is an
//! error of the write. The standard library itself takes the arguments from the C library.
//!
//! It does not promise a message where the stack overflows: the process is ended by SIGSEGV. Nor
//! does it hand on what waits in the buffer of standard output at the end: the caller does that.

use std::io;
use std::os::fd::{IntoRawFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::stat::Mode;

/// Defines the function that the C library calls when the process begins: it prepares the process,
/// and then calls the function that is named, which returns the exit code.
#[macro_export]
macro_rules! c_main {
    ($main:path) => {
        /// Called by the C library when the process begins.
        #[unsafe(no_mangle)]
        pub extern "C" fn main(
            _count: std::ffi::c_int,
            _words: *const *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            $crate::sys::start::prepare();
            let code: u8 = $main();
            code.into()
        }
    };
}

/// Gives the process what every Rust program begins with. A process that can't have it is ended.
pub fn prepare() {
    if open_standard_descriptors()
        .and(ignore_broken_pipes())
        .is_err()
    {
        std::process::abort();
    }
}

/// Opens /dev/null under those of the numbers 0 to 2 that are closed.
fn open_standard_descriptors() -> io::Result<()> {
    let mut looked_at = [0, 1, 2].map(|fd: RawFd| libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    });
    loop {
        // SAFETY: poll(2) writes to the list, which has three entries.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let answer = unsafe { libc::poll(looked_at.as_mut_ptr(), 3, 0) };
        match Errno::result(answer) {
            Ok(_) => break,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }

    let is_closed = |entry: &&libc::pollfd| entry.revents & libc::POLLNVAL != 0;
    for closed in looked_at.iter().filter(is_closed) {
        // The kernel gives out the lowest number that is free, which is this one.
        // What this process starts inherits it, as it would any standard descriptor.
        let null = open("/dev/null", OFlag::O_RDWR, Mode::empty())?;
        if null.into_raw_fd() != closed.fd {
            return Err(io::Error::other("another number than the lowest"));
        }
    }
    Ok(())
}

fn ignore_broken_pipes() -> io::Result<()> {
    // SAFETY: no handler is installed, and the old one was none of this program's.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let set = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    Ok(set.map(drop)?)
}
