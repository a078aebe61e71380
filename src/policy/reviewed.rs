//! What is known of who changed a deploy file in a push and who approved it, and how many people
//! these are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::unknown::Unknown;
use crate::id::Revision;
use crate::message::WhyUncounted;
use crate::review::WhyVoid;
use crate::text;

/// The longest name of a person that is shown, in characters.
const NAME_MAX: usize = 100;

/// What the commits of a push do to one deploy file, and declare about it. Newest commits first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TracedFile {
    /// The commits that change it.
    pub changes: Vec<Revision>,
    /// The commits that approve its content at the tip, if their signatures count.
    pub approvals: Vec<Revision>,
    /// The commits that override what is missing or in the way, with the reasons.
    pub overrides: Vec<(Revision, String)>,
    /// What looks like an approval, and is none.
    pub void: Vec<VoidApproval>,
}

/// A commit with a `Deploy-Approve` that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidApproval {
    /// The commit.
    pub commit: Revision,
    /// Why it does not count.
    pub why: VoidReason,
}

/// Why a `Deploy-Approve` does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoidReason {
    /// Its commit can't approve the file.
    Commit(WhyVoid),
    /// The line of the message with this number, from 1, is no trailer.
    Line(usize, WhyUncounted),
}

impl VoidReason {
    /// The reason, as the end of a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Commit(WhyVoid::ChangesFiles) => {
                "it changes files itself; an approval is a commit that changes nothing, or a merge"
                    .to_owned()
            }
            Self::Commit(WhyVoid::BringsNothing) => {
                "it is a merge that does not bring this change".to_owned()
            }
            Self::Commit(WhyVoid::ChangedAfterwards) => {
                "the file was changed in a commit that it does not contain".to_owned()
            }
            Self::Line(line, why) => format!("line {line} of its message: {why}"),
        }
    }
}

/// What the signature of a commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureFact {
    /// It is valid now. These are the names that the key stands for: usually one.
    By(BTreeSet<String>),
    /// The commit has no signature.
    Missing,
    /// It has one that does not count, for this reason, which is escaped.
    Invalid(String),
    /// It was not checked, because the push has too many signatures for one file.
    Unchecked,
    /// It could not be checked.
    Unknown(Unknown),
}

/// What is known of who changed a deploy file in a push and who approved it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// What the commits do.
    pub file: TracedFile,
    /// What their signatures say.
    pub signatures: BTreeMap<Revision, SignatureFact>,
    /// The names that are of one person, for each key that has several.
    pub same_people: Vec<BTreeSet<String>>,
}

/// The approval of a deployment, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Approval {
    /// Who approved it: the names that the key stands for, separated by commas.
    pub by: String,
    /// The commit of the deploy repository that says so.
    pub commit: Revision,
}

impl Review {
    /// What the signature of a commit says.
    pub(super) fn signature(&self, commit: &Revision) -> SignatureFact {
        let unknown = || SignatureFact::Unknown(Unknown("nobody looked".to_owned()));
        self.signatures.get(commit).cloned().unwrap_or_else(unknown)
    }

    /// The names that the key of a commit's signature stands for; `None`: the signature does not
    /// count.
    pub(super) fn signer(&self, commit: &Revision) -> Option<&BTreeSet<String>> {
        match self.signatures.get(commit) {
            Some(SignatureFact::By(names)) => Some(names),
            _ => None,
        }
    }

    /// The names of everybody who changed the file. A person can be known by several names: those
    /// that one key stands for are of one person, and so are those of two keys with a name in
    /// common, whether these keys signed something or not.
    pub(super) fn authors(&self) -> BTreeSet<String> {
        let signers = self.file.changes.iter().filter_map(|id| self.signer(id));
        let authors = signers.flatten().map(|name| same_name(name)).collect();
        self.all_names(authors)
    }

    /// All names of the people who have some of these.
    pub(super) fn all_names(&self, mut names: BTreeSet<String>) -> BTreeSet<String> {
        let people = || {
            let facts = self.signatures.values();
            let signers = facts.filter_map(|fact| match fact {
                SignatureFact::By(names) => Some(names),
                _ => None,
            });
            signers.chain(&self.same_people)
        };
        loop {
            let before = names.len();
            for person in people() {
                if person.iter().any(|name| names.contains(&same_name(name))) {
                    names.extend(person.iter().map(|name| same_name(name)));
                }
            }
            if names.len() == before {
                return names;
            }
        }
    }
}

/// The form of a name in which it is compared, so that nobody counts twice who is known by two
/// spellings.
pub(super) fn same_name(name: &str) -> String {
    name.to_lowercase()
}

/// Names of one person, for a sentence.
pub(super) fn shown(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| text::escape(name, NAME_MAX))
        .collect();
    names.join(", ")
}
