//! Which repositories the timer looks after.
//!
//! Protocol: a folder of the machine, writable by everybody and sticky like /tmp, because
//! repositories belong to different users. Each entry is a file that holds the path of one
//! repository. An entry counts only where it belongs to root or to the repository's owner: nobody
//! can make the timer, which runs as root and becomes the owner, do something in a folder that is
//! not theirs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::open;

/// Where the package puts it.
pub const FOLDER: &str = "/var/lib/deploy-by-code/repositories";

/// The longest path that is read, in bytes.
const PATH_MAX: u64 = 4096;

/// How many entries of one user are looked at. No limit is for all users together, so that none
/// pushes another's out.
const ENTRIES_MAX: usize = 10_000;

/// A repository that the timer looks after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The repository.
    pub repository: PathBuf,
    /// The user number of its owner.
    pub owner: u32,
}

/// The name of a path in a unit's name, as systemd-escape(1) `--path` makes it.
#[must_use]
pub fn escape(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let trimmed: Vec<u8> = bytes
        .split(|b| *b == b'/')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(&b'/');
    if trimmed.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::new();
    for (at, byte) in trimmed.iter().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b if b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.') => {
                name.push(char::from(*b))
            }
            b => name.push_str(&format!("\\x{b:02x}")),
        }
    }
    name
}

/// The longest name of an entry that says the whole path, in bytes.
const NAME_MAX: usize = 200;

/// An entry's file: the path's name, or, where that is too long for a file's, its beginning and a
/// number that differs from path to path (FNV-1a).
fn entry(folder: &Path, repository: &Path) -> PathBuf {
    let name = escape(repository);
    if name.len() <= NAME_MAX {
        return folder.join(name);
    }
    let number = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    folder.join(format!("{}-{number:016x}", &name[..NAME_MAX / 2]))
}

/// Whether a repository is registered already, by an entry that counts.
#[must_use]
pub fn has(folder: &Path, repository: &Path) -> bool {
    read(folder, &entry(folder, repository))
        .is_ok_and(|registered| registered.repository == repository)
}

/// Whose entry there is for a repository, whether it counts or not.
#[must_use]
pub fn registrar(folder: &Path, repository: &Path) -> Option<u32> {
    Some(entry(folder, repository).symlink_metadata().ok()?.uid())
}

/// Registers a repository.
///
/// # Errors
/// The entry can't be written, or is somebody else's.
pub fn add(folder: &Path, repository: &Path) -> io::Result<()> {
    let mut file = open::to_overwrite_without_following(&entry(folder, repository), 0o644)?;
    file.write_all(repository.as_os_str().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Takes a repository out again, also where somebody put a folder in its entry's place.
///
/// # Errors
/// The entry can't be removed.
pub fn remove(folder: &Path, repository: &Path) -> io::Result<()> {
    let entry = entry(folder, repository);
    let is_folder = entry.symlink_metadata().is_ok_and(|found| found.is_dir());
    match if is_folder {
        fs::remove_dir_all(&entry)
    } else {
        fs::remove_file(&entry)
    } {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The entries, in order, by the numbers of the users whose they are. Nothing is looked at that an
/// entry names: that can take long, and is its user's time.
///
/// # Errors
/// The folder can't be read; that there is none is no error.
pub fn entries(folder: &Path) -> io::Result<BTreeMap<u32, Vec<PathBuf>>> {
    let mut all: BTreeMap<u32, Vec<PathBuf>> = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let own = all.entry(found.uid()).or_default();
        if own.len() < ENTRIES_MAX {
            own.push(entry.path());
        }
    }
    all.values_mut().for_each(|own| own.sort());
    Ok(all)
}

/// The repository that an entry registers.
///
/// # Errors
/// Why the entry does not count.
pub fn read(registry: &Path, path: &Path) -> Result<Registered, String> {
    let shown = |path: &Path| crate::text::escape(path.as_os_str().as_bytes(), 200);
    let at = |error: io::Error| format!("{}: {error}", shown(path));
    let no_entry = || format!("{}: no entry of a repository", shown(path));
    // Whatever somebody put there: nothing that would be waited for, and nothing but a file.
    let file = open::without_following(path).map_err(at)?;
    let entry = file.metadata().map_err(at)?;
    if !entry.is_file() {
        return Err(no_entry());
    }
    let mut text = Vec::new();
    file.take(PATH_MAX).read_to_end(&mut text).map_err(at)?;
    let repository = PathBuf::from(std::ffi::OsStr::from_bytes(text.trim_ascii_end()));
    if !repository.is_absolute() || self::entry(registry, &repository) != path {
        return Err(no_entry());
    }
    let folder = repository
        .symlink_metadata()
        .map_err(|error| format!("{}: {error}", shown(&repository)))?;
    if !folder.is_dir() {
        return Err(format!("{}: no folder", shown(&repository)));
    }
    if entry.uid() != 0 && entry.uid() != folder.uid() {
        return Err(format!(
            "{}: registered by user {}, but it belongs to user {}",
            shown(&repository),
            entry.uid(),
            folder.uid()
        ));
    }
    if folder.mode() & 0o002 != 0 {
        return Err(format!("{}: writable by everybody", shown(&repository)));
    }
    Ok(Registered {
        repository,
        owner: folder.uid(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn names_are_those_of_systemd_escape() {
        let table = [
            ("/srv/git/deploys.git", "srv-git-deploys.git"),
            ("/srv//a-b/.x/", "srv-a\\x2db-.x"),
            ("/.x", "\\x2ex"),
            ("/", "-"),
            ("/é", "\\xc3\\xa9"),
        ];
        for (path, expect) in table {
            assert_eq!(escape(Path::new(path)), expect);
        }
    }

    #[test]
    fn entries_come_and_go_and_bad_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("x.git");
        fs::create_dir(&repository).unwrap();
        let entries = folder.path().join("entries");
        assert!(super::entries(&entries).unwrap().is_empty());
        fs::create_dir(&entries).unwrap();
        assert!(!has(&entries, &repository));
        add(&entries, &repository).unwrap();
        add(&entries, &repository).unwrap();
        let owner = fs::metadata(&repository).unwrap().uid();
        let own = || {
            super::entries(&entries)
                .unwrap()
                .remove(&owner)
                .unwrap_or_default()
        };
        assert_eq!(own().len(), 1);
        assert_eq!(
            read(&entries, &own()[0]),
            Ok(Registered {
                repository: repository.clone(),
                owner
            })
        );
        fs::set_permissions(&repository, fs::Permissions::from_mode(0o757)).unwrap();
        assert!(
            read(&entries, &own()[0])
                .unwrap_err()
                .contains("writable by everybody")
        );
        fs::write(entries.join("bad"), "relative\n").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", entries.join("link")).unwrap();
        assert_eq!(
            own()
                .iter()
                .filter(|entry| read(&entries, entry).is_err())
                .count(),
            3
        );
        remove(&entries, &repository).unwrap();
        remove(&entries, &repository).unwrap();
        assert!(!has(&entries, &repository));
        fs::create_dir_all(super::entry(&entries, &repository).join("squatter")).unwrap();
        remove(&entries, &repository).unwrap();
        assert_eq!(registrar(&entries, &repository), None);
    }
}
