//! OpenPGP signatures, checked by gpgv(1) with one keyring.
//!
//! gpgv reports in lines of status (GnuPG, doc/DETAILS). `GOODSIG` is one of a valid signature by a
//! key that is neither expired nor revoked now; a signature whose key is says `EXPKEYSIG` or
//! `REVKEYSIG` in its place, and gpgv may still exit with 0. So both count: the line and the exit
//! status.

use std::collections::BTreeSet;

use super::error::{Error, GPGV};
use super::limits::{memory, program, run};
use crate::policy::SignatureFact;
use crate::sys::inherited::inherit;
use crate::text;

/// How such a signature begins.
pub(super) const BEGIN: &[u8] = b"-----BEGIN PGP SIGNATURE-----";

/// How a line of status begins.
const STATUS: &str = "[GNUPG:] ";

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
    let paths = inherit(&mut command, &[&keyring, &signature]);
    command.args(["--status-fd", "1", "--keyring"]);
    command.arg(&paths[0]).arg(&paths[1]).arg("-");

    let output = run(GPGV, command, payload)?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let Some(code) = output.status.code() else {
        return Err(Error::Complaint {
            program: GPGV,
            complaint: format!("{}", output.status),
        });
    };
    Ok(read(&stdout, code == 0))
}

/// What the lines of status say.
fn read(status: &str, has_succeeded: bool) -> SignatureFact {
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
        ([_], [good], [_]) if has_succeeded => {
            match good.split_once(' ').and_then(|(_, user)| address(user)) {
                Some(address) => SignatureFact::By(BTreeSet::from([address])),
                None => SignatureFact::Invalid(format!(
                    "its key names no mail address: {}",
                    text::escape(*good, 100)
                )),
            }
        }
        (signatures, ..) if signatures.len() > 1 => {
            SignatureFact::Invalid("it is more than one signature".to_owned())
        }
        _ => SignatureFact::Invalid("gpgv does not call it good".to_owned()),
    }
}

/// The mail address in `Name <address>`.
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
