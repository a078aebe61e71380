//! Starting a program in a session of its own, without a copy of this process.
//!
//! Protocol: posix_spawn(3) lets the child use this process's memory until it executes the program,
//! so nothing has to be copied, and a program that can't be executed is an error here. The child
//! does the steps that it is given, in their order, and nothing else.
//!
//! It does not promise that the program does anything after it was executed.

use std::ffi::{CString, OsStr, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;

/// Starts a program in a session of its own, in the folder `/`, with these arguments and variables,
/// and with /dev/null as its standard descriptors; every other one is closed. No signal is blocked,
/// and SIGPIPE ends it again. Whoever calls this waits for its end.
///
/// # Errors
/// It can't be started, or a text has a NUL.
pub(super) fn spawn(
    program: &Path,
    arguments: &[&OsStr],
    environment: &[(&str, &str)],
) -> io::Result<Pid> {
    let program = CString::new(program.as_os_str().as_bytes())?;
    let arguments: Vec<CString> = arguments
        .iter()
        .map(|argument| CString::new(argument.as_bytes()))
        .collect::<Result<_, _>>()?;
    let environment: Vec<CString> = environment
        .iter()
        .map(|(name, value)| CString::new(format!("{name}={value}")))
        .collect::<Result<_, _>>()?;

    let steps = Steps::new()?;
    let attributes = Attributes::new()?;
    let arguments = list([&program].into_iter().chain(&arguments));
    let environment = list(&environment);
    let mut pid = 0;
    // SAFETY: both lists end with a null pointer, and what they lead to lives until this returns;
    // the C library does not change it.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let result = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const steps.0,
            &raw const attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    };
    check(result).map(|()| Pid::from_raw(pid))
}

/// A list of texts as execve(2) takes it.
fn list<'t>(texts: impl IntoIterator<Item = &'t CString>) -> Vec<*mut c_char> {
    let texts = texts.into_iter().map(|text| text.as_ptr().cast_mut());
    texts.chain([ptr::null_mut()]).collect()
}

/// The functions of posix_spawn(3) return the error, and do not set errno.
fn check(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno).into()),
    }
}

/// What the child does before it executes the program.
struct Steps(libc::posix_spawn_file_actions_t);

impl Steps {
    fn new() -> io::Result<Self> {
        let mut steps = MaybeUninit::uninit();
        // SAFETY: this makes the object at the address a valid one.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawn_file_actions_init(steps.as_mut_ptr()) })?;
        // SAFETY: it is valid now.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let mut steps = Self(unsafe { steps.assume_init() });

        let all = &raw mut steps.0;
        for fd in 0..3 {
            let (null, mode) = (c"/dev/null".as_ptr(), libc::O_RDWR);
            // SAFETY: the object is valid, and the C library copies the path.
            #[expect(unsafe_code, reason = "sys is where it may stand")]
            check(unsafe { libc::posix_spawn_file_actions_addopen(all, fd, null, mode, 0) })?;
        }
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawn_file_actions_addclosefrom_np(all, 3) })?;
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(all, c"/".as_ptr()) })?;
        Ok(steps)
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        // SAFETY: the object is valid, and nothing uses it any more.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            libc::posix_spawn_file_actions_destroy(&raw mut self.0);
        }
    }
}

/// What the child's process is.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: this makes the object at the address a valid one.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: it is valid now.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let mut attributes = Self(unsafe { attributes.assume_init() });

        let all = &raw mut attributes.0;
        // This process ignores SIGPIPE, and an ignored signal stays ignored over an exec.
        let ended_by = SigSet::from(Signal::SIGPIPE);
        // SAFETY: the object is valid, and the C library copies the set.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawnattr_setsigdefault(all, ended_by.as_ref()) })?;
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawnattr_setsigmask(all, SigSet::empty().as_ref()) })?;

        // They are small numbers, for which the C library has a short type.
        #[expect(clippy::cast_possible_truncation, reason = "they fit")]
        let flags = libc::POSIX_SPAWN_SETSID
            | (libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK) as libc::c_short;
        // SAFETY: the object is valid.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        check(unsafe { libc::posix_spawnattr_setflags(all, flags) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the object is valid, and nothing uses it any more.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            libc::posix_spawnattr_destroy(&raw mut self.0);
        }
    }
}
