//! The answer of a rule, and the refusal that it becomes.

use std::collections::BTreeSet;

use super::exception::{Exception, ExceptionKind};
use super::facts::Trailers;
use super::reviewed::Approval;
use crate::id::{Application, Revision};
use crate::text;

/// Why something must not be deployed, in words that are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The path or ref, as bytes. To show it, use [`Refusal::shown_path`].
    pub path: Vec<u8>,
    /// What was found, in one or more lines.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether the server is the cause, and not what was pushed. Then it is judged again later,
    /// because the server may be fixed by then.
    pub is_fault: bool,
}

impl Refusal {
    /// The path, escaped and at most 200 characters long.
    #[must_use]
    pub fn shown_path(&self) -> String {
        text::escape(&self.path, 200)
    }
}

/// The answer of a rule that refuses: what was found, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Objection {
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether the server is the cause: see [`Refusal::is_fault`].
    pub is_fault: bool,
}

impl Objection {
    /// An objection to what was pushed.
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
            is_fault: false,
        }
    }

    /// An objection of which the server is the cause.
    pub(super) fn fault(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            is_fault: true,
            ..Self::new(message, hint)
        }
    }

    /// Adds what is to be said about reasons of a kind, of which none counts: lines that look like
    /// one, and that nobody knows whether there is one.
    pub(super) fn with_missed_reasons(mut self, kind: ExceptionKind, trailers: &Trailers) -> Self {
        if trailers.reason(kind).is_some() {
            return self;
        }
        let trailer = kind.trailer().unwrap_or_default();
        let missed = trailers.uncounted.iter();
        for line in missed.filter_map(|missed| missed.in_refusal(kind)) {
            self.message.push_str(&format!("\n{line}"));
        }
        if let Some(why) = &trailers.unknown {
            self.is_fault = true;
            let line = format!("\nnobody knows whether a commit has {trailer}: {why}");
            self.message.push_str(&line);
        }
        self
    }

    /// The refusal of what is at a path.
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

/// The answer of a rule that allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    /// Why it is allowed, for people; `None`: the rule has nothing to say here.
    pub note: Option<String>,
    /// The reason by which it got past the rule.
    pub exception: Option<Exception>,
    /// For a rollback: the revision that is rolled back.
    pub rolled_back: Option<Revision>,
    /// The revisions that rollbacks took away and that are held back no more.
    pub released: Vec<Revision>,
    /// The applications that the same push must deploy first.
    pub first: BTreeSet<Application>,
    /// The applications that the same push must deploy, in any order.
    pub with: BTreeSet<Application>,
    /// Why it is not deployed at once, though it is allowed.
    pub waits: Option<String>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// What the person who merges it should know.
    pub warnings: Vec<String>,
}

impl Pass {
    /// Allowed, with a note.
    pub(super) fn note(note: impl Into<String>) -> Self {
        Self {
            note: Some(note.into()),
            ..Self::default()
        }
    }

    /// Allowed because the deploy commit gives a reason.
    pub(super) fn because(kind: ExceptionKind, reason: &str, note: String) -> Self {
        Self {
            exception: Some(Exception::new(kind, reason)),
            ..Self::note(note)
        }
    }

    /// Allowed because somebody signed an override who may.
    pub(super) fn overridden_by(signer: &BTreeSet<String>, reason: &str, note: String) -> Self {
        let names: Vec<&str> = signer.iter().map(String::as_str).collect();
        let exception = Exception {
            signed_by: Some(names.join(", ")),
            ..Exception::new(ExceptionKind::Override, reason)
        };
        Self {
            exception: Some(exception),
            ..Self::note(note)
        }
    }
}

/// The answer of a rule.
pub type Answer = Result<Pass, Objection>;
