//! The answers of all rules to one change.

use std::collections::BTreeSet;

use crate::id::{Application, Environment, Revision, Target};
use crate::policy::{Approval, Exception, ExceptionKind, FROZEN, Gate, Note, Objection, Pass};

/// The answers of all rules to one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The path of the deploy file.
    pub path: Vec<u8>,
    /// Which application it is about, and in which environment; `None`: the path names none.
    pub target: Option<Target>,
    /// The revision that the file asked for before.
    pub from: Option<Revision>,
    /// The revision that it asks for.
    pub to: Option<Revision>,
    /// The answer of each rule.
    pub gates: Vec<Gate>,
}

impl Judgement {
    /// The answers that allow.
    pub(super) fn passes(&self) -> impl Iterator<Item = &Pass> {
        self.gates
            .iter()
            .filter_map(|gate| gate.answer.as_ref().ok())
    }

    /// The answers that refuse.
    pub(super) fn objections(&self) -> impl Iterator<Item = &Objection> {
        self.gates
            .iter()
            .filter_map(|gate| gate.answer.as_ref().err())
    }

    /// The reasons by which it gets past rules, each once: one override gets past several.
    pub(super) fn exceptions(&self) -> Vec<Exception> {
        let mut exceptions: Vec<Exception> = Vec::new();
        for exception in self.passes().filter_map(|pass| pass.exception.clone()) {
            if !exceptions.contains(&exception) {
                exceptions.push(exception);
            }
        }
        exceptions
    }

    /// Who approved it.
    pub(super) fn approvals(&self) -> Vec<Approval> {
        self.passes()
            .flat_map(|pass| pass.approvals.clone())
            .collect()
    }

    /// What the rules say that allow it.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        Note::all(&self.gates)
    }

    pub(super) fn is_refused(&self) -> bool {
        self.objections().next().is_some()
    }

    /// Whether the server is the cause of a refusal.
    pub(super) fn has_fault(&self) -> bool {
        self.objections().any(|objection| objection.is_fault)
    }

    /// The exception by which it is deployed although its environment is frozen. An override of
    /// something else goes past no freeze that begins later.
    #[must_use]
    pub fn override_of_freeze(&self) -> Option<&Exception> {
        let frozen = self.gates.iter().find(|gate| gate.rule == FROZEN)?;
        frozen.answer.as_ref().ok()?.exception.as_ref()
    }

    pub(super) fn is_in(&self, environment: &Environment) -> bool {
        let target = self.target.as_ref();
        target.is_some_and(|target| target.environment == *environment)
    }

    /// The applications that the same push must deploy.
    pub(super) fn companions(&self) -> BTreeSet<&Application> {
        self.passes()
            .flat_map(|pass| pass.with.iter().chain(&pass.first))
            .collect()
    }

    /// The applications that the same push must deploy first.
    pub(super) fn first(&self) -> BTreeSet<Application> {
        self.passes()
            .flat_map(|pass| pass.first.iter().cloned())
            .collect()
    }

    /// Adds a refusal that concerns more than one candidate.
    pub(super) fn refuse(&mut self, rule: &'static str, objection: Objection) {
        self.gates.push(Gate {
            rule,
            answer: Err(objection),
        });
    }

    /// No application must be deployed first any more, because the deploy commit gives a reason.
    pub(super) fn go_alone(&mut self, reason: &str) {
        let passes = self
            .gates
            .iter_mut()
            .filter_map(|gate| gate.answer.as_mut().ok());

        for pass in passes.filter(|pass| !pass.first.is_empty()) {
            pass.first.clear();
            pass.exception = Some(Exception::new(ExceptionKind::Alone, reason.to_owned()));
        }
    }
}
