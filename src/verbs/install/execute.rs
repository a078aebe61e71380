//! Taking the steps of a plan.
//!
//! Protocol: each step is either done completely or changes nothing that matters. It replaces
//! nothing that the plan did not find, as far as the file system can promise that.
//!
//! It does not promise that a step can still be taken: somebody can have changed the repository
//! since the plan was made. Then the step fails, and the next call makes a new plan.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use super::error::Error;
use super::link::{
    aside, copy_to_free_name, links_beside, remove_if_there, replace_by_link, replace_by_program,
    target_beside,
};
use super::roots_files;
use super::step::{MachineStep, Step};
use crate::deploy_repository::{DeployRepository, InstallRecord};
use crate::git;
use crate::hook_files::{hook_file, sibling};
use crate::store::Transaction;
use crate::sys::file::{link_target, sync_folder};
use crate::timer_list;

/// Takes a step.
///
/// # Errors
/// The step can't be taken.
pub fn take(deploy: &DeployRepository, step: &Step) -> Result<(), Error> {
    match step {
        Step::CreateState { start, .. } => {
            let start = |transaction: &Transaction<'_>| {
                transaction.move_cursor(&deploy.branch, start.as_ref())
            };
            deploy.create_store(start)?;
            Ok(())
        }
        Step::UpgradeState { .. } => {
            deploy.open_store()?;
            Ok(())
        }
        Step::MoveCursor { start, .. } => Ok(deploy
            .open_store()?
            .transaction(|transaction| transaction.move_cursor(&deploy.branch, start.as_ref()))?),
        Step::Record { file, .. } => deploy
            .install_record()
            .write(deploy.repository.path())
            .map_err(Error::at(file)),
        Step::LinkBeside { folder, name } => link_beside(folder, name),
        Step::Keep { hook, kept } => keep(hook, kept),
        Step::WriteHook { hook, program } => write_hook(hook, program),
        Step::Link { hook, program } => link(hook, program),
        Step::Configure { key, value } => configure(deploy, key, value),
        Step::AddToTimerList { list } => {
            timer_list::add(list, deploy.repository.path()).map_err(Error::at(list))
        }
        Step::PutBack { kept, hook } => put_back(kept, hook),
        Step::Unlink(path) => {
            remove_if_there(&aside(path)).map_err(Error::at(path))?;
            fs::remove_file(path).map_err(Error::at(path))
        }
        Step::RemoveKeptFolder(folder) => remove_kept_folder(folder),
        Step::RemoveRecord { file } => {
            InstallRecord::remove(deploy.repository.path()).map_err(Error::at(file))
        }
        Step::OnMachine(step) => take_on_machine(step),
    }
}

/// Takes a step outside of the repository.
///
/// # Errors
/// The step can't be taken.
pub fn take_on_machine(step: &MachineStep) -> Result<(), Error> {
    match step {
        MachineStep::WriteUnit { file, content } => {
            let folder = file.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder).map_err(Error::at(folder))?;
            fs::write(file, content).map_err(Error::at(file))
        }
        MachineStep::RemoveUnit(file) => remove_unit(file),
        MachineStep::HandOver { state, owner, .. } => {
            let given = roots_files::give(state, *owner, false);
            given.map(|_| ()).map_err(Error::at(state))
        }
        MachineStep::Systemctl(words) => systemctl(words),
        MachineStep::RemoveFromTimerList { list, repository } => {
            timer_list::remove(list, repository).map_err(Error::at(list))
        }
    }
}

fn configure(deploy: &DeployRepository, key: &'static str, value: &str) -> Result<(), Error> {
    let git_dir = deploy.repository.path();
    git::set_config_value(git_dir, key, value).map_err(|error| {
        let lock = git_dir.join("config.lock");
        if lock.symlink_metadata().is_ok() {
            Error::ConfigLocked { key, lock }
        } else {
            error.into()
        }
    })
}

/// Makes the folder of kept hooks. The group of the folder that it is in gets the same access to
/// it. Where this user may not give it to that group, a push of somebody who can't look into it is
/// refused.
fn create_kept_folder(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        // One that is empty may be from an install that was stopped right after it was made.
        Err(_) if !is_empty_folder(folder)? => return Ok(()),
        _ => {}
    }
    let above = folder.parent().unwrap_or(Path::new(".")).metadata()?;
    match chown(folder, None, Some(above.gid())) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    fs::set_permissions(folder, above.permissions())
}

/// Whether it is a folder itself, and no link to one, with nothing in it.
fn is_empty_folder(path: &Path) -> io::Result<bool> {
    let is_folder = path.symlink_metadata()?.is_dir();
    Ok(is_folder && fs::read_dir(path)?.next().is_none())
}

fn link_beside(folder: &Path, name: &OsStr) -> Result<(), Error> {
    create_kept_folder(folder).map_err(Error::at(folder))?;
    let link = folder.join(name);
    symlink(target_beside(name), &link).map_err(Error::at(&link))
}

fn keep(hook: &Path, kept: &Path) -> Result<(), Error> {
    let folder = kept.parent().unwrap_or(Path::new("."));
    create_kept_folder(folder).map_err(Error::at(folder))?;

    // What could not be found out is an error: a relative link that is kept as it is leads nowhere.
    let target = link_target(hook).map_err(Error::at(hook))?;
    let has_sibling = sibling(hook).map_err(Error::at(hook))?.is_some();
    match target {
        // A relative link is changed, so that it leads to the same place from one folder further
        // down. A link to a sibling is moved as it is, because the sibling is kept beside it.
        Some(target) if target.is_relative() && !has_sibling => {
            symlink(target_beside(target), kept).map_err(Error::at(kept))?;
        }
        _ => keep_as_it_is(hook, kept).map_err(Error::at(hook))?,
    }
    // The hook must be kept for good before another one takes its place.
    sync_folder(folder).map_err(Error::at(folder))
}

/// Gives a hook a second name, so that the hook stays in its place until another one replaces it.
/// Where the file system or the kernel allows no second name, as for a file of another user
/// (proc(5), `protected_hardlinks`), the hook is copied.
fn keep_as_it_is(hook: &Path, kept: &Path) -> io::Result<()> {
    match fs::hard_link(hook, kept) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => copy_to_free_name(hook, kept),
        done => done,
    }
}

fn write_hook(hook: &Path, program: &Path) -> Result<(), Error> {
    create_folder_of(hook)?;
    let unreadable = || io::Error::other("no file can start the program by this path");
    let content = hook_file(program).ok_or_else(unreadable);
    let content = content.map_err(Error::at(program))?;
    replace_by_program(&content, hook).map_err(Error::at(hook))
}

fn create_folder_of(hook: &Path) -> Result<(), Error> {
    let folder = hook.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::at(folder))
}

fn link(hook: &Path, program: &Path) -> Result<(), Error> {
    create_folder_of(hook)?;
    replace_by_link(program, hook).map_err(Error::at(hook))
}

fn put_back(kept: &Path, hook: &Path) -> Result<(), Error> {
    remove_if_there(&aside(hook)).map_err(Error::at(hook))?;

    let link = link_target(kept).map_err(Error::at(kept))?;
    let original = link
        .as_deref()
        .and_then(|link| link.strip_prefix("..").ok());
    match original {
        Some(original) => replace_by_link(original, hook)
            .and_then(|()| fs::remove_file(kept))
            .map_err(Error::at(hook)),
        None => fs::rename(kept, hook).map_err(Error::at(kept)),
    }
}

fn remove_kept_folder(folder: &Path) -> Result<(), Error> {
    let at = Error::at(folder);
    for link in links_beside(folder).map_err(&at)? {
        fs::remove_file(link).map_err(&at)?;
    }
    match fs::remove_dir(folder) {
        // What somebody else put there stays.
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(at(error)),
        _ => Ok(()),
    }
}

fn remove_unit(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::at(file)(error));
        }
        _ => {}
    }
    // Drop-in files of others stay, and the folder with them.
    let _ = file.parent().map(fs::remove_dir);
    Ok(())
}

fn systemctl(words: &[String]) -> Result<(), Error> {
    let status = Command::new("systemctl")
        .args(words)
        .status()
        .map_err(Error::SystemctlMissing)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Systemctl {
        words: words.to_owned(),
        status,
    })
}
