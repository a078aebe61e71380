//! Who owns a repository, as which user root acts in it, and who may act in it at all.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::of_root::belongs_to_root;
use super::place::Place;
use crate::git::{self, Repository};
use crate::sys::environment;
use crate::sys::user::User;
use crate::text;

/// What root keeps of its environment when it becomes another user: where programs are, and how to
/// print. The rest can be secret, and reaches nothing that runs as that user.
const KEPT: &[&str] = &[
    "PATH", "TMPDIR", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "NO_COLOR",
];

/// What a command does in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// It only reads.
    Reads,
    /// It changes the state or the hooks.
    Changes,
    /// It may start a runner, which executes what the configuration says.
    Starts,
}

/// Root becomes the repository's owner. Otherwise the hooks could not change what root wrote, and
/// what root deployed would be deployed as root. Then this checks what [`may_act`] checks.
///
/// # Errors
/// This user must not act in this repository, or the owner can't be looked up.
pub fn become_owner(place: &Place, acts: Acts) -> Result<(), Error> {
    if let Some(owner) = owner_to_become(place)? {
        let error = Error::system(
            "root can't become the owner of the repository",
            "run the command as the owner",
        );
        let credentials = owner.credentials();
        let become_it = credentials.and_then(|credentials| credentials.become_for_good());
        become_it.map_err(error)?;

        let mut variables = environment::named(KEPT);
        let of_owner = [
            ("HOME", &owner.home),
            ("USER", &owner.name),
            ("LOGNAME", &owner.name),
        ];
        variables.extend(of_owner.map(|(name, value)| (name.into(), value.into())));
        environment::replace(&variables);
    }
    may_act(place, acts)
}

/// The user that root has to become; `None`: nobody, since this is not root or root is the owner.
///
/// # Errors
/// Everybody can write to the repository, or the owner can't be looked up.
pub fn owner_to_become(place: &Place) -> Result<Option<User>, Error> {
    if !User::is_root() {
        return Ok(None);
    }
    is_not_open_to_everybody(place)?;

    let owner = owner(place)?;
    if owner == 0 {
        return Ok(None);
    }
    let error = Error::system(
        format!("user {owner}, who owns the repository, can't be looked up"),
        "give the repository to a user of this machine",
    );
    User::by_number(owner).map(Some).map_err(error)
}

/// Checks that a person who runs as this user may act in the repository. Reading is for everybody.
/// In somebody else's repository nobody acts, unless the person trusts it in the way in which git
/// has to be told so (git-config(1), `safe.directory`): otherwise its owner would decide what this
/// person executes. What root executes must be root's to change alone.
///
/// # Errors
/// This user may not, or it can't be found out.
pub fn may_act(place: &Place, acts: Acts) -> Result<(), Error> {
    if acts == Acts::Reads {
        return Ok(());
    }
    is_not_open_to_everybody(place)?;

    let (owner, own) = (owner(place)?, User::own_number());
    if owner == own {
        let is_roots = own == 0 && acts == Acts::Starts;
        return if is_roots {
            belongs_to_root(place)
        } else {
            Ok(())
        };
    }
    if git::trusts(&place.git_dir)? {
        return Ok(());
    }

    let name = User::by_number(owner).map_or_else(|_| format!("#{owner}"), |user| user.name);
    let (name, repository) = (text::escape(name, 64), shown(&place.git_dir));
    Err(Error::refused(
        format!("{repository} belongs to the user {name}, and only its owner may act in it"),
        format!(
            "run the command as its owner: sudo -u {name} deploy-by-code -C {repository} …; if you \
             trust everybody who can change it: git config --global --add safe.directory \
             {repository}"
        ),
    ))
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

fn is_not_open_to_everybody(place: &Place) -> Result<(), Error> {
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
    Ok(())
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
