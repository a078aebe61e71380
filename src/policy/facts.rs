//! What the edges find out for the rules: plain values, each of which may be unknown.

use std::collections::BTreeMap;

use super::exception::Exception;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::status::Status;
use crate::time::Timestamp;

/// Something can't be told, for a reason, which is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

/// What is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// What stands on a branch, though nobody pushes anything: `check`.
    Look,
    /// A push that can still be refused: pre-receive, `plan`.
    #[default]
    Before,
    /// The branch has moved: what is refused now is a problem on record, and what is frozen waits.
    After,
}

/// How the deploy branch moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BranchMove {
    /// It is created, goes forward, or is not what is looked at.
    #[default]
    Forward,
    /// It is deleted.
    Deleted,
    /// It goes where its old tip is not part of its history; so many commits are no longer on it,
    /// where that can be told.
    Rewound(Option<u64>),
}

/// What the application repository says about a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionFact {
    /// It is a commit in the history of this ref, which is one of `allowed_refs`.
    On(String),
    /// It is a commit, but in the history of none of `allowed_refs`; these other refs have it, the
    /// first of them.
    Elsewhere(Vec<String>),
    /// There is no such object.
    Missing,
    /// It is an object of another kind: `tag`, `tree` or `blob`.
    NotACommit(&'static str),
    /// The repository's history is cut off, so that nothing can be said about it.
    Shallow,
    /// The repository can't be read: path and reason, escaped.
    Unreadable(String),
}

/// Some commits, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    /// How many there are.
    pub count: u64,
    /// The newest of them.
    pub newest: Vec<Commit>,
}

/// A commit, as people are shown it. Everything but the hash can be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its hash.
    pub id: Revision,
    /// Its author's name.
    pub author: String,
    /// When it was committed, as it claims.
    pub committed_at: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

/// Which way it goes from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direction {
    /// Nowhere.
    Same,
    /// Forward: the new revision contains the old one.
    Ahead,
    /// Back: the old revision contains the new one, and these commits.
    Behind(Commits),
    /// Aside: each has commits that the other has not.
    Diverged {
        /// What the new revision alone has.
        gained: Commits,
        /// What the old revision alone has.
        lost: Commits,
    },
    /// It can't be told, for this reason.
    Unknown(String),
}

/// A revision that a new one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The revision.
    pub revision: Revision,
    /// Which way the new one lies.
    pub direction: Direction,
}

/// The newest deployment of an application in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its number.
    pub id: DeploymentId,
    /// To which revision.
    pub revision: Revision,
    /// Why it was allowed to go back, where it did.
    pub went_back: Option<Exception>,
}

/// A revision that a rollback took away, and that nobody released since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The rollback.
    pub by: DeploymentId,
    /// The revision that was gone back from.
    pub from: Revision,
    /// The reason that was given.
    pub reason: String,
    /// Whether the new revision contains it; where that can't be told, it counts as contained.
    pub is_contained: bool,
}

/// What a revision did in the environment that it must come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promotion {
    /// It was never deployed there.
    Never,
    /// This is its newest deployment there, and none succeeded.
    Was(DeploymentId, Status),
    /// It succeeded there, for the first time then.
    Succeeded(DeploymentId, Timestamp),
}

/// A `Deploy-After` trailer among the commits that a deployment gains, and how things stand with
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The commit that declares it.
    pub declared_by: Revision,
    /// The application that is needed.
    pub application: Application,
    /// The commit of it, as written.
    pub commit: String,
    /// How things stand.
    pub state: NeedState,
}

/// How things stand with what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeedState {
    /// What is deployed contains it.
    Deployed(Revision),
    /// The same push brings it.
    SamePush(Revision),
    /// The same push brings a revision that does not contain it.
    TooOld(Revision),
    /// What is deployed, if anything, does not contain it.
    Missing(Option<Revision>),
    /// It can't be told, for this reason.
    Unknown(String),
}

/// An application that needs a commit which a rollback takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependant {
    /// The application that needs it.
    pub application: Application,
    /// The revision of it that is deployed.
    pub deployed: Revision,
    /// The commit that is needed.
    pub commit: Revision,
}

/// The reasons that the commits of a push give for a deploy file that they touch; of two for the
/// same the newer commit's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trailers {
    /// `Deploy-Rollback`.
    pub rollback: Option<String>,
    /// `Deploy-Release`.
    pub release: Option<String>,
    /// `Deploy-Override`.
    pub override_reason: Option<String>,
    /// `Deploy-Alone`.
    pub alone: Option<String>,
}

/// Why an environment is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Who froze it; `None`: the calendar in the configuration.
    pub by: Option<Identity>,
    /// Why.
    pub reason: String,
    /// Since when, where somebody did it.
    pub since: Option<Timestamp>,
    /// Until when; `None`: until somebody thaws it.
    pub until: Option<Timestamp>,
}

/// What is known about one application in one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// What its repository says about the revision asked for; `None`: no repository is configured.
    pub revision: Option<RevisionFact>,
    /// What the deploy file asked for before.
    pub wanted: Option<Base>,
    /// What is deployed.
    pub deployed: Option<Base>,
    /// What is on its way, or may have got there: the newest deployment, where that is queued,
    /// running or interrupted.
    pub under_way: Option<Base>,
    /// Its newest deployment.
    pub newest: Option<Newest>,
    /// What rollbacks took away.
    pub holds: Vec<Hold>,
    /// Whether the revision asked for succeeded here before.
    pub succeeded_here: bool,
    /// What it did where it must come from; `None`: it need not come from anywhere, or there is no
    /// record to ask.
    pub promotion: Option<Promotion>,
    /// What the commits that change the file say.
    pub trailers: Trailers,
    /// What the commits that are gained need.
    pub needs: Vec<Need>,
    /// How far that was looked for, where there was more.
    pub needs_bound: Option<String>,
    /// Who needs what would be lost.
    pub dependants: Vec<Dependant>,
    /// The whole hash of an abbreviated one, where only one commit has it.
    pub whole_hash: Option<Revision>,
}

/// What the edges found out for the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The present.
    pub now: Timestamp,
    /// Whether there is still something to refuse.
    pub stage: Stage,
    /// Who pushes, as the host authenticated them.
    pub pusher: Option<Identity>,
    /// How the deploy branch moves, and its name.
    pub branch: (String, BranchMove),
    /// Whether there is a record of what was deployed.
    pub has_record: bool,
    /// The environments that somebody froze.
    pub freezes: BTreeMap<Environment, Freeze>,
    /// What is known about each application that is asked for.
    pub targets: BTreeMap<Target, TargetFacts>,
}

/// Why an environment is frozen at a moment, if it is: somebody froze it, or the calendar does.
#[must_use]
pub fn freeze_of(
    section: &crate::config::EnvironmentSection,
    by_hand: Option<&Freeze>,
    now: Timestamp,
) -> Option<Freeze> {
    let by_hand = by_hand.filter(|freeze| freeze.until.is_none_or(|until| until > now));
    let calendar = || {
        let (window, until) = section
            .frozen
            .iter()
            .filter_map(|window| Some((window, window.until(now)?)))
            .max_by_key(|(_, until)| *until)?;
        Some(Freeze {
            by: None,
            reason: window.text().to_owned(),
            since: None,
            until: Some(until),
        })
    };
    by_hand.cloned().or_else(calendar)
}

impl Freeze {
    /// Who, when, why and until when, in words that are safe to show.
    #[must_use]
    pub fn describe(&self) -> String {
        use crate::text::escape;
        let until = self.until.map_or_else(String::new, |until| {
            format!(", until {} UTC", until.minute())
        });
        match (&self.by, self.since) {
            (Some(by), Some(since)) => {
                format!(
                    "frozen by {} at {} UTC: {}{until}",
                    escape(&by.name, 64),
                    since.minute(),
                    escape(&self.reason, 200)
                )
            }
            _ => format!(
                "frozen by the calendar, \"{}\"{until}",
                escape(&self.reason, 80)
            ),
        }
    }
}
