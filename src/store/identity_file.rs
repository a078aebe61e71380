//! The file that gives a state an id of its own.
//!
//! What lies outside of the state, for example a checkout, is claimed by this id and by the path of
//! the state. The id is another one in a state of another machine or container that has the same
//! path; the path is another one in a copy of the state. A database that is made anew keeps the id,
//! because the id is not in the database.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::connection::Store;
use super::error::Error;
use crate::sys::file::{rename_to_free_name, sync_folder};
use crate::sys::open;
use crate::sys::process::random_id;
use crate::text;

/// The file's name in the state directory.
const FILE: &str = "id";

/// How large the file can be, in bytes.
const SIZE_MAX: u64 = 100;

impl Store {
    /// The id of this state, and its path, escaped. The id is made when it is asked for the first
    /// time.
    ///
    /// # Errors
    /// The file can't be read or made, or is empty.
    pub fn identity(&self) -> Result<String, Error> {
        let path = self.folder.join(FILE);
        let error = |error| Error::Io(path.clone(), error);
        let id = match open::read(&path, SIZE_MAX) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                self.make_id(&path).map_err(error)?;
                open::read(&path, SIZE_MAX).map_err(error)?
            }
            read => read.map_err(error)?,
        };

        let id = text::escape(id.trim_ascii(), usize::MAX);
        if id.is_empty() || id.contains(char::is_whitespace) {
            let message = "is no id; restore it from a backup, or remove it if there is none";
            return Err(error(io::Error::other(message)));
        }
        let folder = self.folder.canonicalize().map_err(error)?;
        let folder = text::escape(folder.as_os_str().as_encoded_bytes(), usize::MAX);
        Ok(format!("{id} {folder}"))
    }

    /// Writes a new id, unless another process is faster.
    fn make_id(&self, path: &Path) -> io::Result<()> {
        let id = random_id()?;
        let new = path.with_file_name(format!("{FILE}.{id}"));
        let mut file = self
            .sharing
            .open_file(&new, OpenOptions::new().write(true))?;
        writeln!(file, "{id}")?;
        file.sync_all()?;

        match rename_to_free_name(&new, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::remove_file(&new)?,
            renamed => renamed?,
        }
        sync_folder(&self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::sharing::Sharing;

    #[test]
    fn identity_stays_and_differs_from_that_of_a_copy() {
        let base = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| base.path().join(name));
        let store = Store::create(&one, Sharing::PRIVATE, |_| Ok(())).unwrap();
        let identity = store.identity().unwrap();
        assert_eq!(store.identity().unwrap(), identity);
        assert!(identity.ends_with("/one"), "{identity}");

        let copy = Store::create(&two, Sharing::PRIVATE, |_| Ok(())).unwrap();
        fs::copy(one.join(FILE), two.join(FILE)).unwrap();
        assert_ne!(copy.identity().unwrap(), identity);

        fs::remove_file(one.join(FILE)).unwrap();
        let other = store.identity().unwrap();
        assert_ne!(other, identity, "another state at the same path");

        fs::write(one.join(FILE), "").unwrap();
        assert!(store.identity().unwrap_err().to_string().contains("/id"));
    }
}
