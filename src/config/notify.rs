//! Who is told of what happens: the sections `[notify.NAME]`.

use std::path::{Path, PathBuf};

use super::environment_key::EnvironmentKey;
use crate::event_kind::EventKind;
use crate::id::{Application, Environment};

/// Somebody who is told of what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifySection {
    /// How.
    pub kind: NotifyKind,
    /// Of which kinds of events.
    pub events: Vec<EventKind>,
    /// In which environments; empty: in all.
    pub(super) environments: Vec<EnvironmentKey>,
    /// Of which applications; empty: of all.
    pub(super) applications: Vec<Application>,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyKind {
    /// By mail.
    Mail(MailSettings),
    /// By a request that is signed as Standard Webhooks 1.0 says.
    Webhook {
        /// Where to.
        address: HttpAddress,
        /// The file with the secret.
        secret_file: PathBuf,
    },
    /// By a message in a chat, in the form of Slack's incoming webhooks.
    Slack(HttpAddress),
    /// By CloudEvents over HTTP whose content CDEvents defines.
    CdEvents(HttpAddress),
    /// By a program that gets the event's JSON on its standard input.
    Command(Vec<String>),
}

impl NotifyKind {
    /// The word in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Mail(_) => "mail",
            Self::Webhook { .. } => "webhook",
            Self::Slack(_) => "slack",
            Self::CdEvents(_) => "cdevents",
            Self::Command(_) => "command",
        }
    }

    /// The files that must be there before anything can be sent, each with its key.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let (address, other) = match self {
            Self::Webhook {
                address,
                secret_file,
            } => (Some(address), Some(("secret_file", secret_file))),
            Self::Slack(address) | Self::CdEvents(address) => (Some(address), None),
            Self::Mail(_) | Self::Command(_) => (None, None),
        };
        let server = match self {
            Self::Mail(mail) => mail.server(),
            _ => None,
        };

        let url_file = address.and_then(|address| match &address.url {
            HttpUrl::File(file) => Some(("url_file", file)),
            HttpUrl::Plain(_) => None,
        });
        let login = server.and_then(|server| server.login.as_ref());
        let password = login.map(|(_, file)| ("password_file", file));
        let ca_file = address.map_or(
            server.and_then(|server| server.ca_file.as_ref()),
            |address| address.ca_file.as_ref(),
        );
        let ca_file = ca_file.map(|file| ("ca_file", file));

        let all = [url_file, other, password, ca_file];
        let all = all.into_iter().flatten();
        all.map(|(key, file)| (key, file.as_path())).collect()
    }
}

/// Where an HTTP request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAddress {
    /// The URL.
    pub url: HttpUrl,
    /// The file with the certificates of the authorities that sign the server's certificate;
    /// `None`: those that the machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// A URL, or where it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpUrl {
    /// In the configuration, because it is no secret.
    Plain(String),
    /// In a file, because who knows it may send to it.
    File(PathBuf),
}

/// What a mail needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// Whom it goes to; at least one.
    pub to: Vec<MailRecipient>,
    /// Whom it comes from; `None`: from the user of this process at this machine.
    pub from: Option<String>,
    /// How it is sent.
    pub transport: MailTransport,
}

impl MailSettings {
    /// The SMTP server that sends it, if one does.
    #[must_use]
    pub fn server(&self) -> Option<&SmtpServer> {
        match &self.transport {
            MailTransport::Smtp(server) => Some(server),
            MailTransport::Sendmail => None,
        }
    }
}

/// Somebody who gets a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailRecipient {
    /// The one with this address.
    Address(String),
    /// The author of the deploy commit, `{author}`.
    Author,
}

/// How a mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailTransport {
    /// By the machine's program sendmail.
    Sendmail,
    /// By an SMTP server.
    Smtp(SmtpServer),
}

/// An SMTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpServer {
    /// Its name or address.
    pub host: String,
    /// The port; `None`: the usual one of the kind of encryption.
    pub port: Option<u16>,
    /// Whether the connection is encrypted from its first byte (`smtps://`). Otherwise it is
    /// encrypted by STARTTLS, or not at all on this machine itself.
    pub is_smtps: bool,
    /// The user to log in as, and the file with the password; `None`: it asks for none.
    pub login: Option<(String, PathBuf)>,
    /// As for HTTP.
    pub ca_file: Option<PathBuf>,
}

impl SmtpServer {
    /// Whether the server is this machine, so that nothing needs to be encrypted.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }
}

impl NotifySection {
    /// Whether somebody is told of an event of these kinds about an environment and an application.
    /// `None`: the event names none, so it can be about each.
    #[must_use]
    pub fn wants(
        &self,
        kinds: &[EventKind],
        environment: Option<&Environment>,
        application: Option<&Application>,
    ) -> bool {
        let named = |environment: &Environment| {
            self.environments.is_empty() || self.environments.iter().any(|key| key.is(environment))
        };
        let is_listed = |application: &Application| {
            self.applications.is_empty() || self.applications.contains(application)
        };

        kinds.iter().any(|kind| self.events.contains(kind))
            && environment.is_none_or(named)
            && application.is_none_or(is_listed)
    }
}
