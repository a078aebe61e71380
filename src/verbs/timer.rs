//! `reconcile --registered`: what the timer does with every repository in its list.

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

/// How long the timer waits for the repositories of one user: it comes again every 5 minutes.
const OWNER_MAX: Duration = Duration::from_secs(240);

/// How much longer systemd waits: what is ended from within leaves nothing behind.
const UNIT_MARGIN: Duration = Duration::from_secs(30);

/// For how many users the timer works at once.
const USERS_AT_ONCE: usize = 16;

/// How much is told of what one user registered.
const TOLD_MAX: usize = 20;

/// What became of the repositories of one user.
#[derive(Debug, Default)]
pub struct OfOneUser {
    /// What went wrong or does not count, a line each, bounded in number.
    pub complaints: Vec<String>,
    /// Whether something went wrong. An entry that does not count is nothing that goes wrong:
    /// anybody can write one.
    pub has_failed: bool,
}

/// Reconciles every repository that is registered, each as its owner, so that one can't reach what
/// belongs to another; one user's do not wait for another's.
///
/// # Errors
/// The list can't be read.
pub fn reconcile_registered(list: &Path) -> Result<Vec<OfOneUser>, Error> {
    let mut entries = timer_list::entries(list)?;
    let is_root = User::is_root();
    if !is_root {
        // Nobody else's could be reconciled.
        entries.retain(|user, _| *user == User::own_number());
    }
    let in_units = is_root && units::systemd_runs();

    let entries = Mutex::new(entries.into_iter());
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((user, own)) = entries.lock().ok().and_then(|mut entries| entries.next()) {
            // A unit for each user keeps one's runners out of others' way.
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
        // Where no more can be started, fewer do.
        for _ in 1..USERS_AT_ONCE {
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    Ok(done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn in_unit(user: u32, list: &Path) -> OfOneUser {
    match wake::reconcile_in_unit(user, list, OWNER_MAX + UNIT_MARGIN) {
        Ok(()) => OfOneUser::default(),
        Err(error) => OfOneUser {
            complaints: vec![format!("user {user}: {error}")],
            has_failed: true,
        },
    }
}

/// Reconciles what one user registered.
fn directly(user: u32, mut entries: Vec<PathBuf>, list: &Path) -> OfOneUser {
    // It begins anywhere, so that those that hang do not keep the same ones waiting each time.
    let first = usize::try_from(clock::now().as_ms()).unwrap_or(0) % entries.len().max(1);
    entries.rotate_left(first);
    let deadline = Deadline::after(OWNER_MAX);
    let mut done = OfOneUser::default();

    for (at, entry) in entries.iter().enumerate() {
        if deadline.is_over() {
            let rest = entries.len() - at;
            done.fails(format!(
                "user {user}: no time was left for {rest} repositories"
            ));
            break;
        }
        match timer_list::read(list, entry) {
            Err(problem) => done.complaints.push(problem.to_string()),
            Ok(ListedRepository { repository, owner }) => {
                let patience = REPOSITORY_MAX.min(deadline.left());
                if let Err(error) = wake::reconcile_as(&repository, owner, patience) {
                    let shown = text::escape(repository.as_os_str().as_encoded_bytes(), 200);
                    done.fails(format!("{shown}: {error}"));
                }
            }
        }
    }

    if done.complaints.len() > TOLD_MAX {
        done.complaints.truncate(TOLD_MAX);
        done.complaints
            .push(format!("user {user}: there is more that is not told"));
    }
    done
}

impl OfOneUser {
    fn fails(&mut self, complaint: String) {
        self.has_failed = true;
        self.complaints.push(complaint);
    }
}

/// The repositories that are registered, some of each user's: for the administrator who removes the
/// package. Beside them stands the user, where there are more.
///
/// # Errors
/// The list can't be read.
pub fn list_registered(list: &Path) -> Result<Vec<(Vec<PathBuf>, Option<u32>)>, Error> {
    let mut listed = Vec::new();
    for (user, own) in timer_list::entries(list)? {
        let mut counting = own
            .iter()
            .filter_map(|entry| timer_list::read(list, entry).ok());
        let first = counting.by_ref().take(TOLD_MAX);
        let first = first.map(|listed| listed.repository).collect();
        listed.push((first, counting.next().map(|_| user)));
    }
    Ok(listed)
}
