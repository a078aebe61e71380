//! The commits between two revisions, as the repositories of applications say.
//!
//! Protocol: what a repository once said stays true, because hashes name what does not change. So
//! answers are kept. A repository that gives no answer in time is not asked again for
//! [`SILENCE`]: each such question leaves a thread behind, which waits for it. One page at a time
//! asks; the server has the others wait before they occupy a thread.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_by_code::id::Revision;
use deploy_by_code::judging::ApplicationRepositories;
use deploy_by_code::policy::{Commits, Unknown};
use deploy_by_code::report::CommitsRow;
use deploy_by_code::sys::clock::Deadline;

/// How many answers are kept.
const ANSWERS_MAX: usize = 500;

/// How long a repository that could not tell is not asked again.
const SILENCE: Duration = Duration::from_secs(600);

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
pub(crate) struct KnownCommits(Mutex<Known>);

#[derive(Default)]
struct Known {
    answers: HashMap<Asked, Commits>,
    /// The same questions, the oldest first.
    order: VecDeque<Asked>,
    silent: HashMap<PathBuf, (Deadline, Unknown)>,
}

impl KnownCommits {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answers to some questions, in their order. Waits for repositories that have to be asked.
    pub(crate) fn between(&self, asked: Vec<Asked>) -> Vec<CommitsRow> {
        let mut repositories = ApplicationRepositories::default();
        let answers = asked.into_iter().map(|asked| {
            let folder = asked.folder.clone();
            CommitsRow::of(self.ask(&mut repositories, asked), folder)
        });
        answers.collect()
    }

    fn ask(
        &self,
        repositories: &mut ApplicationRepositories<'_>,
        asked: Asked,
    ) -> Result<Commits, Unknown> {
        let known = self.known();
        if let Some(answer) = known.answers.get(&asked) {
            return Ok(answer.clone());
        }
        if let Some(why) = known.is_silent(&asked.path) {
            return Err(why);
        }
        drop(known);

        let begin = Deadline::after(Duration::from_secs(1));
        let folder = asked.folder.clone();
        let answer = repositories.between(&asked.path, &asked.without, &asked.to, folder);
        let mut known = self.known();
        match &answer {
            Ok(commits) => known.keep(asked, commits.clone()),
            // What is answered at once costs nothing to ask again.
            Err(why) if begin.is_over() => {
                let until = Deadline::after(SILENCE);
                known.silent.insert(asked.path, (until, why.clone()));
            }
            Err(_) => {}
        }
        answer
    }
}

impl Known {
    /// Why a repository is not asked now; `None`: it is.
    fn is_silent(&self, path: &Path) -> Option<Unknown> {
        let (until, why) = self.silent.get(path)?;
        (!until.is_over()).then(|| why.clone())
    }

    fn keep(&mut self, asked: Asked, commits: Commits) {
        if self.order.len() >= ANSWERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        self.order.push_back(asked.clone());
        self.answers.insert(asked, commits);
    }
}
