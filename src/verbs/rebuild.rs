//! `rebuild`: makes a new state where the database of the old one is gone or damaged.
//!
//! Protocol: nothing is deployed by it, and nothing is removed. The old database is put aside. The
//! new one is made in one step: what is on the deploy branch counts as planned, numbers continue
//! above every number that is known, and every environment is frozen, because nobody knows any more
//! what was frozen, held back or waiting. The locks of all environments are held meanwhile, so that
//! no runner works with the old database. If the status is published, the deployments that have
//! ended are recorded again, as far as they are published. A command that still runs is on record
//! in the new one, as one that a dead runner left, so it holds its environment.
//!
//! It does not promise to know the numbers of deployments that were recorded and never began, if
//! the old database can't be read: these have no log.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::left::{hold_all, look_for_left, not_on_record};
use super::place::Place;
use super::published_history::published_history;
use crate::deploy_repository::DeployRepository;
use crate::id::{DeploymentId, Environment, Revision};
use crate::identity::Identity;
use crate::judging::wanted;
use crate::publish::Audience;
use crate::report::PublishedHistory;
use crate::store::{self, LeftRunning, Store, Transaction, with_log};
use crate::sys::clock;
use crate::sys::file::{is_absence, is_there};
use crate::sys::lock::{Lock, try_lock_a_moment};
use crate::sys::sharing::Sharing;
use crate::text;
use crate::time::Timestamp;

/// Why the environments of a new state are frozen.
const REASON: &str = "the state was rebuilt; see what is really deployed before you thaw";

/// What was done, or would be.
#[derive(Debug)]
pub enum Rebuilt {
    /// The state is a new one.
    State(NewState),
    /// The state is not damaged but older than its logs.
    Numbers(NewNumbers),
}

/// A state that was made in place of a damaged one.
#[derive(Debug)]
pub struct NewState {
    /// What was wrong with the old database.
    pub damage: String,
    /// Where the old database is now; `None`: there was none, or nothing was changed.
    pub kept: Option<PathBuf>,
    /// The deploy branch.
    pub branch: String,
    /// The commit up to which the branch counts as planned.
    pub cursor: Option<Revision>,
    /// The highest number that is known. The next deployment gets the number after it.
    pub highest: DeploymentId,
    /// How many deployments have a log.
    pub logs: usize,
    /// How many deployments that have ended were recorded again, as they were published.
    pub restored: usize,
    /// The environments that are frozen now.
    pub frozen: BTreeSet<Environment>,
    /// The deployments of the old state that still run. They hold their environments.
    pub left: Vec<LeftRunning>,
}

/// What changed in a state that was older than its logs.
#[derive(Debug)]
pub struct NewNumbers {
    /// The highest number that is known. The next deployment gets the number after it.
    pub highest: DeploymentId,
    /// The environments that are frozen now.
    pub frozen: BTreeSet<Environment>,
    /// The deployments that still run and began after the state was saved. They hold their
    /// environments.
    pub left: Vec<LeftRunning>,
}

/// Makes a new state. With `dry_run` it changes nothing. `above`: a number that no deployment had
/// is above this one. If it is higher than all that a sound state knows, that state is an old one.
///
/// # Errors
/// The state is not damaged, or a runner works with it, or no number is known, or something can't
/// be read or made. What was put aside stays there, and the next call continues.
pub fn rebuild(
    place: &Place,
    above: Option<DeploymentId>,
    dry_run: bool,
    by: &Identity,
) -> Result<Rebuilt, Error> {
    let deploy = place.deploy_to_install()?;
    let folder = deploy.state_dir();
    let logs = Logs::find(&folder)?;
    let damage = match look_for_damage(&deploy)? {
        FoundDatabase::Damage(damage) => damage,
        FoundDatabase::Sound(store) => {
            let highest = logs.highest.max(above);
            let numbers = continue_numbers(&deploy, *store, highest, dry_run, by);
            return numbers.map(Rebuilt::Numbers);
        }
    };

    let mut frozen = locked_environments(&folder)?;
    let published = published_history(&deploy)?;
    let recorded = Store::last_number(&folder);
    let known = [recorded, logs.highest, published.highest, above];
    let highest = known.into_iter().flatten().max();
    let highest = match highest {
        Some(highest) => highest,
        // No runner was ever here.
        None if logs.has_folder && frozen.is_empty() => DeploymentId(0),
        None => return Err(no_number()),
    };

    let cursor = deploy.repository.branch_tip(&deploy.branch)?;
    frozen.extend(asked_for(&deploy, cursor.as_ref())?);
    let _locks = (!dry_run).then(|| lock_all(&folder, &frozen)).transpose()?;
    let left = look_for_left(&folder, highest)?;
    frozen.extend(left.iter().map(|left| left.target.environment.clone()));

    let mut new = NewState {
        damage,
        kept: None,
        branch: deploy.branch.clone(),
        cursor,
        highest,
        logs: logs.count,
        restored: published.deployments.len(),
        frozen,
        left,
    };
    if !dry_run {
        if is_there(&folder).map_err(unreadable(&folder))? {
            new.kept = Store::put_aside(&folder)?;
        }
        make(&deploy, &new, &published, by)?;
    }
    Ok(Rebuilt::State(new))
}

/// Lets the numbers of a state that is not damaged continue after those of its logs, and lets
/// commands hold their environments that run and have not begun by its record. What was frozen and
/// held back since then is not in this state either, so every environment is frozen.
///
/// # Errors
/// They do already.
fn continue_numbers(
    deploy: &DeployRepository,
    mut store: Store,
    highest: Option<DeploymentId>,
    dry_run: bool,
    by: &Identity,
) -> Result<NewNumbers, Error> {
    let folder = deploy.state_dir();
    let last = store.read()?.last_number()?;
    let highest = highest.map_or(last, |highest| highest.max(last));
    let left = not_on_record(look_for_left(&folder, highest)?, &*store.read()?)?;
    if highest == last && left.is_empty() {
        return Err(Error::refused(
            "the state is not damaged",
            "to see what is wrong here: deploy-by-code doctor",
        ));
    }
    let tip = deploy.repository.branch_tip(&deploy.branch)?;
    let mut frozen = locked_environments(&folder)?;
    frozen.extend(asked_for(deploy, tip.as_ref())?);
    frozen.extend(left.iter().map(|left| left.target.environment.clone()));

    if !dry_run {
        let now = clock::now();
        store.transaction(|transaction| {
            transaction.skip_numbers(highest)?;
            let message = format!("it is older than its last deployment, {highest}");
            transaction.note_about_state(message, now)?;
            hold_all(transaction, &left, now)?;
            freeze_all(transaction, &frozen, by, now)
        })?;
        Audience::of(deploy).tell(&mut store);
    }
    Ok(NewNumbers {
        highest,
        frozen,
        left,
    })
}

/// The environments of the deploy files and of the configuration.
fn asked_for(
    deploy: &DeployRepository,
    tip: Option<&Revision>,
) -> Result<BTreeSet<Environment>, Error> {
    let wanted = wanted(deploy, tip)?.into_keys();
    let configured = deploy.config.environments().map(|(name, _)| name.clone());
    Ok(wanted
        .map(|target| target.environment)
        .chain(configured)
        .collect())
}

/// Freezes environments until somebody has looked at them.
fn freeze_all(
    transaction: &Transaction<'_>,
    environments: &BTreeSet<Environment>,
    by: &Identity,
    now: Timestamp,
) -> Result<(), store::Error> {
    environments
        .iter()
        .try_for_each(|environment| transaction.freeze(environment, REASON, by, None, now))
}

/// What is found of the database.
enum FoundDatabase {
    /// What is wrong with it, in words.
    Damage(String),
    /// Nothing is wrong with it.
    Sound(Box<Store>),
}

/// Looks whether the database is damaged.
///
/// # Errors
/// Something else is in the way.
fn look_for_damage(deploy: &DeployRepository) -> Result<FoundDatabase, Error> {
    let looked = deploy.open_store().and_then(|store| {
        let problems = store.integrity_problems()?;
        Ok((store, problems))
    });
    match looked {
        Ok((store, problems)) if problems.is_empty() => Ok(FoundDatabase::Sound(Box::new(store))),
        Ok((_, problems)) => Ok(FoundDatabase::Damage(text::escape(
            problems.join("; "),
            300,
        ))),
        Err(store::Error::Lost(_)) if may_be_unmounted(deploy)? => {
            let folder = deploy.state_dir();
            let shown = text::escape(folder.as_os_str().as_encoded_bytes(), 200);
            Err(Error::refused(
                format!("{shown} is missing: its file system may not be mounted"),
                format!(
                    "mount it; if it is lost, make the folder and run this again: mkdir {shown}"
                ),
            ))
        }
        Err(error) if error.is_damage() => Ok(FoundDatabase::Damage(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Whether the folder of the state is missing, and is one that the configuration names.
fn may_be_unmounted(deploy: &DeployRepository) -> Result<bool, Error> {
    let folder = deploy.state_dir();
    let has_folder = is_there(&folder).map_err(unreadable(&folder))?;
    Ok(!has_folder && deploy.config.state_dir.is_some())
}

fn no_number() -> Error {
    Error::refused(
        "neither the database nor the logs say which numbers deployments have had, and no number \
         may be used twice",
        "name a number that is at least as high as the last one, which syslog has: \
         deploy-by-code rebuild --above 1000",
    )
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let shown = text::escape(path.as_os_str().as_encoded_bytes(), 200);
    Error::system(
        format!("{shown} can't be read"),
        "make sure that this user can read it",
    )
}

/// The names in a folder; none where there is no folder.
fn names(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_absence(&error) => return Ok(None),
        entries => entries.map_err(unreadable(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable(folder))?.file_name();
        names.extend(name.into_string());
    }
    Ok(Some(names))
}

/// The environments that had a runner: each has a lock file.
fn locked_environments(folder: &Path) -> Result<BTreeSet<Environment>, Error> {
    let names = names(&folder.join("locks"))?.unwrap_or_default();
    let names = names.iter().filter_map(|name| name.strip_suffix(".lock"));
    Ok(names
        .filter_map(|name| Environment::new(name).ok())
        .collect())
}

/// What the logs say about the deployments that there were.
struct Logs {
    has_folder: bool,
    count: usize,
    highest: Option<DeploymentId>,
}

impl Logs {
    fn find(folder: &Path) -> Result<Self, Error> {
        let found = with_log(folder).map_err(unreadable(&folder.join("logs")))?;
        let has_folder = found.is_some();
        let numbers = found.unwrap_or_default();
        Ok(Self {
            has_folder,
            count: numbers.len(),
            highest: numbers.last().copied(),
        })
    }
}

/// Locks environments, so that no runner works in them.
fn lock_all(folder: &Path, environments: &BTreeSet<Environment>) -> Result<Vec<Lock>, Error> {
    let locks = folder.join("locks");
    if !is_there(&locks).map_err(unreadable(&locks))? {
        return Ok(Vec::new());
    }
    let sharing = Sharing::of_folder(folder).map_err(unreadable(folder))?;

    let mut held = Vec::new();
    for environment in environments {
        let file = locks.join(format!("{environment}.lock"));
        // The kernel may not have ended a killed runner yet.
        match try_lock_a_moment(&file, sharing).map_err(unreadable(&file))? {
            Some(lock) => held.push(lock),
            None => {
                return Err(Error::refused(
                    format!("a runner works in {environment}, with the old database"),
                    "wait until its command has ended, and run this again",
                ));
            }
        }
    }
    Ok(held)
}

/// Makes the new state.
fn make(
    deploy: &DeployRepository,
    new: &NewState,
    published: &PublishedHistory,
    by: &Identity,
) -> Result<(), Error> {
    let now = clock::now();
    let mut store = deploy.create_store(|transaction| {
        transaction.move_cursor(&new.branch, new.cursor.as_ref())?;
        transaction.skip_numbers(new.highest)?;
        transaction.skip_events(now)?;
        for ended in &published.deployments {
            transaction.restore(&ended.as_recorded(), &ended.exceptions, &ended.approvals)?;
        }
        for (target, at) in &published.retired {
            transaction.restore_retirement(target, *at)?;
        }
        let damage = &new.damage;
        let message = format!("the state was rebuilt, and its record begins anew: {damage}");
        transaction.note_about_state(message, now)?;
        hold_all(transaction, &new.left, now)?;
        freeze_all(transaction, &new.frozen, by, now)
    })?;
    Audience::of(deploy).tell(&mut store);
    Ok(())
}
