//! Symbolic refs: a push to one moves the ref that it leads to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
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

impl Repository {
    /// The full name of the ref that a ref leads to through symbolic refs. That is the ref itself
    /// where it is no symbolic ref, or does not exist.
    ///
    /// In a reftable, a symbolic ref that leads to a ref which does not exist is not seen, because
    /// git does not list it.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn leads_to(&self, full_name: &[u8]) -> Result<Vec<u8>, Error> {
        let mut name = full_name.to_owned();
        for _ in 0..=DEPTH_MAX {
            let target = if self.has_reftable()? {
                self.symbolic_refs_by_git()?.get(&name).cloned()
            } else {
                self.target_in_file(&name)?
            };
            match target {
                Some(target) => name = target,
                None => return Ok(name),
            }
        }

        let name = String::from_utf8_lossy(full_name);
        Err(self.error(format!("{name} leads through too many symbolic refs")))
    }

    /// What the file of a ref says that it leads to; `None`: it is no symbolic ref, or has no file.
    fn target_in_file(&self, name: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path().join(OsStr::from_bytes(name));
        let Some(content) = at(&path, read)? else {
            return Ok(None);
        };
        let target = content.strip_prefix(b"ref:");
        Ok(target.map(|target| target.trim_ascii().to_owned()))
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
