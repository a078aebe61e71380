//! Finds out what a repository has.
//!
//! Protocol: nothing is changed. The only decision made here is in which folders to look for hooks.
//! If something can't be read, this is an error; if something is missing, this is a value.
//!
//! It does not promise that the repository stays as it was found; see [`super::lock()`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::found::{
    BeforeInstall, Beside, FoundHook, FoundState, Hook, HookPlace, Installed, Kept, KeptFolder,
    OtherHook, Sibling,
};
use super::link::{aside, links_beside, target_beside};
use crate::deploy_repository::{DeployRepository, InstallRecord};
use crate::git;
use crate::hook_files::{CHAINED, HOOKS, Host, is_own_link, kept, leads_to, sibling};
use crate::judging;
use crate::store::{self, Store};

/// Finds out what a repository has before an install of `program`. `deploy_existing`: what is
/// already on the deploy branch is to be deployed.
///
/// # Errors
/// The repository or its state can't be read, or git runs its hooks from a folder outside of it.
pub fn look_before_install(
    deploy: &DeployRepository,
    program: &Path,
    deploy_existing: bool,
) -> Result<BeforeInstall, Error> {
    let git_dir = deploy.repository.path();
    let state = state(&deploy.state_dir())?;
    let has_cursor = state
        .as_ref()
        .is_some_and(|state| state.is_begun() && state.is_about(&deploy.branch));
    let start = if has_cursor || deploy_existing {
        None
    } else {
        let tip = deploy.repository.branch_tip(&deploy.branch)?;
        // What is on the branch now is not deployed. Once a damaged tip was the start, nobody could
        // tell any more what that was.
        judging::wanted(deploy, tip.as_ref())?;
        tip
    };

    let recorded = InstallRecord::read(git_dir).ok().flatten();
    let earlier = recorded.as_ref();
    let earlier = earlier.map(|recorded| deploy.state_dir_of(recorded.state_dir.as_deref()));
    let has_gitlab_setting = git::config_value(git_dir, "gitlab.fullpath")?.is_some();
    let host = Host::of(git_dir, has_gitlab_setting);
    // GitLab's own folder of hooks is left alone.
    let own_folder = if host == Host::GitLab {
        None
    } else {
        Some(own_hooks_folder(deploy)?)
    };
    let folder = own_folder.clone().unwrap_or_else(|| git_dir.join("hooks"));
    let hooks = host
        .places(git_dir, &folder)
        .into_iter()
        .map(|(name, path)| hook(name, path, program));

    Ok(BeforeInstall {
        host,
        program: program.to_owned(),
        branch: deploy.branch.clone(),
        state_folder: deploy.state_dir(),
        state,
        earlier_state_folder: earlier.filter(|folder| *folder != deploy.state_dir()),
        start,
        record_file: InstallRecord::file(git_dir),
        is_recorded: recorded == Some(deploy.install_record()),
        hooks: hooks.collect(),
        beside: own_folder.map(|folder| beside(&folder)),
        takes_push_options: git::config_bool(git_dir, "receive.advertisePushOptions")?,
    })
}

/// The state in a folder. A state of an older version is not upgraded.
fn state(folder: &Path) -> Result<Option<FoundState>, Error> {
    let mut store = match Store::open_as_it_is(folder) {
        Err(store::Error::Missing(_)) => return Ok(None),
        opened => opened?,
    };

    let version = store.version()?;
    let cursor = if version > 0 {
        store.read()?.cursor()?
    } else {
        None
    };
    Ok(Some(FoundState {
        version,
        branch: cursor.map(|cursor| cursor.branch),
    }))
}

/// The folder of hooks of this repository, and of it alone: other repositories may run hooks from a
/// folder elsewhere as well.
fn own_hooks_folder(deploy: &DeployRepository) -> Result<PathBuf, Error> {
    let folder = git::hooks_folder(deploy.repository.path())?;
    if is_within(deploy, &folder) {
        Ok(folder)
    } else {
        Err(Error::HooksElsewhere(folder))
    }
}

/// Whether a folder is inside of the repository, also if links lead to it.
fn is_within(deploy: &DeployRepository, folder: &Path) -> bool {
    folder
        .canonicalize()
        .as_deref()
        .unwrap_or(folder)
        .starts_with(deploy.repository.path())
}

/// What is in the place of a hook.
fn hook(name: &'static str, path: PathBuf, program: &Path) -> Hook {
    let kept_path = kept_path(&path);
    let standing = if is_own_link(&path) {
        FoundHook::Own {
            leads_to_program: leads_to(&path, program),
        }
    } else if is_there(&path) {
        FoundHook::Other(other_hook(&path, &kept_path))
    } else {
        FoundHook::Nothing
    };
    Hook {
        name,
        path,
        kept_path,
        standing,
    }
}

fn other_hook(path: &Path, kept_path: &Path) -> OtherHook {
    let sibling = sibling(path).map(|name| Sibling {
        name,
        is_kept: is_there(&self::kept_path(&path.with_file_name(name))),
    });
    OtherHook {
        link: fs::read_link(path).ok(),
        sibling,
        leads_nowhere: path
            .metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound),
        kept: what_is_kept(path, kept_path),
    }
}

/// Where a hook is kept. Every hook's path has a folder and a name.
fn kept_path(hook: &Path) -> PathBuf {
    kept(hook).unwrap_or_else(|| hook.to_owned())
}

fn what_is_kept(hook: &Path, kept: &Path) -> Kept {
    let Ok(found) = kept.symlink_metadata() else {
        return Kept::Nothing;
    };

    let is_same_file = hook
        .symlink_metadata()
        .is_ok_and(|hook| (hook.dev(), hook.ino()) == (found.dev(), found.ino()));
    // After it is kept, a relative link leads to the same place from one folder further down.
    let is_same_link = fs::read_link(hook)
        .is_ok_and(|hook| fs::read_link(kept).is_ok_and(|kept| kept == target_beside(hook)));
    if is_same_file || is_same_link {
        Kept::ThisHook
    } else {
        Kept::Other
    }
}

/// What is in a folder of hooks beside the hooks of this program.
fn beside(folder: &Path) -> Beside {
    let chained = folder.join(CHAINED);
    let names: BTreeSet<OsString> = names_beside(folder).collect();
    let folders_of_hooks = HOOKS.iter().map(|name| OsString::from(format!("{name}.d")));
    let linked = names.iter().cloned().chain(folders_of_hooks);
    Beside {
        linked: linked
            .filter(|name| is_there(&chained.join(name)))
            .collect(),
        chained_is_link: chained.is_symlink(),
        chained,
        names,
    }
}

/// The names of the files in a folder of hooks that the hooks which were there before may use.
fn names_beside(folder: &Path) -> impl Iterator<Item = OsString> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    entries.map(|entry| entry.file_name()).filter(|name| {
        let is_sample = name.as_encoded_bytes().ends_with(b".sample");
        let is_aside = HOOKS
            .iter()
            .any(|hook| aside(&folder.join(hook)).file_name() == Some(name));
        name != CHAINED && !is_sample && !is_aside && !HOOKS.iter().any(|hook| name == hook)
    })
}

/// Finds out what a repository has of this program, in all places where an install can have put it.
/// Since the install, the repository may have moved to another host, or git may have been
/// configured to use another folder.
///
/// # Errors
/// git can't be asked where the hooks are.
pub fn look_before_uninstall(deploy: &DeployRepository) -> Result<Installed, Error> {
    let git_dir = deploy.repository.path();
    let folders = BTreeSet::from([git::hooks_folder(git_dir)?, git_dir.join("hooks")]);
    let folders: Vec<PathBuf> = folders
        .into_iter()
        .filter(|folder| is_within(deploy, folder))
        .collect();

    let places = Host::ALL.iter().flat_map(|host| {
        folders
            .iter()
            .flat_map(|folder| host.places(git_dir, folder))
    });
    let places: BTreeSet<PathBuf> = places.map(|(_, path)| path).collect();
    let kept_folders = folders
        .iter()
        .map(|folder| folder.join(CHAINED))
        .filter(|folder| is_folder(folder));

    Ok(Installed {
        has_state: deploy.state_dir().exists(),
        record_file: InstallRecord::files(git_dir)
            .iter()
            .any(|file| is_there(file))
            .then(|| InstallRecord::file(git_dir)),
        places: places.into_iter().map(place).collect(),
        kept_folders: kept_folders.map(kept_folder).collect(),
    })
}

fn place(path: PathBuf) -> HookPlace {
    let kept_path = kept_path(&path);
    let kept = if kept_path.parent().is_some_and(is_folder) {
        what_is_kept(&path, &kept_path)
    } else {
        Kept::Nothing
    };
    HookPlace {
        is_taken: is_there(&path),
        is_own: is_own_link(&path),
        kept_path,
        kept,
        left_aside: Some(aside(&path)).filter(|aside| aside.is_symlink()),
        path,
    }
}

fn kept_folder(path: PathBuf) -> KeptFolder {
    let has_links = links_beside(&path).next().is_some();
    KeptFolder {
        has_links,
        is_empty: fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none()),
        path,
    }
}

/// Whether anything is there, even a broken link.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Whether there is a folder, and not a link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}
