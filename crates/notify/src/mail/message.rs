//! The headers of a mail, as git-multimail has made them usual. Nothing in a header is taken from
//! outside without being escaped or checked.
//!
//! All mails about one deployment name the same message in `References`, which was never sent: so
//! mail programs show them as one thread. `Message-ID` and `Date` are those of the event, so that a
//! mail which is sent twice is recognised as the same.

use std::time::{Duration, UNIX_EPOCH};

use deploy_by_code::config::MailSettings;
use deploy_by_code::report::EventRow;
use deploy_by_code::sys::host::mail_name;
use deploy_by_code::sys::user::User;
use deploy_by_code::text::escape;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::{Address, Message};

use super::address::{NotAnAddress, address};
use super::body::body;

/// The longest subject, in characters: some servers refuse long lines.
const SUBJECT_MAX: usize = 200;

/// The longest value of another header, in characters.
const VALUE_MAX: usize = 300;

/// Why a mail can't be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ComposeError {
    /// The sender has no address.
    #[error("from: {0}")]
    From(#[from] NotAnAddress),
    /// The library refuses something.
    #[error("the mail can't be written: {0}")]
    Mail(#[from] lettre::error::Error),
}

/// Writes the mail about an event. `log`: the end of its log. `to`: whom the mail names.
/// `envelope`: those of them who get it; at least one.
pub(super) fn compose(
    settings: &MailSettings,
    row: &EventRow,
    log: &[String],
    to: &[Address],
    envelope: &[Address],
) -> Result<Message, ComposeError> {
    let host = mail_name();
    let from = settings.from.clone().unwrap_or_else(|| {
        let user = User::by_number(User::own_number());
        let user = user.map_or_else(|_| "deploy-by-code".to_owned(), |user| user.name);
        format!("{user}@{host}")
    });
    let from = address(&from)?;

    let at = UNIX_EPOCH + Duration::from_millis(row.at.as_ms().try_into().unwrap_or(0));
    let mut builder = Message::builder()
        .envelope(Envelope::new(Some(from.clone()), envelope.to_vec())?)
        .from(mailbox(from))
        .subject(header_text(&subject(row), SUBJECT_MAX))
        .date(at)
        .message_id(Some(format!("<{}@{host}>", row.id)));
    for address in to {
        builder = builder.to(mailbox(address.clone()));
    }
    if let Some(deployment) = &row.deployment {
        let state = row.id.rsplit_once('-').map_or("", |(state, _)| state);
        let root = format!("<{state}-deployment-{}@{host}>", deployment.id.0);
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    for (name, value) in headers(row, &host) {
        let name = HeaderName::new_from_ascii_str(name);
        builder = builder.raw_header(HeaderValue::new(name, header_text(&value, VALUE_MAX)));
    }

    // Quoted-printable has no limit for the length of a line, so that each mail program breaks the
    // lines where its own window ends.
    let part = SinglePart::builder()
        .header(ContentType::TEXT_PLAIN)
        .header(ContentTransferEncoding::QuotedPrintable);
    Ok(builder.singlepart(part.body(body(row, log)))?)
}

/// `[production] website 0170b60 -> 6037512 succeeded`.
fn subject(row: &EventRow) -> String {
    match &row.environment {
        Some(environment) => format!("[{environment}] {}", row.title),
        None => format!("[{}] {}", repository_name(row), row.title),
    }
}

/// The headers that say what the mail is about, for filters.
fn headers(row: &EventRow, host: &str) -> Vec<(&'static str, String)> {
    let repository = repository_name(row);
    let mut headers = vec![
        // Programs that answer mails on their own do not answer this one (RFC 3834).
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("List-Id", list_id(repository, host)),
        ("X-Git-Repo", repository.to_owned()),
        ("X-Git-Refname", row.branch.clone()),
        ("X-Deploy-Event", row.event.to_owned()),
    ];

    let deployment = row.deployment.as_ref();
    let environment = row.environment.as_ref().map(ToString::to_string);
    let application = row.application.as_ref().map(ToString::to_string);
    let old = deployment.and_then(|row| row.previous_revision.as_ref());
    let optional = [
        ("X-Deploy-Environment", environment),
        ("X-Deploy-Application", application),
        ("X-Deploy-Id", deployment.map(|row| row.id.0.to_string())),
        ("X-Git-Oldrev", old.map(ToString::to_string)),
        (
            "X-Git-Newrev",
            deployment.map(|row| row.revision.to_string()),
        ),
    ];
    for (name, value) in optional {
        headers.extend(value.map(|value| (name, value)));
    }
    headers
}

/// What mail programs sort by (RFC 2919): the repository's name as a label below this machine's.
fn list_id(repository: &str, host: &str) -> String {
    let label: String = repository
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63)
        .collect();
    format!("<{label}.deploy-by-code.{host}>")
}

/// The name of the deploy repository: that of its folder, without `.git`.
fn repository_name(row: &EventRow) -> &str {
    let path = row.repository.trim_end_matches('/');
    let path = path.strip_suffix("/.git").unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".git").unwrap_or(name)
}

/// A text for a header: one line, without what would be decoded when it is shown (RFC 2047).
fn header_text(text: &str, max: usize) -> String {
    escape(text, max).replace("=?", "= ?")
}

/// An address without a name.
fn mailbox(address: Address) -> Mailbox {
    Mailbox::new(None, address)
}
