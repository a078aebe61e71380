//! What the rules know: plain values. Each of them may be unknown.

use std::collections::BTreeMap;

use super::commits::Commits;
use super::exception::{Exception, ExceptionKind};
use super::freeze::Freeze;
use super::mirror_fact::MirrorFact;
use super::obstacle::ExportObstacle;
use super::reviewed::Review;
use super::uncounted::UncountedReason;
use super::unknown::Unknown;
use crate::config::NearSection;
use crate::id::{Application, DeploymentId, Environment, Revision, Target};
use crate::identity::Identity;
use crate::status::Status;
use crate::time::Timestamp;

/// Whether the deploy branch is about to move, has moved, or stays where it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// Nobody pushes. What is on a branch is looked at: `check` and `retry`.
    Look,
    /// Before the branch moves. A push can still be refused: pre-receive and `plan`.
    #[default]
    Before,
    /// After the branch has moved. What is refused becomes a problem on record, and what is frozen
    /// waits.
    After,
}

/// How the deploy branch moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BranchMove {
    /// It is created, it goes forward, or it does not matter here.
    #[default]
    Forward,
    /// It is deleted.
    Deleted,
    /// It goes to a commit that does not contain its old tip. The number says how many commits are
    /// no longer on it; `None`: that is unknown.
    Rewound(Option<u64>),
    /// Its old tip is not in the repository any more, so the new one can't contain it.
    FromRemoved,
    /// It is unknown, for this reason.
    Unknown(String),
}

/// What the application repository says about a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionFact {
    /// It is a commit in the history of this ref, which is one of `allowed_refs`.
    On(String),
    /// It is a commit, but no ref of `allowed_refs` has it in its history. Some of the refs that
    /// have it are named here; `None`: they are not known.
    Elsewhere(Option<Vec<String>>),
    /// It is a commit, and none of the refs of `allowed_refs` exists. Some of the refs that have
    /// the commit are named here; `None`: they are not known.
    NoAllowedRef(Option<Vec<String>>),
    /// There is no such object.
    Missing,
    /// It is an object of another kind: `tag`, `tree` or `blob`.
    NotACommit(&'static str),
    /// The repository is shallow. Its history is incomplete, so nothing can be said about it.
    Shallow,
    /// The repository can't be read. The text has its path and the error, escaped.
    Unreadable(String),
}

impl RevisionFact {
    /// Whether it is a commit that can be read and compared with others.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        matches!(
            self,
            Self::On(_) | Self::Elsewhere(_) | Self::NoAllowedRef(_)
        )
    }
}

/// What a checkout of a revision would write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// How many files and folders were looked at.
    pub entries: u64,
    /// How many of them are no folders.
    pub files: u64,
    /// Why it can't be checked out: the first obstacle of each kind.
    pub obstacles: Vec<ExportObstacle>,
    /// Whether there was time to look at everything.
    pub is_whole: bool,
}

/// How a new revision is related to an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Direction {
    /// Both are the same revision.
    Same,
    /// Forward: the new revision contains the old one.
    Ahead,
    /// Back: the old revision contains the new one, and these commits besides.
    Behind(Commits),
    /// Each of the two has commits that the other does not have.
    Diverged {
        /// The commits that only the new revision has.
        gained: Commits,
        /// The commits that only the old revision has.
        lost: Commits,
    },
    /// The old revision was removed from the repository: no history that is complete contains it,
    /// and nobody can tell what it had.
    FromRemoved,
    /// It is unknown, for this reason.
    Unknown(String),
}

/// An old revision that the new one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The old revision.
    pub revision: Revision,
    /// How the new revision is related to it.
    pub direction: Direction,
}

/// The newest deployment of an application in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its number.
    pub id: DeploymentId,
    /// The revision that it deploys.
    pub revision: Revision,
    /// If it went back: the reason for which that was allowed.
    pub went_back: Option<Exception>,
}

/// A revision that a rollback took away, and that nobody has released since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The rollback.
    pub by: DeploymentId,
    /// The revision that the rollback took away.
    pub from: Revision,
    /// The reason for the rollback.
    pub reason: String,
    /// Whether the new revision contains it.
    pub is_contained: Result<bool, Unknown>,
}

/// What a revision did in the environment that `promotes_from` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promotion {
    /// It was never deployed there.
    NeverDeployed,
    /// It did not succeed there. These are the number and the status of its newest deployment.
    NotSucceeded(DeploymentId, Status),
    /// It succeeded there, for the first time with this deployment at this time.
    Succeeded(DeploymentId, Timestamp),
}

/// A `Deploy-After` trailer of a commit that a deployment gains, and whether it is fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The commit that has the trailer.
    pub declared_by: Revision,
    /// The application that is needed.
    pub application: Application,
    /// The commit of that application: its whole hash, or the word in the trailer if the whole hash
    /// could not be found.
    pub commit: String,
    /// Whether the need is fulfilled.
    pub state: NeedState,
}

/// Whether a need is fulfilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeedState {
    /// Yes: this revision is deployed and contains the commit.
    Deployed(Revision),
    /// Yes: the same push deploys this revision, which contains the commit.
    SamePush(Revision),
    /// No: the same push deploys this revision, which does not contain the commit.
    TooOld(Revision),
    /// No: this revision is deployed, if any, and it does not contain the commit.
    Missing(Option<Revision>),
    /// It is unknown, for this reason.
    Unknown(String),
}

/// An application that needs a commit which a rollback takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependant {
    /// The application that needs the commit.
    pub application: Application,
    /// The revision of it that is deployed.
    pub deployed: Revision,
    /// The commit that is needed.
    pub commit: Revision,
}

/// The reasons in the commits of a push that touch a deploy file. If two commits give a reason of
/// the same kind, the newer commit counts.
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
    /// Lines that look like a reason and do not count, and trailers that nobody knows.
    pub uncounted: Vec<UncountedReason>,
    /// If the commits can't be read, and nobody knows which reasons they give: why not.
    pub unknown: Option<String>,
}

impl Trailers {
    /// The reason of a kind.
    #[must_use]
    pub fn reason(&self, kind: ExceptionKind) -> Option<&String> {
        match kind {
            ExceptionKind::Rollback => self.rollback.as_ref(),
            ExceptionKind::Release => self.release.as_ref(),
            ExceptionKind::Override => self.override_reason.as_ref(),
            ExceptionKind::Alone => self.alone.as_ref(),
            ExceptionKind::Stale => None,
        }
    }

    /// Adds a reason, if there is none of this kind yet.
    pub fn give(&mut self, kind: ExceptionKind, reason: &str) {
        let given = match kind {
            ExceptionKind::Rollback => &mut self.rollback,
            ExceptionKind::Release => &mut self.release,
            ExceptionKind::Override => &mut self.override_reason,
            ExceptionKind::Alone => &mut self.alone,
            // No trailer gives this reason.
            ExceptionKind::Stale => return,
        };
        given.get_or_insert_with(|| reason.to_owned());
    }
}

/// The facts about one application in one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// Who pushed the change of the deploy file, as the git host authenticated them. If the change
    /// is only judged again, this is not the person who pushes now.
    pub pusher: Option<Identity>,
    /// What its repository says about the new revision; `None`: no repository is configured.
    pub revision: Option<RevisionFact>,
    /// The mirror that says this; `None`: the repository is not on another host.
    pub mirror: Option<MirrorFact>,
    /// What a checkout of the new revision would write; `None`: `checkout` is not configured, or
    /// the revision is no commit that can be read.
    pub survey: Option<Result<Survey, Unknown>>,
    /// What the deploy file asked for before.
    pub wanted: Option<Base>,
    /// What is deployed.
    pub deployed: Option<Base>,
    /// What may still be deployed, or may have been: the revision of the newest deployment, if that
    /// is queued, running or interrupted.
    pub under_way: Option<Base>,
    /// Its newest deployment.
    pub newest: Option<Newest>,
    /// What rollbacks took away.
    pub holds: Vec<Hold>,
    /// Whether the new revision succeeded here before.
    pub succeeded_here: bool,
    /// What the new revision did in the environment of `promotes_from`; `None`: that is not
    /// configured, or there is no record of deployments.
    pub promotion: Option<Promotion>,
    /// The applications that `after` and `together` name and of which nothing is known, each with
    /// the known one that was probably meant.
    pub slips: Vec<(Application, Application)>,
    /// The sections that set a safeguard for an application of which nothing is known, and whose
    /// names are probably slips for this one.
    pub misspelt_sections: Vec<NearSection>,
    /// The reasons in the commits that change the deploy file.
    pub trailers: Trailers,
    /// Who changed the deploy file and who approved that; `None`: nobody needs to.
    pub review: Option<Result<Review, Unknown>>,
    /// The title of the new revision, where it is a gained commit. No rule asks for it.
    pub subject: Option<String>,
    /// What the gained commits need.
    pub needs: Vec<Need>,
    /// If the gained commits can't be read, though the revision and the base can: why not.
    pub needs_unknown: Option<String>,
    /// If only some of the gained commits were read: a text that says so.
    pub needs_bound: Option<String>,
    /// The applications that need a commit which would be lost.
    pub dependants: Vec<Dependant>,
    /// If some of these applications can't be found out: why not.
    pub dependants_unknown: Option<String>,
    /// If the deploy file has an abbreviated hash that fits exactly one commit: its whole hash.
    pub whole_hash: Option<Revision>,
}

/// All that the rules know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The present time.
    pub now: Timestamp,
    /// Whether the deploy branch is about to move, has moved, or stays where it is.
    pub stage: Stage,
    /// The name of the deploy branch.
    pub branch: String,
    /// How the deploy branch moves.
    pub branch_move: BranchMove,
    /// Whether there is a record of deployments.
    pub has_record: bool,
    /// The environments that somebody froze by hand.
    pub freezes: BTreeMap<Environment, Freeze>,
    /// The facts about each application that a candidate is about.
    pub targets: BTreeMap<Target, TargetFacts>,
}
