//! Marks in application repositories: the refs that say what is deployed and wanted, and the notes
//! of commits that say what happened.
//!
//! Protocol: one process at a time writes the marks of a state: it holds the lock of the reader
//! `marks`. It reads the events after the reader's position and finds the applications that they
//! are about. The refs of these are made what the record says, whatever they were before, and each
//! deployment that has ended gets a line in the note of its commit. Only then does one transaction
//! move the position. So if the process dies anywhere, the next one does the same again, and doing
//! it twice changes nothing.
//!
//! A repository that can't be written, or gives no answer, holds up no other. The first event that
//! could not be marked there waits as a notification of `marks`, one for each repository, and the
//! system log gets one line. It is tried again with growing pauses, [`TRIES_MAX`] times, which
//! takes about a day, and after that by each `reconcile`. With it, everything is marked that
//! happened to the applications of that repository since then.
//!
//! It does not promise that a revision is kept alive in the moment before its ref is written.

use super::audience::{Audience, MARKS};
use super::mark_work::{MarkWork, RepositoryWork};
use super::mark_writers::{MarkWriters, NotMarked};
use super::tell::{ANSWER_MAX, pause, wait_for_change};
use crate::deploy_repository::DeployRepository;
use crate::store::{self, Attempt, Notification, NotificationStatus, Store, Transaction};
use crate::sys::clock;
use crate::sys::lock::try_lock_a_moment;
use crate::sys::own_program::OwnProgram;
use crate::text;

/// How often a repository is tried that can't be written.
const TRIES_MAX: u32 = 150;

/// Writes what is to be marked in application repositories, unless another process does so already,
/// and returns when nothing waits.
///
/// # Errors
/// The lock can't be had, or the state can't be read or changed.
pub fn mark_all(store: &mut Store, mut deploy: DeployRepository) -> Result<(), store::Error> {
    let path = store.reader_lock_file(MARKS);
    let mut writers = MarkWriters::new();
    let program = OwnProgram::find();
    loop {
        let taken = try_lock_a_moment(&path, store.sharing());
        let taken = taken.map_err(|error| store::Error::Io(path.clone(), error))?;
        let Some(lock) = taken else {
            return Ok(());
        };
        while !program.is_replaced() && mark_once(store, &mut deploy, &mut writers)? {}
        drop(lock);
        if program.is_replaced() {
            return Ok(());
        }

        // Somebody may have written an event while the lock was held, and left it to this process.
        let record = store.read()?;
        if !deploy.config.has_marks() || record.last_event()? <= record.position(MARKS)? {
            return Ok(());
        }
    }
}

/// Marks what is to be marked now, or waits for the next try. `false`: nothing is left to do.
fn mark_once(
    store: &mut Store,
    deploy: &mut DeployRepository,
    writers: &mut MarkWriters,
) -> Result<bool, store::Error> {
    // A configuration with mistakes is not used, and the one from before stays in force.
    let _ = deploy.reload_config();
    if !deploy.config.has_marks() {
        return Ok(false);
    }

    let identity = store.identity()?;
    let state = identity.split(' ').next().unwrap_or_default();
    writers.look();
    let found = MarkWork::find(&*store.read()?, deploy, state, writers)?;
    if found.now.is_empty() && found.moot.is_empty() && !found.is_news {
        let next = found.next_try;
        wait_for_change(store, next)?;
        return Ok(next.is_some());
    }

    let (works, marks): (Vec<_>, Vec<_>) = (found.now.into_iter())
        .map(|(path, work, marks)| ((path.clone(), work), (path, marks)))
        .unzip();
    let mut written = writers.write(marks);
    let mut tried = Vec::new();
    for (path, work) in works {
        let failed = written.remove(&path).and_then(Result::err);
        let is_first = work.waiting.iter().all(|waiting| waiting.attempts == 0);
        match &failed {
            None | Some(NotMarked::Open { .. }) => {}
            Some(error) if is_first => {
                Audience::of(deploy).report_failure("marks", &answer(error));
            }
            Some(_) => {}
        }
        tried.push((work, failed));
    }

    store.transaction(|transaction| {
        for waiting in &found.moot {
            let why = "its application gets no marks any more";
            record_try(transaction, waiting, NotificationStatus::Delivered, why)?;
        }
        for (work, failed) in &tried {
            record_work(transaction, work, failed.as_ref())?;
        }
        if found.is_news {
            transaction.move_position(MARKS, found.last)?;
        }
        Ok::<_, store::Error>(())
    })?;
    Ok(true)
}

/// What is recorded and reported of marks that are not written.
fn answer(error: &NotMarked) -> String {
    text::escape(error.to_string(), ANSWER_MAX)
}

/// Records what became of the marks of one repository; `None`: they are written.
fn record_work(
    transaction: &Transaction<'_>,
    work: &RepositoryWork,
    failed: Option<&NotMarked>,
) -> Result<(), store::Error> {
    let mut waiting = work.waiting.clone();
    if let (true, Some(_), Some(first)) = (waiting.is_empty(), failed, work.first) {
        let id = transaction.await_notification(MARKS, first)?;
        waiting.extend(transaction.notification(id)?);
    }
    // It waits without a try until it is known how this one ends.
    if let Some(NotMarked::Open { .. }) = failed {
        return Ok(());
    }

    let answer = failed.map(answer).unwrap_or_default();
    for waiting in &waiting {
        let status = match failed {
            None => NotificationStatus::Delivered,
            Some(_) if waiting.attempts + 1 >= TRIES_MAX => NotificationStatus::GivenUp,
            Some(_) => NotificationStatus::Waiting,
        };
        record_try(transaction, waiting, status, &answer)?;
    }
    Ok(())
}

/// Records one try.
fn record_try(
    transaction: &Transaction<'_>,
    notification: &Notification,
    status: NotificationStatus,
    answer: &str,
) -> Result<(), store::Error> {
    let at = clock::now();
    let is_waiting = status == NotificationStatus::Waiting;
    let attempt = Attempt {
        status,
        at,
        next: is_waiting.then(|| at.after(pause(notification.attempts))),
        answer: answer.to_owned(),
    };
    transaction.record_attempt(notification.id, &attempt)
}
