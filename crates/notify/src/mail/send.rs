//! Sending the mails of an event: one to those whom the configuration names, and one to the author.
//!
//! The author's address comes from a commit, so it can be anything. It gets a mail of its own, so
//! that a server which refuses the address refuses nothing else.

use deploy_by_code::config::{MailRecipient, MailSettings, MailTransport};
use deploy_by_code::publish::Told;
use deploy_by_code::report::EventRow;
use deploy_by_code::store::Store;
use lettre::Message;

use super::log_end::log_end;
use super::message::{author, compose};
use super::{sendmail, smtp};

/// Sends an event.
pub(crate) fn send(store: &Store, settings: &MailSettings, row: &EventRow) -> Told {
    let listed: Vec<String> = settings
        .to
        .iter()
        .filter_map(|recipient| match recipient {
            MailRecipient::Address(address) => Some(address.clone()),
            MailRecipient::Author => None,
        })
        .collect();
    let to_author = settings.to.contains(&MailRecipient::Author);
    let author = author(row).filter(|address| to_author && !listed.contains(address));

    let is_failure = matches!(row.event, "failed" | "interrupted");
    let deployment = row.deployment.as_ref().filter(|_| is_failure);
    let log = deployment.map(|row| log_end(&store.log_file(row.id)));
    let log = log.unwrap_or_default();

    let deliver = |to: &[String]| match compose(settings, row, &log, to) {
        Ok(message) => hand_over(settings, &message),
        Err(error) => Told::Refused(error.to_string()),
    };
    match (listed.is_empty(), author) {
        (true, None) => {
            Told::Delivered("there is nobody to send it to: the author is not known".to_owned())
        }
        (true, Some(author)) => deliver(&[author]),
        (false, None) => deliver(&listed),
        (false, Some(author)) => and_to_author(deliver(&listed), || deliver(&[author])),
    }
}

/// What became of both mails. The author is not tried again: the others would be told twice.
fn and_to_author(told: Told, to_author: impl FnOnce() -> Told) -> Told {
    let Told::Delivered(answer) = told else {
        return told;
    };
    Told::Delivered(match to_author() {
        Told::Delivered(_) => answer,
        Told::Later(why) | Told::Refused(why) => format!("{answer}; not to the author: {why}"),
    })
}

fn hand_over(settings: &MailSettings, message: &Message) -> Told {
    match &settings.transport {
        MailTransport::Sendmail => sendmail::send(message),
        MailTransport::Smtp(server) => smtp::send(server, message),
    }
}
