//! The table of the rules, and how a candidate is judged by all of them.

use super::case::Case;
use super::exception::ExceptionKind;
use super::facts::Facts;
use super::verdict::{Answer, Refusal};
use super::{
    approvals, backwards, configured, deploy_branch, deploy_file, exportable, frozen, needs, place,
    prepend_only, promotion, reachable, rollback_holds, together,
};
use crate::candidate::{Candidate, Intent};
use crate::config::Config;

/// The answer of one rule to one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The name of the rule, as docs/safeguards.md has it.
    pub rule: &'static str,
    /// Its answer.
    pub answer: Answer,
}

/// The name of the rule about approvals.
pub const APPROVALS: &str = "approvals";

/// The name of the rule about freezes.
pub const FROZEN: &str = "frozen";

struct Rule {
    name: &'static str,
    judge: fn(&Case<'_>) -> Answer,
    /// The reason in a commit that gets past it.
    reason: Option<ExceptionKind>,
    /// Whether it asks how the revision is related to others. Such a rule is silent where the rule
    /// `reachable` refuses because nobody can tell: it has no facts of its own.
    is_about_history: bool,
}

impl Rule {
    const fn new(name: &'static str, judge: fn(&Case<'_>) -> Answer) -> Self {
        Self {
            name,
            judge,
            reason: None,
            is_about_history: false,
        }
    }

    const fn about_history(name: &'static str, judge: fn(&Case<'_>) -> Answer) -> Self {
        Self {
            is_about_history: true,
            ..Self::new(name, judge)
        }
    }

    /// The same rule, which a reason of this kind gets past.
    const fn but_for(self, reason: ExceptionKind) -> Self {
        Self {
            reason: Some(reason),
            ..self
        }
    }

    fn gate(&self, case: &Case<'_>) -> Gate {
        let answer = (self.judge)(case).map_err(|objection| {
            let facts = case.target_facts();
            match (self.reason, facts) {
                (Some(kind), Some(facts)) if case.accepts(kind) => {
                    objection.with_missed_reasons(kind, &facts.trailers)
                }
                _ => objection,
            }
        });
        Gate {
            rule: self.name,
            answer,
        }
    }
}

/// Rules about where and what the file is. If one of them objects, no later rule is asked.
const FILE_RULES: &[Rule] = &[
    Rule::new("place", place::judge),
    Rule::new("deploy file", deploy_file::judge),
];

/// Rules about what the file asks for. All that have their facts are asked, and all objections are
/// shown.
const RULES: &[Rule] = &[
    Rule::new("configured", configured::judge),
    Rule::new("reachable", reachable::judge),
    Rule::new("exportable", exportable::judge),
    Rule::about_history("backwards", backwards::judge).but_for(ExceptionKind::Rollback),
    Rule::about_history("rollback holds", rollback_holds::judge).but_for(ExceptionKind::Release),
    Rule::about_history("promotion", promotion::judge),
    Rule::new("prepend only", prepend_only::judge),
    Rule::new(APPROVALS, approvals::judge).but_for(ExceptionKind::Override),
    Rule::new(FROZEN, frozen::judge).but_for(ExceptionKind::Override),
    Rule::new("together", together::judge).but_for(ExceptionKind::Alone),
    Rule::about_history("needs", needs::judge).but_for(ExceptionKind::Alone),
];

/// Judges one candidate by every rule. `all` is every candidate of the push.
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

    let objection = FILE_RULES
        .iter()
        .map(|rule| rule.gate(&case))
        .find(|gate| gate.answer.is_err());
    if let Some(objection) = objection {
        return vec![objection];
    }
    if matches!(candidate.intent, Intent::Unclear) {
        return Vec::new();
    }
    let has_facts = |rule: &&Rule| !rule.is_about_history || case.is_comparable();
    let rules = RULES.iter().filter(has_facts);
    rules.map(|rule| rule.gate(&case)).collect()
}

/// Judges how the deploy branch moves. The path of the refusal is the name of the branch.
///
/// # Errors
/// The branch may not move like this.
pub fn judge_branch(config: &Config, facts: &Facts) -> Result<(), Refusal> {
    deploy_branch::judge(config, facts).map_err(|objection| objection.at(facts.branch.as_bytes()))
}
