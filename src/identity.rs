//! Who did something, and how that is known. Pure.
//!
//! A name alone proves nothing, because anybody can write any name into a commit. So a name is
//! never stored or passed on without the evidence for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a name is known. The strongest evidence comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Evidence {
    /// The push was signed: git-push(1), `--signed`.
    Signature,
    /// The ssh key has a forced command that sets `DEPLOY_BY_CODE_PUSHER`: sshd(8), section
    /// AUTHORIZED_KEYS.
    SshKey,
    /// GitLab authenticated the person.
    Gitlab,
    /// Gitolite authenticated the person.
    Gitolite,
    /// Pagure authenticated the person.
    Pagure,
    /// Gitea or Forgejo authenticated the person.
    Gitea,
    /// Kallithea authenticated the person.
    Kallithea,
    /// Soft Serve authenticated the person.
    SoftServe,
    /// The web server authenticated the person and set `REMOTE_USER`.
    Http,
    /// sudo(8) names the person who acts as another user.
    Sudo,
    /// The user of the operating system.
    Unix,
    /// An earlier version of this program recorded the name without the evidence.
    Unrecorded,
}

impl Evidence {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Signature,
        Self::SshKey,
        Self::Gitlab,
        Self::Gitolite,
        Self::Pagure,
        Self::Gitea,
        Self::Kallithea,
        Self::SoftServe,
        Self::Http,
        Self::Sudo,
        Self::Unix,
        Self::Unrecorded,
    ];

    /// The word that users see and the store keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::SshKey => "ssh key",
            Self::Gitlab => "gitlab",
            Self::Gitolite => "gitolite",
            Self::Pagure => "pagure",
            Self::Gitea => "gitea",
            Self::Kallithea => "kallithea",
            Self::SoftServe => "soft serve",
            Self::Http => "http",
            Self::Sudo => "sudo",
            Self::Unix => "unix",
            Self::Unrecorded => "unrecorded",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is not a kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownEvidence;

impl fmt::Display for UnknownEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Evidence::ALL.map(Evidence::as_str);
        write!(f, "the known kinds of evidence are: {}", words.join(", "))
    }
}

impl std::error::Error for UnknownEvidence {}

impl From<Evidence> for &'static str {
    fn from(evidence: Evidence) -> Self {
        evidence.as_str()
    }
}

impl TryFrom<String> for Evidence {
    type Error = UnknownEvidence;

    fn try_from(text: String) -> Result<Self, UnknownEvidence> {
        text.parse()
    }
}

impl FromStr for Evidence {
    type Err = UnknownEvidence;

    fn from_str(text: &str) -> Result<Self, UnknownEvidence> {
        Self::ALL
            .into_iter()
            .find(|evidence| evidence.as_str() == text)
            .ok_or(UnknownEvidence)
    }
}

/// A person or a program that did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The name. It can contain any characters, and must be escaped where it is shown.
    pub name: String,
    /// How the name is known.
    pub evidence: Evidence,
}

impl Identity {
    /// An identity with this name and the evidence for it.
    #[must_use]
    pub fn new(name: impl Into<String>, evidence: Evidence) -> Self {
        Self {
            name: name.into(),
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_of_each_evidence_is_read_back() {
        for evidence in Evidence::ALL {
            assert_eq!(evidence.as_str().parse(), Ok(evidence));
        }

        for unknown in ["", "Unix", "ssh", "unix "] {
            assert_eq!(unknown.parse::<Evidence>(), Err(UnknownEvidence));
        }
    }
}
