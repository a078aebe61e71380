//! The environment variables of this process.
//!
//! Protocol: a hook inherits what the git host told git, and that can be the pusher's password
//! (`HTTP_AUTHORIZATION`). A command inherits what the person who typed it has, and root's can hold
//! a token. /proc/PID/environ shows the memory in which the kernel put the variables when the
//! process began, to every process of the same user, and goes on to show it when a variable is
//! changed or removed. So the variables are copied, and that memory is overwritten.
//!
//! It does not promise to hide anything from a process that may trace this one (ptrace(2)), nor
//! what other processes have inherited, as the git has that started this hook.

use std::env;
use std::ffi::{CStr, OsStr, OsString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

// SAFETY: environ(7), which every process has: a list of strings that ends with a null pointer.
#[expect(unsafe_code, reason = "sys is where it may stand")]
unsafe extern "C" {
    static environ: *const *mut c_char;
}

/// Whether the memory in which the kernel put the variables was overwritten.
static IS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// Overwrites the memory in which this process began with its variables, and keeps the variables.
/// This process must not have a second thread yet.
pub fn hide() {
    replace(&env::vars_os().collect::<Vec<_>>());
}

/// Gives this process these variables and no others, and overwrites the memory in which it began
/// with others. This process must not have a second thread yet.
pub fn replace(variables: &[(OsString, OsString)]) {
    // Only at first are the strings where the kernel put them.
    let inherited = if IS_HIDDEN.swap(true, Ordering::Relaxed) {
        Vec::new()
    } else {
        strings()
    };

    // SAFETY: there is one thread, so nobody else reads or changes the variables meanwhile.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        libc::clearenv();
    }
    // The kernel hands over any strings. What has no proper name is no variable.
    let has_name = |name: &OsStr| !name.is_empty() && !name.as_bytes().contains(&b'=');
    for (name, value) in variables.iter().filter(|(name, _)| has_name(name)) {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            env::set_var(name, value);
        }
    }

    for (string, length) in inherited {
        // SAFETY: the string is in the memory that the kernel made for this process, which it may
        // write to, and nothing refers to it any more.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            ptr::write_bytes(string, 0, length);
        }
    }
}

/// Where the strings `NAME=VALUE` are, and their lengths in bytes.
fn strings() -> Vec<(*mut c_char, usize)> {
    // SAFETY: nobody changes the list meanwhile, since there is one thread.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let list = unsafe { environ };
    if list.is_null() {
        return Vec::new();
    }

    let string = |index| {
        // SAFETY: a null pointer ends the list, and nothing behind it is asked for.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let entry = unsafe { list.add(index) };
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let string = unsafe { entry.read() };
        string
    };
    let length = |string: *mut c_char| {
        // SAFETY: each entry of the list is a string that ends with a NUL.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let string = unsafe { CStr::from_ptr(string) };
        string.count_bytes()
    };
    let strings = (0..).map(string).take_while(|string| !string.is_null());
    strings.map(|string| (string, length(string))).collect()
}

/// Lets a command inherit those of the variables that are named, and no others.
pub fn inherit_only(command: &mut Command, names: &[&str]) {
    command.env_clear();
    command.envs(named(names));
}

/// Those of this process's variables that are named.
#[must_use]
pub fn named(names: &[&str]) -> Vec<(OsString, OsString)> {
    let value = |name: &&str| Some((OsStr::new(name).to_owned(), env::var_os(name)?));
    names.iter().filter_map(value).collect()
}
