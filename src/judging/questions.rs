//! Questions to application repositories, and the thread that answers them.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::git::{self, ExportRules, Gained, Repository, Surveyor};
use crate::id::Revision;
use crate::policy::{Commits, Direction, RevisionFact, Survey, Unknown};
use crate::sys::clock::Deadline;

/// How long all looks at the trees of revisions may take. It is less than one answer may take: the
/// files of a large revision are no reason to give up its repository.
const SURVEYS_MAX: Duration = Duration::from_secs(5);

/// A question to an application repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Question {
    /// Is this revision in the history of an allowed ref?
    Find {
        revision: Revision,
        allowed_refs: Vec<String>,
    },
    /// How is one revision related to another?
    Direction {
        from: Revision,
        to: Revision,
        folder: Option<String>,
    },
    /// Which commits does `to` have that `without` does not have?
    Between {
        without: Revision,
        to: Revision,
        folder: Option<String>,
    },
    /// When were the commits committed that `to` has and `without` does not have?
    Dates {
        without: Revision,
        to: Revision,
        most: usize,
    },
    /// Does the history of a tip contain a commit?
    Contains { tip: Revision, commit: Revision },
    /// Which commit has a hash that begins with these digits?
    Complete(String),
    /// What do the commits between two revisions say?
    Gained {
        base: Option<Revision>,
        revision: Revision,
    },
    /// What would a checkout of a revision write?
    Survey {
        revision: Revision,
        subdirectory: Option<String>,
        rules: ExportRules,
    },
}

/// The answer to the [`Question`] of the same name.
#[derive(Debug, Clone)]
pub(super) enum RepositoryAnswer {
    Find(RevisionFact),
    Direction(Direction),
    Between(Result<Commits, Unknown>),
    Dates(Result<Vec<i64>, Unknown>),
    Contains(Result<bool, Unknown>),
    Complete(Result<Option<Revision>, Unknown>),
    Gained(Result<Gained, Unknown>),
    Survey(Result<Survey, Unknown>),
}

impl RepositoryAnswer {
    /// The answer where the repository gave none, for a reason.
    pub(super) fn unknown(question: &Question, why: Unknown) -> Self {
        match question {
            Question::Find { .. } => Self::Find(RevisionFact::Unreadable(why.0)),
            Question::Direction { .. } => Self::Direction(Direction::Unknown(why.0)),
            Question::Between { .. } => Self::Between(Err(why)),
            Question::Dates { .. } => Self::Dates(Err(why)),
            Question::Contains { .. } => Self::Contains(Err(why)),
            Question::Complete(_) => Self::Complete(Err(why)),
            Question::Gained { .. } => Self::Gained(Err(why)),
            Question::Survey { .. } => Self::Survey(Err(why)),
        }
    }

    /// Whether it says that something is missing or can't be read, which another look at the host
    /// may change. Everything else is about commits that are there, and these never change.
    pub(super) fn says_it_is_missing(&self) -> bool {
        match self {
            Self::Find(RevisionFact::On(_) | RevisionFact::NotACommit(_)) => false,
            Self::Find(_) => true,
            Self::Direction(direction) => {
                matches!(direction, Direction::Unknown(_) | Direction::FromRemoved)
            }
            Self::Complete(Ok(found)) => found.is_none(),
            Self::Between(Err(_))
            | Self::Dates(Err(_))
            | Self::Contains(Err(_))
            | Self::Complete(Err(_))
            | Self::Gained(Err(_))
            | Self::Survey(Err(_)) => true,
            Self::Between(Ok(_))
            | Self::Dates(Ok(_))
            | Self::Contains(Ok(_))
            | Self::Gained(Ok(_))
            | Self::Survey(Ok(_)) => false,
        }
    }

    /// The answer of a repository. `left` is how long surveys may still take.
    fn of(opened: &mut OpenedRepository, question: &Question, left: &mut Duration) -> Self {
        let OpenedRepository {
            repository,
            surveyor,
        } = opened;
        let unknown = |error: git::Error| Unknown(error.to_string());
        match question {
            Question::Find {
                revision,
                allowed_refs,
            } => Self::Find(repository.find_revision(revision, allowed_refs)),
            Question::Direction { from, to, folder } => {
                Self::Direction(repository.direction(from, to, folder.as_deref()))
            }
            Question::Between {
                without,
                to,
                folder,
            } => {
                let folder = folder.as_deref();
                let commits = git::commits_between(repository.path(), without, to, folder);
                Self::Between(commits.map_err(unknown))
            }
            Question::Dates { without, to, most } => {
                let dates = git::commit_dates(repository.path(), without, to, *most);
                Self::Dates(dates.map_err(unknown))
            }
            Question::Contains { tip, commit } => {
                Self::Contains(repository.contains(tip, commit).map_err(unknown))
            }
            Question::Complete(prefix) => {
                Self::Complete(repository.complete(prefix).map_err(unknown))
            }
            Question::Gained { base, revision } => {
                let gained = repository.gained(base.as_ref(), revision);
                Self::Gained(gained.map_err(unknown))
            }
            Question::Survey {
                revision,
                subdirectory,
                rules,
            } => {
                let end = Deadline::after(*left);
                let subdirectory = subdirectory.as_deref();
                let survey = surveyor.survey(repository, revision, subdirectory, *rules, end);
                *left = end.left();
                Self::Survey(survey.map_err(unknown))
            }
        }
    }
}

/// A question, and the path of the repository that it is about.
pub(super) type Asked = (PathBuf, Question);

/// The thread that reads repositories. It ends when this is dropped and the repository that it
/// reads has answered.
pub(super) struct Worker {
    pub(super) questions: Sender<Asked>,
    /// The answers, in the order of the questions.
    pub(super) answers: Receiver<RepositoryAnswer>,
    pub(super) thread: LeftThread,
}

/// A thread that was left behind with a repository that gave no answer in time.
#[derive(Debug, Clone)]
pub struct LeftThread(Arc<JoinHandle<()>>);

impl LeftThread {
    /// Whether it still waits for the repository.
    #[must_use]
    pub fn still_waits(&self) -> bool {
        !self.0.is_finished()
    }
}

impl Worker {
    /// # Errors
    /// No thread can be started.
    pub(super) fn start() -> io::Result<Self> {
        let (questions, asked) = mpsc::channel::<Asked>();
        let (answered, answers) = mpsc::channel();

        let thread = thread::Builder::new()
            .name("applications".to_owned())
            .spawn(move || answer_all(&asked, &answered))?;
        Ok(Self {
            questions,
            answers,
            thread: LeftThread(Arc::new(thread)),
        })
    }
}

/// A repository, and what is known of the trees of its revisions.
struct OpenedRepository {
    repository: Repository,
    surveyor: Surveyor,
}

impl OpenedRepository {
    fn open(path: &Path) -> Result<Self, Unknown> {
        let repository = git::open_application(path);
        Ok(Self {
            repository: repository.map_err(|error| Unknown(error.to_string()))?,
            surveyor: Surveyor::default(),
        })
    }
}

/// Answers questions until nobody asks or listens any more.
fn answer_all(asked: &Receiver<Asked>, answered: &Sender<RepositoryAnswer>) {
    let mut opened: HashMap<PathBuf, Result<OpenedRepository, Unknown>> = HashMap::new();
    let mut left = SURVEYS_MAX;

    for (path, question) in asked {
        let repository = opened
            .entry(path)
            .or_insert_with_key(|path| OpenedRepository::open(path));
        let answer = match repository {
            Ok(opened) => RepositoryAnswer::of(opened, &question, &mut left),
            Err(why) => RepositoryAnswer::unknown(&question, why.clone()),
        };
        if answered.send(answer).is_err() {
            return;
        }
    }
}
