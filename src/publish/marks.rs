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
//! A repository that can't be written holds up no other. The first event that could not be marked
//! there waits as a notification of `marks`, one for each repository, and the system log gets one
//! line. It is tried again with growing pauses, [`TRIES_MAX`] times, which takes about a day. With
//! it, everything is marked that happened to the applications of that repository since then.
//!
//! It does not promise that a revision is kept alive in the moment before its ref is written.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::audience::{Audience, MARKS};
use super::mark_refs::{FOLDERS, NOTES};
use super::mark_work::{MarkWork, Marks, RepositoryWork};
use super::tell::{ANSWER_MAX, pause, wait_for_change};
use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::store::{self, Attempt, Notification, NotificationStatus, Store, Transaction};
use crate::sys::clock;
use crate::sys::lock::try_lock_a_moment;
use crate::sys::own_program::OwnProgram;
use crate::text;
use crate::time::show_duration;

/// How long the marks of one repository may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How often a repository is tried that can't be written.
const TRIES_MAX: u32 = 150;

/// How many lines of notes are written in one commit.
const NOTES_AT_ONCE: usize = 100;

/// Why the marks of a repository are not written.
#[derive(Debug, thiserror::Error)]
enum NotMarked {
    #[error(transparent)]
    Git(#[from] git::Error),

    #[error("{}: no thread can be started: {source}", shown(.path))]
    NoThread { path: PathBuf, source: io::Error },

    #[error("{}: it gave no answer within {}", shown(.path), show_duration(LIMIT))]
    Silent { path: PathBuf },
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

/// Writes what is to be marked in application repositories, unless another process does so already,
/// and returns when nothing waits.
///
/// # Errors
/// The lock can't be had, or the state can't be read or changed.
pub fn mark_all(store: &mut Store, mut deploy: DeployRepository) -> Result<(), store::Error> {
    let path = store.reader_lock_file(MARKS);
    let program = OwnProgram::find();
    loop {
        let taken = try_lock_a_moment(&path, store.sharing());
        let taken = taken.map_err(|error| store::Error::Io(path.clone(), error))?;
        let Some(lock) = taken else {
            return Ok(());
        };
        while !program.is_replaced() && mark_once(store, &mut deploy)? {}
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
fn mark_once(store: &mut Store, deploy: &mut DeployRepository) -> Result<bool, store::Error> {
    // A configuration with mistakes is not used, and the one from before stays in force.
    let _ = deploy.reload_config();
    if !deploy.config.has_marks() {
        return Ok(false);
    }

    let identity = store.identity()?;
    let state = identity.split(' ').next().unwrap_or_default();
    let found = MarkWork::find(&*store.read()?, deploy, state)?;
    if found.now.is_empty() && found.moot.is_empty() && !found.is_news {
        let next = found.next_try;
        wait_for_change(store, next)?;
        return Ok(next.is_some());
    }

    let mut tried = Vec::new();
    for (path, work, marks) in found.now {
        let failed = write_in_time(path, marks).err();
        let failed = failed.map(|error| text::escape(error.to_string(), ANSWER_MAX));
        if let Some(why) = failed.as_ref().filter(|_| work.waiting.is_empty()) {
            Audience::of(deploy).report_failure("marks", why);
        }
        tried.push((work, failed));
    }

    store.transaction(|transaction| {
        for waiting in &found.moot {
            let why = "its application gets no marks any more";
            record_try(transaction, waiting, NotificationStatus::Delivered, why)?;
        }
        for (work, failed) in &tried {
            record_work(transaction, work, failed.as_deref())?;
        }
        if found.is_news {
            transaction.move_position(MARKS, found.last)?;
        }
        Ok::<_, store::Error>(())
    })?;
    Ok(true)
}

/// Writes marks on a thread of its own, which is left behind where the repository gives no answer:
/// a file system can hang.
fn write_in_time(path: PathBuf, marks: Marks) -> Result<(), NotMarked> {
    let (sender, written) = mpsc::channel();
    let to_write = path.clone();
    let work = move || {
        // Nobody listens any more once the limit is passed.
        let _ = sender.send(write(&to_write, &marks));
    };
    let thread = thread::Builder::new().spawn(work);
    if let Err(source) = thread {
        return Err(NotMarked::NoThread { path, source });
    }
    match written.recv_timeout(LIMIT) {
        Ok(written) => Ok(written?),
        Err(_) => Err(NotMarked::Silent { path }),
    }
}

/// Makes the marks in one repository what they should be. Notes are written also where a ref can't
/// be.
fn write(path: &Path, marks: &Marks) -> Result<(), git::Error> {
    let repository = git::open_application(path)?;
    git::check_may_write(repository.path())?;
    let is_ours = |name: &str| marks.refs.has(name);
    let refs = repository.set_refs(&FOLDERS, is_ours, &marks.refs.wanted);
    // What one call has added stays, if the time is over before the last one.
    for lines in marks.notes.chunks(NOTES_AT_ONCE) {
        repository.add_to_notes(NOTES, lines)?;
    }
    refs
}

/// Records what became of the marks of one repository; `None`: they are written.
fn record_work(
    transaction: &Transaction<'_>,
    work: &RepositoryWork,
    failed: Option<&str>,
) -> Result<(), store::Error> {
    for waiting in &work.waiting {
        let status = match failed {
            None => NotificationStatus::Delivered,
            Some(_) if waiting.attempts + 1 >= TRIES_MAX => NotificationStatus::GivenUp,
            Some(_) => NotificationStatus::Waiting,
        };
        record_try(transaction, waiting, status, failed.unwrap_or_default())?;
    }

    let is_new = work.waiting.is_empty();
    if let (true, Some(why), Some(first)) = (is_new, failed, work.first) {
        let id = transaction.await_notification(MARKS, first)?;
        if let Some(new) = transaction.notification(id)? {
            record_try(transaction, &new, NotificationStatus::Waiting, why)?;
        }
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
