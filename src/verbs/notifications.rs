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
use crate::store::{self, Notification, Reader, Store};
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
/// and for each target the event that is told next, where one waits.
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
    let mut targets = known_targets(&deploy.config, &record)?;
    if let Some(name) = name {
        check_name(name, targets.iter())?;
        targets.retain(|target| target == name);
    }

    let row = |target: NotifyName, event: &_, notification| {
        let configured = deploy.config.notify.contains_key(&target);
        NotificationRow::new(target, configured, event, notification)
    };
    // By event and target, so that what is told next is in the list once.
    let mut rows: BTreeMap<(EventId, NotifyName), NotificationRow> = BTreeMap::new();
    let pattern = name.map_or_else(|| "notify:*".to_owned(), reader_of);
    for notification in record.notifications(&pattern, number)? {
        if let Some(target) = target_of(&notification.target)
            && let Some(event) = record.event(notification.event)?
        {
            let key = (event.id, target.clone());
            rows.insert(key, row(target, &event, Some(notification)));
        }
    }
    for target in targets {
        if let Some(waiting) = backlog_of(deploy, &record, &target)? {
            let key = (waiting.event.id, target.clone());
            let mut first = row(target, &waiting.event, waiting.notification);
            first.behind = first.configured.then_some(waiting.behind);
            rows.insert(key, first);
        }
    }
    Ok(rows.into_values().rev().collect())
}

/// The targets that the configuration or the record knows.
fn known_targets(
    config: &Config,
    record: &Reader<'_>,
) -> Result<BTreeSet<NotifyName>, store::Error> {
    let recorded = record.notified_targets()?;
    let recorded = recorded.iter().filter_map(|reader| target_of(reader));
    Ok(config.notify.keys().cloned().chain(recorded).collect())
}

/// The names of the targets that the configuration or the record knows.
///
/// # Errors
/// The state can't be read.
pub fn notify_names(
    deploy: &DeployRepository,
    store: &mut Store,
) -> Result<Vec<NotifyName>, Error> {
    let known = known_targets(&deploy.config, &*store.read()?)?;
    Ok(known.into_iter().collect())
}

/// What waits for a target. For one that the configuration does not name, that is what was tried.
fn backlog_of(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    target: &NotifyName,
) -> Result<Option<Backlog>, store::Error> {
    let section = deploy.config.notify.get(target);
    let root = &deploy.config.root;
    backlog(record, &reader_of(target), |event| {
        section.is_some_and(|section| wants(section, event, root))
    })
}

fn check_name<'n>(
    name: &NotifyName,
    known: impl Iterator<Item = &'n NotifyName> + Clone,
) -> Result<(), Error> {
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let near = text::nearest(name.as_str(), known.map(NotifyName::as_str));
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
    check_name(name, deploy.config.notify.keys())?;

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
    let Some(target) = target_of(&notification.target) else {
        return Err(unknown());
    };
    if !deploy.config.notify.contains_key(&target) {
        let message = format!("the configuration does not name {target} any more");
        let hint = format!("write a section [notify.{target}] first");
        return Err(Error::refused(message, hint));
    }

    store.transaction(|transaction| transaction.notify_again(id).map(drop))?;
    Call::of(&deploy)
        .background(Background::Notify)
        .map_err(no_notifier)?;
    Ok(target)
}

/// What somebody was not told, and what they wait for.
#[derive(Debug)]
pub struct Untold {
    /// Who: the name of a section, or of what publishes.
    pub name: String,
    /// Since when the oldest event waits, how many wait behind it, and what the last try came to.
    pub waiting: Option<(Timestamp, usize, Option<String>)>,
    /// How many notifications were refused or given up within the last day, and the newest of them.
    pub failed: Option<(u64, Notification)>,
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
        if let Some((count, newest)) = &self.failed {
            let count = counted(*count);
            let answer = said(newest.answer.as_ref());
            remarks.push(format!(
                "{count} not told within the last day, and not tried again{answer}"
            ));
        }
        remarks
    }
}

/// Those for whom an event waits for longer than a minute, or who were not told of one within the
/// last day.
///
/// # Errors
/// The state can't be read.
pub fn untold(deploy: &DeployRepository, record: &Reader<'_>) -> Result<Vec<Untold>, store::Error> {
    let now = clock::now();
    let mut found = Vec::new();
    let mut look = |name: &str, reader: &str, waiting: Option<Backlog>| {
        let waiting = waiting.filter(|waiting| now.since(waiting.event.at) > WAITING_MIN);
        let waiting = waiting.map(|waiting| {
            let answer = waiting.notification.and_then(|tried| tried.answer);
            (waiting.event.at, waiting.behind, answer)
        });
        let (count, newest) = record.failed_notifications(reader, now.before(FAILED_MAX))?;
        let failed = newest.map(|newest| (count, newest));
        if waiting.is_some() || failed.is_some() {
            let name = name.to_owned();
            found.push(Untold {
                name,
                waiting,
                failed,
            });
        }
        Ok::<_, store::Error>(())
    };

    for target in deploy.config.notify.keys() {
        let waiting = backlog_of(deploy, record, target)?;
        look(target.as_str(), &reader_of(target), waiting)?;
    }
    for reader in publishers(&deploy.config) {
        look(reader, reader, backlog(record, reader, |_| false)?)?;
    }
    Ok(found)
}
