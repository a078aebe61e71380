//! The rules. Each stands in one module, looks at plain values, and allows or refuses with a reason and a hint.

mod configured;
mod deploy_file;
mod place;
mod revision_exists;

use std::collections::BTreeMap;

use crate::config::Config;
use crate::id::Target;
use crate::plan::Candidate;
use crate::text;

/// Why something must not be deployed, in words that are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The path or ref, as bytes; [`Refusal::shown_path`] is for people.
    pub path: Vec<u8>,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
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
}

impl Objection {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// What the application repository says about a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionFact {
    /// It is a commit there.
    Commit,
    /// There is no such object.
    Missing,
    /// It is an object of another kind: `tag`, `tree` or `blob`.
    NotACommit(&'static str),
    /// The repository can't be read: path and reason, escaped.
    Unreadable(String),
}

/// What the edges found out for the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// For each application with a repository what that says about the revision asked for.
    pub revisions: BTreeMap<Target, RevisionFact>,
}

type Rule = fn(&Config, &Candidate, &Facts) -> Result<(), Objection>;

/// Rules about where and what the file is: the first objection makes the later ones moot.
const FILE_RULES: &[Rule] = &[place::judge, deploy_file::judge];

/// Rules about what the file asks for: all objections are shown.
const REVISION_RULES: &[Rule] = &[configured::judge, revision_exists::judge];

/// Puts every rule to one candidate.
#[must_use]
pub fn judge(config: &Config, candidate: &Candidate, facts: &Facts) -> Vec<Refusal> {
    let refusal = |Objection { message, hint }| Refusal { path: candidate.change.path.clone(), message, hint };
    let objection = |rule: &Rule| rule(config, candidate, facts).err();
    if let Some(first) = FILE_RULES.iter().find_map(objection) {
        return vec![refusal(first)];
    }
    REVISION_RULES.iter().filter_map(objection).map(refusal).collect()
}

#[cfg(test)]
mod testing {
    //! One way to put a table of values to a rule.

    use super::{Facts, Objection, Rule};
    use crate::change::{Change, Depth, Node};
    use crate::config::Config;
    use crate::plan::{self, Candidate};

    pub(super) const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";

    pub(super) fn file(content: &str) -> Option<Node> {
        Some(Node::File(content.as_bytes().into()))
    }

    pub(super) fn added(path: &str, new: Option<Node>) -> Change {
        Change { path: path.as_bytes().to_vec(), depth: Depth::Right, old: None, new, twin: None }
    }

    pub(super) fn candidate(change: Change) -> Candidate {
        plan::candidates(vec![change]).remove(0)
    }

    /// What the rule says: empty for allowed.
    pub(super) fn ask(rule: Rule, config: &str, change: Change, facts: &Facts) -> String {
        let (config, problems) = Config::parse(config);
        assert_eq!(problems, []);
        match rule(&config, &candidate(change), facts) {
            Ok(()) => String::new(),
            Err(Objection { message, .. }) => message,
        }
    }
}
