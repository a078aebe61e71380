//! The mirrors of application repositories on other hosts, which are fetched before questions about
//! them are answered.
//!
//! Protocol: a mirror is fetched if the last fetch is older than `fetch_max_age`. If it has failed
//! since then, it is not tried again only because of its age: otherwise every push would wait for a
//! host that is down. It is also fetched if an answer says that something is missing, whatever was
//! tried before. One process does this once for each mirror. Several are fetched side by side, and
//! all of them together take no longer than the longest `fetch_timeout` of theirs.
//!
//! What can't be fetched is judged by what is known, and the failure is a fact for the rules.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::deploy_repository::DeployRepository;
use crate::git::{FetchError, Mirror};
use crate::id::{Application, Target};
use crate::policy::MirrorFact;
use crate::sys::clock::{self, Deadline};
use crate::text;
use crate::time::Timestamp;

/// How many mirrors are fetched side by side.
const SIDE_BY_SIDE: usize = 4;

/// Who is told that the repository of an application is being fetched.
type FetchListener<'l> = Box<dyn FnMut(&Application) + 'l>;

/// The mirrors that are asked about.
#[derive(Default)]
pub(super) struct Mirrors<'l> {
    /// `None`: nothing is fetched.
    listener: Option<FetchListener<'l>>,
    /// How long the first fetch of a mirror may take, if that is longer than `fetch_timeout`.
    first_limit: Duration,
    known: HashMap<PathBuf, KnownMirror>,
    /// How long this process has waited for fetches.
    spent: Duration,
}

struct KnownMirror {
    mirror: Mirror,
    /// The application that was asked about first.
    application: Application,
    timeout: Duration,
    max_age: Duration,
    /// Whether it was looked at how old it is.
    is_looked_at: bool,
    /// Whether this process has tried to fetch it.
    is_tried: bool,
    /// When it was fetched.
    fetched: Option<Timestamp>,
    failure: Option<String>,
}

impl<'l> Mirrors<'l> {
    /// Mirrors that are fetched. `listener` is told before this process waits for one.
    pub(super) fn fetching(first_limit: Duration, listener: FetchListener<'l>) -> Self {
        Self {
            listener: Some(listener),
            first_limit,
            ..Self::default()
        }
    }

    /// Whether no repository that was asked for is on another host.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The folder of a target's application repository, as
    /// [`DeployRepository::application_repository`] says, which is fetched when something is asked
    /// about it.
    pub(super) fn folder(&mut self, deploy: &DeployRepository, target: &Target) -> Option<PathBuf> {
        let (folder, mirror) = deploy.application_place(target)?;
        let Some(mirror) = mirror else {
            return Some(folder);
        };
        self.known.entry(folder.clone()).or_insert_with(|| {
            let settings = deploy.config.settings(target);
            KnownMirror {
                mirror,
                application: target.application.clone(),
                timeout: settings.fetch_timeout,
                max_age: settings.fetch_max_age,
                is_looked_at: false,
                is_tried: false,
                fetched: None,
                failure: None,
            }
        });
        Some(folder)
    }

    /// Fetches those of some mirrors that are too old.
    pub(super) fn fetch_old(&mut self, folders: &BTreeSet<&Path>) {
        let now = clock::now();
        let mut wanted = Vec::new();
        for folder in folders {
            let Some(known) = self.known.get_mut(*folder) else {
                continue;
            };
            if std::mem::replace(&mut known.is_looked_at, true) {
                continue;
            }
            // A time in the future says nothing, and neither does one that can't be read.
            known.fetched = known.mirror.fetched().ok().flatten();
            known.fetched = known.fetched.filter(|fetched| *fetched <= now);
            let since = now.before(known.max_age);
            if self.listener.is_none() || known.fetched.is_some_and(|fetched| fetched >= since) {
                continue;
            }

            let failed = known.mirror.failed().ok().flatten();
            let is_new = |at: Timestamp| (since..=now).contains(&at);
            match failed.filter(|failed| known.fetched.is_some() && is_new(failed.at())) {
                Some(failed) => known.failure = Some(failed.why),
                None => wanted.push((folder.to_path_buf(), since)),
            }
        }
        self.fetch(wanted);
    }

    /// Fetches those of some mirrors that this process has not tried to fetch yet, because
    /// something is missing in them. Returns those that were fetched.
    pub(super) fn fetch_missing(&mut self, folders: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        if self.listener.is_none() {
            return BTreeSet::new();
        }
        let is_new = |known: &KnownMirror| !known.is_tried;
        let since = clock::now();
        let wanted = folders.into_iter();
        let wanted = wanted.filter(|folder| self.known.get(folder).is_some_and(is_new));
        self.fetch(wanted.map(|folder| (folder, since)).collect())
    }

    /// Fetches mirrors that were not fetched at a time or later. Returns those for which that
    /// succeeded.
    fn fetch(&mut self, wanted: Vec<(PathBuf, Timestamp)>) -> BTreeSet<PathBuf> {
        let mut tasks = VecDeque::new();
        for (folder, since) in wanted {
            if let (Some(known), Some(listener)) = (self.known.get(&folder), &mut self.listener) {
                listener(&known.application);
                let limit = match known.fetched {
                    Some(_) => known.timeout,
                    None => known.timeout.max(self.first_limit),
                };
                tasks.push_back((folder, known.mirror.clone(), since, limit));
            }
        }
        let longest = tasks.iter().map(|(.., limit)| *limit).max();
        let left = longest.unwrap_or_default().saturating_sub(self.spent);
        let end = Deadline::after(left);
        let results = fetch_side_by_side(tasks, end);
        self.spent += left.saturating_sub(end.left());

        let mut fetched = BTreeSet::new();
        for (folder, result) in results {
            if let Some(known) = self.known.get_mut(&folder) {
                known.is_tried = true;
                known.failure = result
                    .err()
                    .map(|error| text::escape(error.to_string(), 1000));
                known.fetched = known.mirror.fetched().ok().flatten();
                fetched.extend(known.failure.is_none().then_some(folder));
            }
        }
        fetched
    }

    /// What is known of a mirror; `None`: the repository is none.
    pub(super) fn fact(&self, folder: &Path) -> Option<MirrorFact> {
        let known = self.known.get(folder)?;
        Some(MirrorFact {
            url: known.mirror.url().to_string(),
            folder: text::escape(folder.as_os_str().as_encoded_bytes(), 300),
            fetched_ago: known.fetched.map(|fetched| clock::now().since(fetched)),
            failure: known.failure.clone(),
        })
    }
}

/// A mirror to fetch: its folder, since when it must have been fetched, and how long it may take.
type Task = (PathBuf, Mirror, Timestamp, Duration);

/// Fetches several mirrors, and returns what came of it.
fn fetch_side_by_side(
    tasks: VecDeque<Task>,
    end: Deadline,
) -> Vec<(PathBuf, Result<(), FetchError>)> {
    let helpers = tasks.len().min(SIDE_BY_SIDE).saturating_sub(1);
    let (tasks, results) = (Mutex::new(tasks), Mutex::new(Vec::new()));
    let next = || {
        tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    let work = || {
        while let Some((folder, mirror, since, limit)) = next() {
            let until = Deadline::after(limit.min(end.left()));
            let result = mirror.fetch(since, (limit, until), &mut |_| {});
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((folder, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..helpers {
            // Without a thread, the others do its work.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
