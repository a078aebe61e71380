//! Mail addresses that a mail can be sent to. Pure.
//!
//! The domain of an address is written in its ASCII form (RFC 5890), which every mail server
//! understands. So only the part before the `@` can need a server with SMTPUTF8 (RFC 6531).

use deploy_by_code::report::EventRow;
use deploy_by_code::text::{is_deceptive, quote};
use lettre::Address;

/// The longest mail address, in bytes (RFC 5321, 4.5.3.1.3: a path of 256 with its brackets).
const ADDRESS_MAX: usize = 254;

/// How much of a text that is no address is shown, in characters.
const SHOWN_MAX: usize = 100;

/// A text that is not a mail address.
#[derive(Debug, thiserror::Error)]
#[error("{} is not a mail address", quote(.0, SHOWN_MAX))]
pub(super) struct NotAnAddress(String);

/// Reads an address, `who@where`. Forms that are allowed and that nobody uses are refused: quotes,
/// comments and white space.
pub(super) fn address(text: &str) -> Result<Address, NotAnAddress> {
    let error = || NotAnAddress(text.to_owned());
    let is_odd = |c: char| is_deceptive(c) || c.is_whitespace() || "\"\\()<>,;:".contains(c);
    // An address that begins with a hyphen looks like an option to the program sendmail.
    if text.len() > ADDRESS_MAX || text.starts_with('-') || text.contains(is_odd) {
        return Err(error());
    }

    let (who, place) = text.rsplit_once('@').ok_or_else(error)?;
    let place = idna::domain_to_ascii(place).map_err(|_| error())?;
    let address = format!("{who}@{place}").parse().map_err(|_| error())?;
    Ok(address)
}

/// The address of the author of the deploy commit, as the commit claims. `None`: the event is about
/// no commit, or the commit names nobody.
pub(super) fn author(row: &EventRow) -> Option<Result<Address, NotAnAddress>> {
    let author = row.deployment.as_ref()?.author.as_deref()?;
    let (_, rest) = author.rsplit_once('<')?;
    match rest.strip_suffix('>').unwrap_or(rest) {
        "" => None,
        text => Some(address(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_could_be_something_else_is_refused() {
        let long = format!("{}@example.org", "a".repeat(300));
        let many = format!("a@{}org", "example.".repeat(2000));
        let table = [
            ("ada@example.org", Some("ada@example.org")),
            ("ada+x.y@mail.example.org", Some("ada+x.y@mail.example.org")),
            ("ada@localhost", Some("ada@localhost")),
            ("ada@bücher.example", Some("ada@xn--bcher-kva.example")),
            ("jürgen@example.org", Some("jürgen@example.org")),
            ("", None),
            ("ada", None),
            ("@example.org", None),
            ("ada@", None),
            ("ada@@example.org", None),
            ("ada (she)@example.org", None),
            ("ada@example.org\r\nBcc: eve@example.org", None),
            ("ada@example.org> SIZE=1", None),
            ("ada@example.org,eve@example.org", None),
            ("\"ada lovelace\"@example.org", None),
            ("-oQ/tmp@example.org", None),
            ("ada\u{202e}gro.live@example.org", None),
            ("ada@exa\u{200b}mple.org", None),
            ("ada@exam ple.org", None),
            (&long, None),
            (&many, None),
        ];
        for (text, expect) in table {
            let found = address(text);
            let found = found.as_ref().map(AsRef::<str>::as_ref);
            assert_eq!(found.ok(), expect, "{text:?}");
        }
    }

    #[test]
    fn message_about_an_address_is_one_short_line() {
        let error = address(&"x\n".repeat(5000)).unwrap_err().to_string();
        assert!(error.len() < 200 && !error.contains('\n'), "{error}");
    }
}
