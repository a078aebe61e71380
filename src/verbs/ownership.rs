//! Who owns a repository, and as which user root acts in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::place::Place;
use crate::git::Repository;
use crate::sys::user::User;
use crate::text;

/// The paths of a repository that decide what is executed, in addition to its folder, the deploy
/// branch and the state.
const DECIDES: &[&str] = &[
    "config",
    "deploy-by-code.toml",
    "hooks",
    "HEAD",
    "refs",
    "refs/heads",
    "packed-refs",
    "reftable",
    "objects",
    "objects/info",
];

/// Whether a command can lead to something being executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// It only reads, or changes nothing but the state.
    No,
    /// It may start a runner.
    Yes,
}

/// Root becomes the repository's owner. Otherwise the hooks could not change what root wrote, and
/// what root deployed would be deployed as root. For every other user this does nothing.
///
/// # Errors
/// Root must not act in this repository, or the owner can't be looked up.
pub fn become_owner(place: &Place, acts: Acts) -> Result<(), Error> {
    match owner_to_become(place, acts)? {
        Some(owner) => {
            let error = Error::system(
                "root can't become the owner of the repository",
                "run the command as the owner",
            );
            owner.become_for_good().map_err(error)
        }
        None => Ok(()),
    }
}

/// The user that root has to become; `None`: nobody, since this is not root or root is the owner.
///
/// # Errors
/// As for [`become_owner`].
pub fn owner_to_become(place: &Place, acts: Acts) -> Result<Option<User>, Error> {
    if !User::is_root() {
        return Ok(None);
    }

    for folder in folders(place)? {
        if look_at(&folder)?.mode() & 0o002 != 0 {
            let shown = shown(&folder);
            let message = format!(
                "{shown} is writable by everybody, so anybody could decide what is executed as \
                 its owner"
            );
            return Err(Error::refused(message, format!("chmod o-w {shown}")));
        }
    }

    let owner = owner(place)?;
    if owner == 0 && acts == Acts::Yes {
        belongs_to_root(place)?;
    }
    if owner == 0 {
        Ok(None)
    } else {
        let error = Error::system(
            format!("user {owner}, who owns the repository, can't be looked up"),
            "give the repository to a user of this machine",
        );
        User::by_number(owner).map(Some).map_err(error)
    }
}

/// Checks that this process runs as the repository's owner. The user of a service was set when that
/// user owned the repository. If the repository has another owner now, only that owner may execute
/// what it says.
///
/// # Errors
/// The owner is another user.
pub fn is_owner(place: &Place) -> Result<(), Error> {
    let (owner, own) = (owner(place)?, User::own_number());
    if owner == own {
        return Ok(());
    }
    Err(Error::refused(
        format!("the repository belongs to user {owner}, but this program runs as user {own}"),
        "run as root: deploy-by-code install",
    ))
}

/// Checks that only root can write to what decides what root executes: the repository and its
/// configuration.
///
/// # Errors
/// Another user can write to something. The error names it.
pub fn belongs_to_root(place: &Place) -> Result<(), Error> {
    for folder in folders(place)? {
        for name in DECIDES {
            is_roots(folder.join(name))?;
        }
        is_roots(folder)?;
    }
    place.config.iter().cloned().try_for_each(is_roots)?;

    // The configuration says where the state is, and only now is it known that root wrote it.
    let (deploy, _) = place.deploy_to_look()?;
    let state = deploy.state_dir();
    let branch = deploy.repository.path().join(&deploy.branch);
    deploy
        .config_file
        .into_iter()
        .chain([branch, state.join("state.db"), state])
        .try_for_each(is_roots)
}

fn is_roots(path: PathBuf) -> Result<(), Error> {
    let can_others_write =
        fs::metadata(&path).is_ok_and(|found| found.uid() != 0 || found.mode() & 0o022 != 0);
    if !can_others_write {
        return Ok(());
    }

    let shown = shown(&path);
    Err(Error::refused(
        format!("users other than root can write to {shown}, so root would execute their commands"),
        "give the repository to a user of its own: chown -R git:… , and run this again",
    ))
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}

fn look_at(folder: &Path) -> Result<fs::Metadata, Error> {
    let error = Error::system(
        format!("{} can't be looked at", shown(folder)),
        "make sure that it exists and that this user can read it",
    );
    fs::metadata(folder).map_err(error)
}

/// The git folder, and the repository's folder. For a linked work tree they differ.
fn folders(place: &Place) -> Result<[PathBuf; 2], Error> {
    Ok([
        place.git_dir.clone(),
        Repository::open(&place.git_dir)?.path().to_owned(),
    ])
}

/// The number of the user who owns the repository.
///
/// # Errors
/// The folder and the repository that it leads to belong to different users, or can't be read.
pub fn owner(place: &Place) -> Result<u32, Error> {
    // The folder of a work tree names the repository, which can belong to another user.
    let [own, common] = folders(place)?;
    let (owner, common) = (look_at(&own)?.uid(), look_at(&common)?.uid());
    if owner == common {
        return Ok(owner);
    }
    Err(Error::refused(
        "this folder and the repository that it leads to belong to different users",
        "name the repository itself: deploy-by-code -C /path/to/repository.git …",
    ))
}
