//! The repositories that the page shows, and where each of them is on it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deploy_by_code::config::WebSection;
use deploy_by_code::sys::clock::Deadline;
use deploy_by_code::sys::user::User;
use deploy_by_code::timer_list::{self, EntryError};
use deploy_by_code::verbs::{Place, owner_to_become};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::arguments::Arguments;
use crate::commits::KnownCommits;
use crate::fault::Fault;
use crate::follow::Followers;
use crate::limits::{THREADS_OF_ONE, WAIT_MAX, on_thread};
use crate::start_error::StartError;
use crate::turn::Turn;
use crate::view::{OpenState, View};

/// How old may be what is known of where pages are: a request looks for it in each repository.
const WEB_AGE: Duration = Duration::from_secs(2);

/// How long a look may take before the others do not wait for it any more.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// A repository.
pub(crate) struct Repository {
    /// Its name on the page, which needs no escaping in a URL.
    pub(crate) name: String,
    pub(crate) place: Place,
    /// Whether it is the only one, and so at the top.
    is_alone: bool,
    /// The places of those who work with it.
    places: Arc<Semaphore>,
    look: Turn,
    state: Mutex<Option<OpenState>>,
    web_look: Turn,
    /// What the configuration says of the page, for where pages are, and how long that counts.
    web: Mutex<Option<(Deadline, WebSection)>>,
    pub(crate) commits: KnownCommits,
    pub(crate) followers: Followers,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Repository {
    /// Lets a thread do some work with the repository. Only some of the threads do at once, so that
    /// a repository that gives no answer does not have all of them.
    ///
    /// # Errors
    /// That of the work, or its turn has not come for [`WAIT_MAX`].
    pub(crate) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let place = timeout(WAIT_MAX, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(Fault::Crowded);
        };
        let own = Arc::clone(self);
        on_thread(move || {
            let done = work(&own);
            drop(place);
            done
        })
        .await
    }

    /// Looks at the repository. One look at a time goes on; the others wait.
    ///
    /// # Errors
    /// That of the look, or another look takes longer than [`LOOK_MAX`].
    pub(crate) fn look<T>(
        &self,
        look: impl FnOnce(&mut View) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _turn = self.look.take(LOOK_MAX).ok_or(Fault::Busy)?;
        let state = lock(&self.state).take();
        let mut view = View::open(&self.place, state)?;
        let looked = look(&mut view);
        // After an error, the next look opens the state again.
        if !matches!(looked, Err(Fault::Verb(_))) {
            *lock(&self.state) = Some(view.into_state());
        }
        looked
    }

    /// What the configuration says of the page, for where pages are: at most [`WEB_AGE`] old, or as
    /// it was before somebody who still looks for it began.
    pub(crate) fn web(&self) -> Result<WebSection, Fault> {
        let known = || lock(&self.web).clone();
        let fresh = || known().filter(|(until, _)| !until.is_over());
        if let Some((_, web)) = fresh() {
            return Ok(web);
        }
        let limit = match known() {
            Some(_) => Duration::ZERO,
            None => LOOK_MAX,
        };
        let Some(_turn) = self.web_look.take(limit) else {
            return known().map(|(_, web)| web).ok_or(Fault::Busy);
        };
        // Another one may have looked meanwhile.
        if let Some((_, web)) = fresh() {
            return Ok(web);
        }
        // Where pages are is known also while the state can't be read.
        let (deploy, mistakes) = self.place.deploy_to_look()?;
        if mistakes.is_some() {
            return Err(Fault::Configuration);
        }
        let web = deploy.config.web;
        *lock(&self.web) = Some((Deadline::after(WEB_AGE), web.clone()));
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
    look: Turn,
    /// The repositories, and how long that counts. `None`: nobody has looked yet.
    known: Mutex<Option<(Deadline, Vec<Arc<Repository>>)>>,
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
        let registry = arguments.registered.then(|| arguments.registry.clone());
        let known = (Deadline::after(Duration::MAX), repositories(places));
        Ok(Self {
            known: Mutex::new(registry.is_none().then_some(known)),
            registry,
            config: config(),
            look: Turn::new(),
        })
    }

    /// The repositories: at most [`WEB_AGE`] old, where they are those of the timer's list, or as
    /// they were before somebody who still looks for them began. The error if there are none, or if
    /// it can't be read which.
    pub(crate) fn repositories(&self) -> Result<Vec<Arc<Repository>>, Fault> {
        let repositories = match &self.registry {
            Some(registry) => self.registered_now(registry)?,
            None => self.known().map(|(_, known)| known).unwrap_or_default(),
        };
        match repositories.is_empty() {
            true => Err(Fault::NothingRegistered),
            false => Ok(repositories),
        }
    }

    fn known(&self) -> Option<(Deadline, Vec<Arc<Repository>>)> {
        lock(&self.known).clone()
    }

    fn registered_now(&self, registry: &Path) -> Result<Vec<Arc<Repository>>, Fault> {
        let fresh = || self.known().filter(|(until, _)| !until.is_over());
        if let Some((_, known)) = fresh() {
            return Ok(known);
        }
        let known = self.known().map(|(_, known)| known);
        let limit = match known {
            Some(_) => Duration::ZERO,
            None => LOOK_MAX,
        };
        let Some(_turn) = self.look.take(limit) else {
            return known.or_else(|| Some(self.known()?.1)).ok_or(Fault::Busy);
        };
        // Another one may have looked meanwhile.
        if let Some((_, known)) = fresh() {
            return Ok(known);
        }
        let now = registered(registry).map_err(Fault::Registry)?;
        let before = known.unwrap_or_default();
        // As long as they are the same, what is known of them stays, and who follows them.
        let is_same = now.iter().eq(before.iter().map(|one| &one.place.git_dir));
        let place = |git_dir| Place {
            git_dir,
            config: self.config.clone(),
        };
        let all = match is_same {
            true => before,
            false => repositories(now.into_iter().map(place).collect()),
        };
        *lock(&self.known) = Some((Deadline::after(WEB_AGE), all.clone()));
        Ok(all)
    }

    /// Where a path leads: to what has the longest path that it begins with. The error of a
    /// repository whose configuration has to be known for that.
    pub(crate) fn find_path(&self, path: &str) -> Result<Found, Fault> {
        let (mut fault, mut found) = (None, Vec::new());
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
                let length = root.len();
                if rest.is_empty() {
                    found.push((length, Found::Folder));
                } else if rest.starts_with('/') {
                    let own = Found::Repository(Arc::clone(repository), root);
                    found.push((length, own));
                }
            }
            if let Some(rest) = path.strip_prefix(&base_path)
                && !repository.is_alone
            {
                let length = base_path.len();
                match rest {
                    "" => found.push((length, Found::Folder)),
                    rest if rest.starts_with('/') && !rest.starts_with("/r/") => {
                        found.push((length, Found::List(base_path)));
                    }
                    _ => {}
                }
            }
        }
        let longest = found.into_iter().max_by_key(|(length, _)| *length);
        match (longest, fault) {
            (Some((_, found)), _) => Ok(found),
            (None, Some(fault)) => Err(fault),
            (None, None) => Ok(Found::Nothing),
        }
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
            places: Arc::new(Semaphore::new(THREADS_OF_ONE)),
            look: Turn::new(),
            state: Mutex::new(None),
            web_look: Turn::new(),
            web: Mutex::new(None),
            commits: KnownCommits::new(),
            followers: Followers::default(),
        })
    };
    places.into_iter().map(repository).collect()
}

/// The repositories of this user in the timer's list, always in the same order: their names on the
/// page follow from it. An entry of this user counts also if nobody can look at its repository,
/// which the page then says. What other users have put into the list is not looked at, because that
/// can take as long as they like.
fn registered(list: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = timer_list::entries(list)?;
    let own = User::own_number();
    let mut paths = BTreeSet::new();
    for user in BTreeSet::from([0, own]) {
        for entry in entries.remove(&user).unwrap_or_default() {
            match timer_list::read(list, &entry) {
                Ok(listed) if listed.owner == own => {
                    paths.insert(listed.repository);
                }
                Err(EntryError::Unreadable { path, .. }) if user == own && path != entry => {
                    paths.insert(path);
                }
                _ => {}
            }
        }
    }
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
