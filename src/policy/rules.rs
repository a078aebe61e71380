//! The table of the rules, and how they are put to a candidate.

use super::case::Case;
use super::facts::Facts;
use super::verdict::{Answer, Refusal};
use super::{
    backwards, configured, deploy_branch, deploy_file, frozen, needs, place, prepend_only,
    promotion, reachable, rollback_holds, together,
};
use crate::candidate::{Candidate, Intent};
use crate::config::Config;

/// What a rule said of one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The rule's name, as docs/safeguards.md has it.
    pub rule: &'static str,
    /// Its answer.
    pub answer: Answer,
}

struct Rule {
    name: &'static str,
    judge: fn(&Case<'_>) -> Answer,
}

/// Rules about where and what the file is: the first objection makes the later ones moot.
const FILE_RULES: &[Rule] = &[
    Rule {
        name: "place",
        judge: place::judge,
    },
    Rule {
        name: "deploy file",
        judge: deploy_file::judge,
    },
];

/// Rules about what the file asks for: all objections are shown.
const RULES: &[Rule] = &[
    Rule {
        name: "configured",
        judge: configured::judge,
    },
    Rule {
        name: "reachable",
        judge: reachable::judge,
    },
    Rule {
        name: "backwards",
        judge: backwards::judge,
    },
    Rule {
        name: "rollback holds",
        judge: rollback_holds::judge,
    },
    Rule {
        name: "promotion",
        judge: promotion::judge,
    },
    Rule {
        name: "prepend only",
        judge: prepend_only::judge,
    },
    Rule {
        name: "frozen",
        judge: frozen::judge,
    },
    Rule {
        name: "together",
        judge: together::judge,
    },
    Rule {
        name: "needs",
        judge: needs::judge,
    },
];

/// Puts every rule to one candidate of a push.
#[must_use]
pub fn judge(
    config: &Config,
    candidate: &Candidate,
    all: &[Candidate],
    facts: &Facts,
) -> Vec<Gate> {
    let case = Case {
        config,
        candidate,
        all,
        facts,
    };
    let gate = |rule: &Rule| Gate {
        rule: rule.name,
        answer: (rule.judge)(&case),
    };
    if let Some(objection) = FILE_RULES
        .iter()
        .map(gate)
        .find(|gate| gate.answer.is_err())
    {
        return vec![objection];
    }
    if matches!(candidate.intent, Intent::Unclear) {
        return Vec::new();
    }
    RULES.iter().map(gate).collect()
}

/// Whether the deploy branch may move as it does; the path of a refusal is the branch's name.
///
/// # Errors
/// It may not.
pub fn judge_branch(config: &Config, facts: &Facts) -> Result<(), Refusal> {
    let (name, moves) = &facts.branch;
    deploy_branch::judge(config, moves).map_err(|objection| objection.at(name.as_bytes()))
}
