//! Symbolic refs: a push to one moves the ref that it leads to.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::command::list;
use super::error::Error;
use super::look::at;
use super::repository::Repository;
use crate::sys::open;

/// How many symbolic refs are followed, one after the other. git follows as many
/// (`SYMREF_MAXDEPTH`).
const DEPTH_MAX: usize = 5;

/// How much is read of the file of a ref, in bytes. The longest name fits in.
const FILE_MAX: u64 = 8 * 1024;

/// After how many refs of one folder the folder is listed: then it has been asked for more often
/// than for one push of a few branches.
const LOOKS: usize = 16;

/// How many names of a folder are kept. In one with more, each ref is looked for.
const NAMES_MAX: usize = 100_000;

impl Repository {
    /// The full name of the ref that a ref leads to through symbolic refs. That is the ref itself
    /// where it is no symbolic ref, or does not exist.
    ///
    /// # Errors
    /// As for [`RefTargets::leads_to`].
    pub fn leads_to(&self, full_name: &[u8]) -> Result<Vec<u8>, Error> {
        let target = RefTargets::new(self).leads_to(full_name)?;
        Ok(target.unwrap_or_else(|| full_name.to_owned()))
    }

    /// The symbolic refs that git lists, each with the ref that it leads to.
    fn symbolic_refs_by_git(&self) -> Result<&BTreeMap<Vec<u8>, Vec<u8>>, Error> {
        if let Some(found) = self.symbolic_refs.get() {
            return Ok(found);
        }

        let form = "--format=%(refname)%00%(symref)";
        let text = list(self.path(), &["for-each-ref", form])?;
        let mut found = BTreeMap::new();
        for line in text.lines() {
            let Some((name, target)) = line.split_once('\0') else {
                return Err(self.error("git for-each-ref printed a line without a NUL"));
            };
            if !target.is_empty() {
                found.insert(name.as_bytes().to_owned(), target.as_bytes().to_owned());
            }
        }
        Ok(self.symbolic_refs.get_or_init(|| found))
    }
}

/// Where the refs of a push lead to, which can be very many in few folders.
pub struct RefTargets<'r> {
    repository: &'r Repository,
    /// `None`: not asked yet.
    has_reftable: Option<bool>,
    /// The folder of the ref that was looked for last.
    folder: Vec<u8>,
    /// How many refs of it were looked for, one after the other.
    looks: usize,
    /// The names of what is in it, in lower case. `None`: not listed.
    names: Option<HashSet<Vec<u8>>>,
}

impl<'r> RefTargets<'r> {
    /// Nothing is looked at yet.
    #[must_use]
    pub fn new(repository: &'r Repository) -> Self {
        Self {
            repository,
            has_reftable: None,
            folder: Vec::new(),
            looks: 0,
            names: None,
        }
    }

    /// The full name of the ref that a ref leads to through symbolic refs. `None`: it is no
    /// symbolic ref, or does not exist.
    ///
    /// In a reftable, a symbolic ref that leads to a ref which does not exist is not seen, because
    /// git does not list it.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn leads_to(&mut self, full_name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let has_reftable = match self.has_reftable {
            Some(known) => known,
            None => *self.has_reftable.insert(self.repository.has_reftable()?),
        };

        let mut found = None;
        for _ in 0..=DEPTH_MAX {
            let name = found.as_deref().unwrap_or(full_name);
            let target = if has_reftable {
                self.repository.symbolic_refs_by_git()?.get(name).cloned()
            } else {
                self.target_in_file(name)?
            };
            match target {
                Some(target) => found = Some(target),
                None => return Ok(found),
            }
        }

        let name = String::from_utf8_lossy(full_name);
        let message = format!("{name} leads through too many symbolic refs");
        Err(self.repository.error(message))
    }

    /// What the file of a ref says that it leads to; `None`: it is no symbolic ref, or has no file.
    fn target_in_file(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.has_no_file(name)? {
            return Ok(None);
        }
        let path = self.repository.path().join(OsStr::from_bytes(name));
        let Some(content) = at(&path, read)? else {
            return Ok(None);
        };
        let target = content.strip_prefix(b"ref:");
        Ok(target.map(|target| target.trim_ascii().to_owned()))
    }

    /// Whether a ref certainly has no file, because its folder was listed.
    fn has_no_file(&mut self, name: &[u8]) -> Result<bool, Error> {
        let Some(slash) = name.iter().rposition(|byte| *byte == b'/') else {
            return Ok(false);
        };
        let (folder, name) = (&name[..slash], &name[slash + 1..]);
        if self.folder != folder {
            self.folder.clear();
            self.folder.extend_from_slice(folder);
            (self.looks, self.names) = (0, None);
        }

        self.looks += 1;
        if self.looks == LOOKS {
            let folder = self.repository.path().join(OsStr::from_bytes(folder));
            self.names = match at(&folder, fs::read_dir)? {
                Some(entries) => names_of(entries).map_err(|error| Error::new(&folder, error))?,
                None => Some(HashSet::new()),
            };
        }
        let names = self.names.as_ref().filter(|_| name.is_ascii());
        Ok(names.is_some_and(|names| !names.contains(&name.to_ascii_lowercase())))
    }
}

/// The names of the entries of a folder, in lower case: there are file systems where a file has
/// each of these names. `None`: there are too many, or some are not ASCII, for which such file
/// systems have other rules.
fn names_of(entries: fs::ReadDir) -> io::Result<Option<HashSet<Vec<u8>>>> {
    let mut names = HashSet::new();
    for entry in entries {
        let name = entry?.file_name().into_vec().to_ascii_lowercase();
        if !name.is_ascii() || names.len() == NAMES_MAX {
            return Ok(None);
        }
        names.insert(name);
    }
    Ok(Some(names))
}

/// The beginning of the file of a ref. An old form of a symbolic ref is a symbolic link; git takes
/// what it says for the name of a ref, where it begins with `refs/`.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = match path.read_link() {
        Ok(target) if target.starts_with("refs") => {
            return Ok([b"ref:", target.into_os_string().into_vec().as_slice()].concat());
        }
        Ok(_) => open::without_waiting(path)?,
        // It is no link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => open::without_waiting(path)?,
        Err(error) => return Err(error),
    };
    beginning(file)
}

/// The beginning of a file. Where there is a folder, no ref has that name.
fn beginning(file: File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if file.metadata()?.is_file() {
        file.take(FILE_MAX).read_to_end(&mut content)?;
    }
    Ok(content)
}
