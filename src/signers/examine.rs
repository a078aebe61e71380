//! Looks at the files of keys and at the programs, before anybody signs anything.

use std::path::Path;

use super::error::{Error, GPGV, SSH_KEYGEN};
use super::examined::ExaminedKeys;
use super::known::KnownPeople;
use super::usable_lines::usable_lines;
use super::{gpg, key_files, keyring, proof, ssh};
use crate::config::People;
use crate::policy::SignatureFact;
use crate::sys::clock;
use crate::text;

/// Looks at what the section `[people]` names, and whether the programs work that it needs.
/// `owner`: the user who may change the files too, besides root.
#[must_use]
pub fn examine(people: &People, owner: u32) -> ExaminedKeys {
    let mut examined = ExaminedKeys::default();
    let mut lines = Vec::new();
    let mut of_keyring = Vec::new();

    let mut works = false;
    if let Some(path) = &people.allowed_signers {
        works = examined.works("people.allowed_signers", SSH_KEYGEN, || {
            ssh::signer(
                proof::ALLOWED_SIGNERS,
                None,
                proof::TEXT,
                proof::SSH_SIGNATURE,
            )
        });
        if let Some(file) = examined.read("allowed_signers", path, owner) {
            lines = usable_lines(&file, works, clock::now(), &mut examined);
        }
    }
    if let Some(path) = &people.revoked_keys
        && let Some(file) = examined.read("revoked_keys", path, owner)
        && works
    {
        examined.revoked(&file, path);
    }
    if let Some(path) = &people.gpg_keyring {
        examined.works("people.gpg_keyring", GPGV, || {
            gpg::signer(proof::KEYRING, proof::TEXT, proof::OPENPGP_SIGNATURE)
        });
        if let Some(file) = examined.read("gpg_keyring", path, owner) {
            of_keyring = keyring::people(&file);
            examined.keyring(&of_keyring, path);
        }
    }
    examined.people = KnownPeople::of(&lines, of_keyring);
    examined
}

impl ExaminedKeys {
    /// Whether a program calls a signature good that is.
    fn works(
        &mut self,
        key: &'static str,
        program: &'static str,
        look: impl FnOnce() -> Result<SignatureFact, Error>,
    ) -> bool {
        let (found, fix) = match look() {
            Ok(SignatureFact::By(_)) => {
                self.good.push(format!("{program} checks signatures"));
                return true;
            }
            Ok(other) => {
                let why = match other {
                    SignatureFact::Invalid(why) => why,
                    _ => "it has no signature".to_owned(),
                };
                let found = format!("{program} does not call a good signature good: {why}");
                (found, None)
            }
            Err(error) => (error.to_string(), error.hint()),
        };
        let fix = fix.unwrap_or("make sure that the program works for this user");
        self.fault(true, key, found, fix);
        false
    }

    /// The content of a file of keys; `None`: it can't be used.
    fn read(&mut self, key: &'static str, path: &Path, owner: u32) -> Option<Vec<u8>> {
        match key_files::read(key, path, owner) {
            Ok(file) => Some(file),
            Err(error) => {
                let fix = error
                    .hint()
                    .unwrap_or("make the file, and let the owner of the repository read it");
                self.fault(true, "people", error.to_string(), fix);
                None
            }
        }
    }

    /// Whether ssh-keygen can use a file of revoked keys: it must still call the signature good of
    /// a key that nobody has, and nobody has revoked.
    fn revoked(&mut self, file: &[u8], path: &Path) {
        let signer = ssh::signer(
            proof::ALLOWED_SIGNERS,
            Some(file),
            proof::TEXT,
            proof::SSH_SIGNATURE,
        );
        let why = match signer {
            Ok(SignatureFact::By(_)) => {
                self.good
                    .push("ssh-keygen can read revoked_keys".to_owned());
                return;
            }
            Ok(SignatureFact::Invalid(why)) => why,
            Ok(_) => "it says nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        let path = text::escape(path.as_os_str().as_encoded_bytes(), 200);
        let found = format!("ssh-keygen can't use {path}, so no signature counts: {why}");
        let fix = "write one public key in each line, or a key revocation list; see ssh-keygen(1)";
        self.fault(true, "people.revoked_keys", found, fix);
    }

    fn keyring(&mut self, people: &[Vec<String>], path: &Path) {
        let count = people.iter().filter(|names| !names.is_empty()).count();
        if count == 0 {
            let path = text::escape(path.as_os_str().as_encoded_bytes(), 200);
            let found = format!("{path} has no key with a mail address");
            let fix = "write it with: gpg --export ADDRESS... (without --armor)";
            self.fault(true, "people.gpg_keyring", found, fix);
            return;
        }
        let s = if count == 1 { "" } else { "s" };
        self.good.push(format!("gpg_keyring has {count} key{s}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_good_signatures() {
        let by = SignatureFact::By([proof::NAME.to_owned()].into());
        let ssh = ssh::signer(
            proof::ALLOWED_SIGNERS,
            None,
            proof::TEXT,
            proof::SSH_SIGNATURE,
        );
        assert_eq!(ssh.unwrap(), by);
        let gpg = gpg::signer(proof::KEYRING, proof::TEXT, proof::OPENPGP_SIGNATURE);
        assert_eq!(gpg.unwrap(), by);
    }
}
