//! SSH signatures (PROTOCOL.sshsig of OpenSSH), checked by ssh-keygen(1).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::error::{Error, SSH_KEYGEN};
use super::limits::{memory, program, run};
use crate::policy::SignatureFact;
use crate::sys::inherited::inherit;
use crate::text;

/// How such a signature begins.
pub(super) const BEGIN: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// The namespace of what git signs.
const NAMESPACE: &str = "git";

/// How many names a key can have.
const NAMES_MAX: usize = 5;

/// Whose signature it is, by a list of the keys that are allowed and of those that are revoked.
///
/// # Errors
/// It can't be found out.
pub(super) fn signer(
    allowed: &[u8],
    revoked: Option<&[u8]>,
    payload: &[u8],
    signature: &[u8],
) -> Result<SignatureFact, Error> {
    let (allowed, signature) = (memory(allowed)?, memory(signature)?);
    let revoked = revoked.map(memory).transpose()?;

    let (command, _) = find_principals(&allowed, &signature);
    let output = run(SSH_KEYGEN, command, b"")?;
    let Some(names) = names(&output)? else {
        let why = "allowed_signers does not name its key, or the key is not valid now";
        return Ok(SignatureFact::Invalid(why.to_owned()));
    };

    let mut verified = BTreeSet::new();
    let mut complaint = String::new();
    for name in names {
        let mut command = program(SSH_KEYGEN);
        let mut files = vec![&allowed, &signature];
        files.extend(&revoked);
        let paths = inherit(&mut command, &files);
        command.args(["-Y", "verify", "-n", NAMESPACE, "-I", &name, "-f"]);
        command.arg(&paths[0]).arg("-s").arg(&paths[1]);
        if let Some(revoked) = paths.get(2) {
            command.args([OsStr::new("-r"), revoked.as_os_str()]);
        }

        let output = run(SSH_KEYGEN, command, payload)?;
        match output.status.code() {
            Some(0) => {
                verified.insert(name);
            }
            Some(_) => complaint = said(&output),
            None => return Err(failed(&output)),
        }
    }
    if verified.is_empty() {
        return Ok(SignatureFact::Invalid(complaint));
    }
    Ok(SignatureFact::By(verified))
}

/// The command that finds the names of a signature's key, and the path by which it reads the
/// allowed signers.
fn find_principals(allowed: &File, signature: &File) -> (Command, PathBuf) {
    let mut command = program(SSH_KEYGEN);
    let mut paths = inherit(&mut command, &[allowed, signature]);
    command.args(["-Y", "find-principals", "-n", NAMESPACE, "-f"]);
    command.arg(&paths[0]).arg("-s").arg(&paths[1]);
    (command, paths.swap_remove(0))
}

/// What ssh-keygen says about the lines of a file of allowed signers that it can't use, in the
/// order of the lines, each with the number of the line. `signature` is one whose key no line has.
///
/// # Errors
/// It can't be found out.
pub(super) fn complaints(allowed: &[u8], signature: &[u8]) -> Result<Vec<(usize, String)>, Error> {
    let (allowed, signature) = (memory(allowed)?, memory(signature)?);
    let (command, path) = find_principals(&allowed, &signature);
    let output = run(SSH_KEYGEN, command, b"")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let about = format!("{}:", path.display());
    let lines = stderr.lines().filter_map(|line| {
        let (number, why) = line.strip_prefix(&about)?.split_once(": ")?;
        Some((number.parse().ok()?, text::escape(why.trim(), 100)))
    });
    Ok(lines.collect())
}

/// The names of the people whose key made a signature; `None`: no such key is allowed.
fn names(output: &Output) -> Result<Option<Vec<String>>, Error> {
    match output.status.code() {
        Some(0) => {}
        Some(_) => return Ok(None),
        None => return Err(failed(output)),
    }
    let names = std::str::from_utf8(&output.stdout).map_err(|_| failed(output))?;
    let names: Vec<String> = names
        .lines()
        .map(str::to_owned)
        .filter(|name| is_name(name))
        .take(NAMES_MAX)
        .collect();
    Ok((!names.is_empty()).then_some(names))
}

/// Whether a name is that of one person, and not a pattern for many.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(['*', '?', '!', ','])
}

fn failed(output: &Output) -> Error {
    Error::Complaint {
        program: SSH_KEYGEN,
        complaint: format!("{}: {}", output.status, said(output)),
    }
}

/// What the program said, in one line.
fn said(output: &Output) -> String {
    let stderr = output.stderr.trim_ascii();
    let line = stderr.rsplit(|byte| *byte == b'\n').next();
    text::escape(line.unwrap_or_default(), 200)
}
