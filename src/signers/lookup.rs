//! The people whose signatures count.

use std::collections::BTreeSet;

use super::error::Error;
use super::key_files::KeyFiles;
use super::people::same_people;
use super::{gpg, ssh};
use crate::config::People;
use crate::policy::SignatureFact;

/// The people whose signatures count, as their files of keys are now.
#[derive(Debug)]
pub struct Signers {
    files: KeyFiles,
}

impl Signers {
    /// Reads the files of keys. `owner`: the user who may change them too, besides root.
    ///
    /// # Errors
    /// A file can't be read, or others can change it.
    pub fn read(people: &People, owner: u32) -> Result<Self, Error> {
        Ok(Self {
            files: KeyFiles::read(people, owner)?,
        })
    }

    /// The names that are of one person, where a key has several.
    #[must_use]
    pub fn same_people(&self) -> Vec<BTreeSet<String>> {
        let allowed = self.files.allowed_signers.as_deref();
        same_people(allowed.unwrap_or_default())
    }

    /// Whose signature of a text it is.
    ///
    /// # Errors
    /// It can't be found out.
    pub fn signer(&self, payload: &[u8], signature: &[u8]) -> Result<SignatureFact, Error> {
        let KeyFiles {
            allowed_signers,
            revoked_keys,
            gpg_keyring,
        } = &self.files;
        let invalid = |why: &str| Ok(SignatureFact::Invalid(why.to_owned()));

        if signature.starts_with(ssh::BEGIN) {
            let Some(allowed) = allowed_signers else {
                return invalid("it is one of SSH, and allowed_signers is not set");
            };
            return ssh::signer(allowed, revoked_keys.as_deref(), payload, signature);
        }
        if signature.starts_with(gpg::BEGIN) {
            let Some(keyring) = gpg_keyring else {
                return invalid("it is one of OpenPGP, and gpg_keyring is not set");
            };
            return gpg::signer(keyring, payload, signature);
        }
        invalid("it is neither one of SSH nor one of OpenPGP")
    }
}
