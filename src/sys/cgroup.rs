//! A cgroup for each deployment: the surest way to know, also after the runner died, whether
//! anything that a command started still runs.
//!
//! Protocol: where this process may make a folder in its own cgroup (cgroup v2; as root, or where
//! it was delegated), it makes one for the deployment. The command joins before it begins, and
//! whatever it starts stays in there, whichever session, parent or environment it takes.
//! `cgroup.events` says `populated 0` when the last process has ended. The controllers are not
//! touched.
//!
//! From making a group until a process is in it, its maker holds flock(2) on its `cgroup.procs`.
//! The kernel keeps this lock for all namespaces, and releases it when its holder dies. So an empty
//! group that can be locked is one that nobody is about to use, and only such a group is swept.
//! Between making a group and locking it, another process can sweep it; then it is made once more.
//! systemd knows nothing of the lock: it removes empty groups of a unit whose main process has
//! ended. A process that found its group gone is moved into another one before it begins.
//!
//! It does not promise that there is a cgroup: without permission, or with cgroup v1 alone,
//! [`create`] gives none. A process of root can move itself to another cgroup, and then it is not
//! found here any more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc::ENODEV;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};

use super::clock;
use super::process::{ProcessIdentity, is_gone, read_proc};
use super::unseen::Unseen;

/// The beginning of the names of the cgroups that [`create`] makes.
const PREFIX: &str = "deploy-by-code.";

/// How often a group is made and its lock is tried.
const TRIES: usize = 20;

/// Makes a cgroup below this process's own and opens its `cgroup.procs` for joining. Until that is
/// closed, nobody sweeps the group. Its name says which process made it, and that among those of
/// this process it is the one called `name`. `None`: it is not allowed here, or there is no cgroup
/// v2.
#[must_use]
pub fn create(name: &str) -> Option<(PathBuf, File)> {
    let ProcessIdentity { pid, start_ticks } = ProcessIdentity::own().ok()?;
    let folder = own()?.join(format!("{PREFIX}{pid}.{start_ticks}.{name}"));
    // Each time, another process would have to sweep the group before this one can lock it.
    for _ in 0..TRIES {
        fs::create_dir(&folder).ok()?;
        let opened = OpenOptions::new()
            .write(true)
            .open(folder.join("cgroup.procs"));
        match opened {
            Ok(procs) if has_locked(&folder, &procs) => return Some((folder, procs)),
            Ok(_) => {}
            Err(error) if is_gone(&error) || error.raw_os_error() == Some(ENODEV) => {}
            Err(_) => {
                remove(&folder);
                return None;
            }
        }
    }
    None
}

/// Makes a cgroup as [`create`] does, and moves a process into it that this process has started.
/// `None`: it is not allowed here, there is no cgroup v2, or the process has ended.
#[must_use]
pub fn create_around(pid: i32, name: &str) -> Option<PathBuf> {
    for _ in 0..TRIES {
        let (folder, mut procs) = create(name)?;
        match procs.write_all(pid.to_string().as_bytes()) {
            Ok(()) => return Some(folder),
            // Somebody removed the group, because it was still empty.
            Err(error) if is_gone(&error) || error.raw_os_error() == Some(ENODEV) => {}
            Err(_) => {
                remove(&folder);
                return None;
            }
        }
    }
    None
}

/// Locks a new group, and returns whether it is still there: whoever sweeps it has had the lock
/// before. Somebody else may hold the lock, since everybody can read the group. Then it is not
/// swept either.
fn has_locked(folder: &Path, procs: &File) -> bool {
    for _ in 0..TRIES {
        if procs.try_lock().is_ok() {
            break;
        }
        clock::sleep(Duration::from_millis(1));
    }
    folder.exists()
}

/// The cgroup that [`create`] made and that a process is in or below; `None`: it is in none, or the
/// process has ended.
///
/// # Errors
/// The kernel does not show it.
pub fn made_for(pid: i32) -> Result<Option<PathBuf>, Unseen> {
    let file = format!("/proc/{pid}/cgroup");
    let membership = match text_of(&file) {
        Ok(membership) => membership,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(Unseen::new(file, error)),
    };

    let path = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let Some(last) = parts.iter().rposition(|part| part.starts_with(PREFIX)) else {
        return Ok(None);
    };
    let mount = mount()?;
    Ok(Some(mount.join(parts[..=last].join("/"))))
}

/// The folder of this process's cgroup; `None`: it can't be reached by a path.
fn own() -> Option<PathBuf> {
    let membership = text_of("/proc/self/cgroup").ok()?;
    let path = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))?;

    let mount = mount().ok()?;
    (!path.split('/').any(|part| part == "..")).then(|| mount.join(path))
}

/// Where this process sees the whole hierarchy of cgroup v2.
fn mount() -> Result<PathBuf, Unseen> {
    let path = "/proc/self/mountinfo";
    let mounts = text_of(path).map_err(|error| Unseen::new(path, error))?;

    // proc_pid_mountinfo(5): the mount point is the fifth field, the type the first after " - ".
    let mount = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let whole_hierarchy = left.split(' ').nth(3)? == "/";
        (whole_hierarchy && right.starts_with("cgroup2 ")).then(|| left.split(' ').nth(4))?
    });
    let mount = mount.ok_or_else(|| Unseen::because(path, "cgroup2 is not mounted here"))?;
    Ok(PathBuf::from(mount))
}

fn text_of(file_of_proc: &str) -> io::Result<String> {
    let text = read_proc(file_of_proc)?;
    String::from_utf8(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Whether any process is in a cgroup or below it. In a cgroup that is gone there is none.
///
/// # Errors
/// The kernel does not show the cgroup here.
pub fn is_populated(folder: &Path) -> Result<bool, Unseen> {
    let file = folder.join("cgroup.events");
    match fs::read_to_string(&file) {
        Ok(events) if events.lines().any(|line| line == "populated 0") => Ok(false),
        Ok(events) if events.lines().any(|line| line == "populated 1") => Ok(true),
        Ok(_) => Err(Unseen::because(file, "it does not say populated")),
        // The group was removed while its file was open.
        Err(error) if error.raw_os_error() == Some(ENODEV) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            is_hierarchy_seen(folder).map(|()| false)
        }
        Err(error) => Err(Unseen::new(file, error)),
    }
}

/// Makes sure that a cgroup which is not there is gone, and not only out of sight: that the
/// hierarchy is mounted where the group was.
fn is_hierarchy_seen(folder: &Path) -> Result<(), Unseen> {
    let mount = mount()?;
    let found = statfs(&mount).map_err(|errno| Unseen::new(&mount, errno))?;
    if folder.starts_with(&mount) && found.filesystem_type() == CGROUP2_SUPER_MAGIC {
        return Ok(());
    }
    let why = format!("cgroup2 is mounted elsewhere here, at {}", mount.display());
    Err(Unseen::because(folder, &why))
}

/// The processes in a cgroup and below it that can be seen.
#[must_use]
pub fn pids(folder: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    for folder in folders(folder) {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        pids.extend(
            text.lines()
                .filter_map(|line| line.parse::<i32>().ok())
                .filter(|pid| *pid > 0),
        );
    }
    pids
}

/// A cgroup and those below it, each one before those that it contains. The command may have made
/// any number of them, one below the other.
fn folders(top: &Path) -> Vec<PathBuf> {
    let mut all = vec![top.to_owned()];
    let mut next = 0;
    while let Some(folder) = all.get(next) {
        let entries = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let below: Vec<PathBuf> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        all.extend(below);
        next += 1;
    }
    all
}

/// Kills everything in a cgroup at once.
///
/// # Errors
/// The kernel refused, or is older than Linux 5.14 and can't do this.
pub fn kill(folder: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(folder.join("cgroup.kill"))?
        .write_all(b"1")
}

/// Removes the empty cgroups below this process's own that processes made and died before they
/// could record or remove them.
pub fn sweep() {
    let Some(own) = own() else { return };
    for entry in fs::read_dir(own)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        if let Ok(procs) = File::open(entry.path().join("cgroup.procs"))
            && procs.try_lock().is_ok()
        {
            remove(&entry.path());
        }
    }
}

/// Removes an empty cgroup and the empty ones below it. One with a process in it stays.
pub fn remove(folder: &Path) {
    // Few commands make any below theirs.
    if fs::remove_dir(folder).is_ok() {
        return;
    }
    for folder in folders(folder).iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn process_that_is_in_no_group_can_be_moved_into_one() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().cast_signed();
        let folder = create_around(pid, "around");

        let is_in_it = folder
            .as_ref()
            .map(|folder| (made_for(pid).unwrap(), folder));
        child.kill().unwrap();
        child.wait().unwrap();
        let Some((found, folder)) = is_in_it else {
            eprintln!("no cgroup can be made here");
            return;
        };
        assert_eq!(found.as_ref(), Some(folder));
        remove(folder);
        assert!(!folder.exists());
        assert_eq!(create_around(pid, "around"), None, "the process has ended");
    }

    #[test]
    fn only_groups_without_a_maker_are_swept() {
        let (Some((used, procs)), Some((left, dead))) = (create("used"), create("left")) else {
            eprintln!("no cgroup can be made here");
            return;
        };
        // A child that another test has just made may have a copy of the file.
        dead.unlock().unwrap();

        sweep();
        assert!(
            used.exists(),
            "a group that is about to be used was removed"
        );
        assert!(!left.exists(), "a group that nobody uses is left");

        procs.unlock().unwrap();
        sweep();
        assert!(!used.exists());
        assert!(
            !is_populated(&used).unwrap(),
            "what is gone has nobody in it"
        );
    }

    #[test]
    fn group_that_can_not_be_seen_is_not_an_empty_one() {
        let error = is_populated(Path::new("/nonexistent/deploy-by-code.1.2.3")).unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.contains("/nonexistent/") || shown.contains("mountinfo"),
            "{shown}"
        );
    }

    #[test]
    fn groups_one_below_the_other_are_all_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("top");
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir_all(top.join("d")).unwrap();
        assert_eq!(folders(&top).len(), 5);
        remove(&top);
        assert!(!top.exists());
    }
}
