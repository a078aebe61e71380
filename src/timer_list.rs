//! The timer's list: which repositories `reconcile --registered` looks after.
//!
//! Protocol: the list is a folder of the machine, writable by everybody and sticky like /tmp,
//! because repositories belong to different users. Each entry is a file that holds the path of one
//! repository, under a name that follows from the path. An entry counts only where it belongs to
//! root or to the repository's owner. So nobody can make the timer, which runs as root and becomes
//! the owner, do something in a folder that is not theirs.
//!
//! It does not promise that a repository in the list still exists, or is a repository. The process
//! that works on it finds out, as its owner.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::open;
use crate::text;
use crate::unit_name;

/// Where the package puts the list.
pub const FOLDER: &str = "/var/lib/deploy-by-code/repositories";

/// The longest path that is read, in bytes.
const PATH_MAX: u64 = 4096;

/// How many entries of one user are looked at. There is no limit for all users together, so that no
/// user's entries push out another's.
const ENTRIES_MAX: usize = 10_000;

/// The mode of an entry: everybody may read which repositories are looked after.
const ENTRY_MODE: u32 = 0o644;

/// A repository that the timer looks after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRepository {
    /// The repository.
    pub repository: PathBuf,
    /// The user number of its owner.
    pub owner: u32,
}

/// Why an entry does not count. The message ends with the cause, where there is one; the cause is
/// also the error's source.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The entry, or the repository that it names, can't be looked at.
    #[error("{}: {source}", shown(.path))]
    Unreadable {
        /// What can't be looked at.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },

    /// It is not a file with a path in it, or it has the name that belongs to another path.
    #[error("{} is not an entry of a repository", shown(.entry))]
    NoEntry {
        /// What is in the list.
        entry: PathBuf,
    },

    /// What it names is not a folder.
    #[error("{} is not a folder", shown(.repository))]
    NoFolder {
        /// What it names.
        repository: PathBuf,
    },

    /// The user who made it is neither root nor the repository's owner.
    #[error(
        "{} was registered by user {entry_owner}, but it belongs to user {owner}",
        shown(.repository)
    )]
    Foreign {
        /// The repository.
        repository: PathBuf,
        /// The number of the user who made the entry.
        entry_owner: u32,
        /// The user number of the repository's owner.
        owner: u32,
    },

    /// Everybody may write to the repository, so its owner does not decide what is done there.
    #[error("{} is writable by everybody", shown(.repository))]
    WritableByEverybody {
        /// The repository.
        repository: PathBuf,
    },
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_bytes(), 200)
}

/// The file of an entry. Its name is made from the path.
fn entry_file(list: &Path, repository: &Path) -> PathBuf {
    list.join(unit_name::file_name(repository))
}

/// Whether a repository is in the list already, by an entry that counts.
#[must_use]
pub fn has(list: &Path, repository: &Path) -> bool {
    read(list, &entry_file(list, repository)).is_ok_and(|listed| listed.repository == repository)
}

/// The number of the user who made the entry of a repository, whether it counts or not; `None`:
/// there is no entry.
#[must_use]
pub fn entry_owner(list: &Path, repository: &Path) -> Option<u32> {
    let found = entry_file(list, repository).symlink_metadata();
    Some(found.ok()?.uid())
}

/// Adds a repository to the list.
///
/// # Errors
/// The entry can't be written, or is somebody else's.
pub fn add(list: &Path, repository: &Path) -> io::Result<()> {
    let file = entry_file(list, repository);
    let mut file = open::to_overwrite_without_following(&file, ENTRY_MODE)?;
    file.write_all(repository.as_os_str().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Removes a repository from the list, also where somebody put a folder in the place of its entry.
/// It is not an error if there is no entry.
///
/// # Errors
/// The entry can't be removed.
pub fn remove(list: &Path, repository: &Path) -> io::Result<()> {
    let entry = entry_file(list, repository);
    let is_folder = entry.symlink_metadata().is_ok_and(|found| found.is_dir());
    let removed = if is_folder {
        fs::remove_dir_all(&entry)
    } else {
        fs::remove_file(&entry)
    };

    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The files of the entries, in order, by the number of the user who made them. The repositories
/// that the entries name are not looked at: this can take long, and that time has to count for
/// their user.
///
/// # Errors
/// The list can't be read. It is not an error if there is none.
pub fn entries(list: &Path) -> io::Result<BTreeMap<u32, Vec<PathBuf>>> {
    let mut all: BTreeMap<u32, Vec<PathBuf>> = BTreeMap::new();
    let entries = match fs::read_dir(list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        entries => entries?,
    };

    for entry in entries {
        let entry = entry?;
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let own = all.entry(found.uid()).or_default();
        if own.len() < ENTRIES_MAX {
            own.push(entry.path());
        }
    }

    all.values_mut().for_each(|own| own.sort());
    Ok(all)
}

/// The repository that an entry names.
///
/// # Errors
/// The entry does not count; the error says why.
pub fn read(list: &Path, entry: &Path) -> Result<ListedRepository, EntryError> {
    let (repository, entry_owner) = read_path(list, entry)?;

    let folder = repository
        .symlink_metadata()
        .map_err(|source| EntryError::Unreadable {
            path: repository.clone(),
            source,
        })?;
    if !folder.is_dir() {
        return Err(EntryError::NoFolder { repository });
    }

    let owner = folder.uid();
    if entry_owner != 0 && entry_owner != owner {
        return Err(EntryError::Foreign {
            repository,
            entry_owner,
            owner,
        });
    }
    if folder.mode() & 0o002 != 0 {
        return Err(EntryError::WritableByEverybody { repository });
    }
    Ok(ListedRepository { repository, owner })
}

/// The path in an entry, and the number of the user who made the entry. Anybody can have put
/// anything there. So this waits for nothing, and reads only files.
fn read_path(list: &Path, entry: &Path) -> Result<(PathBuf, u32), EntryError> {
    let unreadable = |source| EntryError::Unreadable {
        path: entry.to_owned(),
        source,
    };
    let no_entry = || EntryError::NoEntry {
        entry: entry.to_owned(),
    };

    let file = open::without_following(entry).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(no_entry());
    }

    let mut text = Vec::new();
    file.take(PATH_MAX)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    let repository = PathBuf::from(OsStr::from_bytes(text.trim_ascii_end()));
    if !repository.is_absolute() || entry_file(list, &repository) != entry {
        return Err(no_entry());
    }
    Ok((repository, found.uid()))
}

#[cfg(test)]
#[path = "timer_list_tests.rs"]
mod tests;
