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
use std::process::Command;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

// SAFETY: environ(7), which every process has: a list of strings that ends with a null pointer.
#[expect(unsafe_code, reason = "sys is where it may stand")]
unsafe extern "C" {
    static environ: *mut *mut c_char;
}

/// Whether the memory in which the kernel put the variables was overwritten.
static IS_HIDDEN: AtomicBool = AtomicBool::new(false);

/// Overwrites the memory in which this process began with its variables, and keeps the variables.
/// This process must not have a second thread yet.
pub fn hide() {
    // Only at first are the strings where the kernel put them.
    if IS_HIDDEN.swap(true, Ordering::Relaxed) {
        return;
    }

    // The list goes on with copies. Setting each variable anew would take the C library longer than
    // all that a hook does which has nothing to do.
    let strings = strings();
    let mut copies = Vec::new();
    for (_, start, length) in &strings {
        // SAFETY: there are that many bytes at the address, and nobody changes them meanwhile.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let string = unsafe { slice::from_raw_parts(start.cast(), *length) };
        copies.extend_from_slice(string);
    }
    // They stay as long as the process lives, as the C library expects of them.
    let mut copies: &mut [u8] = copies.leak();

    for (entry, start, length) in strings {
        let (copy, others) = copies.split_at_mut(length);
        copies = others;
        // SAFETY: the entry is one of the list, and there is one thread, so nobody reads it now.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            entry.write(copy.as_mut_ptr().cast());
        }
        // SAFETY: the string is in the memory that the kernel made for this process, which it may
        // write to, and nothing refers to it any more.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            ptr::write_bytes(start, 0, length);
        }
    }
}

/// Gives this process these variables and no others, and overwrites the memory in which it began
/// with others. This process must not have a second thread yet.
pub fn replace(variables: &[(OsString, OsString)]) {
    hide();
    // SAFETY: there is one thread, so nobody else reads or changes the variables meanwhile.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    unsafe {
        libc::clearenv();
    }
    for (name, value) in variables {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        unsafe {
            env::set_var(name, value);
        }
    }
}

/// The entries of the list of variables, where the strings `NAME=VALUE` are that they lead to, and
/// how many bytes these have with the NUL at their end.
fn strings() -> Vec<(*mut *mut c_char, *mut c_char, usize)> {
    // SAFETY: nobody changes the list meanwhile, since there is one thread.
    #[expect(unsafe_code, reason = "sys is where it may stand")]
    let list = unsafe { environ };
    if list.is_null() {
        return Vec::new();
    }

    let entry = |index| {
        // SAFETY: a null pointer ends the list, and nothing behind it is asked for.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let entry = unsafe { list.add(index) };
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let string = unsafe { entry.read() };
        (entry, string)
    };
    let string = |(entry, string): (_, *mut c_char)| {
        // SAFETY: each entry of the list is a string that ends with a NUL.
        #[expect(unsafe_code, reason = "sys is where it may stand")]
        let length = unsafe { CStr::from_ptr(string) }.to_bytes_with_nul().len();
        (entry, string, length)
    };
    let entries = (0..).map(entry);
    let entries = entries.take_while(|(_, string)| !string.is_null());
    entries.map(string).collect()
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
