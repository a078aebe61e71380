//! Sending the mails of an event: one to those whom the configuration names, and one to the author.
//!
//! The author's address comes from a commit, so it can be anything. It gets a mail of its own: a
//! server that refuses the address refuses nothing else, and nobody else's mail shows it.

use deploy_by_code::config::{MailRecipient, MailSettings, MailTransport};
use deploy_by_code::publish::Told;
use deploy_by_code::report::EventRow;
use deploy_by_code::store::Store;
use lettre::Address;

use super::address::{NotAnAddress, address, author};
use super::log_end::log_end;
use super::message::compose;
use super::{sendmail, smtp};

/// Sends an event.
pub(crate) fn send(store: &Store, settings: &MailSettings, row: &EventRow) -> Told {
    let listed = match listed(settings) {
        Ok(listed) => listed,
        Err(error) => return Told::Refused(format!("to: {error}")),
    };
    let author = author(row).filter(|author| {
        let is_listed = author.as_ref().is_ok_and(|author| listed.contains(author));
        settings.to.contains(&MailRecipient::Author) && !is_listed
    });

    let is_failure = matches!(row.event, "failed" | "interrupted");
    let deployment = row.deployment.as_ref().filter(|_| is_failure);
    let log = deployment.map(|row| log_end(&store.log_file(row.id)));
    let log = log.unwrap_or_default();

    let deliver = |to: &[Address]| match compose(settings, row, &log, to) {
        Ok(message) => match &settings.transport {
            MailTransport::Sendmail => sendmail::send(&message),
            MailTransport::Smtp(server) => smtp::send(server, &message),
        },
        Err(error) => Told::Refused(error.to_string()),
    };
    let to_author = |author: Result<Address, NotAnAddress>| match author {
        Ok(author) => deliver(&[author]),
        Err(error) => Told::Refused(error.to_string()),
    };
    match (listed.is_empty(), author) {
        (true, None) => Told::Delivered(
            "nothing was sent: this is about no commit, or its author is not known".to_owned(),
        ),
        (true, Some(author)) => to_author(author),
        (false, None) => deliver(&listed),
        (false, Some(author)) => and_to_author(deliver(&listed), || to_author(author)),
    }
}

/// The addresses that the configuration names.
fn listed(settings: &MailSettings) -> Result<Vec<Address>, NotAnAddress> {
    let named = settings.to.iter().filter_map(|recipient| match recipient {
        MailRecipient::Address(text) => Some(address(text)),
        MailRecipient::Author => None,
    });
    named.collect()
}

/// What became of both mails. What becomes of the author's changes nothing: anybody can write any
/// address into a commit. It is not tried again, because the others would be told once more.
fn and_to_author(told: Told, to_author: impl FnOnce() -> Told) -> Told {
    let with_author = |answer: String| match to_author() {
        Told::Delivered(_) => answer,
        Told::Later(why) | Told::Refused(why) => format!("{answer}; not to the author: {why}"),
    };
    match told {
        Told::Later(why) => Told::Later(why),
        Told::Delivered(answer) => Told::Delivered(with_author(answer)),
        Told::Refused(why) => Told::Refused(with_author(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn author_decides_nothing_about_the_others() {
        let [delivered, later, refused] =
            [Told::Delivered, Told::Later, Told::Refused].map(|told| told("x".to_owned()));
        let is = |told: fn(String) -> Told, text: &str| told(text.to_owned());

        let table = [
            (&delivered, &delivered, is(Told::Delivered, "x")),
            (
                &delivered,
                &later,
                is(Told::Delivered, "x; not to the author: x"),
            ),
            (
                &delivered,
                &refused,
                is(Told::Delivered, "x; not to the author: x"),
            ),
            (&refused, &delivered, is(Told::Refused, "x")),
            (
                &refused,
                &later,
                is(Told::Refused, "x; not to the author: x"),
            ),
        ];
        for (told, author, expect) in table {
            let found = and_to_author(told.clone(), || author.clone());
            assert_eq!(found, expect, "{told:?} {author:?}");
        }

        // Everything is tried again, so the author is not told yet.
        let found = and_to_author(later.clone(), || panic!("the author is told too early"));
        assert_eq!(found, later);
    }
}
