//! Whose the state is, and who may read and write it.
//!
//! Protocol: every folder and file of the state is made here. Its owner and group are those of the
//! folder that it is in, even if root makes it. The modes follow `core.sharedRepository`, as those
//! of the repository do, and are set explicitly: the umask is that of the user who pushed. A file
//! that is there already is opened, but no link is followed and no pipe waited for. If a process
//! died before it set a mode, the next process of that user sets it.
//!
//! It does not promise anything about access control lists, nor about files that somebody else
//! makes in the state's folders.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::on_behalf::Owner;
use super::open::regular;
use super::user::User;

/// The modes of the state's folders and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    folder: u32,
    file: u32,
}

impl Sharing {
    /// For the owner alone.
    pub const PRIVATE: Self = Self {
        folder: 0o700,
        file: 0o600,
    };

    /// What `core.sharedRepository` says (git-config(1)).
    #[must_use]
    pub fn from_git(value: Option<&str>) -> Self {
        let group = Self {
            folder: 0o2770,
            file: 0o660,
        };
        let all = Self {
            folder: 0o2775,
            file: 0o664,
        };
        match value.map(str::to_ascii_lowercase).as_deref() {
            Some("group" | "true" | "yes" | "on" | "1" | "") => group,
            Some("all" | "world" | "everybody" | "2") => all,
            Some(octal) if octal.starts_with('0') && octal.len() > 1 => {
                u32::from_str_radix(octal, 8).map_or(Self::PRIVATE, Self::of_mode)
            }
            _ => Self::PRIVATE,
        }
    }

    /// The modes that follow from a mode of files: everybody who may read a file may also enter its
    /// folder. The owner may always read and write.
    fn of_mode(mode: u32) -> Self {
        let file = (mode & 0o666) | 0o600;
        Self {
            folder: 0o2000 | file | (file & 0o444) >> 2,
            file,
        }
    }

    /// What a folder of the state that is already there was made with. The mode of its files
    /// follows from the folder's.
    ///
    /// # Errors
    /// The folder can't be looked at.
    pub fn of_folder(folder: &Path) -> io::Result<Self> {
        let mode = fs::metadata(folder)?.mode() & 0o7777;
        Ok(Self {
            folder: mode,
            file: mode & 0o666,
        })
    }

    /// The value of `core.sharedRepository` that makes files in this way.
    #[must_use]
    pub fn to_git(self) -> String {
        format!("0{:o}", self.file)
    }

    /// Whether the group may write.
    #[must_use]
    pub fn is_with_group(self) -> bool {
        self.file & 0o020 != 0
    }

    /// Makes a folder, and those above it, where they are missing.
    ///
    /// # Errors
    /// It can't be made.
    pub fn create_folder(self, folder: &Path) -> io::Result<()> {
        let mut missing = Vec::new();
        let mut folder = folder;
        while let Err(error) = self.create_one_folder(folder) {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            missing.push(folder);
            folder = folder.parent().ok_or(error)?;
        }

        let mut missing = missing.into_iter().rev();
        missing.try_for_each(|folder| self.create_one_folder(folder))
    }

    /// Makes a folder where it is missing, in a folder that is there.
    fn create_one_folder(self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let above = folder.parent().unwrap_or(Path::new("/"));
        let made = owner_in(above).and_then(|owner| {
            owner.act(|| {
                fs::create_dir(folder)?;
                let made = File::open(folder)?;
                give_to(&made, owner.group)?;
                fs::set_permissions(folder, Permissions::from_mode(self.folder))
            })
        });
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            made => made,
        }
    }

    /// Opens a file of the state in the way that `options` say, and makes it where it is missing.
    ///
    /// # Errors
    /// It can't be opened or made, or something else has its place: a link, a pipe, a folder.
    pub fn open_file(self, path: &Path, options: &OpenOptions) -> io::Result<File> {
        let owner = owner_in(path.parent().unwrap_or(Path::new("/")))?;
        let mut options = options.clone();
        options.custom_flags(O_NOFOLLOW | O_NONBLOCK).mode(0o600);

        owner.act(|| {
            let file = match options.open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match options.create_new(true).open(path) {
                        // Another process has just made it.
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                            options.create_new(false).open(path)?
                        }
                        made => made?,
                    }
                }
                opened => opened?,
            };
            let file = regular(file)?;
            self.complete(&file, owner)?;
            Ok(file)
        })
    }

    /// Gives a file what it lacks of its group and its mode, if that is this user's to give.
    fn complete(self, file: &File, owner: Owner) -> io::Result<()> {
        let found = file.metadata()?;
        let own = if User::is_root() {
            owner.user
        } else {
            User::own_number()
        };
        let mode = found.mode() & 0o7777;
        if found.uid() != own || (mode & self.file == self.file && found.gid() == owner.group) {
            return Ok(());
        }
        give_to(file, owner.group)?;
        file.set_permissions(Permissions::from_mode(mode | self.file))
    }
}

/// The owner of what is in a folder.
fn owner_in(folder: &Path) -> io::Result<Owner> {
    let found = fs::metadata(folder)?;
    Ok(Owner {
        user: found.uid(),
        group: found.gid(),
    })
}

/// Gives what this user has made to a group. A user who is not in the group can't: then the others
/// have whatever rights the mode gives them.
fn give_to(file: &File, group: u32) -> io::Result<()> {
    if file.metadata()?.gid() == group {
        return Ok(());
    }
    match fchown(file, None, Some(group)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        given => given,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_made_with_those_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        for _ in 0..2 {
            Sharing::PRIVATE.create_folder(&deep).unwrap();
        }
        let above = folder.path().join("a");
        assert_eq!(
            Sharing::of_folder(&above).unwrap(),
            Sharing::of_folder(&deep).unwrap()
        );

        fs::write(folder.path().join("file"), "").unwrap();
        Sharing::PRIVATE
            .create_folder(&folder.path().join("file/a"))
            .unwrap_err();
    }

    #[test]
    fn sharing_follows_git() {
        let table = [
            (None, 0o700, 0o600),
            (Some("umask"), 0o700, 0o600),
            (Some("false"), 0o700, 0o600),
            (Some("0"), 0o700, 0o600),
            (Some("group"), 0o2770, 0o660),
            (Some("true"), 0o2770, 0o660),
            (Some("1"), 0o2770, 0o660),
            (Some("all"), 0o2775, 0o664),
            (Some("0640"), 0o2750, 0o640),
            (Some("0660"), 0o2770, 0o660),
        ];
        for (value, folder, file) in table {
            assert_eq!(
                Sharing::from_git(value),
                Sharing { folder, file },
                "{value:?}"
            );
        }
    }
}
