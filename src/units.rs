//! The units by which systemd starts the runners of one repository. They are instances of the units
//! in the package, each with a drop-in file that `install` writes as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::text;
use crate::unit_name;

/// Where an administrator configures systemd.
const FOLDER: &str = "/etc/systemd/system";

/// The name of this program's drop-in file. Others in its folder are an administrator's.
const DROP_IN: &str = "repository.conf";

/// The longest name of an instance, in bytes; names of units have 255 at most (systemd.unit(5)).
const INSTANCE_MAX: usize = 200;

/// The units of one repository. They follow from its path alone, so that they are found also when
/// the configuration has changed since they were set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    instance: String,
    /// The path unit's name.
    pub path_unit: String,
    /// The link that says that the path unit is enabled.
    enabled: PathBuf,
    /// The drop-in file of the service.
    pub service: PathBuf,
    /// The drop-in file of the path unit.
    pub path: PathBuf,
}

/// A drop-in file and what is to be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// The file.
    pub file: PathBuf,
    /// Its whole content.
    pub content: String,
}

/// A repository can't have units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A path would mean something else in a unit. The path is a setting of the repository's owner,
    /// and the units belong to root.
    #[error(
        "{} can't be written into a systemd unit: it has a control character or backslash in it",
        text::quote(.folder.as_os_str().as_encoded_bytes(), 200)
    )]
    Unwritable {
        /// The path.
        folder: PathBuf,
    },

    /// The repository's path is too long.
    #[error("{instance} is too long for the name of a systemd unit")]
    TooLong {
        /// The name that its units would have.
        instance: String,
    },
}

/// Whether the machine was booted with systemd (sd_booted(3)).
#[must_use]
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

impl Units {
    /// The units of the repository with this path.
    #[must_use]
    pub fn of(repository: &Path) -> Self {
        let instance = unit_name::escape(repository);
        let file = |kind: &str| format!("deploy-by-code-runner@{instance}.{kind}");
        let folder = Path::new(FOLDER);
        Self {
            path_unit: file("path"),
            enabled: folder.join("paths.target.wants").join(file("path")),
            service: folder.join(file("service.d")).join(DROP_IN),
            path: folder.join(file("path.d")).join(DROP_IN),
            instance,
        }
    }

    /// The drop-in files as they have to be: they say in which folder hooks leave a file when a
    /// runner is needed, and by its number the user whom runners run as.
    ///
    /// # Errors
    /// The folder can't be written into a unit, or the repository's path is too long for a name.
    pub fn drop_ins(&self, wake_folder: &Path, owner: u32) -> Result<[DropIn; 2], UnitError> {
        let plain = wake_folder
            .to_str()
            .filter(|path| !path.contains(|c: char| c.is_control() || c == '\\'));
        let folder = plain.ok_or_else(|| UnitError::Unwritable {
            folder: wake_folder.to_owned(),
        })?;
        if self.instance.len() > INSTANCE_MAX {
            return Err(UnitError::TooLong {
                instance: self.instance.clone(),
            });
        }

        // A percent sign would begin a specifier (systemd.unit(5)).
        let folder = folder.replace('%', "%%");
        Ok([
            DropIn {
                file: self.service.clone(),
                content: format!("[Service]\nUser={owner}\n"),
            },
            DropIn {
                file: self.path.clone(),
                content: format!("[Path]\nDirectoryNotEmpty={folder}\nMakeDirectory=no\n"),
            },
        ])
    }

    /// Whether all drop-in files are as they should be and the path unit is enabled; and, where
    /// systemd runs at all, whether the path unit is active.
    #[must_use]
    pub fn are_set_up(&self, drop_ins: &[DropIn]) -> bool {
        let is_there = |drop_in: &DropIn| {
            fs::read(&drop_in.file).is_ok_and(|found| found == drop_in.content.as_bytes())
        };
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

    /// Whether any of their files is there.
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
    fn folder_is_written_into_a_unit_as_it_is_or_not_at_all() {
        let units = Units::of(Path::new("/srv/a-b.git"));
        let name = "deploy-by-code-runner@srv-a\\x2db.git.path";
        assert_eq!(units.path_unit, name);

        let written = |folder: &str| {
            let drop_ins = units.drop_ins(Path::new(folder), 7);
            drop_ins.map(|[_, path]| path.content)
        };
        assert_eq!(
            written("/a 100%/wake").unwrap(),
            "[Path]\nDirectoryNotEmpty=/a 100%%/wake\nMakeDirectory=no\n"
        );
        for folder in ["/a\nUnit=x", "/a\\x2d", "/a\r"] {
            let error = written(folder).unwrap_err().to_string();
            assert!(
                error.contains("can't be written into a systemd unit"),
                "{error}"
            );
        }
    }

    #[test]
    fn path_too_long_for_a_name_is_refused() {
        let long = Units::of(Path::new(&format!("/{}", "a".repeat(300))));
        let error = long.drop_ins(Path::new("/a"), 7).unwrap_err();
        assert!(matches!(error, UnitError::TooLong { .. }), "{error}");
        assert!(error.to_string().contains("too long"), "{error}");
        assert!(!long.is_anything_there());
    }
}
