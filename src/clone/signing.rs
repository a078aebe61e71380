//! The person's key, and what the person's git says about the signatures of others.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::error::Error;
use super::local_clone::LocalClone;
use super::users_git::unexpected;
use crate::git::CommitSignature;
use crate::id::Revision;
use crate::text;

/// What to do where git has no key.
const SET_UP: &str = "to sign with an SSH key, where ~/.ssh/id_ed25519.pub is yours:\n    \
                      git config --global gpg.format ssh\n    \
                      git config --global user.signingKey ~/.ssh/id_ed25519.pub\n    \
                      git config --global commit.gpgSign true\n  \
                      (without a key: ssh-keygen -t ed25519); the administrator of the server \
                      has to know the key too";

/// What the person's git says about the signature of a commit. It is for people to read: git takes
/// more for a good signature than the server does, and knows other keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHint {
    /// In words that are safe to show, as the end of a sentence: `is not signed`.
    pub words: String,
    /// Whether there is something that looks like a signature.
    pub is_signed: bool,
    /// Whether this person is named by the commit, or by its signature.
    pub is_own: bool,
}

impl LocalClone {
    /// Checks that git has a key to sign with, as far as that can be seen without signing.
    ///
    /// # Errors
    /// It has none, or git can't be asked.
    pub fn check_can_sign(&self) -> Result<(), Error> {
        let set = |key: &str| -> Result<bool, Error> {
            Ok(self.setting(key)?.is_some_and(|value| !value.is_empty()))
        };
        if set("user.signingKey")? {
            return Ok(());
        }
        let format = self.setting("gpg.format")?;
        let missing = match format.as_deref() {
            Some("ssh") if set("gpg.ssh.defaultKeyCommand")? => return Ok(()),
            Some("ssh") => "gpg.format is ssh, and user.signingKey is not set".to_owned(),
            Some("x509") => return Ok(()),
            _ => {
                let person = self.person()?;
                if self.has_secret_key(&person)? {
                    return Ok(());
                }
                let person = text::escape(person, 200);
                format!("user.signingKey is not set, and there is no OpenPGP key of {person}")
            }
        };
        let message = format!("git has no key to sign with: {missing}");
        Err(Error::unnamed(message, SET_UP))
    }

    /// Who commits here, as `Name <address>`.
    fn person(&self) -> Result<String, Error> {
        let identity = self.git.answer(&["var", "GIT_COMMITTER_IDENT"])?;
        let identity = String::from_utf8_lossy(&identity).into_owned();
        let end = identity.rfind('>').map_or(identity.len(), |end| end + 1);
        Ok(identity[..end].to_owned())
    }

    /// Whether the OpenPGP program that git would call has a secret key of somebody.
    fn has_secret_key(&self, person: &str) -> Result<bool, Error> {
        let program = match self.setting("gpg.openpgp.program")? {
            Some(program) => Some(program),
            None => self.setting("gpg.program")?,
        };
        let listed = Command::new(program.as_deref().unwrap_or("gpg"))
            .args(["--batch", "--list-secret-keys", "--", person])
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // Where the program is not there, no key is either.
        Ok(listed.is_ok_and(|status| status.success()))
    }

    /// What git says about the signatures of some commits.
    ///
    /// # Errors
    /// git can't be asked, or a commit can't be read.
    pub fn signature_hints(
        &self,
        commits: &[Revision],
    ) -> Result<BTreeMap<Revision, SignatureHint>, Error> {
        // Without this file, git says for each commit that it is missing.
        let knows_ssh = self.setting("gpg.ssh.allowedSignersFile")?.is_some();
        let mut hints = BTreeMap::new();
        for check in [true, false] {
            let mut asked = Vec::new();
            for commit in commits {
                let signature = self.repository.signature(commit)?;
                if can_check(&signature, knows_ssh) == check {
                    asked.push((commit.clone(), signature));
                }
            }
            self.add_hints(&asked, check, &mut hints)?;
        }
        Ok(hints)
    }

    fn add_hints(
        &self,
        asked: &[(Revision, CommitSignature)],
        check: bool,
        hints: &mut BTreeMap<Revision, SignatureHint>,
    ) -> Result<(), Error> {
        if asked.is_empty() {
            return Ok(());
        }
        let person = self.person()?;
        let own_address = address(&person);

        // A NUL ends each field.
        let form = match check {
            true => "--format=%H%x00%ae%x00%ce%x00%G?%x00%<(200,trunc)%GS",
            false => "--format=%H%x00%ae%x00%ce%x00%x00",
        };
        let mut arguments = vec!["log", "-z", "--no-walk=unsorted", "--no-color", form];
        arguments.extend(asked.iter().map(|(commit, _)| commit.as_str()));
        arguments.push("--");
        let printed = self.git.answer(&arguments)?;
        let fields: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();

        for fields in fields.chunks_exact(5) {
            let [commit, author, committer, verdict, signer] = fields else {
                continue;
            };
            let commit = Revision::new(commit).map_err(|_| unexpected("log", commit))?;
            let signature = asked.iter().find(|(asked, _)| *asked == commit);
            let Some((_, signature)) = signature else {
                return Err(unexpected("log", commit.as_str().as_bytes()));
            };
            let signer = signer.trim_ascii();
            let is_own = |name: &&[u8]| {
                !own_address.is_empty() && name.eq_ignore_ascii_case(own_address.as_bytes())
            };
            let names = [*author, *committer, signer];
            let hint = SignatureHint {
                words: words(signature, verdict, signer),
                is_signed: matches!(signature, CommitSignature::Signed { .. }),
                is_own: names.iter().any(is_own) || is_own(&address_of(signer)),
            };
            hints.insert(commit, hint);
        }
        match asked.iter().find(|(commit, _)| !hints.contains_key(commit)) {
            Some((commit, _)) => Err(unexpected("log", commit.as_str().as_bytes())),
            None => Ok(()),
        }
    }
}

/// Whether git can say something about a signature.
fn can_check(signature: &CommitSignature, knows_ssh: bool) -> bool {
    match signature {
        CommitSignature::Missing | CommitSignature::Broken(_) => false,
        CommitSignature::Signed { signature, .. } => {
            knows_ssh || !signature.starts_with(b"-----BEGIN SSH")
        }
    }
}

/// The mail address in `Name <address>`; empty: there is none.
fn address(person: &str) -> &str {
    let rest = person.rsplit_once('<').map_or("", |(_, rest)| rest);
    rest.strip_suffix('>').unwrap_or("")
}

/// The same, for a signer whom git names.
fn address_of(signer: &[u8]) -> &[u8] {
    std::str::from_utf8(signer).map_or(b"", |signer| address(signer).as_bytes())
}

/// What git says about a signature, as the end of a sentence. `verdict` is git's `%G?`.
fn words(signature: &CommitSignature, verdict: &[u8], signer: &[u8]) -> String {
    match signature {
        CommitSignature::Missing => return "is not signed".to_owned(),
        CommitSignature::Broken(why) => return format!("is not signed: {why}"),
        CommitSignature::Signed { .. } => {}
    }
    let by = match signer {
        [] => "somebody".to_owned(),
        signer => text::escape(signer, 100),
    };
    match verdict {
        b"G" => format!("is signed by {by}"),
        b"U" => format!("is signed by {by}, with a key that git here does not trust"),
        b"B" => "has a bad signature".to_owned(),
        b"X" => format!("is signed by {by}, with a signature that has expired"),
        b"Y" => format!("is signed by {by}, with a key that has expired"),
        b"R" => format!("is signed by {by}, with a key that was revoked"),
        b"" => "is signed (git here knows no keys: gpg.ssh.allowedSignersFile is not set)".into(),
        _ => "is signed by a key that git here does not know".to_owned(),
    }
}
