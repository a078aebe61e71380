//! The rules. Each stands in one module, looks at plain values, and allows or refuses with a reason
//! and a hint.

mod backwards;
mod configured;
mod deploy_branch;
mod deploy_file;
mod facts;
mod frozen;
mod needs;
mod place;
mod prepend_only;
mod promotion;
mod reachable;
mod rollback_holds;
mod together;

use std::collections::BTreeSet;

use crate::config::Config;
use crate::id::{Application, Revision, Target};
use crate::plan::{Candidate, Intent};
use crate::text;

pub use facts::{
    Base, BranchMove, Commit, Commits, Dependant, Direction, Facts, Freeze, Hold, Need, NeedState,
    Newest, Promotion, RevisionFact, Stage, TargetFacts, Trailers, freeze_of,
};

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

    fn fault(message: impl Into<String>, hint: impl Into<String>) -> Self {
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

/// What a deploy commit gives a reason for: the trailer's name without `Deploy-`, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExceptionKind {
    /// `Deploy-Rollback`: going back.
    Rollback,
    /// `Deploy-Release`: deploying what was rolled back.
    Release,
    /// `Deploy-Override`: deploying while it is frozen.
    Override,
    /// `Deploy-Alone`: deploying without what belongs to it.
    Alone,
    /// `retry --stale`: deploying what the deploy file does not ask for any more.
    Stale,
}

impl ExceptionKind {
    /// Whether it is a reason to go back.
    #[must_use]
    pub fn goes_back(self) -> bool {
        matches!(self, Self::Rollback | Self::Stale)
    }

    /// The word that users see and the store keeps.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Release => "release",
            Self::Override => "override",
            Self::Alone => "alone",
            Self::Stale => "stale",
        }
    }
}

/// A reason by which a deployment got past a rule, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// What for.
    pub kind: ExceptionKind,
    /// The reason, as it was given; anything can stand in it.
    pub reason: String,
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
    fn note(note: impl Into<String>) -> Self {
        Self {
            note: Some(note.into()),
            ..Self::default()
        }
    }

    fn because(kind: ExceptionKind, reason: &str, note: String) -> Self {
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

/// What a rule looks at.
struct Case<'a> {
    config: &'a Config,
    candidate: &'a Candidate,
    /// All of the push.
    all: &'a [Candidate],
    facts: &'a Facts,
}

impl<'a> Case<'a> {
    /// What is asked for, and what is known about it; `None` where no revision is.
    fn asked(&self) -> Option<(&'a Target, &'a Revision, &'a TargetFacts)> {
        let (target, revision) = (self.candidate.target.as_ref()?, self.candidate.revision()?);
        Some((target, revision, self.facts.targets.get(target)?))
    }

    /// Whether what is asked for is going back from something; rules about promotion do not stand
    /// in its way.
    fn is_rollback(&self) -> bool {
        backwards::judge(self).is_ok_and(|pass| pass.rolled_back.is_some())
    }
}

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

#[cfg(test)]
mod testing {
    //! One way to put a table of values to a rule.

    use super::{Answer, Case, Facts, Objection, Pass, TargetFacts};
    use crate::change::{Change, Depth, Node};
    use crate::config::Config;
    use crate::id::Revision;
    use crate::plan;

    pub(super) const A: &str = "60375125abec57111e2eaeac7081f8f45bdfe28b";
    pub(super) const B: &str = "0170b60b6c2dee5034650c36dd8b708c57fe87a3";
    pub(super) const PATH: &str = "production/app.deploy";

    pub(super) fn revision(hash: &str) -> Revision {
        Revision::new(hash).unwrap()
    }

    pub(super) fn file(content: &str) -> Option<Node> {
        Some(Node::File(content.as_bytes().into()))
    }

    pub(super) fn added(path: &str, new: Option<Node>) -> Change {
        Change {
            path: path.as_bytes().to_vec(),
            depth: Depth::Right,
            old: None,
            new,
            twin: None,
        }
    }

    /// What a rule says of the first of some changes, with facts about its target.
    pub(super) fn answer(
        rule: fn(&Case<'_>) -> Answer,
        config: &str,
        changes: Vec<Change>,
        facts: &Facts,
        target: TargetFacts,
    ) -> Answer {
        let (config, problems) = Config::parse(config, &|_| None);
        assert_eq!(problems, []);
        let all = plan::candidates(changes);
        let mut facts = facts.clone();
        facts
            .targets
            .extend(all[0].target.clone().map(|name| (name, target)));
        rule(&Case {
            config: &config,
            candidate: &all[0],
            all: &all,
            facts: &facts,
        })
    }

    /// [`answer`] in words: `refused: …`, the note of what is allowed, or nothing.
    pub(super) fn ask(
        rule: fn(&Case<'_>) -> Answer,
        config: &str,
        changes: Vec<Change>,
        facts: &Facts,
        target: TargetFacts,
    ) -> String {
        match answer(rule, config, changes, facts, target) {
            Ok(Pass { note, .. }) => note.unwrap_or_default(),
            Err(Objection { message, .. }) => format!("refused: {message}"),
        }
    }

    /// What a rule about the file alone says.
    pub(super) fn ask_file(rule: fn(&Case<'_>) -> Answer, config: &str, change: Change) -> String {
        ask(
            rule,
            config,
            vec![change],
            &Facts::default(),
            TargetFacts::default(),
        )
    }

    /// What a rule says of a deployment of [`A`] by these facts about it.
    pub(super) fn ask_deploy(
        rule: fn(&Case<'_>) -> Answer,
        config: &str,
        facts: &Facts,
        target: TargetFacts,
    ) -> String {
        ask(rule, config, vec![added(PATH, file(A))], facts, target)
    }
}
