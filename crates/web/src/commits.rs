//! The commits between two revisions, as the repositories of applications say.
//!
//! Protocol: what a repository once said stays true, because hashes name what does not change. So
//! answers are kept, and what is kept waits for nobody. A repository that gives no answer in time
//! leaves a thread behind, which waits for it. It is not asked again for [`SILENCE`], and not as
//! long as that thread waits. So there is one such thread for each repository, and at most
//! [`LEFT_MAX`] in all. One page of a deploy repository at a time asks; another one that can't wait
//! for its turn says so.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_by_code::id::Revision;
use deploy_by_code::judging::{ApplicationRepositories, LeftThread};
use deploy_by_code::policy::{Commits, Unknown};
use deploy_by_code::report::CommitsRow;
use deploy_by_code::sys::clock::Deadline;

use crate::turn::Turn;

/// How many answers are kept.
const ANSWERS_MAX: usize = 500;

/// How long a repository that gave no answer in time is not asked again.
const SILENCE: Duration = Duration::from_secs(600);

/// How long it counts that a repository could not answer a question.
const ERROR_AGE: Duration = Duration::from_secs(30);

/// How many threads wait for repositories that gave no answer in time.
const LEFT_MAX: usize = 16;

/// How long another page may ask before the others do not wait for it.
const TURN_MAX: Duration = Duration::from_secs(2);

/// Which commits: those that `to` has and `without` does not have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    /// The repository.
    pub(crate) path: PathBuf,
    /// The folder of it that is deployed; `None`: all of it.
    pub(crate) folder: Option<String>,
    /// The one revision.
    pub(crate) without: Revision,
    /// The other one.
    pub(crate) to: Revision,
}

/// See the head of the file.
pub(crate) struct KnownCommits {
    known: Mutex<Known>,
    turn: Turn,
}

/// The answer to one question.
type Answer = Result<Commits, Unknown>;

#[derive(Default)]
struct Known {
    answers: HashMap<Asked, Answer>,
    /// The same questions, the oldest first.
    order: VecDeque<Asked>,
    /// Until when it counts that a question has no answer.
    errors: HashMap<Asked, Deadline>,
    silent: HashMap<PathBuf, Silent>,
}

/// A repository that gave no answer in time.
struct Silent {
    until: Deadline,
    why: Unknown,
    thread: LeftThread,
}

/// The threads that wait for repositories which gave no answer in time, of the whole site.
fn left_threads() -> MutexGuard<'static, Vec<LeftThread>> {
    static LEFT: Mutex<Vec<LeftThread>> = Mutex::new(Vec::new());
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    left.retain(LeftThread::still_waits);
    left
}

impl KnownCommits {
    pub(crate) fn new() -> Self {
        Self {
            known: Mutex::default(),
            turn: Turn::new(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answers to some questions, in their order. Waits for repositories that have to be asked.
    pub(crate) fn between(&self, asked: Vec<Asked>) -> Vec<CommitsRow> {
        let is_known = |asked: &Asked| self.known().answer(asked).is_some();
        // Who needs nobody waits for nobody.
        let turn = match asked.iter().all(is_known) {
            true => None,
            false => self.turn.take(TURN_MAX),
        };
        let mut repositories = ApplicationRepositories::default();
        let answers = asked.into_iter().map(|asked| {
            let folder = asked.folder.clone();
            let known = self.known().answer(&asked);
            let answer = known.unwrap_or_else(|| match &turn {
                Some(_) => self.ask(&mut repositories, asked),
                None => Err(Unknown(
                    "another page asks the repositories; load this one again".to_owned(),
                )),
            });
            CommitsRow::of(answer, folder)
        });
        answers.collect()
    }

    /// Asks a repository.
    fn ask(&self, repositories: &mut ApplicationRepositories<'_>, asked: Asked) -> Answer {
        if left_threads().len() >= LEFT_MAX {
            let why = "too many repositories give no answer at the moment";
            return Err(Unknown(why.to_owned()));
        }
        let folder = asked.folder.clone();
        let answer = repositories.between(&asked.path, &asked.without, &asked.to, folder);
        let mut known = self.known();
        match (&answer, repositories.left_behind(&asked.path)) {
            (Err(why), Some(thread)) => {
                let silent = Silent {
                    until: Deadline::after(SILENCE),
                    why: why.clone(),
                    thread: thread.clone(),
                };
                left_threads().push(thread.clone());
                known.silent.insert(asked.path, silent);
            }
            // It says something of this question, and of no other one.
            _ => known.keep(asked, answer.clone()),
        }
        answer
    }
}

impl Known {
    /// What is known of a question; `None`: its repository has to be asked.
    fn answer(&self, asked: &Asked) -> Option<Answer> {
        let is_old = |until: &Deadline| until.is_over();
        let answer = self.answers.get(asked);
        let answer = answer.filter(|_| !self.errors.get(asked).is_some_and(is_old));
        answer
            .cloned()
            .or_else(|| self.why_silent(&asked.path).map(Err))
    }

    /// Why a repository is not asked now; `None`: it is.
    fn why_silent(&self, path: &Path) -> Option<Unknown> {
        let silent = self.silent.get(path)?;
        let is_silent = !silent.until.is_over() || silent.thread.still_waits();
        is_silent.then(|| silent.why.clone())
    }

    fn keep(&mut self, asked: Asked, answer: Answer) {
        match answer {
            Ok(_) => self.errors.remove(&asked),
            Err(_) => self
                .errors
                .insert(asked.clone(), Deadline::after(ERROR_AGE)),
        };
        if self.answers.insert(asked.clone(), answer).is_some() {
            return;
        }
        self.order.push_back(asked);
        if self.order.len() > ANSWERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
            self.errors.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::process::Command;

    use super::*;

    #[test]
    fn repository_for_which_a_thread_still_waits_is_not_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.git");
        let pipe = path.join("objects/info/alternates");
        let mut init = Command::new("git");
        init.args(["init", "-q", "--bare"]).arg(&path);
        assert!(init.status().unwrap().success());
        // Whoever reads its objects waits for the other end of a pipe.
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );

        let revision = |digit: &str| Revision::new(digit.repeat(40)).unwrap();
        let asked = |to| Asked {
            path: path.clone(),
            folder: None,
            without: revision("1"),
            to: revision(to),
        };
        let known = KnownCommits::new();
        let why = |to| known.between(vec![asked(to)]).remove(0).unknown.unwrap();
        let silence = why("2");
        assert!(silence.contains("gave no answer"), "{silence}");
        assert_eq!(left_threads().len(), 1);

        // The time is over, but the thread is there.
        let over = || {
            let mut known = known.known();
            known.silent.get_mut(&path).unwrap().until = Deadline::after(Duration::ZERO);
        };
        over();
        let soon = Deadline::after(Duration::from_secs(5));
        assert_eq!(why("3"), silence);
        assert!(!soon.is_over());
        assert_eq!(left_threads().len(), 1);

        let end = OpenOptions::new().write(true).open(&pipe).unwrap();
        fs::remove_file(&pipe).unwrap();
        drop(end);
        while !left_threads().is_empty() {
            std::thread::yield_now();
        }
        // What is said of one question now is kept under it, and says nothing of another one.
        assert_ne!(why("3"), silence);
        assert!(known.known().answer(&asked("3")).is_some());
        assert!(known.known().answer(&asked("4")).is_none());
    }
}
