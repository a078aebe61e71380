//! The repositories that the page shows, and where each of them is on it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deploy_by_code::config::WebSection;
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::sys::user::User;
use deploy_by_code::timer_list;
use deploy_by_code::verbs::{Place, owner_to_become};

use crate::arguments::Arguments;
use crate::commits::KnownCommits;
use crate::fault::Fault;
use crate::follow::Followers;
use crate::start_error::StartError;
use crate::view::{OpenState, View};

/// How old may be what is known of where pages are: a request looks for it in each repository.
const WEB_AGE: Duration = Duration::from_secs(2);

/// A repository.
pub(crate) struct Repository {
    /// Its name on the page, which needs no escaping in a URL.
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Whether it is the only one, and so at the top.
    is_alone: bool,
    state: Mutex<Option<OpenState>>,
    /// What the configuration says of the page, for where pages are, and how long that counts.
    web: Mutex<Option<(Deadline, WebSection)>>,
    pub(crate) commits: KnownCommits,
    pub(crate) followers: Followers,
}

impl Repository {
    /// Looks at the repository. One look at a time goes on; the others wait.
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&mut View) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut place = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut view = View::open(&self.place, place.take())?;
        let looked = look(&mut view);
        // After an error, the next look opens the state again.
        if !matches!(looked, Err(Fault::Verb(_))) {
            *place = Some(view.into_state());
        }
        looked
    }

    /// What the configuration says of the page: at most [`WEB_AGE`] old, for where pages are.
    pub(crate) fn web(&self) -> Result<WebSection, Fault> {
        let lock = || self.web.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, web)) = &*lock()
            && !until.is_over()
        {
            return Ok(web.clone());
        }
        // Where pages are is known also while the state can't be read.
        let (deploy, mistakes) = self.place.deploy_to_look()?;
        if mistakes.is_some() {
            return Err(Fault::Configuration);
        }
        let web = deploy.config.web;
        *lock() = Some((Deadline::after(WEB_AGE), web.clone()));
        Ok(web)
    }

    /// The path below which its pages are, without a slash at its end.
    pub(crate) fn root(&self, base_path: &str) -> String {
        match self.is_alone {
            true => base_path.to_owned(),
            false => format!("{base_path}/r/{}", self.name),
        }
    }
}

/// See the head of the file.
pub(crate) struct Site {
    /// The timer's list; `None`: the command line names the repositories.
    registry: Option<PathBuf>,
    /// The configuration file of all repositories, if the command line names one.
    config: Option<PathBuf>,
    /// The repositories, and how long that counts.
    known: Mutex<(Deadline, Vec<Arc<Repository>>)>,
}

/// Where a path leads.
pub(crate) enum Found {
    /// To a repository, with the path below which its pages are.
    Repository(Arc<Repository>, String),
    /// To the list of repositories, with the path below which it is.
    List(String),
    /// To a folder, whose path needs a slash at its end.
    Folder,
    /// Nowhere.
    Nothing,
}

impl Site {
    /// The repositories that the command line names. Those of the timer's list are looked up when
    /// somebody asks: one may be installed or removed at any time.
    pub(crate) fn find(arguments: &Arguments) -> Result<Self, StartError> {
        let config = || arguments.config.clone();
        let places = if arguments.registered {
            Vec::new()
        } else if arguments.repositories.is_empty() {
            vec![Place::find(None, None, config())?]
        } else {
            let named = arguments.repositories.iter().cloned();
            let places = named.map(|path| Place::find(Some(path), None, config()));
            places.collect::<Result<_, _>>()?
        };
        for place in &places {
            if let Some(owner) = owner_to_become(place)? {
                return Err(StartError::OfOther(place.git_dir.clone(), owner.name));
            }
        }
        Ok(Self {
            registry: arguments.registered.then(|| arguments.registry.clone()),
            config: config(),
            known: Mutex::new((Deadline::after(Duration::ZERO), repositories(places))),
        })
    }

    /// The repositories: at most [`WEB_AGE`] old, where they are those of the timer's list. The
    /// error if there are none, or if it can't be read which.
    pub(crate) fn repositories(&self) -> Result<Vec<Arc<Repository>>, Fault> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, repositories) = &mut *known;
        if let Some(registry) = &self.registry
            && until.is_over()
        {
            let now = registered(registry).map_err(Fault::Registry)?;
            let before = repositories.iter().map(|one| &one.place.git_dir);
            // As long as they are the same, what is known of them stays, and who follows them.
            if !now.iter().eq(before) {
                let place = |git_dir| Place {
                    git_dir,
                    config: self.config.clone(),
                };
                *repositories = self::repositories(now.into_iter().map(place).collect());
            }
            *until = Deadline::after(WEB_AGE);
        }
        match repositories.is_empty() {
            true => Err(Fault::NothingRegistered),
            false => Ok(repositories.clone()),
        }
    }

    /// Where a path leads. The error of a repository whose configuration has to be known for that.
    pub(crate) fn find_path(&self, path: &str) -> Result<Found, Fault> {
        let mut fault = None;
        for repository in &self.repositories()? {
            let base_path = match repository.web() {
                Ok(web) => web.base_path,
                Err(error) => {
                    fault = Some(error);
                    continue;
                }
            };
            let root = repository.root(&base_path);
            if let Some(rest) = path.strip_prefix(&root) {
                if rest.is_empty() {
                    return Ok(Found::Folder);
                }
                if rest.starts_with('/') {
                    return Ok(Found::Repository(Arc::clone(repository), root));
                }
            }
            if let Some(rest) = path.strip_prefix(&base_path)
                && !repository.is_alone
            {
                match rest {
                    "" => return Ok(Found::Folder),
                    rest if rest.starts_with('/') && !rest.starts_with("/r/") => {
                        return Ok(Found::List(base_path));
                    }
                    _ => {}
                }
            }
        }
        fault.map_or(Ok(Found::Nothing), Err)
    }
}

/// What is known of some repositories at first.
fn repositories(places: Vec<Place>) -> Vec<Arc<Repository>> {
    let (is_alone, mut names) = (places.len() == 1, BTreeSet::new());
    let repository = |place: Place| {
        Arc::new(Repository {
            name: name(&place.git_dir, &mut names),
            is_alone,
            place,
            state: Mutex::new(None),
            web: Mutex::new(None),
            commits: KnownCommits::new(),
            followers: Followers::new(),
        })
    };
    places.into_iter().map(repository).collect()
}

/// The repositories of this user in the timer's list, always in the same order: their names on the
/// page follow from it.
fn registered(list: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = timer_list::entries(list)?;
    let own = User::own_number();
    let listed = entries.into_values().flatten();
    let listed = listed.filter_map(|entry| timer_list::read(list, &entry).ok());
    let listed = listed.filter(|listed| listed.owner == own);
    let paths: BTreeSet<PathBuf> = listed.map(|listed| listed.repository).collect();
    Ok(paths.into_iter().collect())
}

/// A name for a repository that no other one has: that of its folder, without `.git`.
fn name(git_dir: &Path, taken: &mut BTreeSet<String>) -> String {
    let named = match git_dir.file_name() {
        // The work tree's name says more.
        Some(name) if name == ".git" => git_dir.parent().and_then(Path::file_name),
        name => name,
    };
    let text = named.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let text = text.strip_suffix(".git").unwrap_or(&text);
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "_-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = text.chars().take(60).map(plain).collect();

    let mut unique = name.clone();
    let mut number = 2;
    while !taken.insert(unique.clone()) {
        unique = format!("{name}-{number}");
        number += 1;
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories_are_plain_and_different() {
        let mut taken = BTreeSet::new();
        let table = [
            ("/srv/git/deploy.git", "deploy"),
            ("/srv/other/deploy.git", "deploy-2"),
            ("/home/a/work/.git", "work"),
            ("/srv/a b<script>.git", "a-b-script-"),
            ("/", ""),
        ];
        for (path, expect) in table {
            assert_eq!(name(Path::new(path), &mut taken), expect, "{path}");
        }
    }
}
