//! Tidying up mirrors: each fetch adds a pack, and many packs make every look slow.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::leftovers::tidying;
use super::place::Mirror;
use crate::git::command::git_to_tidy;
use crate::git::error::Error;
use crate::sys::lock::try_lock;
use crate::sys::sharing::Sharing;

/// How many packs a mirror may have.
const PACKS_MAX: usize = 50;

/// How long git may take to put the objects of a mirror together.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Puts the packs of each mirror of a state together that has many of them. All objects stay, also
/// those that no ref leads to any more: they may be deployed. Others can fetch meanwhile. This can
/// take long, so no hook does it. Returns what went wrong; the mirrors are as good as before.
#[must_use]
pub fn tidy_mirrors(state: &Path) -> Vec<Error> {
    let Ok(entries) = fs::read_dir(Mirror::all(state)) else {
        return Vec::new();
    };
    let folders = entries.flatten().map(|entry| entry.path());
    let folders = folders.filter(|path| path.extension().is_some_and(|it| it == "git"));
    let tidied = folders.map(|folder| tidy(state, &folder));
    tidied.filter_map(Result::err).collect()
}

fn tidy(state: &Path, folder: &Path) -> Result<(), Error> {
    if packs(folder) <= PACKS_MAX {
        return Ok(());
    }
    let error = |error| Error::new(folder, error);
    let sharing = Sharing::of_folder(state).map_err(error)?;
    // Another process may be at it already.
    let Some(_tidying) = tidying(folder, sharing).map_err(error)? else {
        return Ok(());
    };
    let repack = ["repack", "-a", "-d", "-q", "--keep-unreachable"];
    git_to_tidy(folder, &repack, LIMIT)?;
    git_to_tidy(folder, &["commit-graph", "write", "--reachable"], LIMIT)?;

    // git moves refs while it does this, which a fetch must not meet.
    match try_lock(&folder.with_extension("lock"), sharing).map_err(error)? {
        Some(_fetching) => git_to_tidy(folder, &["pack-refs", "--all"], LIMIT),
        None => Ok(()),
    }
}

/// How many packs a repository has. Where it can't be looked at, there is nothing to tidy up.
fn packs(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder.join("objects/pack")) else {
        return 0;
    };
    let names = entries.flatten().map(|entry| entry.path());
    names
        .filter(|path| path.extension().is_some_and(|it| it == "pack"))
        .count()
}
