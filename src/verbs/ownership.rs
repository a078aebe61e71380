//! Whose repository it is, and as whom root acts in it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::error::Error;
use super::place::Place;
use crate::git::Repository;
use crate::sys::user::User;
use crate::text;

/// What decides in a repository what is carried out, beside its folder, the deploy branch and the
/// state.
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

/// Whether a command may lead to something being carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// It only reads, or changes nothing but the state.
    No,
    /// It may start a runner.
    Yes,
}

/// Root becomes the repository's owner: what root wrote would be out of the hooks' reach, and what
/// it deployed would be deployed as root. For every other user this does nothing.
///
/// # Errors
/// The repository is not the kind in which root acts, or the owner can't be looked up.
pub fn become_owner(place: &Place, acts: Acts) -> Result<(), Error> {
    match owner_to_become(place, acts)? {
        Some(owner) => Ok(owner.become_for_good()?),
        None => Ok(()),
    }
}

/// Whom root has to become, if anybody; and whether that may be.
///
/// # Errors
/// As for [`become_owner`].
pub fn owner_to_become(place: &Place, acts: Acts) -> Result<Option<User>, Error> {
    if !User::is_root() {
        return Ok(None);
    }

    for folder in folders(place)? {
        if fs::metadata(&folder)?.mode() & 0o002 != 0 {
            let shown = text::escape(folder.as_os_str().as_encoded_bytes(), 200);
            let message = format!(
                "{shown} is writable by everybody, and its configuration would be followed as its \
                 owner"
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
        Ok(Some(User::by_number(owner)?))
    }
}

/// For a service whose user was set when the repository was its: what the repository says now is
/// its owner's to carry out.
///
/// # Errors
/// This is not the owner.
pub fn is_owner(place: &Place) -> Result<(), Error> {
    let (owner, own) = (owner(place)?, User::own_number());
    if owner == own {
        return Ok(());
    }
    Err(Error::refused(
        format!("the repository is user {owner}'s, and this is user {own}"),
        "run as root: deploy-by-code install",
    ))
}

/// What root is to carry out must be root's alone: whoever can write to the repository or its
/// configuration decides what is executed.
///
/// # Errors
/// Something is others' to write; it is named.
pub fn belongs_to_root(place: &Place) -> Result<(), Error> {
    for folder in folders(place)? {
        for name in DECIDES {
            is_roots(folder.join(name))?;
        }
        is_roots(folder)?;
    }
    place.config.iter().cloned().try_for_each(is_roots)?;

    // Only now is it known that nobody else wrote where the state is.
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
    let is_others =
        fs::metadata(&path).is_ok_and(|found| found.uid() != 0 || found.mode() & 0o022 != 0);
    if !is_others {
        return Ok(());
    }
    let shown = text::escape(path.as_os_str().as_encoded_bytes(), 200);
    Err(Error::refused(
        format!("{shown} is others' to write, and what they write would be carried out as root"),
        "give the repository to a user of its own: chown -R git:… , and run this again",
    ))
}

/// The git folder, and, of a linked work tree, the repository's.
fn folders(place: &Place) -> Result<[PathBuf; 2], Error> {
    Ok([
        place.git_dir.clone(),
        Repository::open(&place.git_dir)?.path().to_owned(),
    ])
}

/// The number of the user whose repository it is.
///
/// # Errors
/// The folder and the repository that it leads to are not the same user's, or can't be read.
pub fn owner(place: &Place) -> Result<u32, Error> {
    // A work tree's folder names the repository, and need not be the same user's.
    let [own, common] = folders(place)?.map(fs::metadata);
    let (owner, common) = (own?.uid(), common?.uid());
    if owner == common {
        return Ok(owner);
    }
    Err(Error::refused(
        "this folder and the repository that it leads to are not the same user's",
        "name the repository itself: deploy-by-code -C /path/to/repository.git …",
    ))
}
