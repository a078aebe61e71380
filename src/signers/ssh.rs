//! SSH signatures (PROTOCOL.sshsig of OpenSSH), checked by ssh-keygen(1).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::error::{Error, SSH_KEYGEN, last_line};
use super::limits::{inherit, memory, program, run};
use super::people::is_name;
use crate::policy::SignatureFact;
use crate::text;

/// How such a signature begins.
pub(super) const BEGIN: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// The namespace of what git signs.
const NAMESPACE: &str = "git";

/// The exit status with which ssh-keygen says that a signature does not count. With any other one
/// it says nothing: 1 is that of a program too old to know what it is asked, and 127 that of one
/// that can't load its libraries.
const DOES_NOT_COUNT: i32 = 255;

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

    let (command, _) = find_principals(&allowed, &signature)?;
    let output = run(SSH_KEYGEN, command, b"")?;
    let names = match names(&output)? {
        Ok(names) => names,
        Err(fact) => return Ok(fact),
    };

    let mut verified = BTreeSet::new();
    let mut complaint = String::new();
    for name in names {
        let mut command = program(SSH_KEYGEN);
        let mut files = vec![&allowed, &signature];
        files.extend(&revoked);
        let paths = inherit(&mut command, &files)?;
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
            Some(DOES_NOT_COUNT) => complaint = last_line(&output),
            _ => return Err(failed(&output)),
        }
    }
    if verified.is_empty() {
        return Ok(SignatureFact::Invalid(complaint));
    }
    Ok(SignatureFact::By(verified))
}

/// The command that finds the names of a signature's key, and the path by which it reads the
/// allowed signers.
fn find_principals(allowed: &File, signature: &File) -> Result<(Command, PathBuf), Error> {
    let mut command = program(SSH_KEYGEN);
    let mut paths = inherit(&mut command, &[allowed, signature])?;
    command.args(["-Y", "find-principals", "-n", NAMESPACE, "-f"]);
    command.arg(&paths[0]).arg("-s").arg(&paths[1]);
    Ok((command, paths.swap_remove(0)))
}

/// What ssh-keygen says about the lines of a file of allowed signers that it can't use, in the
/// order of the lines, each with the number of the line. `signature` is one whose key no line has.
///
/// # Errors
/// It can't be found out.
pub(super) fn complaints(allowed: &[u8], signature: &[u8]) -> Result<Vec<(usize, String)>, Error> {
    let (allowed, signature) = (memory(allowed)?, memory(signature)?);
    let (command, path) = find_principals(&allowed, &signature)?;
    let output = run(SSH_KEYGEN, command, b"")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let about = format!("{}:", path.display());
    let lines = stderr.lines().filter_map(|line| {
        let (number, why) = line.strip_prefix(&about)?.split_once(": ")?;
        Some((number.parse().ok()?, text::escape(why.trim(), 100)))
    });
    Ok(lines.collect())
}

/// All names of the person whose key made a signature, or why the key does not say who that is. A
/// name that was left out could be the one by which the person is known elsewhere.
fn names(output: &Output) -> Result<Result<Vec<String>, SignatureFact>, Error> {
    let nobody = |why: String| Ok(Err(SignatureFact::Invalid(why)));
    match output.status.code() {
        Some(0) => {}
        Some(DOES_NOT_COUNT) => {
            let why = "allowed_signers does not name its key, or the key is not valid now";
            return nobody(why.to_owned());
        }
        _ => return Err(failed(output)),
    }
    let names = std::str::from_utf8(&output.stdout).map_err(|_| failed(output))?;
    let names: Vec<String> = names.lines().map(str::to_owned).collect();
    if let Some(pattern) = names.iter().find(|name| !is_name(name)) {
        let pattern = text::escape(pattern, 100);
        return nobody(format!("its key stands for many people: {pattern}"));
    }
    if names.is_empty() || names.len() > NAMES_MAX {
        let count = names.len();
        return nobody(format!(
            "its key has {count} names, and may have 1 to {NAMES_MAX}"
        ));
    }
    Ok(Ok(names))
}

fn failed(output: &Output) -> Error {
    Error::complaint(SSH_KEYGEN, output)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    /// What is read of an output of ssh-keygen, which ended like this (wait(2)).
    fn read(status: i32, stdout: &[u8]) -> String {
        let output = Output {
            status: ExitStatus::from_raw(status),
            stdout: stdout.to_vec(),
            stderr: b"first\nlast\n".to_vec(),
        };
        match names(&output) {
            Ok(Ok(names)) => names.join(" "),
            Ok(Err(SignatureFact::Invalid(why))) => format!("invalid: {why}"),
            Ok(Err(other)) => format!("{other:?}"),
            Err(error) => format!("fault: {error}"),
        }
    }

    #[test]
    fn key_has_a_few_names_of_one_person() {
        let table: &[(&[u8], &str)] = &[
            (b"a@x\n", "a@x"),
            (b"a@x\nb@x\nc@x\nd@x\ne@x\n", "a@x b@x c@x d@x e@x"),
            (
                b"a@x\nb@x\nc@x\nd@x\ne@x\nf@x\n",
                "invalid: its key has 6 names, and may have 1 to 5",
            ),
            (b"", "invalid: its key has 0 names, and may have 1 to 5"),
            (b"\n", "invalid: its key stands for many people: "),
            (
                b"a@x\n*@x\n",
                "invalid: its key stands for many people: *@x",
            ),
            (b"?@x\n", "invalid: its key stands for many people: ?@x"),
            (
                b"*@x\n!a@x\n",
                "invalid: its key stands for many people: *@x",
            ),
            (
                b"-Overify-time\n",
                "invalid: its key stands for many people: -Overify-time",
            ),
            (b"\xff\n", "fault: ssh-keygen: exit status: 0: last"),
        ];
        for (stdout, expect) in table {
            assert_eq!(read(0, stdout), *expect, "{stdout:?}");
        }
    }

    #[test]
    fn ssh_keygen_that_gave_no_answer_says_nothing_about_a_key() {
        assert_eq!(
            read(255 << 8, b"a@x\n"),
            "invalid: allowed_signers does not name its key, or the key is not valid now"
        );
        assert!(read(9, b"a@x\n").starts_with("fault: ssh-keygen: signal: 9"));
        for code in [1, 127] {
            let expect = format!("fault: ssh-keygen: exit status: {code}: last");
            assert_eq!(read(code << 8, b"a@x\n"), expect);
        }
    }
}
