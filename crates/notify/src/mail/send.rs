//! Sending the mails of an event: one to those whom the configuration names, and one to the author.
//!
//! The author's address comes from a commit, so it can be anything. It gets a mail of its own: a
//! server that refuses the address refuses nothing else, and nobody else's mail shows it.
//!
//! A server takes, refuses or puts off each recipient by itself. Those who are put off get the mail
//! at a later try, and the others do not get it again: `settled` says for whom nothing is left to
//! try. All tries send the same mail.

use deploy_by_code::config::{MailRecipient, MailSettings, MailTransport};
use deploy_by_code::publish::Told;
use deploy_by_code::report::EventRow;
use deploy_by_code::store::{Addressees, Settled, Store};
use lettre::Address;

use super::address::{NotAnAddress, address, author};
use super::fate::{Fate, Fates, all, told};
use super::log_end::log_end;
use super::message::compose;
use super::{sendmail, smtp};

/// Sends an event to those who are not settled, and adds those who are settled now.
pub(crate) fn send(
    store: &Store,
    settings: &MailSettings,
    row: &EventRow,
    settled: &mut Addressees,
) -> Told {
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
    // What became of a mail for each of those whom it names, now or at an earlier try.
    let mut deliver = |to: &[Address]| -> Fates {
        let is_open = |to: &&Address| !settled.contains_key(&to.to_string());
        let open: Vec<Address> = to.iter().filter(is_open).cloned().collect();
        let fates = match compose(settings, row, &log, to, &open) {
            _ if open.is_empty() => Fates::new(),
            Ok(message) => match &settings.transport {
                MailTransport::Sendmail => all(&open, &sendmail::send(&message)),
                MailTransport::Smtp(server) => smtp::send(server, &message),
            },
            Err(error) => all(&open, &Fate::Refused(error.to_string())),
        };
        let earlier = to.iter().filter_map(|to| earlier(settled, to));
        let both = fates.iter().cloned().chain(earlier).collect();
        settle(settled, fates);
        both
    };

    let listed = deliver(&listed);
    // What keeps the mail from everybody would keep it from the author too.
    let is_stuck = listed
        .iter()
        .any(|(_, fate)| matches!(fate, Fate::Failed(_)));
    let author = author
        .filter(|_| !is_stuck)
        .and_then(|author| match author {
            Ok(author) => deliver(&[author]).pop().map(|(_, fate)| fate),
            Err(error) => Some(Fate::Refused(error.to_string())),
        });
    told(&listed, author.as_ref())
}

/// The addresses that the configuration names.
fn listed(settings: &MailSettings) -> Result<Vec<Address>, NotAnAddress> {
    let named = settings.to.iter().filter_map(|recipient| match recipient {
        MailRecipient::Address(text) => Some(address(text)),
        MailRecipient::Author => None,
    });
    named.collect()
}

/// What became of an earlier try for somebody, for good.
fn earlier(settled: &Addressees, to: &Address) -> Option<(Address, Fate)> {
    let Settled { has_it, answer } = settled.get(&to.to_string())?.clone();
    let fate = if has_it {
        Fate::Taken(answer)
    } else {
        Fate::Refused(answer)
    };
    Some((to.clone(), fate))
}

/// Adds those for whom nothing is left to try.
fn settle(settled: &mut Addressees, fates: Fates) {
    for (to, fate) in fates {
        let (has_it, answer) = match fate {
            Fate::Taken(answer) => (true, answer),
            Fate::Refused(answer) => (false, answer),
            Fate::PutOff(_) | Fate::Failed(_) => continue,
        };
        settled.insert(to.to_string(), Settled { has_it, answer });
    }
}
