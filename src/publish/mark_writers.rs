//! The threads that write marks, a few side by side, each into a repository of its own.
//!
//! Protocol: a repository has one thread at a time, so its marks are written in their order. A
//! thread is waited for [`PATIENCE`]. One that takes longer goes on by itself: a file system can
//! hang for ever, and must hold up no other repository. Nothing else is written into its repository
//! until it has come back. What it has written then may be out of date, so its answer says only
//! that the repository can be written again.
//!
//! It does not promise that such a thread ends before the process does.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use super::mark_refs::{FOLDERS, Marks, NOTES};
use crate::git;
use crate::sys::clock::{self, Deadline};
use crate::text;
use crate::time::{Timestamp, show_duration};

/// How many repositories are waited for at the same time.
const SIDE_BY_SIDE: usize = 4;

/// How long one of them is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the marks of one repository may take before that counts as a try that did not work.
const LIMIT: Duration = Duration::from_secs(120);

/// How many lines of notes are written in one commit.
const NOTES_AT_ONCE: usize = 100;

/// Why the marks of a repository are not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotMarked {
    #[error(transparent)]
    Git(#[from] git::Error),

    #[error("{}: no thread can be started: {source}", shown(.path))]
    NoThread { path: PathBuf, source: io::Error },

    /// It is not known yet how the try ends.
    #[error("{}: it has given no answer yet", shown(.path))]
    Open { path: PathBuf },

    #[error("{}: it gave no answer within {}", shown(.path), show_duration(LIMIT))]
    Silent { path: PathBuf },
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

/// The repository of a thread that is done, and what came of it.
type Written = (PathBuf, Result<(), git::Error>);

/// The threads that write marks.
pub(super) struct MarkWriters {
    sender: Sender<Written>,
    answers: Receiver<Written>,
    /// The repositories that have a thread, and until when it should be done.
    busy: BTreeMap<PathBuf, Deadline>,
    /// Those whose thread has come back after nobody waited for it any more.
    back: BTreeSet<PathBuf>,
}

impl MarkWriters {
    pub(super) fn new() -> Self {
        let (sender, answers) = mpsc::channel();
        Self {
            sender,
            answers,
            busy: BTreeMap::new(),
            back: BTreeSet::new(),
        }
    }

    /// When something is to be tried in a repository; `None`: at once. `recorded` is what the
    /// record says.
    pub(super) fn next_try(&self, path: &Path, recorded: Option<Timestamp>) -> Option<Timestamp> {
        if self.back.contains(path) {
            return None;
        }
        match self.busy.get(path) {
            Some(limit) if !limit.is_over() => Some(clock::now().after(limit.left())),
            _ => recorded,
        }
    }

    /// Takes in which threads have come back.
    pub(super) fn look(&mut self) {
        while let Ok((path, _)) = self.answers.try_recv() {
            self.busy.remove(&path);
            self.back.insert(path);
        }
    }

    /// Writes marks, each into its repository, and returns what became of each.
    pub(super) fn write(
        &mut self,
        all: Vec<(PathBuf, Marks)>,
    ) -> BTreeMap<PathBuf, Result<(), NotMarked>> {
        let mut left = all.into_iter();
        let mut done = BTreeMap::new();
        let mut awaited: BTreeMap<PathBuf, Deadline> = BTreeMap::new();
        loop {
            while awaited.len() < SIDE_BY_SIDE
                && let Some((path, marks)) = left.next()
            {
                if let Err(error) = self.start(&path, marks) {
                    done.insert(path, Err(error));
                } else {
                    awaited.insert(path, Deadline::after(PATIENCE));
                }
            }
            let Some(wait) = awaited.values().map(|deadline| deadline.left()).min() else {
                return done;
            };

            if let Ok((path, answer)) = self.answers.recv_timeout(wait) {
                self.busy.remove(&path);
                if awaited.remove(&path).is_some() {
                    done.insert(path, answer.map_err(NotMarked::from));
                } else {
                    self.back.insert(path);
                }
            }
            awaited.retain(|path, deadline| {
                let is_over = deadline.is_over();
                if is_over && let Err(silent) = self.check_is_free(path) {
                    done.insert(path.clone(), Err(silent));
                }
                !is_over
            });
        }
    }

    /// Starts the thread of a repository, unless it has one.
    fn start(&mut self, path: &Path, marks: Marks) -> Result<(), NotMarked> {
        self.check_is_free(path)?;
        self.back.remove(path);

        let path = path.to_owned();
        let (sender, to_write) = (self.sender.clone(), path.clone());
        let work = move || {
            let written = write(&to_write, &marks);
            // Nobody listens any more where the process is about to end.
            let _ = sender.send((to_write, written));
        };
        match thread::Builder::new().spawn(work) {
            Ok(_) => self.busy.insert(path, Deadline::after(LIMIT)),
            Err(source) => return Err(NotMarked::NoThread { path, source }),
        };
        Ok(())
    }

    /// Whether a repository has no thread.
    fn check_is_free(&self, path: &Path) -> Result<(), NotMarked> {
        let path = path.to_owned();
        match self.busy.get(&path) {
            None => Ok(()),
            Some(limit) if limit.is_over() => Err(NotMarked::Silent { path }),
            Some(_) => Err(NotMarked::Open { path }),
        }
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
