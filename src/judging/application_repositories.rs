//! The repositories of applications, asked with a time limit.
//!
//! Protocol: the repositories are read on a thread of their own. One answer may take
//! [`ANSWER_MAX`], and all answers together may take [`TOTAL_MAX`]. A repository that gives no
//! answer in time is not asked again, and the answer to each question about it is "unknown", with
//! this reason. That happens, for example, if there is a pipe in place of a ref, or if a file
//! system hangs. The thread that waits for the repository is left behind; it ends with the process.
//!
//! Every answer is kept. So a caller that holds the write lock of the state can ask again with
//! [`ApplicationRepositories::from_memory`], which waits for no repository.
//!
//! What is on another host is asked for in its mirror, which is fetched before that and after an
//! answer that something is missing: see [`Mirrors`].
//!
//! Two answers need not be about the same moment: refs can move in between.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Error;
use super::mirrors::Mirrors;
use super::questions::{Asked, LeftThread, Question, RepositoryAnswer, Worker};
use crate::deploy_repository::DeployRepository;
use crate::git::{ExportRules, Gained};
use crate::id::{Application, Revision, Target};
use crate::policy::{Commits, Direction, MirrorFact, RevisionFact, Survey, Unknown};
use crate::sys::clock::Deadline;
use crate::time::show_duration;

/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long all answers together may take.
const TOTAL_MAX: Duration = Duration::from_secs(60);

/// The repositories of the applications of one deploy repository.
pub struct ApplicationRepositories<'l> {
    mirrors: Mirrors<'l>,
    /// The thread that reads the repositories. `None`: it is not started yet, or it hangs.
    worker: Option<Worker>,
    answers: HashMap<Asked, RepositoryAnswer>,
    /// The repositories that gave no answer in time, and the thread that was left behind with each.
    silent: HashMap<PathBuf, LeftThread>,
    /// How long one answer may take.
    answer_max: Duration,
    /// How long all answers together may take.
    total_max: Duration,
    /// How much of that is left. Only the time that is spent on waiting for answers counts.
    left: Duration,
    only_memory: bool,
}

/// What is on other hosts is not fetched.
impl Default for ApplicationRepositories<'_> {
    fn default() -> Self {
        Self::within(ANSWER_MAX, TOTAL_MAX)
    }
}

impl<'l> ApplicationRepositories<'l> {
    /// Repositories with these limits of time: for one answer, and for all answers together.
    fn within(answer_max: Duration, total_max: Duration) -> Self {
        Self {
            mirrors: Mirrors::default(),
            worker: None,
            answers: HashMap::new(),
            silent: HashMap::new(),
            answer_max,
            total_max,
            left: total_max,
            only_memory: false,
        }
    }

    /// Repositories that are fetched where they are on other hosts. `listener` gets to know whose
    /// repository is fetched, before this process waits for it.
    pub fn fetching(listener: impl FnMut(&Application) + 'l) -> Self {
        Self::fetching_first_within(Duration::ZERO, listener)
    }

    /// [`fetching`](Self::fetching), where the first fetch of a repository may take `first_limit`,
    /// if `fetch_timeout` is shorter.
    pub fn fetching_first_within(
        first_limit: Duration,
        listener: impl FnMut(&Application) + 'l,
    ) -> Self {
        Self {
            mirrors: Mirrors::fetching(first_limit, Box::new(listener)),
            ..Self::default()
        }
    }

    /// The folder of a target's application repository, for questions about it; `None`: none is
    /// configured.
    pub fn folder(&mut self, deploy: &DeployRepository, target: &Target) -> Option<PathBuf> {
        self.mirrors.folder(deploy, target)
    }

    /// Fetches those of some repositories on other hosts that are too old.
    pub fn fetch_old<'p>(&mut self, folders: impl IntoIterator<Item = &'p Path>) {
        if !self.only_memory {
            self.mirrors.fetch_old(&folders.into_iter().collect());
        }
    }

    /// What is known of the mirror in a folder; `None`: the repository is not on another host.
    #[must_use]
    pub fn mirror(&self, folder: &Path) -> Option<MirrorFact> {
        self.mirrors.fact(folder)
    }

    /// While `work` runs, every answer comes from memory. So nothing in it waits for a repository.
    pub fn from_memory<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.only_memory = true;
        let done = work(self);
        self.only_memory = false;
        done
    }

    /// The thread that was left behind with a repository which gave no answer in time; `None`: the
    /// repository has answered, or was not asked.
    #[must_use]
    pub fn left_behind(&self, path: &Path) -> Option<&LeftThread> {
        self.silent.get(path)
    }

    /// Asks many questions at once, so that the answers are there when they are needed.
    pub(super) fn prepare(&mut self, asked: Vec<Asked>) {
        if self.only_memory {
            return;
        }
        let new: HashSet<Asked> = asked
            .into_iter()
            .filter(|asked| !self.answers.contains_key(asked))
            .collect();
        self.ask_all(new.into_iter().collect());
    }

    /// Gets an answer to each of some questions. Where it says that something is missing which may
    /// be on another host, it is asked for once more.
    fn ask_all(&mut self, asked: VecDeque<Asked>) {
        if self.mirrors.is_empty() {
            return self.ask_each(asked);
        }
        self.fetch_old(asked.iter().map(|(path, _)| path.as_path()));
        self.ask_each(asked.clone());

        let is_missing = |asked: &&Asked| {
            let answer = self.answers.get(asked);
            answer.is_some_and(RepositoryAnswer::says_it_is_missing)
        };
        let missing = asked.iter().filter(is_missing);
        let folders: BTreeSet<PathBuf> = missing.map(|(path, _)| path.clone()).collect();
        let fetched = self.mirrors.fetch_missing(folders);
        if fetched.is_empty() {
            return;
        }
        // The thread has opened what was there before.
        self.worker = None;
        let is_old = |(path, _): &Asked, answer: &RepositoryAnswer| {
            fetched.contains(path) && answer.says_it_is_missing()
        };
        self.answers.retain(|asked, answer| !is_old(asked, answer));
        let again = |asked: &Asked| !self.answers.contains_key(asked);
        self.ask_each(asked.into_iter().filter(again).collect());
    }

    /// Gets an answer to each of some questions. If an answer does not come in time, its repository
    /// is given up, and a new thread gets the questions about the others.
    fn ask_each(&mut self, mut open: VecDeque<Asked>) {
        loop {
            let (given_up, rest) = open
                .into_iter()
                .partition(|(path, _)| self.silent.contains_key(path));
            open = rest;
            self.give_up(given_up, &Unknown(self.no_answer()));
            if open.is_empty() {
                return;
            }

            match self.worker.take().map_or_else(Worker::start, Ok) {
                Ok(worker) => self.ask_worker(worker, &mut open),
                Err(error) => {
                    let why = Unknown(format!("no thread can be started to read it: {error}"));
                    self.give_up(std::mem::take(&mut open), &why);
                }
            }
        }
    }

    /// Takes answers until all are there. If one does not come in time, the thread is left behind.
    fn ask_worker(&mut self, worker: Worker, open: &mut VecDeque<Asked>) {
        for asked in &*open {
            // If the thread has ended, the wait for an answer below fails.
            let _ = worker.questions.send(asked.clone());
        }

        let end = Deadline::after(self.left);
        while let Some((path, _)) = open.front() {
            let limit = self.answer_max.min(end.left());
            let answer = worker.answers.recv_timeout(limit);
            self.left = end.left();

            let Ok(answer) = answer else {
                self.silent.insert(path.clone(), worker.thread);
                return;
            };
            self.answers
                .extend(open.pop_front().map(|asked| (asked, answer)));
        }
        self.worker = Some(worker);
    }

    /// Remembers that some questions have no answer, and why.
    fn give_up(&mut self, asked: VecDeque<Asked>, why: &Unknown) {
        for asked in asked {
            let answer = RepositoryAnswer::unknown(&asked.1, why.clone());
            self.answers.insert(asked, answer);
        }
    }

    /// Why a repository that gave no answer in time is not asked any more.
    fn no_answer(&self) -> String {
        let limit = if self.left.is_zero() {
            self.total_max
        } else {
            self.answer_max
        };
        format!("it gave no answer within {}", show_duration(limit))
    }

    fn ask(&mut self, path: &Path, question: Question) -> Result<RepositoryAnswer, Error> {
        let asked = (path.to_owned(), question);
        if !self.answers.contains_key(&asked) {
            if self.only_memory {
                return Err(Error::NotInMemory);
            }
            self.ask_all([asked.clone()].into());
        }
        self.answers.get(&asked).cloned().ok_or(Error::NotInMemory)
    }

    /// What the repository at a path says about a revision.
    pub(super) fn find(
        &mut self,
        path: &Path,
        revision: &Revision,
        allowed_refs: &[String],
    ) -> Result<RevisionFact, Error> {
        let question = Question::Find {
            revision: revision.clone(),
            allowed_refs: allowed_refs.to_vec(),
        };
        match self.ask(path, question)? {
            RepositoryAnswer::Find(fact) => Ok(fact),
            _ => Err(Error::NotInMemory),
        }
    }

    /// How one revision is related to another; with a `folder`, the commits in it are counted too.
    pub(super) fn direction(
        &mut self,
        path: &Path,
        from: &Revision,
        to: &Revision,
        folder: Option<String>,
    ) -> Result<Direction, Error> {
        let question = Question::Direction {
            from: from.clone(),
            to: to.clone(),
            folder,
        };
        match self.ask(path, question)? {
            RepositoryAnswer::Direction(direction) => Ok(direction),
            _ => Err(Error::NotInMemory),
        }
    }

    /// The commits that `to` has and `without` does not have, as
    /// [`git::commits_between`](crate::git::commits_between) says.
    ///
    /// # Errors
    /// The repository can't tell, or gave no answer in time.
    pub fn between(
        &mut self,
        path: &Path,
        without: &Revision,
        to: &Revision,
        folder: Option<String>,
    ) -> Result<Commits, Unknown> {
        let question = Question::Between {
            without: without.clone(),
            to: to.clone(),
            folder,
        };
        match self.ask(path, question) {
            Ok(RepositoryAnswer::Between(commits)) => commits,
            _ => Err(Unknown(Error::NotInMemory.to_string())),
        }
    }

    /// When the commits were committed that `to` has and `without` does not have, as
    /// [`git::commit_dates`](crate::git::commit_dates) says.
    ///
    /// # Errors
    /// The repository can't tell, or gave no answer in time.
    pub fn dates(
        &mut self,
        path: &Path,
        without: &Revision,
        to: &Revision,
        most: usize,
    ) -> Result<Vec<i64>, Unknown> {
        let question = Question::Dates {
            without: without.clone(),
            to: to.clone(),
            most,
        };
        match self.ask(path, question) {
            Ok(RepositoryAnswer::Dates(dates)) => dates,
            _ => Err(Unknown(Error::NotInMemory.to_string())),
        }
    }

    /// Whether the history of a tip contains a commit.
    pub(super) fn contains(
        &mut self,
        path: &Path,
        tip: &Revision,
        commit: &Revision,
    ) -> Result<Result<bool, Unknown>, Error> {
        let question = Question::Contains {
            tip: tip.clone(),
            commit: commit.clone(),
        };
        match self.ask(path, question)? {
            RepositoryAnswer::Contains(contains) => Ok(contains),
            _ => Err(Error::NotInMemory),
        }
    }

    /// The commit whose hash begins with these digits, if there is exactly one.
    pub(super) fn complete(
        &mut self,
        path: &Path,
        prefix: &str,
    ) -> Result<Result<Option<Revision>, Unknown>, Error> {
        match self.ask(path, Question::Complete(prefix.to_owned()))? {
            RepositoryAnswer::Complete(commit) => Ok(commit),
            _ => Err(Error::NotInMemory),
        }
    }

    /// What the commits from `base` to `revision` say.
    pub(super) fn gained(
        &mut self,
        path: &Path,
        base: Option<&Revision>,
        revision: &Revision,
    ) -> Result<Result<Gained, Unknown>, Error> {
        let question = Question::Gained {
            base: base.cloned(),
            revision: revision.clone(),
        };
        match self.ask(path, question)? {
            RepositoryAnswer::Gained(gained) => Ok(gained),
            _ => Err(Error::NotInMemory),
        }
    }

    /// What a checkout of a revision, or of one folder of it, would write.
    pub(super) fn survey(
        &mut self,
        path: &Path,
        revision: &Revision,
        subdirectory: Option<String>,
        rules: ExportRules,
    ) -> Result<Result<Survey, Unknown>, Error> {
        let question = Question::Survey {
            revision: revision.clone(),
            subdirectory,
            rules,
        };
        match self.ask(path, question)? {
            RepositoryAnswer::Survey(survey) => Ok(survey),
            _ => Err(Error::NotInMemory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git;
    use crate::sys::clock;

    fn revision() -> Revision {
        Revision::new("1".repeat(40)).unwrap()
    }

    /// A bare repository without a commit.
    fn repository(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        let made = git::scratch(folder, &["init", "-q", "--bare", name]);
        assert!(made.is_ok(), "{made:?}");
        path
    }

    /// A repository whose objects nobody can open: its list of alternates is a pipe.
    fn pipe(folder: &Path, name: &str) -> PathBuf {
        let path = repository(folder, name);
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&path.join("objects/info/alternates"), mode).unwrap();
        path
    }

    fn find(repositories: &mut ApplicationRepositories<'_>, path: &Path) -> RevisionFact {
        repositories.find(path, &revision(), &[]).unwrap()
    }

    fn silent(limit: &str) -> RevisionFact {
        RevisionFact::Unreadable(format!("it gave no answer within {limit}"))
    }

    #[test]
    fn silent_repository_is_given_up_and_the_others_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (silent_one, works) = (
            pipe(folder.path(), "a.git"),
            repository(folder.path(), "b.git"),
        );
        let mut repositories =
            ApplicationRepositories::within(Duration::from_millis(300), Duration::from_secs(60));

        let question = || Question::Find {
            revision: revision(),
            allowed_refs: Vec::new(),
        };
        repositories.prepare(vec![
            (silent_one.clone(), question()),
            (works.clone(), question()),
        ]);

        assert_eq!(find(&mut repositories, &silent_one), silent("300 ms"));
        assert_eq!(find(&mut repositories, &works), RevisionFact::Missing);
        assert!(repositories.left_behind(&works).is_none());
        let left = repositories.left_behind(&silent_one).unwrap();
        assert!(left.still_waits());
        // It is not asked, and not waited for, again.
        let deadline = Deadline::after(Duration::from_millis(200));
        let contains = repositories.contains(&silent_one, &revision(), &revision());
        assert!(contains.unwrap().is_err());
        assert!(!deadline.is_over());
    }

    #[test]
    fn all_answers_together_have_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut repositories =
            ApplicationRepositories::within(Duration::from_secs(60), Duration::from_millis(300));
        for name in ["a.git", "b.git", "c.git"] {
            let path = pipe(folder.path(), name);
            assert_eq!(find(&mut repositories, &path), silent("300 ms"));
        }
    }

    #[test]
    fn memory_answers_what_was_asked_before_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = repository(folder.path(), "a.git");
        let mut repositories = ApplicationRepositories::default();
        assert_eq!(find(&mut repositories, &path), RevisionFact::Missing);

        // Whatever becomes of the repository, memory waits for nobody.
        std::fs::remove_dir_all(&path).unwrap();
        let begin = clock::now();
        repositories.from_memory(|repositories| {
            assert_eq!(find(repositories, &path), RevisionFact::Missing);
            let asked = repositories.complete(&path, "1111");
            assert!(matches!(asked, Err(Error::NotInMemory)));
        });
        assert!(clock::now().since(begin) < Duration::from_secs(1));
    }
}
