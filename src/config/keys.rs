//! The keys of the configuration: one row for each, in the table of the place where it may stand.
//! The row has the function that stores the value of the key.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use toml::de::DeTable;

use super::application_repository::repository;
use super::calendar::{OnFreeze, Window};
use super::compound::{command, folder, shared, subdirectory, together, variables};
use super::document::{DocumentEntry, DocumentReader};
use super::environment_key::EnvironmentKey;
use super::key::{Key, find, key, names};
use super::key_place::KeyPlace;
use super::mistake::MistakeKind;
use super::notify_keys::{NOTIFY, notify};
use super::people::{PEOPLE, people};
use super::sections::{Config, EnvironmentSection};
use super::settings::{Link, OnInterrupt, PartialSettings, Queue, RunnerKind};
use super::values::{self, ValueError};
use super::web::{WEB, web};
use crate::id::{Application, NameError};

/// Every key, and where it may stand. The names of environments and applications are not keys.
pub fn keys() -> impl Iterator<Item = (&'static str, KeyPlace)> {
    let top = names(TOP).map(|name| (name, KeyPlace::Top));
    let environment = names(ENVIRONMENT).map(|name| (name, KeyPlace::Environment));
    let settings = names(SETTINGS).map(|name| (name, KeyPlace::Settings));
    let notify = names(NOTIFY).map(|name| (name, KeyPlace::Notify));
    let people = names(PEOPLE).map(|name| (name, KeyPlace::People));
    let web = names(WEB).map(|name| (name, KeyPlace::Web));
    top.chain(environment)
        .chain(settings)
        .chain(notify)
        .chain(people)
        .chain(web)
}

/// The largest number of applications that may deploy at the same time in one environment.
const PARALLEL_MAX: i64 = 64;

/// The largest number of approvals that a change can need.
const APPROVALS_MAX: i64 = 10;

/// How often a check can be tried again.
const RETRIES_MAX: i64 = 1000;

/// The largest number of releases that can be kept.
const RELEASES_MAX: i64 = 1_000_000;

/// The keys at the top of the file.
const TOP: &[Key<Config>] = &[
    key("branch", |to, value| to.branch = value.read(values::branch)),
    key("root", |to, value| {
        to.root = value.read(values::root).unwrap_or_default();
    }),
    key("state_dir", |to, value| {
        to.state_dir = value.read(values::absolute).map(PathBuf::from);
    }),
    key("allow_rewind", |to, value| {
        to.allow_rewind = value.boolean().unwrap_or_default();
    }),
    key("runner", |to, value| {
        let choices = [
            ("detached", RunnerKind::Detached),
            ("systemd", RunnerKind::Systemd),
        ];
        to.runner = value.choice(&choices).unwrap_or_default();
    }),
    key("syslog", |to, value| {
        to.without_syslog = value.boolean() == Some(false);
    }),
    key("publish", |to, value| {
        to.publish = value.read(values::published_ref);
    }),
    key("metrics_textfile", |to, value| {
        to.metrics_textfile = value.read(values::absolute).map(PathBuf::from);
    }),
    key("notify", |to, value| {
        let sections = named(value, |section| notify(section, unknown));
        to.notify = sections
            .into_iter()
            .filter_map(|(name, section)| Some((name, section?)))
            .collect();
    }),
    key("people", |to, value| to.people = people(value, unknown)),
    key("web", |to, value| to.web = web(value, unknown)),
    key("defaults", |to, value| to.defaults = settings(value)),
    key("environments", |to, value| {
        for (name, section) in named(value, environment) {
            match name {
                EnvironmentKey::Name(name) => {
                    to.environments.insert(name, section);
                }
                EnvironmentKey::Pattern(pattern) => to.patterns.push((pattern, section)),
            }
        }
    }),
    key("applications", |to, value| {
        to.applications = applications(value);
    }),
];

/// The keys of an environment, beside [`SETTINGS`].
const ENVIRONMENT: &[Key<EnvironmentSection>] = &[
    key("parallel", |to, value| {
        to.parallel = value.number(1..=PARALLEL_MAX).unwrap_or(1);
    }),
    key("promotes_from", |to, value| {
        to.promotes_from = value.read(values::environment);
    }),
    key("soak", |to, value| to.soak = value.duration()),
    key("prepend_only", |to, value| {
        to.prepend_only = value.boolean().unwrap_or_default();
    }),
    key("frozen", |to, value| {
        let zones = value.reader.zones;
        let windows = value.read_each(|text| Window::parse(text, zones));
        to.frozen = windows.unwrap_or_default();
    }),
    key("on_freeze", |to, value| {
        let choices = [("refuse", OnFreeze::Refuse), ("hold", OnFreeze::Hold)];
        to.on_freeze = value.choice(&choices).unwrap_or(OnFreeze::Refuse);
    }),
    key("override_by", |to, value| {
        let names = value.strings().unwrap_or_default();
        to.override_by = names.into_iter().map(|(_, name)| name.to_owned()).collect();
    }),
    key("approvals", |to, value| {
        to.approvals = value.number(0..=APPROVALS_MAX).unwrap_or_default();
    }),
    key("approvers", |to, value| {
        to.approvers = value.strings().map(|names| {
            let names = names.into_iter();
            names.map(|(_, name)| name.to_owned()).collect()
        });
    }),
    key("together", |to, value| to.together = together(value)),
    key("applications", |to, value| {
        to.applications = applications(value);
    }),
];

/// The settings of a deployment.
const SETTINGS: &[Key<PartialSettings>] = &[
    key("command", |to, value| to.command = command(value)),
    key("checkout", |to, value| to.checkout = folder(value)),
    key("activate", |to, value| to.activate = command(value)),
    key("verify", |to, value| to.verify = command(value)),
    key("verify_timeout", |to, value| {
        to.verify_timeout = value.duration();
    }),
    key("verify_retries", |to, value| {
        to.verify_retries = value.number(0..=RETRIES_MAX);
    }),
    key("repository", |to, value| {
        to.repository = repository(value);
    }),
    key("fetch_timeout", |to, value| {
        to.fetch_timeout = value.duration();
    }),
    key("fetch_max_age", |to, value| {
        to.fetch_max_age = value.duration();
    }),
    key("allowed_refs", |to, value| {
        to.allowed_refs = value.read_each(values::full_ref);
    }),
    key("after", |to, value| {
        to.after = value.read_each(values::application);
    }),
    key("timeout", |to, value| {
        to.timeout = value.duration();
    }),
    key("kill_after", |to, value| {
        to.kill_after = value.duration();
    }),
    key("grace", |to, value| to.grace = value.duration()),
    key("queue", |to, value| {
        to.queue = value.choice(&[("latest", Queue::Latest), ("all", Queue::All)]);
    }),
    key("env", |to, value| to.env = variables(value)),
    key("user", |to, value| to.user = value.read(values::user)),
    key("subdirectory", |to, value| {
        to.subdirectory = subdirectory(value);
    }),
    key("shared", |to, value| to.shared = shared(value)),
    key("keep_releases", |to, value| {
        to.keep_releases = value.number(1..=RELEASES_MAX);
    }),
    key("lfs", |to, value| {
        to.lfs_pointers = value.choice(&[("refuse", false), ("pointers", true)]);
    }),
    key("submodules", |to, value| {
        to.empty_submodules = value.choice(&[("refuse", false), ("empty", true)]);
    }),
    key("link", |to, value| {
        to.link = value.choice(&[("reflink", Link::Reflink), ("hard", Link::Hard)]);
    }),
    key("marks", |to, value| to.marks = value.boolean()),
    key("log_limit", |to, value| {
        to.log_limit = value.size();
    }),
    key("on_interrupt", |to, value| {
        let choices = [("stop", OnInterrupt::Stop), ("retry", OnInterrupt::Retry)];
        to.on_interrupt = value.choice(&choices);
    }),
];

/// Reads the whole file.
pub(super) fn config<'d>(document: &'d DeTable<'d>, reader: &mut DocumentReader<'d>) -> Config {
    let mut config = Config::default();

    for (name, value) in document {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        let Some(known) = find(TOP, name) else {
            let known = names(TOP).collect();
            reader.report(at, unknown("", name, known));
            continue;
        };

        let key = name.to_owned();
        (known.read)(&mut config, &mut DocumentEntry { reader, key, value });
    }
    config
}

/// Reads the section of an environment.
fn environment(section: &mut DocumentEntry<'_, '_>) -> EnvironmentSection {
    let mut read = EnvironmentSection::default();

    for (name, value) in section.table().into_iter().flatten() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        if let Some(known) = find(ENVIRONMENT, name) {
            (known.read)(&mut read, &mut section.inner(name, value));
        } else if let Some(known) = find(SETTINGS, name) {
            (known.read)(&mut read.settings, &mut section.inner(name, value));
        } else {
            let known = names(ENVIRONMENT).chain(names(SETTINGS)).collect();
            section
                .reader
                .report(at, unknown(&section.key, name, known));
        }
    }
    read
}

/// Reads a section that holds settings alone.
fn settings(section: &mut DocumentEntry<'_, '_>) -> PartialSettings {
    let mut read = PartialSettings::default();

    for (name, value) in section.table().into_iter().flatten() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        if let Some(known) = find(SETTINGS, name) {
            (known.read)(&mut read, &mut section.inner(name, value));
        } else if find(ENVIRONMENT, name).is_some() {
            let (section_name, key) = (section.key.clone(), name.to_owned());
            let kind = MistakeKind::KeyOfEnvironment {
                section: section_name,
                key,
            };
            section.reader.report(at, kind);
        } else {
            let known = names(SETTINGS).collect();
            section
                .reader
                .report(at, unknown(&section.key, name, known));
        }
    }
    read
}

fn applications(sections: &mut DocumentEntry<'_, '_>) -> BTreeMap<Application, PartialSettings> {
    named(sections, settings)
}

/// Reads a table whose keys are names, and each value of which is a section.
fn named<N, S>(
    sections: &mut DocumentEntry<'_, '_>,
    read: fn(&mut DocumentEntry<'_, '_>) -> S,
) -> BTreeMap<N, S>
where
    N: FromStr<Err = NameError> + Ord,
{
    let mut named = BTreeMap::new();

    for (name, value) in sections.table().into_iter().flatten() {
        let (at, text) = (name.span().start, name.get_ref().as_ref());
        match text.parse() {
            Ok(name) => {
                named.insert(name, read(&mut sections.inner(text, value)));
            }
            Err(error) => {
                let key = sections.key.clone();
                let error = ValueError::Name(text.to_owned(), error);
                sections
                    .reader
                    .report(at, MistakeKind::Value { key, error });
            }
        }
    }
    named
}

fn unknown(section: &str, key: &str, known: Vec<&'static str>) -> MistakeKind {
    MistakeKind::UnknownKey {
        section: section.to_owned(),
        key: key.to_owned(),
        known,
        elsewhere: keys().collect(),
    }
}
