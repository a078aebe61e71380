//! Finds out what a repository has.
//!
//! Protocol: nothing is changed. The only decision made here is in which folders to look for hooks.
//! If something can't be read, this is an error; if something is missing, this is a value.
//!
//! It does not promise that the repository stays as it was found; see [`super::lock()`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::found::{
    BeforeInstall, Beside, FoundHook, FoundState, Hook, HookForm, HookPlace, Installed, Kept,
    KeptFolder, OtherHook, Sibling,
};
use super::link::{aside, entries, have_same_content, links_beside, target_beside};
use crate::deploy_repository::{DeployRepository, InstallRecord};
use crate::git;
use crate::hook_files::{
    CHAINED, HOOKS, Host, OwnHook, hook_file, is_own, kept, own_hook, sibling,
};
use crate::judging;
use crate::store;
use crate::sys::access::{allows_programs, may_execute};
use crate::sys::file::{is_absence, is_there, link_target};
use crate::sys::user::User;

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
    if !may_execute(program) {
        return Err(Error::ProgramHidden {
            user: User::current().map_or_else(|_| "this user".to_owned(), |user| user.name),
            program: program.to_owned(),
        });
    }
    if is_checked_out(deploy)? {
        return Err(Error::CheckedOut {
            repository: git_dir.to_owned(),
            branch: deploy.branch.clone(),
        });
    }

    let state = state(deploy)?;
    let has_cursor = state
        .as_ref()
        .is_some_and(|state| state.is_about(&deploy.branch));
    let start = if has_cursor || deploy_existing {
        None
    } else {
        let tip = deploy.repository.branch_tip(&deploy.branch)?;
        // What is on the branch now is not deployed. Once a damaged tip was the start, nobody could
        // tell any more what that was.
        judging::wanted(deploy, tip.as_ref())?;
        tip
    };

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
    let hooks = hooks.collect::<Result<_, _>>()?;
    let beside = own_folder.map(|folder| beside(&folder).map_err(Error::at(&folder)));

    Ok(BeforeInstall {
        host,
        program: program.to_owned(),
        branch: deploy.branch.clone(),
        state_folder: deploy.state_dir(),
        state,
        start,
        record_file: InstallRecord::file(git_dir),
        is_recorded: InstallRecord::read(git_dir)
            .is_ok_and(|recorded| recorded == Some(deploy.install_record())),
        hooks,
        beside: beside.transpose()?,
        takes_push_options: git::config_bool(git_dir, "receive.advertisePushOptions")?,
    })
}

/// Whether git refuses every push to the deploy branch, because it is checked out in a work tree
/// (git-config(1), `receive.denyCurrentBranch`).
///
/// # Errors
/// git gave no answer.
pub fn is_checked_out(deploy: &DeployRepository) -> Result<bool, git::Error> {
    let git_dir = deploy.repository.path();
    if git::config_value(git_dir, "core.bare")?.as_deref() != Some("false")
        || deploy.repository.head_branch()? != deploy.branch
    {
        return Ok(false);
    }
    let denies = git::config_value(git_dir, "receive.denyCurrentBranch")?;
    Ok(denies.is_none_or(|denies| denies == "refuse" || denies == "true"))
}

/// The state of a repository; `None`: there is none, and there was none, except one that an install
/// had begun to make. A state of an older version is not upgraded.
fn state(deploy: &DeployRepository) -> Result<Option<FoundState>, Error> {
    let mut store = match deploy.open_store_as_it_is() {
        Err(store::Error::Missing(_)) => return Ok(None),
        opened => opened?,
    };

    let version = store.version()?;
    let cursor = store.read()?.cursor()?;
    Ok(Some(FoundState {
        version,
        branch: cursor.map(|cursor| cursor.branch),
    }))
}

/// The folder of hooks of this repository, and of it alone: other repositories may run hooks from a
/// folder elsewhere as well.
fn own_hooks_folder(deploy: &DeployRepository) -> Result<PathBuf, Error> {
    let repository = deploy.repository.path();
    let folder = git::hooks_folder(repository)?;
    if is_within(deploy, &folder)? {
        Ok(folder)
    } else if folder.starts_with(repository) {
        Err(Error::HooksLink(folder))
    } else {
        let repository = repository.to_owned();
        Err(Error::HooksElsewhere { folder, repository })
    }
}

/// Whether a folder is inside of the repository, also if links lead to it.
fn is_within(deploy: &DeployRepository, folder: &Path) -> Result<bool, Error> {
    let end = match folder.canonicalize() {
        Err(error) if is_absence(&error) => Ok(folder.to_owned()),
        found => found,
    };
    let end = end.map_err(Error::at(folder))?;
    Ok(end.starts_with(deploy.repository.path()))
}

/// What is in the place of a hook.
fn hook(name: &'static str, path: PathBuf, program: &Path) -> Result<Hook, Error> {
    let at = Error::at(&path);
    let form = form(&path, program).map_err(&at)?;
    let kept_path = kept_path(&path);
    let standing = match own_hook(&path).map_err(&at)? {
        Some(own) => FoundHook::Own {
            is_current: is_current(&path, &own, form, program).map_err(&at)?,
        },
        None if is_there(&path).map_err(&at)? => {
            FoundHook::Other(other_hook(&path, &kept_path).map_err(&at)?)
        }
        None => FoundHook::Nothing,
    };
    Ok(Hook {
        name,
        path,
        form,
        kept_path,
        standing,
    })
}

/// How a hook in a place can start the program.
fn form(place: &Path, program: &Path) -> io::Result<HookForm> {
    // The folder of a hook may not exist yet.
    let exists = |folder: &&Path| is_there(folder).unwrap_or(true);
    let folder = place.ancestors().skip(1).find(exists);
    let allows = folder.map_or(Ok(true), allows_programs)?;
    Ok(if allows && hook_file(program).is_some() {
        HookForm::File
    } else {
        HookForm::Link
    })
}

/// Whether a hook of this program is as an install would make it.
fn is_current(place: &Path, own: &OwnHook, form: HookForm, program: &Path) -> io::Result<bool> {
    let is_program = |path: &Path| {
        let same = path
            .canonicalize()
            .and_then(|path| Ok(path == program.canonicalize()?));
        same.or_else(|error| {
            if is_absence(&error) {
                Ok(false)
            } else {
                Err(error)
            }
        })
    };
    match own {
        // A host can have one file for all repositories, to which links lead.
        OwnHook::File { program } if place.is_symlink() => is_program(program),
        OwnHook::File { program: named } => Ok(named == program && form == HookForm::File),
        OwnHook::Program => Ok(form == HookForm::Link && is_program(place)?),
    }
}

fn other_hook(path: &Path, kept_path: &Path) -> io::Result<OtherHook> {
    let sibling = match sibling(path)? {
        Some(name) => Some(Sibling {
            name,
            is_kept: is_there(&self::kept_path(&path.with_file_name(name)))?,
        }),
        None => None,
    };
    let leads_nowhere = match path.metadata() {
        Ok(_) => false,
        Err(error) if is_absence(&error) => true,
        Err(error) => return Err(error),
    };
    Ok(OtherHook {
        link: link_target(path)?,
        sibling,
        leads_nowhere,
        kept: what_is_kept(path, kept_path)?,
    })
}

/// Where a hook is kept. Every hook's path has a folder and a name.
fn kept_path(hook: &Path) -> PathBuf {
    kept(hook).unwrap_or_else(|| hook.to_owned())
}

fn what_is_kept(hook: &Path, kept: &Path) -> io::Result<Kept> {
    let Some(found) = look_at(kept)? else {
        return Ok(Kept::Nothing);
    };

    let identity = |found: &Metadata| (found.dev(), found.ino());
    let standing = look_at(hook)?;
    let has_hook = standing.is_some();
    let is_same_file = standing.is_some_and(|hook| identity(&hook) == identity(&found));
    // After it is kept, a relative link leads to the same place from one folder further down, and a
    // link to another hook leads to the one that is kept beside it.
    let is_same_link = match (link_target(hook)?, link_target(kept)?) {
        (Some(link), Some(kept)) => kept == target_beside(&link) || kept == link,
        _ => false,
    };
    let is_same = is_same_file || is_same_link || has_hook && have_same_content(hook, kept)?;
    Ok(if is_same { Kept::ThisHook } else { Kept::Other })
}

/// What is in a folder of hooks beside the hooks of this program.
fn beside(folder: &Path) -> io::Result<Beside> {
    let chained = folder.join(CHAINED);
    let names = names_beside(folder)?;
    let folders_of_hooks = HOOKS.iter().map(|name| OsString::from(format!("{name}.d")));

    let mut linked = BTreeSet::new();
    for name in names.iter().cloned().chain(folders_of_hooks) {
        if is_there(&chained.join(&name))? {
            linked.insert(name);
        }
    }
    Ok(Beside {
        linked,
        chained_is_link: link_target(&chained)?.is_some(),
        chained,
        names,
    })
}

/// The names of the files in a folder of hooks that the hooks which were there before may use.
fn names_beside(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    let is_needed = |name: &OsString| {
        let is_sample = name.as_encoded_bytes().ends_with(b".sample");
        let is_aside = HOOKS
            .iter()
            .any(|hook| aside(&folder.join(hook)).file_name() == Some(name));
        name != CHAINED && !is_sample && !is_aside && !HOOKS.iter().any(|hook| name == hook)
    };
    let entries = entries(folder)?;
    let names = entries.iter().filter_map(|path| path.file_name());
    Ok(names.map(OsString::from).filter(is_needed).collect())
}

/// Finds out what a repository has of this program, in all places where an install can have put it.
/// Since the install, the repository may have moved to another host, or git may have been
/// configured to use another folder.
///
/// # Errors
/// git can't be asked where the hooks are, or a place can't be looked at.
pub fn look_before_uninstall(deploy: &DeployRepository) -> Result<Installed, Error> {
    let git_dir = deploy.repository.path();
    let folders = BTreeSet::from([git::hooks_folder(git_dir)?, git_dir.join("hooks")]);
    let mut own = Vec::new();
    for folder in folders {
        if is_within(deploy, &folder)? {
            own.push(folder);
        }
    }

    let places = Host::ALL
        .iter()
        .flat_map(|host| own.iter().flat_map(|folder| host.places(git_dir, folder)));
    let places: BTreeSet<PathBuf> = places.map(|(_, path)| path).collect();

    let mut kept_folders = Vec::new();
    for folder in own.iter().map(|folder| folder.join(CHAINED)) {
        let at = Error::at(&folder);
        if look_at(&folder)
            .map_err(&at)?
            .is_some_and(|found| found.is_dir())
        {
            kept_folders.push(kept_folder(folder.clone()).map_err(&at)?);
        }
    }

    let mut record_file = None;
    for file in InstallRecord::files(git_dir) {
        if is_there(&file).map_err(Error::at(&file))? {
            record_file = Some(InstallRecord::file(git_dir));
        }
    }

    let state = deploy.state_dir();
    let place = |path: PathBuf| {
        let at = Error::at(&path);
        place(path).map_err(at)
    };
    Ok(Installed {
        has_state: is_there(&state).map_err(Error::at(&state))?,
        record_file,
        places: places.into_iter().map(place).collect::<Result<_, _>>()?,
        kept_folders,
    })
}

fn place(path: PathBuf) -> io::Result<HookPlace> {
    let kept_path = kept_path(&path);
    // The folder itself must not be a link.
    let folder = kept_path.parent().map_or(Ok(None), look_at)?;
    let kept = if folder.is_some_and(|folder| folder.is_dir()) {
        what_is_kept(&path, &kept_path)?
    } else {
        Kept::Nothing
    };
    let aside = aside(&path);
    Ok(HookPlace {
        is_taken: is_there(&path)?,
        is_own: is_own(&path)?,
        kept_path,
        kept,
        left_aside: look_at(&aside)?
            .filter(|found| !found.is_dir())
            .map(|_| aside),
        path,
    })
}

fn kept_folder(path: PathBuf) -> io::Result<KeptFolder> {
    Ok(KeptFolder {
        has_links: !links_beside(&path)?.is_empty(),
        is_empty: entries(&path)?.is_empty(),
        path,
    })
}

/// What is in a place, and not what a link there leads to. `None`: nothing.
fn look_at(path: &Path) -> io::Result<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
