//! The units by which systemd starts the runners of one repository: instances of those in the
//! package, each with a drop-in that `install` writes as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::registry;
use crate::text;

/// Where an administrator configures systemd.
const FOLDER: &str = "/etc/systemd/system";

/// The name of this program's drop-in; others in its folder are an administrator's.
const DROP_IN: &str = "repository.conf";

/// The longest name of an instance, in bytes; unit names have 255 at most (systemd.unit(5)).
const INSTANCE_MAX: usize = 200;

/// The units of one repository, by its path alone: they are found also when the configuration has
/// changed since they were set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    instance: String,
    /// The path unit's name.
    pub path_unit: String,
    /// The link that says that it is enabled.
    enabled: PathBuf,
    /// The drop-in of the service.
    pub service: PathBuf,
    /// The drop-in of the path unit.
    pub path: PathBuf,
}

/// Whether the machine was booted with systemd (sd_booted(3)).
#[must_use]
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// A drop-in: its file and what is in it.
pub type DropIn = (PathBuf, String);

impl Units {
    /// Those of the repository with this path.
    #[must_use]
    pub fn of(repository: &Path) -> Self {
        let instance = registry::escape(repository);
        let file = |kind: &str| format!("deploy-by-code-runner@{instance}.{kind}");
        Self {
            path_unit: file("path"),
            enabled: Path::new(FOLDER)
                .join("paths.target.wants")
                .join(file("path")),
            service: Path::new(FOLDER).join(file("service.d")).join(DROP_IN),
            path: Path::new(FOLDER).join(file("path.d")).join(DROP_IN),
            instance,
        }
    }

    /// What the drop-ins have to say: the folder in which hooks leave word, and whom runners run
    /// as.
    ///
    /// # Errors
    /// A path that can't be written into a unit: the configuration, which names one, belongs to the
    /// repository's owner, and the units to root.
    pub fn drop_ins(&self, wake_folder: &Path, owner: u32) -> Result<[DropIn; 2], String> {
        let shown = text::quote(wake_folder.as_os_str().as_encoded_bytes(), 200);
        let plain = wake_folder
            .to_str()
            .filter(|path| !path.contains(|c: char| c.is_control() || c == '\\'));
        let folder = plain.ok_or_else(|| {
            format!("{shown} can't stand in a unit of systemd: it has a control character or backslash in it")
        })?;
        if self.instance.len() > INSTANCE_MAX {
            return Err(format!(
                "{} is too long for the name of a unit of systemd",
                self.instance
            ));
        }
        // A percent sign would begin a specifier (systemd.unit(5)).
        let folder = folder.replace('%', "%%");
        Ok([
            (self.service.clone(), format!("[Service]\nUser={owner}\n")),
            (
                self.path.clone(),
                format!("[Path]\nDirectoryNotEmpty={folder}\nMakeDirectory=no\n"),
            ),
        ])
    }

    /// Whether all of it is there as it should be, and the path unit watches, where systemd runs at
    /// all.
    #[must_use]
    pub fn are_set_up(&self, drop_ins: &[DropIn]) -> bool {
        let is_there =
            |(file, text): &DropIn| fs::read(file).is_ok_and(|found| found == text.as_bytes());
        drop_ins.iter().all(is_there)
            && self.enabled.symlink_metadata().is_ok()
            && self.is_watching()
    }

    fn is_watching(&self) -> bool {
        if !systemd_runs() {
            return true;
        }
        let asked = Command::new("systemctl")
            .args(["is-active", "--quiet", &self.path_unit])
            .stdin(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Whether anything of it is there.
    #[must_use]
    pub fn is_anything_there(&self) -> bool {
        [&self.service, &self.path, &self.enabled]
            .iter()
            .any(|file| file.symlink_metadata().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_in_a_unit_as_it_is_or_not_at_all() {
        let units = Units::of(Path::new("/srv/a-b.git"));
        assert_eq!(
            units.path_unit,
            "deploy-by-code-runner@srv-a\\x2db.git.path"
        );
        let said = |folder: &str| units.drop_ins(Path::new(folder), 7).map(|[_, path]| path.1);
        assert_eq!(
            said("/a 100%/wake").unwrap(),
            "[Path]\nDirectoryNotEmpty=/a 100%%/wake\nMakeDirectory=no\n"
        );
        for folder in ["/a\nUnit=x", "/a\\x2d", "/a\r"] {
            assert!(
                said(folder).unwrap_err().contains("can't stand in a unit"),
                "{folder:?}"
            );
        }
        let long = Units::of(Path::new(&format!("/{}", "a".repeat(300))));
        assert!(
            long.drop_ins(Path::new("/a"), 7)
                .unwrap_err()
                .contains("too long")
        );
        assert!(!long.is_anything_there());
    }
}
