//! `metrics`: the figures for Prometheus, as text and in a file for its node_exporter.
//!
//! Protocol: whoever writes the file holds the lock of the reader of events [`METRICS`], so an
//! older text never replaces a newer one. The file is written under another name and renamed, so a
//! crash leaves the old one. The position of that reader says up to which event the file counts
//! that the configuration asks for. A process that finds the lock taken leaves its events to the
//! holder, who looks once more after it has released the lock.
//!
//! It does not promise that the file is written for each event: one that is written later counts
//! all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::dates::find_dates;
use super::deploy_branch::at_one_moment;
use super::error::{Error, Kind};
use super::frozen::frozen;
use super::names::{Names, names_with};
use crate::config::{NotifySection, WebSection};
use crate::deploy_repository::DeployRepository;
use crate::id::{Environment, NotifyName, Target};
use crate::publish::{METRICS, publishers, reader_of, wants};
use crate::report::{
    ApplicationFigures, EnvironmentFigures, Figures, Standing, metrics_text, status_rows,
};
use crate::store::{self, DeploymentFigures, Filter, NotificationFigures, Reader, Store};
use crate::sys::clock::{self, Deadline};
use crate::sys::file::replace;
use crate::sys::lock::{Lock, try_lock};
use crate::time::Timestamp;
use crate::{text, unit_name};

/// How far back ratios and medians look, 30 days. For as long, a retired application is counted.
const WINDOW: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long to wait for another process that writes the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look whether that process is done.
const LOOK: Duration = Duration::from_millis(50);

/// How many events are looked at to count what somebody is still to be told of.
const EVENTS_MAX: u32 = 10_000;

/// How many of them are read at once.
const EVENTS_AT_ONCE: u32 = 1000;

/// The mode of the file: node_exporter is another user.
const MODE: u32 = 0o644;

/// The figures of a deploy repository, as text.
///
/// # Errors
/// The deploy branch or the state can't be read.
pub fn metrics(deploy: &DeployRepository, store: &mut Store) -> Result<String, Error> {
    metrics_of(deploy, store, &WebSection::default())
}

/// The same. Only those applications and environments have figures of their own that the page
/// shows. Applications that it does not show still count in the figures of their environments.
///
/// # Errors
/// As for [`metrics`].
pub fn metrics_of(
    deploy: &DeployRepository,
    store: &mut Store,
    web: &WebSection,
) -> Result<String, Error> {
    let figures = at_one_moment(deploy, store, |branch, record| {
        let names = names_with(deploy, branch, record, record.deployed_targets()?)?;
        let mut figures = figures(deploy, record, &names)?;
        figures
            .environments
            .retain(|name, _| web.shows_environment(name));
        figures.applications.retain(|target, _| web.shows(target));
        Ok(figures)
    })?;
    Ok(metrics_text(&figures))
}

fn figures(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    names: &Names,
) -> Result<Figures, Error> {
    let now = clock::now();
    let since = now.before(WINDOW);
    let frozen = frozen(deploy, record, names, now)?;
    let deployments = record.deployment_figures(since)?;

    let applications = applications(deploy, record, names, &deployments, since)?;
    let by_hand = record.freezes(now)?;
    let shown = applications.keys().map(|target| &target.environment);
    let shown = shown.chain(deploy.config.environments().map(|(name, _)| name));
    let shown: BTreeSet<&Environment> = shown.chain(by_hand.keys()).collect();

    let queue = record.queue_figures()?;
    let failures = record.change_failures(since)?;
    let lead_times = record.lead_times(since)?;
    let times_to_restore = record.times_to_restore(since)?;
    let environment = |name: &Environment| {
        let of = deployments.iter();
        let own = of.filter(|(target, _)| target.environment == *name);
        let queued = queue.get(name);
        EnvironmentFigures {
            queued: queued.map_or(0, |queued| queued.queued),
            oldest_queued: queued.map_or(Duration::ZERO, |queued| now.since(queued.oldest)),
            is_frozen: frozen.contains_key(name),
            changes: own.clone().map(|(_, of)| of.changes()).sum(),
            recent_changes: own.map(|(_, of)| of.recent_changes).sum(),
            failures: failures.get(name).copied().unwrap_or_default(),
            lead_time: lead_times.get(name).copied().unwrap_or_default(),
            time_to_restore: times_to_restore.get(name).copied().unwrap_or_default(),
        }
    };
    let environments = shown
        .into_iter()
        .map(|name| (name.clone(), environment(name)))
        .collect();

    let path = deploy.repository.path().as_os_str().as_encoded_bytes();
    Ok(Figures {
        repository: text::escape(path, usize::MAX),
        environments,
        notifications: notifications(deploy, record)?,
        applications,
    })
}

/// The applications in each environment, but for those that were retired before the window.
fn applications(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    names: &Names,
    deployments: &BTreeMap<Target, DeploymentFigures>,
    since: Timestamp,
) -> Result<BTreeMap<Target, ApplicationFigures>, Error> {
    let retired = record.retirements()?.into_iter();
    let gone: BTreeSet<Target> = retired
        .filter(|retired| retired.retired_at < since)
        .map(|retired| retired.target)
        .collect();

    let rows = status_rows(
        deploy,
        record,
        names.wanted.as_ref(),
        &BTreeMap::new(),
        record.newest()?,
        &Filter::default(),
    )?;
    let rows = rows.into_iter().map(|row| (row.target(), row));
    let rows = rows.filter(|(target, _)| !gone.contains(target));
    let figures = rows.map(|(target, row)| {
        let has_problem = row.status == Some(Standing::Problem);
        let figures = ApplicationFigures {
            deployments: deployments.get(&target).cloned().unwrap_or_default(),
            has_drift: row.is_due().map(|is_due| is_due || has_problem),
        };
        (target, figures)
    });
    Ok(figures.collect())
}

/// What those are still to be told of, or were not told of, whom the configuration names now.
fn notifications(
    deploy: &DeployRepository,
    record: &Reader<'_>,
) -> Result<BTreeMap<String, NotificationFigures>, Error> {
    let tried = record.notification_figures()?;
    let tried = |name: &str| tried.get(name).copied().unwrap_or_default();

    let mut figures = BTreeMap::new();
    // The file of the figures is no notification.
    for name in publishers(&deploy.config) {
        if name != METRICS {
            figures.insert(name.to_owned(), tried(name));
        }
    }
    for (name, section) in &deploy.config.notify {
        let mut of_name = tried(&reader_of(name));
        of_name.waiting += untried(record, name, section, &deploy.config.root)?;
        figures.insert(reader_of(name), of_name);
    }
    Ok(figures)
}

/// How many events somebody is still to be told of for the first time, as far as [`EVENTS_MAX`]
/// events are looked at.
fn untried(
    record: &Reader<'_>,
    name: &NotifyName,
    section: &NotifySection,
    root: &str,
) -> Result<u64, Error> {
    let Some(mut position) = record.known_position(&reader_of(name))? else {
        return Ok(0);
    };
    let mut count = 0;
    for _ in 0..EVENTS_MAX / EVENTS_AT_ONCE {
        let events = record.events_after(position, EVENTS_AT_ONCE)?;
        let Some(last) = events.last() else { break };
        position = last.id;
        count += (events.iter())
            .filter(|event| wants(section, &event.event, root))
            .count() as u64;
    }
    Ok(count)
}

/// Writes the figures into a folder, for the textfile collector of node_exporter.
///
/// # Errors
/// The figures can't be had, the file can't be written, or another process takes too long for it.
pub fn write_metrics(
    deploy: &DeployRepository,
    store: &mut Store,
    folder: &Path,
) -> Result<(), Error> {
    let deadline = Deadline::after(PATIENCE);
    let _lock = loop {
        match take_lock(store)? {
            Some(lock) => break lock,
            None if deadline.is_over() => {
                let message = "another process has been writing the figures for 10 s";
                return Err(Error::advised(
                    Kind::State,
                    message,
                    "look what it waits for",
                ));
            }
            None => clock::sleep(LOOK),
        }
    };
    write(deploy, store, folder)
}

/// Writes the file of the configuration, if there is one and an event is newer than the file.
///
/// # Errors
/// As for [`write_metrics`]. Then the next event, or the timer, is the next try.
pub(super) fn keep_metrics(deploy: &DeployRepository, store: &mut Store) -> Result<(), Error> {
    let Some(folder) = &deploy.config.metrics_textfile else {
        return Ok(());
    };
    while let Some(lock) = take_lock(store)? {
        let record = store.read()?;
        let (last, position) = (record.last_event()?, record.position(METRICS)?);
        drop(record);
        if last > position {
            write(deploy, store, folder)?;
            store.optional_transaction(|transaction| transaction.move_position(METRICS, last))?;
        }
        drop(lock);

        // Somebody may have written an event while the lock was held, and left it to this process.
        if store.read()?.last_event()? == last {
            break;
        }
    }
    Ok(())
}

/// Takes the lock of those who write figures; `None`: another process has it.
fn take_lock(store: &Store) -> Result<Option<Lock>, Error> {
    let path = store.reader_lock_file(METRICS);
    let taken = try_lock(&path, store.sharing());
    Ok(taken.map_err(|error| store::Error::Io(path, error))?)
}

/// Writes the file. The caller has the lock.
fn write(deploy: &DeployRepository, store: &mut Store, folder: &Path) -> Result<(), Error> {
    find_dates(deploy, store)?;
    let figures = metrics(deploy, store)?;

    let file = metrics_file(deploy, folder);
    let shown = text::escape(file.as_os_str().as_encoded_bytes(), 300);
    let what = format!("the figures can't be written to {shown}");
    let hint = "make the folder, and let the repository's owner write to it";
    replace(&file, figures.as_bytes(), MODE).map_err(Error::system(what, hint))
}

/// The file of a deploy repository in a folder.
pub(super) fn metrics_file(deploy: &DeployRepository, folder: &Path) -> PathBuf {
    let name = unit_name::file_name(deploy.repository.path());
    folder.join(format!("deploy-by-code-{name}.prom"))
}
