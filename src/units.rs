//! The units by which systemd starts the runners of one repository: instances of those in the package, each with a drop-in that `install` writes as root.

use std::fs;
use std::path::{Path, PathBuf};

use crate::deploy_repository::DeployRepository;
use crate::registry;
use crate::text;

/// Where an administrator configures systemd.
const FOLDER: &str = "/etc/systemd/system";

/// The longest name of an instance, in bytes; unit names have 255 at most (systemd.unit(5)).
const INSTANCE_MAX: usize = 200;

/// The units of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The path unit's name.
    pub path_unit: String,
    /// The link that says that it is enabled.
    pub enabled: PathBuf,
    /// The drop-in of the service: its file and content.
    pub service: (PathBuf, String),
    /// The drop-in of the path unit: its file and content.
    pub path: (PathBuf, String),
}

/// What the units of a repository of a user are.
///
/// # Errors
/// A path that can't be written into a unit: the configuration, which names one, belongs to the repository's owner, and the units to root.
pub fn of(deploy: &DeployRepository, owner: u32) -> Result<Units, String> {
    let instance = registry::escape(deploy.repository.path());
    let wake = deploy.wake_folder();
    let shown = text::quote(wake.as_os_str().as_encoded_bytes(), 200);
    let plain = wake.to_str().filter(|path| !path.contains(|c: char| c.is_control() || c == '\\'));
    let folder = plain.ok_or_else(|| {
        format!("{shown} can't stand in a unit of systemd: it has a control character or backslash in it")
    })?;
    if instance.len() > INSTANCE_MAX {
        return Err(format!("{shown} is too long for the name of a unit of systemd"));
    }
    let name = format!("deploy-by-code-runner@{instance}");
    let drop_in = |kind: &str| Path::new(FOLDER).join(format!("{name}.{kind}.d")).join("repository.conf");
    // A percent sign would begin a specifier (systemd.unit(5)).
    let folder = folder.replace('%', "%%");
    Ok(Units {
        path_unit: format!("{name}.path"),
        enabled: Path::new(FOLDER).join("paths.target.wants").join(format!("{name}.path")),
        service: (drop_in("service"), format!("[Service]\nUser={owner}\n")),
        path: (drop_in("path"), format!("[Path]\nDirectoryNotEmpty={folder}\nMakeDirectory=no\n")),
    })
}

impl Units {
    /// Whether all of it is there as it should be.
    #[must_use]
    pub fn are_set_up(&self) -> bool {
        let is_there = |(file, text): &(PathBuf, String)| fs::read(file).is_ok_and(|found| found == text.as_bytes());
        is_there(&self.service) && is_there(&self.path) && self.enabled.symlink_metadata().is_ok()
    }

    /// Whether anything of it is there.
    #[must_use]
    pub fn is_anything_there(&self) -> bool {
        [&self.service.0, &self.path.0, &self.enabled].iter().any(|file| file.symlink_metadata().is_ok())
    }
}
