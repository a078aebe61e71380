//! A cgroup for each deployment: the one way to know, also after the runner died, whether anything
//! that a command started still runs.
//!
//! Protocol: where this process may make a folder in its own cgroup (cgroup v2; as root, or where
//! it was delegated), it makes one for the deployment. The command joins before it begins, and
//! whatever it starts stays in there, whichever session, parent or environment it takes.
//! `cgroup.events` says `populated 0` when the last process has ended. The controllers are not
//! touched.
//!
//! It does not promise that there is a cgroup: without permission, or with cgroup v1 alone,
//! [`create`] gives none. A process of root can move itself to another cgroup, and then it is not
//! found any more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::process::ProcessIdentity;

/// The beginning of the names of the cgroups that [`create`] makes.
const PREFIX: &str = "deploy-by-code.";

/// Makes a cgroup below this process's own and opens its `cgroup.procs` for joining. Its name says
/// which process made it, and that among those of this process it is the one called `name`. `None`:
/// it is not allowed here, or there is no cgroup v2.
#[must_use]
pub fn create(name: &str) -> Option<(PathBuf, File)> {
    let ProcessIdentity { pid, start_ticks } = ProcessIdentity::own();
    let folder = own()?.join(format!("{PREFIX}{pid}.{start_ticks}.{name}"));
    fs::create_dir(&folder).ok()?;
    match OpenOptions::new()
        .write(true)
        .open(folder.join("cgroup.procs"))
    {
        Ok(procs) => Some((folder, procs)),
        Err(_) => {
            remove(&folder);
            None
        }
    }
}

/// The folder of this process's cgroup; `None`: it can't be reached by a path.
fn own() -> Option<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))?;

    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    // proc_pid_mountinfo(5): the mount point is the fifth field, the type the first after " - ".
    let mount = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let whole_hierarchy = left.split(' ').nth(3)? == "/";
        (whole_hierarchy && right.starts_with("cgroup2 ")).then(|| left.split(' ').nth(4))?
    })?;

    (!path.split('/').any(|part| part == "..")).then(|| Path::new(mount).join(path))
}

/// Whether any process is in a cgroup or below it. In a cgroup that is gone there is none.
#[must_use]
pub fn is_populated(folder: &Path) -> bool {
    fs::read_to_string(folder.join("cgroup.events"))
        .is_ok_and(|events| !events.lines().any(|line| line == "populated 0"))
}

/// The processes in a cgroup and below it.
#[must_use]
pub fn pids(folder: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        pids.extend(
            text.lines()
                .filter_map(|line| line.parse::<i32>().ok())
                .filter(|pid| *pid > 0),
        );

        let entries = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        folders.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
    }
    pids
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

/// Removes the empty cgroups of processes that died before they could record or remove them: those
/// below this process's own.
pub fn sweep() {
    let Some(own) = own() else { return };
    for entry in fs::read_dir(own)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| {
            let mut parts = name.strip_prefix(PREFIX)?.splitn(3, '.');
            Some(ProcessIdentity {
                pid: parts.next()?.parse().ok()?,
                start_ticks: parts.next()?.parse().ok()?,
            })
        });

        if maker.is_some_and(|maker| !maker.is_alive()) {
            remove(&entry.path());
        }
    }
}

/// Removes an empty cgroup and the empty ones below it. One with a process in it stays.
pub fn remove(folder: &Path) {
    // A command can make groups below its own, to any depth. Each is found after the one that it is
    // in, and removed before it.
    let mut folders = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.get(looked_at) {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let entries = entries.filter_map(Result::ok);
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
        folders.extend(below);
        looked_at += 1;
    }
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}
