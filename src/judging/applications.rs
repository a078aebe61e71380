//! Application repositories, asked with a limit of time.
//!
//! Protocol: a repository of an application is read on a thread of its own. Whoever asks waits for
//! an answer for [`ANSWER_MAX`], and for all answers together for [`TOTAL_MAX`]. A repository that
//! gives none (a pipe in the place of a ref, a file system that hangs) is not asked again, and all
//! that is asked of it is unknown, for that reason. The thread that waits for it is left behind; it
//! ends with the process.
//!
//! Every answer is kept. So a caller that holds the state's write lock can ask once more with
//! [`Applications::from_memory`], which waits for nobody.
//!
//! It does not promise that two answers are of the same moment: refs may move in between.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use super::error::Error;
use crate::git::{self, Bound, DeclaredNeed, Repository};
use crate::id::Revision;
use crate::policy::{Direction, RevisionFact, Unknown};
use crate::sys::clock::Deadline;
use crate::time::show_duration;

/// How long one answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How long all answers together are waited for.
const TOTAL_MAX: Duration = Duration::from_secs(60);

/// A question about one application repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// Where is this revision?
    Find {
        revision: Revision,
        allowed_refs: Vec<String>,
    },
    /// Which way is it from one revision to another?
    Direction { from: Revision, to: Revision },
    /// Does the history of a tip have a commit?
    Contains { tip: Revision, commit: Revision },
    /// Which commit is meant by the beginning of a hash?
    Complete(String),
    /// What do the commits between two revisions declare to need?
    Needs {
        base: Option<Revision>,
        revision: Revision,
    },
}

/// What commits declare to need, and whether only the newest of them were looked at.
pub(super) type Needs = (Vec<DeclaredNeed>, Option<Bound>);

/// The answer to the [`Question`] of the same name.
#[derive(Debug, Clone)]
enum Answer {
    Find(RevisionFact),
    Direction(Direction),
    Contains(Result<bool, Unknown>),
    Complete(Result<Option<Revision>, Unknown>),
    Needs(Result<Needs, Unknown>),
}

impl Answer {
    /// The answer where the repository gave none, for a reason.
    fn unknown(question: &Question, why: Unknown) -> Self {
        match question {
            Question::Find { .. } => Self::Find(RevisionFact::Unreadable(why.0)),
            Question::Direction { .. } => Self::Direction(Direction::Unknown(why.0)),
            Question::Contains { .. } => Self::Contains(Err(why)),
            Question::Complete(_) => Self::Complete(Err(why)),
            Question::Needs { .. } => Self::Needs(Err(why)),
        }
    }

    fn of(repository: &Repository, question: &Question) -> Self {
        let why = |error: git::Error| Unknown(error.to_string());
        match question {
            Question::Find {
                revision,
                allowed_refs,
            } => Self::Find(repository.find_revision(revision, allowed_refs)),
            Question::Direction { from, to } => Self::Direction(repository.direction(from, to)),
            Question::Contains { tip, commit } => {
                Self::Contains(repository.contains(tip, commit).map_err(why))
            }
            Question::Complete(prefix) => Self::Complete(Ok(repository.complete(prefix))),
            Question::Needs { base, revision } => Self::Needs(
                repository
                    .declared_needs(base.as_ref(), revision)
                    .map_err(why),
            ),
        }
    }
}

/// A question and the repository that it is about.
type Asked = (PathBuf, Question);

/// The thread that reads repositories.
struct Worker {
    questions: Sender<Asked>,
    /// In the order of the questions.
    answers: Receiver<Answer>,
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let (questions, asked) = mpsc::channel::<Asked>();
        let (answered, answers) = mpsc::channel();

        let work = move || {
            let mut opened: HashMap<PathBuf, Result<Repository, Unknown>> = HashMap::new();
            for (path, question) in asked {
                let repository = opened.entry(path).or_insert_with_key(|path| {
                    git::open_application(path).map_err(|error| Unknown(error.to_string()))
                });
                let answer = match repository {
                    Ok(repository) => Answer::of(repository, &question),
                    Err(why) => Answer::unknown(&question, why.clone()),
                };
                if answered.send(answer).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("applications".to_owned())
            .spawn(work)?;

        Ok(Self { questions, answers })
    }
}

/// The application repositories of one deploy repository.
pub struct Applications {
    worker: Option<Worker>,
    known: HashMap<Asked, Answer>,
    /// Repositories that gave no answer in time.
    silent: HashSet<PathBuf>,
    /// How long one answer is waited for.
    answer: Duration,
    /// How long all answers together are waited for.
    total: Duration,
    end: Deadline,
    only_memory: bool,
}

impl Default for Applications {
    fn default() -> Self {
        Self::within(ANSWER_MAX, TOTAL_MAX)
    }
}

impl Applications {
    /// Repositories that are waited for no longer than this: for one answer, and for all together.
    fn within(answer: Duration, total: Duration) -> Self {
        Self {
            worker: None,
            known: HashMap::new(),
            silent: HashSet::new(),
            answer,
            total,
            end: Deadline::after(total),
            only_memory: false,
        }
    }

    /// Answers from memory alone while `work` runs: nothing in it waits for a repository.
    pub fn from_memory<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.only_memory = true;
        let done = work(self);
        self.only_memory = false;
        done
    }

    /// Asks many questions at once, so that the answers are there when they are needed.
    pub(super) fn prepare(&mut self, asked: Vec<Asked>) {
        if self.only_memory {
            return;
        }
        let new: HashSet<Asked> = asked
            .into_iter()
            .filter(|asked| !self.known.contains_key(asked))
            .collect();
        self.ask_all(new.into_iter().collect());
    }

    /// Hands questions to the thread and takes its answers. When one does not come in time, its
    /// repository is given up, and a new thread gets the questions about the others.
    fn ask_all(&mut self, mut open: VecDeque<Asked>) {
        loop {
            let (given_up, rest) = open
                .into_iter()
                .partition(|(path, _)| self.silent.contains(path));
            open = rest;
            self.give_up(given_up, &self.no_answer());
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

    /// Takes answers until all are there, or until one does not come in time: then the thread is
    /// left behind.
    fn ask_worker(&mut self, worker: Worker, open: &mut VecDeque<Asked>) {
        for asked in &*open {
            // Where the thread has ended, no answer comes.
            let _ = worker.questions.send(asked.clone());
        }

        while let Some((path, _)) = open.front() {
            let limit = self.answer.min(self.end.left());
            let Ok(answer) = worker.answers.recv_timeout(limit) else {
                self.silent.insert(path.clone());
                return;
            };
            self.known
                .extend(open.pop_front().map(|asked| (asked, answer)));
        }
        self.worker = Some(worker);
    }

    /// Why a repository that was waited for gave no answer.
    fn no_answer(&self) -> Unknown {
        let limit = if self.end.is_over() {
            self.total
        } else {
            self.answer
        };
        Unknown(format!("it gave no answer within {}", show_duration(limit)))
    }

    /// Remembers that there are no answers, and why.
    fn give_up(&mut self, asked: VecDeque<Asked>, why: &Unknown) {
        for asked in asked {
            let answer = Answer::unknown(&asked.1, why.clone());
            self.known.insert(asked, answer);
        }
    }

    fn ask(&mut self, path: &Path, question: Question) -> Result<Answer, Error> {
        let asked = (path.to_owned(), question);
        if !self.known.contains_key(&asked) {
            if self.only_memory {
                return Err(Error::NotInMemory);
            }
            self.ask_all([asked.clone()].into());
        }
        self.known.get(&asked).cloned().ok_or(Error::NotInMemory)
    }

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
            Answer::Find(fact) => Ok(fact),
            _ => Err(Error::NotInMemory),
        }
    }

    pub(super) fn direction(
        &mut self,
        path: &Path,
        from: &Revision,
        to: &Revision,
    ) -> Result<Direction, Error> {
        let question = Question::Direction {
            from: from.clone(),
            to: to.clone(),
        };
        match self.ask(path, question)? {
            Answer::Direction(direction) => Ok(direction),
            _ => Err(Error::NotInMemory),
        }
    }

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
            Answer::Contains(contains) => Ok(contains),
            _ => Err(Error::NotInMemory),
        }
    }

    pub(super) fn complete(
        &mut self,
        path: &Path,
        prefix: &str,
    ) -> Result<Result<Option<Revision>, Unknown>, Error> {
        match self.ask(path, Question::Complete(prefix.to_owned()))? {
            Answer::Complete(commit) => Ok(commit),
            _ => Err(Error::NotInMemory),
        }
    }

    pub(super) fn needs(
        &mut self,
        path: &Path,
        base: Option<&Revision>,
        revision: &Revision,
    ) -> Result<Result<Needs, Unknown>, Error> {
        let question = Question::Needs {
            base: base.cloned(),
            revision: revision.clone(),
        };
        match self.ask(path, question)? {
            Answer::Needs(needs) => Ok(needs),
            _ => Err(Error::NotInMemory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// A repository that nobody can open: its file `commondir` is a pipe.
    fn pipe(folder: &Path, name: &str) -> PathBuf {
        let path = repository(folder, name);
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&path.join("commondir"), mode).unwrap();
        path
    }

    fn find(applications: &mut Applications, path: &Path) -> RevisionFact {
        applications.find(path, &revision(), &[]).unwrap()
    }

    fn silent(limit: &str) -> RevisionFact {
        RevisionFact::Unreadable(format!("it gave no answer within {limit}"))
    }

    #[test]
    fn a_silent_repository_is_given_up_and_the_others_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (silent_one, works) = (
            pipe(folder.path(), "a.git"),
            repository(folder.path(), "b.git"),
        );
        let mut applications =
            Applications::within(Duration::from_millis(300), Duration::from_secs(60));

        let question = || Question::Find {
            revision: revision(),
            allowed_refs: Vec::new(),
        };
        applications.prepare(vec![
            (silent_one.clone(), question()),
            (works.clone(), question()),
        ]);

        assert_eq!(find(&mut applications, &silent_one), silent("300 ms"));
        assert_eq!(find(&mut applications, &works), RevisionFact::Missing);
        // It is not asked, and not waited for, again.
        let deadline = Deadline::after(Duration::from_millis(200));
        let contains = applications.contains(&silent_one, &revision(), &revision());
        assert!(contains.unwrap().is_err());
        assert!(!deadline.is_over());
    }

    #[test]
    fn all_answers_together_have_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let mut applications =
            Applications::within(Duration::from_secs(60), Duration::from_millis(300));
        for name in ["a.git", "b.git", "c.git"] {
            let path = pipe(folder.path(), name);
            assert_eq!(find(&mut applications, &path), silent("300 ms"));
        }
    }

    #[test]
    fn memory_answers_what_was_asked_before_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = repository(folder.path(), "a.git");
        let mut applications = Applications::default();
        assert_eq!(find(&mut applications, &path), RevisionFact::Missing);

        // Whatever becomes of the repository, memory waits for nobody.
        std::fs::remove_dir_all(&path).unwrap();
        let begin = clock::now();
        applications.from_memory(|applications| {
            assert_eq!(find(applications, &path), RevisionFact::Missing);
            let asked = applications.complete(&path, "1111");
            assert!(matches!(asked, Err(Error::NotInMemory)));
        });
        assert!(clock::now().since(begin) < Duration::from_secs(1));
    }
}
