//! Looks at the files of keys and at the programs, before anybody signs anything.

use std::collections::BTreeMap;
use std::path::Path;

use super::allowed_signers::{AllowedLine, parse};
use super::error::{Error, GPGV, SSH_KEYGEN};
use super::key_files;
use super::known::{KnownPeople, is_pattern};
use super::{gpg, keyring, proof, ssh};
use crate::config::People;
use crate::policy::SignatureFact;
use crate::text;

/// How many lines of one kind are named.
const LINES_MAX: usize = 5;

/// What there is to say about the files of keys and the programs.
#[derive(Debug, Clone, Default)]
pub struct ExaminedKeys {
    /// The people that the files name.
    pub people: KnownPeople,
    /// The files and programs that are as they should be, each with what it has.
    pub good: Vec<String>,
    /// What is wrong.
    pub faults: Vec<KeyFault>,
}

/// Something that keeps people from signing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyFault {
    /// Whether nobody can deploy somewhere because of it. Otherwise some people can't sign.
    pub is_error: bool,
    /// The key of the configuration.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: String,
}

/// Looks at what the section `[people]` names, and whether the programs work that it needs.
/// `owner`: the user who may change the files too, besides root.
#[must_use]
pub fn examine(people: &People, owner: u32) -> ExaminedKeys {
    let mut examined = ExaminedKeys::default();
    let mut lines = Vec::new();
    let mut of_keyring = Vec::new();

    if let Some(path) = &people.allowed_signers {
        let works = examined.works("people.allowed_signers", SSH_KEYGEN, || {
            ssh::signer(
                proof::ALLOWED_SIGNERS,
                None,
                proof::TEXT,
                proof::SSH_SIGNATURE,
            )
        });
        if let Some(file) = examined.read("allowed_signers", path, owner) {
            lines = parse(&file);
            if works {
                examined.complaints(&file);
            }
            examined.lines(&lines);
        }
        if let Some(path) = &people.revoked_keys
            && let Some(file) = examined.read("revoked_keys", path, owner)
            && works
        {
            examined.revoked(&file, path);
        }
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
    fn fault(&mut self, is_error: bool, key: &str, found: String, fix: &str) {
        let (key, fix) = (key.to_owned(), fix.to_owned());
        self.faults.push(KeyFault {
            is_error,
            key,
            found,
            fix,
        });
    }

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

    /// What ssh-keygen says about lines that it can't use. It looks at all of them for a key that
    /// nobody has.
    fn complaints(&mut self, file: &[u8]) {
        let complaints = match ssh::complaints(file, proof::SSH_SIGNATURE) {
            Ok(complaints) => complaints,
            Err(error) => vec![error.to_string()],
        };
        let fix = "correct these lines: each is NAME@HOST, a space, and a public key; see \
                   ssh-keygen(1), ALLOWED SIGNERS";
        if let Some(found) = listed(&complaints) {
            let found = format!("ssh-keygen can't use {found}");
            self.fault(false, "people.allowed_signers", found, fix);
        }
    }

    /// Says what is in the lines, and which of them do not mean what they seem to.
    fn lines(&mut self, lines: &[AllowedLine]) {
        let plain = || lines.iter().filter(|line| !line.is_authority);
        let patterns = plain().filter_map(|line| {
            let pattern = line.names.iter().find(|name| is_pattern(name))?;
            let pattern = text::quote(pattern, 100);
            Some(format!("line {}: {pattern}", line.number))
        });
        if let Some(found) = listed(&patterns.collect::<Vec<_>>()) {
            let found = format!("a pattern gives a key to nobody: {found}");
            let fix = "write the mail address of the person who has the key";
            self.fault(false, "people.allowed_signers", found, fix);
        }

        let others = lines.iter().filter(|line| !line.is_for_git);
        let others = others.map(|line| format!("line {}", line.number));
        if let Some(found) = listed(&others.collect::<Vec<_>>()) {
            let found = format!("namespaces does not allow signatures of git: {found}");
            let fix = "write namespaces=\"git\", or leave it out";
            self.fault(false, "people.allowed_signers", found, fix);
        }

        let mut first: BTreeMap<&str, &AllowedLine> = BTreeMap::new();
        let mut twice = Vec::new();
        for line in plain().filter(|line| line.is_for_git) {
            let first = *first.entry(&line.key).or_insert(line);
            if !first.names.iter().any(|name| line.names.contains(name)) {
                twice.push(format!("lines {} and {}", first.number, line.number));
            }
        }
        if let Some(found) = listed(&twice) {
            let found =
                format!("two people have the same key, so it counts for the first: {found}");
            let fix = "leave each key to the person who has it";
            self.fault(false, "people.allowed_signers", found, fix);
        }

        let count = lines.len();
        let s = if count == 1 { "" } else { "s" };
        self.good
            .push(format!("allowed_signers has {count} key{s}"));
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

/// Some things with commas between them; `None`: there are none.
fn listed(things: &[String]) -> Option<String> {
    let mut named: Vec<String> = things.iter().take(LINES_MAX).cloned().collect();
    if things.len() > LINES_MAX {
        named.push(format!("and {} more", things.len() - LINES_MAX));
    }
    (!named.is_empty()).then(|| named.join(", "))
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
