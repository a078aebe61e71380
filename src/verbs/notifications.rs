//! `notifications`: what was told to whom, what waits and what failed; a test of one target; and
//! another try.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Stdio;
use std::time::Duration;

use super::error::Error;
use super::place::Place;
use crate::config::Config;
use crate::deploy_repository::DeployRepository;
use crate::id::{EventId, NotificationId, NotifyName};
use crate::publish::{Backlog, backlog, publishers, reader_of, target_of, wants};
use crate::report::NotificationRow;
use crate::store::{self, Deployment, Notification, Reader, Store};
use crate::sys::clock;
use crate::text;
use crate::time::{Timestamp, show_ago};
use crate::wake::{Background, Call, notifier, notifier_call};

/// What to do where a number or a name is not known.
const SEE_ALL: &str = "to see what is known: deploy-by-code notifications";

/// For how long somebody is told that something was not delivered, 24 hours.
const FAILED_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// How old an event is, a minute, before it counts as one that waits.
const WAITING_MIN: Duration = Duration::from_secs(60);

/// The notifications of one target or of all, the newest event first: the newest `number` of them,
/// and for each target the event that is told next, where one waits, and the one that is tried next
/// of those that only some people have.
///
/// # Errors
/// No target has that name, or the state can't be read.
pub fn notifications(
    deploy: &DeployRepository,
    store: &mut Store,
    name: Option<&NotifyName>,
    number: u32,
) -> Result<Vec<NotificationRow>, Error> {
    let record = store.read()?;
    let mut readers = known_readers(&deploy.config, &record)?;
    if let Some(name) = name {
        check_name(name, &names_of(&readers))?;
        readers.retain(|reader| name_of(reader).as_ref() == Some(name));
    }

    let row = |reader: &str, event: &_, notification| {
        let name = name_of(reader)?;
        let configured = is_configured(&deploy.config, reader);
        Some(NotificationRow::new(name, configured, event, notification))
    };
    // By event and reader, so that what is told next is in the list once.
    let mut rows: BTreeMap<(EventId, String), NotificationRow> = BTreeMap::new();
    let newest = match name {
        None => record.notifications("*", number)?,
        Some(_) => {
            let each = readers
                .iter()
                .map(|reader| record.notifications(reader, number));
            each.collect::<Result<Vec<_>, _>>()?.concat()
        }
    };
    for notification in newest {
        let reader = notification.target.clone();
        if let Some(event) = record.event(notification.event)?
            && let Some(row) = row(&reader, &event, Some(notification))
        {
            rows.insert((event.id, reader), row);
        }
    }
    for reader in readers {
        if let Some(partial) = record.next_partial(&reader)?
            && let Some(event) = record.event(partial.event)?
            && let Some(row) = row(&reader, &event, Some(partial))
        {
            rows.insert((event.id, reader.clone()), row);
        }
        if let Some(waiting) = backlog_of(deploy, &record, &reader)?
            && let Some(mut first) = row(&reader, &waiting.event, waiting.notification)
        {
            first.behind = first.configured.then_some(waiting.behind);
            rows.insert((waiting.event.id, reader), first);
        }
    }
    Ok(rows.into_values().rev().collect())
}

/// What became of telling everybody of a deployment, the first event first.
///
/// # Errors
/// The state can't be read.
pub fn notifications_of(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    deployment: &Deployment,
) -> Result<Vec<NotificationRow>, Error> {
    let mut rows = Vec::new();
    for event in record.events_of(deployment)? {
        for notification in record.notifications_about(event.id)? {
            let Some(name) = name_of(&notification.target) else {
                continue;
            };
            let configured = is_configured(&deploy.config, &notification.target);
            let row = NotificationRow::new(name, configured, &event, Some(notification));
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The readers of events that the configuration or the record knows: those of the sections
/// `[notify.NAME]`, and those that publish.
fn known_readers(config: &Config, record: &Reader<'_>) -> Result<BTreeSet<String>, store::Error> {
    let sections = config.notify.keys().map(reader_of);
    let publishers = publishers(config).into_iter().map(str::to_owned);
    let recorded = record.notified_targets()?;
    Ok(sections.chain(publishers).chain(recorded).collect())
}

/// Who a reader of events is, by the name of its section, or by that of what publishes.
fn name_of(reader: &str) -> Option<NotifyName> {
    target_of(reader).or_else(|| NotifyName::new(reader).ok())
}

fn names_of(readers: &BTreeSet<String>) -> BTreeSet<NotifyName> {
    readers
        .iter()
        .filter_map(|reader| name_of(reader))
        .collect()
}

/// Whether the configuration still asks for a reader of events.
fn is_configured(config: &Config, reader: &str) -> bool {
    match target_of(reader) {
        Some(target) => config.notify.contains_key(&target),
        None => publishers(config).contains(&reader),
    }
}

/// The names of those that the configuration or the record knows.
///
/// # Errors
/// The state can't be read.
pub fn notify_names(
    deploy: &DeployRepository,
    store: &mut Store,
) -> Result<Vec<NotifyName>, Error> {
    let known = known_readers(&deploy.config, &*store.read()?)?;
    Ok(names_of(&known).into_iter().collect())
}

/// What waits for a reader of events. For one that publishes, and for a section that the
/// configuration does not have, that is what was tried.
fn backlog_of(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    reader: &str,
) -> Result<Option<Backlog>, store::Error> {
    let target = target_of(reader);
    let section = target.and_then(|target| deploy.config.notify.get(&target));
    let root = &deploy.config.root;
    backlog(record, reader, |event| {
        section.is_some_and(|section| wants(section, event, root))
    })
}

fn check_name(name: &NotifyName, known: &BTreeSet<NotifyName>) -> Result<(), Error> {
    if known.contains(name) {
        return Ok(());
    }
    let near = text::nearest(name.as_str(), known.iter().map(NotifyName::as_str));
    let hint = match near {
        Some(near) => format!("did you mean {near}?"),
        None => SEE_ALL.to_owned(),
    };
    let message = format!("the configuration has no section [notify.{name}]");
    Err(Error::refused(message, hint))
}

/// Sends a test event to a target and lets the program that does so print the answer. Returns
/// whether the other side took it.
///
/// # Errors
/// No target has that name, or the program can't be started.
pub fn try_target(place: &Place, name: &NotifyName) -> Result<bool, Error> {
    let deploy = place.deploy()?;
    check_name(name, &deploy.config.notify.keys().cloned().collect())?;

    let words = ["--checked".into(), "--test".into(), name.as_str().into()];
    let status = notifier_call(&deploy, &words)
        .and_then(|mut command| command.stdin(Stdio::null()).status())
        .map_err(no_notifier)?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(no_notifier(io::Error::other(status.to_string()))),
    }
}

fn no_notifier(error: io::Error) -> Error {
    let program = notifier().unwrap_or_default();
    let program = text::escape(program.as_os_str().as_encoded_bytes(), 200);
    let hint = "install it beside deploy-by-code; see: deploy-by-code doctor";
    Error::system(format!("{program} can't do its work"), hint)(error)
}

/// Lets a notification be tried again at once, and starts the program that does so. Returns who is
/// told of it.
///
/// # Errors
/// There is none with this number, the configuration does not name its target any more, the state
/// can't be changed, or the program can't be started: then the notification waits.
pub fn notify_again(place: &Place, id: NotificationId) -> Result<NotifyName, Error> {
    let (deploy, mut store) = place.deploy_and_store()?;
    let found = store.read()?.notification(id)?;
    let unknown = || Error::refused(format!("there is no notification {id}"), SEE_ALL);
    let notification = found.ok_or_else(unknown)?;
    let reader = &notification.target;
    let name = name_of(reader).ok_or_else(unknown)?;
    let background = match target_of(reader) {
        Some(_) => Background::Notify,
        None => Background::Publish,
    };
    if !is_configured(&deploy.config, reader) {
        let message = format!("the configuration does not name {name} any more");
        let hint = match background {
            Background::Notify => format!("write a section [notify.{name}] first"),
            Background::Publish => format!("switch {name} on first"),
        };
        return Err(Error::refused(message, hint));
    }

    store.transaction(|transaction| transaction.notify_again(id).map(drop))?;
    Call::of(&deploy)
        .background(background)
        .map_err(no_notifier)?;
    Ok(name)
}

/// What somebody was not told, and what they wait for.
#[derive(Debug)]
pub struct Untold {
    /// Who: the name of a section, or of what publishes.
    pub name: String,
    /// Since when the oldest event waits, how many wait behind it, and what the last try came to.
    pub waiting: Option<(Timestamp, usize, Option<String>)>,
    /// How many notifications only some of several people have, and are tried again for the others,
    /// and what the last try of one of them came to.
    pub partial: Option<(u64, Option<String>)>,
    /// How many notifications were refused or given up, and the newest of them: those of a section
    /// within the last day, and those of what publishes for as long as they are not made good.
    pub failed: Option<(u64, Notification)>,
    /// Whether each `reconcile` tries once more what was given up.
    pub is_retried: bool,
}

impl Untold {
    /// What is to be said about it, each as a sentence without a point.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let counted = |count: u64| match count {
            1 => "1 event".to_owned(),
            count => format!("{count} events"),
        };
        let said = |answer: Option<&String>| match answer.filter(|answer| !answer.is_empty()) {
            Some(answer) => format!(": {answer}"),
            None => String::new(),
        };

        let mut remarks = Vec::new();
        if let Some((since, behind, answer)) = &self.waiting {
            let count = counted(1 + u64::try_from(*behind).unwrap_or(0));
            let ago = show_ago(clock::now().since(*since));
            let answer = said(answer.as_ref());
            remarks.push(format!("{count} not told yet, the oldest of {ago}{answer}"));
        }
        if let Some((count, answer)) = &self.partial {
            let count = counted(*count);
            let answer = said(answer.as_ref());
            remarks.push(format!("{count} not told to everybody yet{answer}"));
        }
        if let Some((count, newest)) = &self.failed {
            let count = counted(*count);
            let answer = said(newest.answer.as_ref());
            remarks.push(match self.is_retried {
                true => format!("{count} given up, and tried again by each reconcile{answer}"),
                false => {
                    format!("{count} not told within the last day, and not tried again{answer}")
                }
            });
        }
        remarks
    }
}

/// Those for whom an event waits for longer than a minute, of whom some were not told of one yet,
/// who were not told of one within the last day, or for whom one is given up that each `reconcile`
/// tries again.
///
/// # Errors
/// The state can't be read.
pub fn untold(deploy: &DeployRepository, record: &Reader<'_>) -> Result<Vec<Untold>, store::Error> {
    let now = clock::now();
    let mut found = Vec::new();
    let mut look = |name: &str, reader: &str, waiting: Option<Backlog>| {
        // An event of the future is one of a clock that was set back since.
        let is_late = |at: Timestamp| now.since(at) > WAITING_MIN || at > now.after(WAITING_MIN);
        let waiting = waiting.filter(|waiting| is_late(waiting.event.at));
        let waiting = waiting.map(|waiting| {
            let answer = waiting.notification.and_then(|tried| tried.answer);
            (waiting.event.at, waiting.behind, answer)
        });
        let partial = record.next_partial(reader)?.map(|partial| partial.answer);
        let partial = match partial {
            Some(answer) => Some((record.partial_notifications(reader)?, answer)),
            None => None,
        };
        let is_retried = target_of(reader).is_none();
        let since = (!is_retried).then(|| now.before(FAILED_MAX));
        let (count, newest) = record.failed_notifications(reader, since)?;
        let failed = newest.map(|newest| (count, newest));
        if waiting.is_some() || partial.is_some() || failed.is_some() {
            let name = name.to_owned();
            found.push(Untold {
                name,
                waiting,
                partial,
                failed,
                is_retried,
            });
        }
        Ok::<_, store::Error>(())
    };

    for target in deploy.config.notify.keys() {
        let reader = reader_of(target);
        let waiting = backlog_of(deploy, record, &reader)?;
        look(target.as_str(), &reader, waiting)?;
    }
    for reader in publishers(&deploy.config) {
        look(reader, reader, backlog(record, reader, |_| false)?)?;
    }
    Ok(found)
}
