//! The files of keys, which the configuration names.

use std::path::Path;

use super::error::Error;
use crate::config::People;
use crate::sys::access::changeable_by_others;
use crate::sys::open;

/// The largest file of keys that is read, in bytes.
const SIZE_MAX: u64 = 16 * 1024 * 1024;

/// The contents of the files of keys.
#[derive(Debug)]
pub(super) struct KeyFiles {
    pub(super) allowed_signers: Option<Vec<u8>>,
    pub(super) revoked_keys: Option<Vec<u8>>,
    pub(super) gpg_keyring: Option<Vec<u8>>,
}

impl KeyFiles {
    /// Reads them. `owner`: the user who may change them too, besides root.
    ///
    /// # Errors
    /// One of them can't be read, or others can change it.
    pub(super) fn read(people: &People, owner: u32) -> Result<Self, Error> {
        let read = |key: &'static str, path: &Option<_>| {
            path.as_deref()
                .map(|path| read(key, path, owner))
                .transpose()
        };
        Ok(Self {
            allowed_signers: read("allowed_signers", &people.allowed_signers)?,
            revoked_keys: read("revoked_keys", &people.revoked_keys)?,
            gpg_keyring: read("gpg_keyring", &people.gpg_keyring)?,
        })
    }
}

/// Reads one of them.
///
/// # Errors
/// It can't be read, or others can change it.
pub(super) fn read(key: &'static str, path: &Path, owner: u32) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Read {
        key,
        path: path.to_owned(),
        source,
    };
    if let Some(part) = changeable_by_others(path, owner).map_err(unreadable)? {
        return Err(Error::Changeable {
            key,
            path: path.to_owned(),
            part,
        });
    }
    open::read(path, SIZE_MAX).map_err(unreadable)
}
