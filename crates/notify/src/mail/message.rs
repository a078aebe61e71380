//! The headers of a mail, as git-multimail has made them usual. Nothing in a header is taken from
//! outside without being encoded or checked.
//!
//! All mails about one deployment name the same message in `References`, which was never sent: so
//! mail programs show them as one thread.

use deploy_by_code::config::MailSettings;
use deploy_by_code::report::EventRow;
use deploy_by_code::sys::host::mail_name;
use deploy_by_code::sys::user::User;
use deploy_by_code::text::escape;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};

use super::body::body;

/// The longest subject, in characters: some servers refuse long lines.
const SUBJECT_MAX: usize = 200;

/// The longest value of another header, in characters.
const VALUE_MAX: usize = 300;

/// Why a mail can't be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0} is not a mail address")]
    Address(String),
    #[error("the mail can't be written: {0}")]
    Mail(#[from] lettre::error::Error),
}

/// Writes the mail about an event. `log`: the end of its log.
pub(super) fn compose(
    settings: &MailSettings,
    row: &EventRow,
    log: &[String],
    to: &[String],
) -> Result<Message, Error> {
    let host = mail_name();
    let from = settings.from.clone().unwrap_or_else(|| {
        let user = User::by_number(User::own_number());
        let user = user.map_or_else(|_| "deploy-by-code".to_owned(), |user| user.name);
        format!("{user}@{host}")
    });

    let mut builder = Message::builder()
        .from(mailbox(&from)?)
        .subject(subject(row))
        .message_id(Some(format!("<{}@{host}>", row.id)));
    for address in to {
        builder = builder.to(mailbox(address)?);
    }
    if let Some(deployment) = &row.deployment {
        let state = row.id.rsplit_once('-').map_or("", |(state, _)| state);
        let root = format!("<{state}-deployment-{}@{host}>", deployment.id.0);
        builder = builder.in_reply_to(root.clone()).references(root);
    }

    let mut message = builder.singlepart(
        SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::QuotedPrintable)
            .body(body(row, log)),
    )?;
    for (name, value) in headers(row) {
        let value = escape(value, VALUE_MAX);
        message
            .headers_mut()
            .insert_raw(HeaderValue::new(name, value));
    }
    Ok(message)
}

/// `[production] website 0170b60 -> 6037512 succeeded`.
fn subject(row: &EventRow) -> String {
    let repository = || {
        row.repository
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let place = row.environment.as_ref();
    let place = place.map_or_else(repository, ToString::to_string);
    escape(format!("[{place}] {}", row.title), SUBJECT_MAX)
}

/// The headers that say what the mail is about, for filters.
fn headers(row: &EventRow) -> Vec<(HeaderName, String)> {
    let mut headers = vec![
        (
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ),
        (
            HeaderName::new_from_ascii_str("X-Git-Repo"),
            row.repository.clone(),
        ),
        (
            HeaderName::new_from_ascii_str("X-Deploy-Event"),
            row.event.to_owned(),
        ),
    ];
    let mut add = |name: HeaderName, value: Option<String>| {
        headers.extend(value.map(|value| (name, value)));
    };

    let environment = row.environment.as_ref().map(ToString::to_string);
    let application = row.application.as_ref().map(ToString::to_string);
    add(
        HeaderName::new_from_ascii_str("X-Deploy-Environment"),
        environment,
    );
    add(
        HeaderName::new_from_ascii_str("X-Deploy-Application"),
        application,
    );
    if let Some(deployment) = &row.deployment {
        let old = deployment.previous_revision.as_ref();
        add(
            HeaderName::new_from_ascii_str("X-Git-Oldrev"),
            old.map(ToString::to_string),
        );
        add(
            HeaderName::new_from_ascii_str("X-Git-Newrev"),
            Some(deployment.revision.to_string()),
        );
    }
    headers
}

/// The address of the author of the deploy commit, if it is one.
pub(super) fn author(row: &EventRow) -> Option<String> {
    let author = row.deployment.as_ref()?.author.as_deref()?;
    let (_, rest) = author.rsplit_once('<')?;
    let address = rest.strip_suffix('>')?.trim();
    mailbox(address)
        .ok()
        .map(|mailbox| mailbox.email.to_string())
}

/// An address without a name.
fn mailbox(address: &str) -> Result<Mailbox, Error> {
    let email = address.parse();
    let email = email.map_err(|_| Error::Address(escape(address, VALUE_MAX)))?;
    Ok(Mailbox::new(None, email))
}
