//! The keys of a section `[notify.NAME]`, and what its `kind` needs of them.

use std::path::PathBuf;

use super::document::DocumentEntry;
use super::environment_key::EnvironmentKey;
use super::key::{Key, find, key, names};
use super::mistake::MistakeKind;
use super::notify::{
    HttpAddress, HttpUrl, MailRecipient, MailSettings, MailTransport, NotifyKind, NotifySection,
    SmtpServer,
};
use super::values;
use crate::event_kind::EventKind;
use crate::id::Application;

/// The words for `kind`, and the keys that each kind needs or may have beside [`COMMON`].
const KINDS: &[(&str, NotifyWord, &[&str])] = &[
    (
        "mail",
        NotifyWord::Mail,
        &["to", "from", "smtp", "login", "password_file", "ca_file"],
    ),
    (
        "webhook",
        NotifyWord::Webhook,
        &["url", "url_file", "secret_file", "ca_file"],
    ),
    ("slack", NotifyWord::Slack, &["url", "url_file", "ca_file"]),
    (
        "cdevents",
        NotifyWord::CdEvents,
        &["url", "url_file", "ca_file"],
    ),
    ("command", NotifyWord::Command, &["command"]),
];

/// The keys that every kind may have.
const COMMON: &[&str] = &["kind", "events", "environments", "applications"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotifyWord {
    Mail,
    Webhook,
    Slack,
    CdEvents,
    Command,
}

/// What a section says; `None`: it does not name the key.
#[derive(Default)]
pub(super) struct PartialNotify {
    kind: Option<NotifyWord>,
    events: Option<Vec<EventKind>>,
    environments: Option<Vec<EnvironmentKey>>,
    applications: Option<Vec<Application>>,
    to: Option<Vec<MailRecipient>>,
    from: Option<String>,
    smtp: Option<SmtpServer>,
    login: Option<String>,
    password_file: Option<PathBuf>,
    url: Option<String>,
    url_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    command: Option<Vec<String>>,
}

/// The keys of a section `[notify.NAME]`.
pub(super) const NOTIFY: &[Key<PartialNotify>] = &[
    key("kind", |to, value| {
        let choices: Vec<_> = KINDS.iter().map(|(word, kind, _)| (*word, *kind)).collect();
        to.kind = value.choice(&choices);
    }),
    key("events", |to, value| to.events = events(value)),
    key("environments", |to, value| {
        to.environments = value.read_each(values::environment_key);
    }),
    key("applications", |to, value| {
        to.applications = value.read_each(values::application);
    }),
    key("to", |to, value| {
        to.to = value.read_each(|text| match text {
            "{author}" => Ok(MailRecipient::Author),
            text => values::mail_address(text).map(MailRecipient::Address),
        });
    }),
    key("from", |to, value| {
        to.from = value.read(values::mail_address);
    }),
    key("smtp", |to, value| {
        to.smtp = value.read(values::smtp_server);
    }),
    key("login", |to, value| {
        to.login = value.string().map(str::to_owned);
    }),
    key("password_file", |to, value| {
        to.password_file = file(value);
    }),
    key("url", |to, value| to.url = value.read(values::http_url)),
    key("url_file", |to, value| to.url_file = file(value)),
    key("secret_file", |to, value| to.secret_file = file(value)),
    key("ca_file", |to, value| to.ca_file = file(value)),
    key("command", |to, value| to.command = argv(value)),
];

fn file(value: &mut DocumentEntry<'_, '_>) -> Option<PathBuf> {
    value.read(values::absolute).map(PathBuf::from)
}

/// The kinds of events that an array names.
fn events(value: &mut DocumentEntry<'_, '_>) -> Option<Vec<EventKind>> {
    let mut events = Vec::new();
    for (at, word) in value.strings()? {
        match EventKind::of_word(word) {
            Some(kind) => events.push(kind),
            None => {
                let kind = MistakeKind::UnknownValue {
                    key: value.key.clone(),
                    value: word.to_owned(),
                    known: EventKind::ALL.map(EventKind::as_str).to_vec(),
                };
                value.reader.report(at, kind);
            }
        }
    }
    Some(events)
}

/// A program and its arguments, without names in braces: everything is in the event's JSON.
fn argv(value: &mut DocumentEntry<'_, '_>) -> Option<Vec<String>> {
    if value.value.get_ref().is_str() {
        value.report(|key| MistakeKind::CommandIsString { key });
        return None;
    }
    let words: Vec<String> = value
        .strings()?
        .into_iter()
        .map(|(_, word)| word.to_owned())
        .collect();
    if words.first().is_none_or(String::is_empty) {
        value.report(|key| MistakeKind::NoProgram { key });
        return None;
    }
    Some(words)
}

/// Reads one section. `unknown` makes the mistake of a key that is not known in a section, given
/// its heading, the key and the known keys. `None`: something in it is wrong, and was reported.
pub(super) fn notify(
    section: &mut DocumentEntry<'_, '_>,
    unknown: fn(&str, &str, Vec<&'static str>) -> MistakeKind,
) -> Option<NotifySection> {
    let mut read = PartialNotify::default();
    let mut present: Vec<(usize, &str)> = Vec::new();

    for (name, value) in section.table()? {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        let Some(known) = find(NOTIFY, name) else {
            let known = names(NOTIFY).collect();
            section
                .reader
                .report(at, unknown(&section.key, name, known));
            continue;
        };
        (known.read)(&mut read, &mut section.inner(name, value));
        present.push((at, name));
    }
    complete(section, read, &present)
}

/// Checks that a section has what its kind needs, and nothing that belongs to other kinds.
fn complete(
    section: &mut DocumentEntry<'_, '_>,
    read: PartialNotify,
    present: &[(usize, &str)],
) -> Option<NotifySection> {
    let is_present = |name: &str| present.iter().any(|(_, present)| *present == name);
    if !is_present("kind") {
        section.report(|section| MistakeKind::MissingKey {
            section,
            key: "kind",
            of: None,
        });
        return None;
    }
    let (word, kind, own) = KINDS.iter().find(|(_, kind, _)| Some(*kind) == read.kind)?;

    for (at, name) in present {
        if !COMMON.contains(name) && !own.contains(name) {
            let mistake = MistakeKind::KeyOfOtherKind {
                section: section.key.clone(),
                key: (*name).to_owned(),
                kind: word,
                known: own.to_vec(),
            };
            section.reader.report(*at, mistake);
        }
    }

    let mut missing = |key: &'static str| {
        // What is there and wrong was reported where it is read.
        if !is_present(key) {
            section.report(|section| MistakeKind::MissingKey {
                section,
                key,
                of: Some(word),
            });
        }
    };
    let address = |read: &PartialNotify, missing: &mut dyn FnMut(&'static str)| {
        let url = match (&read.url, &read.url_file) {
            (Some(url), None) => HttpUrl::Plain(url.clone()),
            (None, Some(file)) => HttpUrl::File(file.clone()),
            (None, None) => {
                if !is_present("url") && !is_present("url_file") {
                    missing(if *kind == NotifyWord::Slack {
                        "url_file"
                    } else {
                        "url"
                    });
                }
                return None;
            }
            (Some(_), Some(_)) => return None,
        };
        let ca_file = read.ca_file.clone();
        Some(HttpAddress { url, ca_file })
    };

    let made = match kind {
        NotifyWord::Mail => {
            let to = read.to.clone().filter(|to| !to.is_empty());
            if to.is_none() {
                missing("to");
            }
            let transport = match &read.smtp {
                None => MailTransport::Sendmail,
                Some(server) => MailTransport::Smtp(SmtpServer {
                    login: read.login.clone().zip(read.password_file.clone()),
                    ca_file: read.ca_file.clone(),
                    ..server.clone()
                }),
            };
            if is_present("login") && !is_present("password_file") {
                missing("password_file");
            }
            if is_present("password_file") && !is_present("login") {
                missing("login");
            }
            if (is_present("login") || is_present("ca_file")) && !is_present("smtp") {
                missing("smtp");
            }
            to.map(|to| {
                NotifyKind::Mail(MailSettings {
                    to,
                    from: read.from.clone(),
                    transport,
                })
            })
        }
        NotifyWord::Webhook => {
            let address = address(&read, &mut missing);
            if read.secret_file.is_none() {
                missing("secret_file");
            }
            address
                .zip(read.secret_file.clone())
                .map(|(address, secret_file)| NotifyKind::Webhook {
                    address,
                    secret_file,
                })
        }
        NotifyWord::Slack => address(&read, &mut missing).map(NotifyKind::Slack),
        NotifyWord::CdEvents => address(&read, &mut missing).map(NotifyKind::CdEvents),
        NotifyWord::Command => {
            if read.command.is_none() {
                missing("command");
            }
            read.command.clone().map(NotifyKind::Command)
        }
    };
    if is_present("url") && is_present("url_file") {
        section.report(|section| MistakeKind::BothUrls { section });
    }

    Some(NotifySection {
        kind: made?,
        events: read.events.unwrap_or_else(|| EventKind::USUAL.to_vec()),
        environments: read.environments.unwrap_or_default(),
        applications: read.applications.unwrap_or_default(),
    })
}
