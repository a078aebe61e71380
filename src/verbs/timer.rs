//! `reconcile --registered`: what the timer does with every repository in its list.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::error::Error;
use crate::sys::clock::{self, Deadline};
use crate::sys::user::User;
use crate::text;
use crate::timer_list::{self, ListedRepository};
use crate::units;
use crate::wake;

/// How long the timer waits for one repository.
const REPOSITORY_MAX: Duration = Duration::from_secs(60);

/// How long the timer waits for all repositories of one user. It starts again every 5 minutes.
const OWNER_MAX: Duration = Duration::from_secs(240);

/// How much longer systemd waits before it ends a unit. A process that ends by itself first leaves
/// nothing behind.
const UNIT_MARGIN: Duration = Duration::from_secs(30);

/// For how many users the timer works at the same time.
const USERS_AT_ONCE: usize = 16;

/// How many complaints about the repositories of one user are kept, and how many of a user's
/// repositories are listed.
const SHOWN_MAX: usize = 20;

/// What became of the repositories of one user.
#[derive(Debug, Default)]
pub struct OfOneUser {
    /// What went wrong, and which entries do not count. Their number is limited.
    pub complaints: Vec<Complaint>,
    /// Whether something went wrong. An entry that does not count is not a failure, since anybody
    /// can write one.
    pub has_failed: bool,
}

/// Something about a user's repositories that the administrator should know. The cause, where there
/// is one, is the error's source.
#[derive(Debug, thiserror::Error)]
pub enum Complaint {
    /// An entry of the list does not count, for the reason in the error.
    #[error(transparent)]
    Entry(Box<dyn StdError + Send + Sync>),
    /// A repository could not be reconciled.
    #[error("{}", text::escape(.0.as_os_str().as_encoded_bytes(), 200))]
    Repository(PathBuf, #[source] io::Error),
    /// The repositories of a user could not be reconciled in a unit of systemd.
    #[error("user {0}")]
    Unit(u32, #[source] io::Error),
    /// The time for a user's repositories was over before all had their turn.
    #[error("user {user}: no time was left for {rest} repositories")]
    OutOfTime {
        /// The user's number.
        user: u32,
        /// How many repositories had no turn.
        rest: usize,
    },
    /// There are more complaints about this user's repositories than are kept.
    #[error("user {0}: there are more problems, which are not shown")]
    More(u32),
}

/// Reconciles every repository in the list. Each is reconciled as its owner, so that no repository
/// reaches what belongs to another user. The repositories of different users are reconciled at the
/// same time.
///
/// # Errors
/// The list can't be read.
pub fn reconcile_registered(list: &Path) -> Result<Vec<OfOneUser>, Error> {
    let mut entries = timer_list::entries(list).map_err(unreadable(list))?;
    let is_root = User::is_root();
    if !is_root {
        // Only root can become another user.
        entries.retain(|user, _| *user == User::own_number());
    }
    let in_units = is_root && units::systemd_runs();

    let entries = Mutex::new(entries.into_iter());
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((user, own)) = entries.lock().ok().and_then(|mut entries| entries.next()) {
            // In a unit of their own, the runners of one user can't slow down those of another.
            let of_user = if in_units && user != 0 {
                in_unit(user, list)
            } else {
                directly(user, own, list)
            };
            if let Ok(mut done) = done.lock() {
                done.push(of_user);
            }
        }
    };

    thread::scope(|scope| {
        // If a thread can't be started, the others do its work.
        for _ in 1..USERS_AT_ONCE {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    Ok(done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// Makes an error of what went wrong when the list was read.
fn unreadable(list: &Path) -> impl FnOnce(io::Error) -> Error {
    let shown = text::escape(list.as_os_str().as_encoded_bytes(), 200);
    Error::system(
        format!("the timer's list in {shown} can't be read"),
        "make sure that this user can read the folder",
    )
}

/// Lets systemd reconcile what one user registered.
fn in_unit(user: u32, list: &Path) -> OfOneUser {
    let mut done = OfOneUser::default();
    if let Err(error) = wake::reconcile_in_unit(user, list, OWNER_MAX + UNIT_MARGIN) {
        done.fail(Complaint::Unit(user, error));
    }
    done
}

/// Reconciles what one user registered.
fn directly(user: u32, mut entries: Vec<PathBuf>, list: &Path) -> OfOneUser {
    // The start changes from call to call. Otherwise the repositories behind one that hangs would
    // never have a turn.
    let first = usize::try_from(clock::now().as_ms()).unwrap_or(0) % entries.len().max(1);
    entries.rotate_left(first);
    let deadline = Deadline::after(OWNER_MAX);
    let mut done = OfOneUser::default();

    for (at, entry) in entries.iter().enumerate() {
        if deadline.is_over() {
            let rest = entries.len() - at;
            done.fail(Complaint::OutOfTime { user, rest });
            break;
        }
        match timer_list::read(list, entry) {
            Err(error) => done.complaints.push(Complaint::Entry(error.into())),
            Ok(ListedRepository { repository, owner }) => {
                let patience = REPOSITORY_MAX.min(deadline.left());
                if let Err(error) = wake::reconcile_as(&repository, owner, patience) {
                    done.fail(Complaint::Repository(repository, error));
                }
            }
        }
    }

    if done.complaints.len() > SHOWN_MAX {
        done.complaints.truncate(SHOWN_MAX);
        done.complaints.push(Complaint::More(user));
    }
    done
}

impl OfOneUser {
    fn fail(&mut self, complaint: Complaint) {
        self.has_failed = true;
        self.complaints.push(complaint);
    }
}

/// Some of the repositories that one user registered.
#[derive(Debug)]
pub struct Listed {
    /// The user's number.
    pub user: u32,
    /// The first repositories.
    pub repositories: Vec<PathBuf>,
    /// Whether the user registered more than these.
    pub has_more: bool,
}

/// The repositories that are registered, some of each user: for the administrator who removes the
/// package.
///
/// # Errors
/// The list can't be read.
pub fn list_registered(list: &Path) -> Result<Vec<Listed>, Error> {
    let entries = timer_list::entries(list).map_err(unreadable(list))?;

    let list = |(user, own): (u32, Vec<PathBuf>)| {
        let mut counting = own
            .iter()
            .filter_map(|entry| timer_list::read(list, entry).ok());
        let first = counting.by_ref().take(SHOWN_MAX);
        Listed {
            user,
            repositories: first.map(|registered| registered.repository).collect(),
            has_more: counting.next().is_some(),
        }
    };
    Ok(entries.into_iter().map(list).collect())
}
