//! What a rule answers, and what becomes of an answer.

use std::collections::BTreeSet;

use super::exception::{Exception, ExceptionKind};
use crate::id::{Application, Revision};
use crate::text;

/// Why something must not be deployed, in words that are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The path or ref, as bytes; [`Refusal::shown_path`] is for people.
    pub path: Vec<u8>,
    /// What was found; a line, or some.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether the server stands in the way, not what was pushed: once that is mended, it is judged
    /// again.
    pub is_fault: bool,
}

impl Refusal {
    /// The path, escaped and bounded.
    #[must_use]
    pub fn shown_path(&self) -> String {
        text::escape(&self.path, 200)
    }
}

/// A rule's answer when it refuses: what was found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Objection {
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// See [`Refusal::is_fault`].
    pub is_fault: bool,
}

impl Objection {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
            is_fault: false,
        }
    }

    pub(super) fn fault(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            is_fault: true,
            ..Self::new(message, hint)
        }
    }

    /// The refusal of what stands at a path.
    #[must_use]
    pub fn at(&self, path: &[u8]) -> Refusal {
        let Self {
            message,
            hint,
            is_fault,
        } = self.clone();
        Refusal {
            path: path.to_vec(),
            message,
            hint,
            is_fault,
        }
    }
}

/// What a rule says that allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    /// Why, for people; `None`: it has nothing to say here.
    pub note: Option<String>,
    /// The reason that the deploy commit gave to get past it.
    pub exception: Option<Exception>,
    /// What is rolled back.
    pub rolled_back: Option<Revision>,
    /// What rollbacks took away and may come back.
    pub released: Vec<Revision>,
    /// What has to be deployed by the same push, and goes first.
    pub first: BTreeSet<Application>,
    /// What has to be deployed by the same push.
    pub with: BTreeSet<Application>,
    /// Why it waits, though it is allowed.
    pub waits: Option<String>,
    /// What whoever merges it should know.
    pub warnings: Vec<String>,
}

impl Pass {
    pub(super) fn note(note: impl Into<String>) -> Self {
        Self {
            note: Some(note.into()),
            ..Self::default()
        }
    }

    pub(super) fn because(kind: ExceptionKind, reason: &str, note: String) -> Self {
        let exception = Some(Exception {
            kind,
            reason: reason.to_owned(),
        });
        Self {
            note: Some(note),
            exception,
            ..Self::default()
        }
    }
}

/// A rule's answer.
pub type Answer = Result<Pass, Objection>;
