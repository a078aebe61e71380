//! OpenPGP signatures, checked by gpgv(1) with one keyring.
//!
//! gpgv reports in lines of status (GnuPG, doc/DETAILS). `GOODSIG` is one of a valid signature by a
//! key that is neither expired nor revoked now; a signature whose key is says `EXPKEYSIG` or
//! `REVKEYSIG` in its place, and gpgv may still exit with 0. So both count: the line and the exit
//! status.
//!
//! `GOODSIG` names one user id of the key. The others are only in what gpgv prints for people, as
//! `aka`. They are read there, because they are names of the same person.

use std::collections::BTreeSet;

use super::error::{Error, GPGV};
use super::limits::{inherit, memory, program, run};
use crate::policy::SignatureFact;
use crate::text;

/// How such a signature begins.
pub(super) const BEGIN: &[u8] = b"-----BEGIN PGP SIGNATURE-----";

/// How a line of status begins.
const STATUS: &str = "[GNUPG:] ";

/// The place in `VALIDSIG` of the class of the signature, and the class of one that is about bytes
/// as they are (RFC 4880, 5.2.1).
const CLASS_AT: usize = 8;
const BINARY: &str = "00";

/// The exit codes from here on are not gpgv's own: it could not begin, for example because a
/// library is missing (exit status of ld.so(8) and of a shell).
const NEVER_BEGAN: i32 = 126;

/// Lines of status after which a signature does not count, whatever else is reported.
const BAD: &[&str] = &[
    "BADSIG",
    "ERRSIG",
    "EXPSIG",
    "EXPKEYSIG",
    "REVKEYSIG",
    "NO_PUBKEY",
    "NODATA",
    "FAILURE",
];

/// Whose signature it is, by a keyring.
///
/// # Errors
/// It can't be found out.
pub(super) fn signer(
    keyring: &[u8],
    payload: &[u8],
    signature: &[u8],
) -> Result<SignatureFact, Error> {
    let (keyring, signature) = (memory(keyring)?, memory(signature)?);
    let mut command = program(GPGV);
    let paths = inherit(&mut command, &[&keyring, &signature])?;
    command.args(["--status-fd", "1", "--keyring"]);
    command.arg(&paths[0]).arg(&paths[1]).arg("-");

    let output = run(GPGV, command, payload)?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    if output.status.code().is_none_or(|code| code >= NEVER_BEGAN) {
        return Err(Error::complaint(GPGV, &output));
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Ok(read(&stdout, &stderr, output.status.success()))
}

/// What the lines of status say, and what gpgv said for people.
fn read(status: &str, said: &str, has_succeeded: bool) -> SignatureFact {
    let lines = status.lines().filter_map(|line| line.strip_prefix(STATUS));
    let lines: Vec<(&str, &str)> = lines
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .collect();
    let of = |word: &str| -> Vec<&str> {
        let found = lines.iter().filter(|(first, _)| *first == word);
        found.map(|(_, rest)| *rest).collect()
    };

    if let Some((bad, _)) = lines.iter().find(|(word, _)| BAD.contains(word)) {
        let why = match *bad {
            "BADSIG" => "it is not the signature of this commit",
            "EXPSIG" => "it has expired",
            "EXPKEYSIG" => "its key has expired",
            "REVKEYSIG" => "its key was revoked",
            "ERRSIG" | "NO_PUBKEY" => "gpg_keyring does not have its key",
            _ => "gpgv can't read it",
        };
        return SignatureFact::Invalid(why.to_owned());
    }
    match (
        of("NEWSIG").as_slice(),
        of("GOODSIG").as_slice(),
        of("VALIDSIG").as_slice(),
    ) {
        ([_], [good], [valid]) if has_succeeded => {
            // A signature of text is good for other line ends too, so for another commit.
            if valid.split(' ').nth(CLASS_AT) != Some(BINARY) {
                return SignatureFact::Invalid("it is not one of bytes as they are".to_owned());
            }
            let user = good.split_once(' ').map(|(_, user)| user);
            let users = user.into_iter().chain(said.lines().filter_map(other_user));
            let addresses: BTreeSet<String> = users.filter_map(address).collect();
            if addresses.is_empty() {
                return SignatureFact::Invalid(format!(
                    "its key names no mail address: {}",
                    text::escape(*good, 100)
                ));
            }
            SignatureFact::By(addresses)
        }
        (signatures, ..) if signatures.len() > 1 => {
            SignatureFact::Invalid("it is more than one signature".to_owned())
        }
        _ => SignatureFact::Invalid("gpgv does not call it good".to_owned()),
    }
}

/// The user id in a line about another one of the same key.
fn other_user(line: &str) -> Option<&str> {
    let said = line.strip_prefix("gpgv:")?.trim_start();
    said.strip_prefix("aka \"")?.strip_suffix('"')
}

/// The mail address in the user id `Name <address>`.
pub(super) fn address(user: &str) -> Option<String> {
    let address = match user.rsplit_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => user,
    };
    let is_address = address.contains('@')
        && !address.contains(char::is_whitespace)
        && !address.contains(['%', '<', '>', ',']);
    is_address.then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "NEWSIG a@x\nKEY_CONSIDERED 6AC2 0\nGOODSIG 1A4E Alice <a@x>";
    const VALID: &str = "VALIDSIG 6AC2 2026-11-26 1795730073 0 4 0 22 8 00 6AC2";

    /// What is read of lines of status, without what is in front of each, and of what gpgv said.
    fn read_lines(lines: &str, said: &str, has_succeeded: bool) -> String {
        let lines: Vec<String> = lines
            .lines()
            .map(|line| format!("{STATUS}{line}"))
            .collect();
        match read(&lines.join("\n"), said, has_succeeded) {
            SignatureFact::By(names) => names.into_iter().collect::<Vec<_>>().join(" "),
            SignatureFact::Invalid(why) => format!("invalid: {why}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn only_one_good_signature_counts() {
        let good = format!("{GOOD}\n{VALID}");
        let not_good = "invalid: gpgv does not call it good";
        for (lines, expect) in [
            (good.clone(), "a@x"),
            (GOOD.to_owned(), not_good),
            (VALID.to_owned(), not_good),
            (String::new(), not_good),
            (good.replace("NEWSIG", "OLDSIG"), not_good),
            (
                format!("{good}\n{good}"),
                "invalid: it is more than one signature",
            ),
            (format!("{good}\n{VALID}"), not_good),
            (
                format!("{good}\nBADSIG 1A4E x"),
                "invalid: it is not the signature of this commit",
            ),
            (format!("{good}\nEXPSIG 1A4E x"), "invalid: it has expired"),
            (
                format!("EXPKEYSIG 1A4E x\n{good}"),
                "invalid: its key has expired",
            ),
            (
                format!("REVKEYSIG 1A4E x\n{good}"),
                "invalid: its key was revoked",
            ),
            (
                format!("{good}\nERRSIG 1A4E"),
                "invalid: gpg_keyring does not have its key",
            ),
            (
                format!("{good}\nNO_PUBKEY 1A4E"),
                "invalid: gpg_keyring does not have its key",
            ),
            (format!("{good}\nNODATA 4"), "invalid: gpgv can't read it"),
            (
                format!("{good}\nFAILURE x 1"),
                "invalid: gpgv can't read it",
            ),
            (
                good.replace(" 00 ", " 01 "),
                "invalid: it is not one of bytes as they are",
            ),
            (
                good.replace(" 00 6AC2", ""),
                "invalid: it is not one of bytes as they are",
            ),
        ] {
            assert_eq!(read_lines(&lines, "", true), expect, "{lines}");
        }
        assert_eq!(read_lines(&good, "", false), not_good);
    }

    #[test]
    fn key_names_its_person_by_all_its_addresses() {
        for (user, said, expect) in [
            ("Alice <a@x>", "", "a@x"),
            ("a@x", "", "a@x"),
            ("Alice (<b@x>) <a@x>", "", "a@x"),
            (
                "Alice <a@x>",
                "gpgv: Good signature from \"Alice <a@x>\"\n\
                 gpgv:                 aka \"Alice <alice@x>\"\n\
                 gpgv:                 aka \"[jpeg image of size 3]\"\n",
                "a@x alice@x",
            ),
            (
                "Alice",
                "gpgv:                 aka \"Alice <a@x>\"\n",
                "a@x",
            ),
            (
                "Alice",
                "",
                "invalid: its key names no mail address: 1A4E Alice",
            ),
            (
                "Alice <a@x> more",
                "",
                "invalid: its key names no mail address: 1A4E Alice <a@x> more",
            ),
            (
                "A <a b@x>",
                "",
                "invalid: its key names no mail address: 1A4E A <a b@x>",
            ),
            (
                "A <a%0A@x>",
                "",
                "invalid: its key names no mail address: 1A4E A <a%0A@x>",
            ),
            (
                "A <a@x,b@x>",
                "",
                "invalid: its key names no mail address: 1A4E A <a@x,b@x>",
            ),
        ] {
            let lines = format!("{}\n{VALID}", GOOD.replace("Alice <a@x>", user));
            assert_eq!(read_lines(&lines, said, true), expect, "{user} {said}");
        }
    }
}
