//! One event with everything that those are told who are told of it.

use serde::Serialize;

use super::deployment_row::DeploymentRow;
use super::plan_rows::CommitRow;
use crate::deploy_repository::DeployRepository;
use crate::deployfile::newest_entry;
use crate::event::Event;
use crate::event_kind::EventKind;
use crate::git;
use crate::id::{Application, Environment, Revision};
use crate::identity::{Evidence, Identity};
use crate::judging::ApplicationRepositories;
use crate::policy::{
    Approval, Commits, CommitsInFolder, Exception, ExceptionKind, Unknown, count_in_words,
};
use crate::store::{self, Deployment, RecordedEvent, Store};
use crate::sys::clock;
use crate::time::Timestamp;

/// How many lines of an entry are told.
const LINES_MAX: usize = 20;

/// The longest of these lines, in characters.
const LINE_MAX: usize = 300;

/// How much is told of a reason, in characters.
const REASON_MAX: usize = 300;

/// Commits that a deployment gained or lost. The keys are stable.
#[derive(Debug, Serialize)]
pub struct CommitsRow {
    /// How many there are; null where the repository could not tell.
    pub count: Option<u64>,
    /// The folder of the repository that is deployed; null: it is all of it.
    pub subdirectory: Option<String>,
    /// How many of them change something in this folder.
    pub in_subdirectory: Option<u64>,
    /// The newest of them. Where a folder is deployed, they are the newest of those in it.
    pub newest: Vec<CommitRow>,
    /// Why the repository could not tell.
    pub unknown: Option<String>,
}

impl CommitsRow {
    /// The row of what a repository says; `subdirectory` is the folder that is deployed.
    #[must_use]
    pub fn of(commits: Result<Commits, Unknown>, subdirectory: Option<String>) -> Self {
        match commits {
            Ok(commits) => Self {
                count: Some(commits.count),
                subdirectory,
                in_subdirectory: commits.in_folder.map(|found| found.count),
                newest: commits.newest.iter().map(CommitRow::of).collect(),
                unknown: None,
            },
            Err(Unknown(why)) => Self {
                count: None,
                subdirectory,
                in_subdirectory: None,
                newest: Vec::new(),
                unknown: Some(why),
            },
        }
    }

    /// How many there are, in words: `12 commits gained, 3 of them in services/web`, where `what`
    /// is `gained`. `None`: the repository could not tell.
    #[must_use]
    pub fn in_words(&self, what: &str) -> Option<String> {
        let count = self.count?;
        let in_folder = self.in_folder().map(|found| found.in_words(count));
        let in_folder = in_folder.unwrap_or_default();
        Some(format!("{} {what}{in_folder}", count_in_words(count)))
    }

    /// How many there are of which the newest are named.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.in_subdirectory.or(self.count).unwrap_or_default()
    }

    fn in_folder(&self) -> Option<CommitsInFolder> {
        Some(CommitsInFolder {
            folder: self.subdirectory.clone()?,
            count: self.in_subdirectory?,
        })
    }
}

/// An event, as it is told. The keys are stable. Every text in it can be somebody else's and have
/// any characters.
#[derive(Debug, Serialize)]
pub struct EventRow {
    /// Its number in this state, with the state's own id: it stays the same, and no other event of
    /// any state has it.
    pub id: String,
    /// What kind of thing happened.
    pub event: &'static str,
    /// When.
    pub at: Timestamp,
    /// Whether nothing happened, and somebody only tries whether this arrives.
    pub test: bool,
    /// The path of the deploy repository.
    pub repository: String,
    /// The deploy branch's full name.
    pub branch: String,
    /// The environment that it is about.
    pub environment: Option<Environment>,
    /// The application that it is about.
    pub application: Option<Application>,
    /// What happened, in one line.
    pub title: String,
    /// The path or the ref that was refused or can't be deployed.
    pub path: Option<String>,
    /// Who did it, if a person did.
    pub by: Option<String>,
    /// How this person is known, where that was recorded.
    pub by_known_by: Option<Evidence>,
    /// Why, or what is wrong.
    pub reason: Option<String>,
    /// For a freeze: until when.
    pub until: Option<Timestamp>,
    /// The reasons for which rules made exceptions.
    pub exceptions: Vec<Exception>,
    /// Who approved it.
    pub approvals: Vec<Approval>,
    /// The deployment, as it is recorded now.
    pub deployment: Option<DeploymentRow>,
    /// What the newest entry of the deploy file says.
    pub why: Vec<String>,
    /// The commits that the deployment gained.
    pub gained: Option<CommitsRow>,
    /// The commits that it lost.
    pub lost: Option<CommitsRow>,
}

/// Collects what is told of an event.
///
/// # Errors
/// The state can't be read. What a repository can't tell is no error: the row says so, or leaves it
/// out.
pub fn event_row(
    deploy: &DeployRepository,
    store: &mut Store,
    applications: &mut ApplicationRepositories<'_>,
    recorded: &RecordedEvent,
) -> Result<EventRow, store::Error> {
    let root = &deploy.config.root;
    let event = &recorded.event;
    let identity = store.identity()?;
    let state = identity.split(' ').next().unwrap_or_default();

    let record = store.read()?;
    let deployment = event.deployment().map(|id| record.deployment(id));
    let deployment = deployment.transpose()?.flatten();
    let row = deployment
        .as_ref()
        .map(|deployment| DeploymentRow::new(deploy, deployment, &record));
    let row = row.transpose()?;
    drop(record);

    let by = person(event).or_else(|| deployment.as_ref()?.pusher.as_ref());
    let evidence = by.map(|by| by.evidence);
    let (path, reason, until) = circumstances(event);
    let (exceptions, approvals) = permission(event, row.as_ref());
    let mut told = EventRow {
        id: format!("{state}-{}", recorded.id.0),
        event: event.kind().as_str(),
        at: recorded.at,
        test: false,
        repository: deploy.repository.path().to_string_lossy().into_owned(),
        branch: deploy.branch.clone(),
        environment: event.environment(root),
        application: event.application(root),
        title: title(event, deployment.as_ref()),
        path,
        by: by.map(|by| by.name.clone()),
        by_known_by: evidence.filter(|evidence| *evidence != Evidence::Unrecorded),
        reason,
        until,
        exceptions,
        approvals,
        deployment: row,
        why: Vec::new(),
        gained: None,
        lost: None,
    };
    if let Some(deployment) = &deployment {
        told.add_history(deploy, applications, deployment);
    }
    Ok(told)
}

impl EventRow {
    /// An event that never happened, for trying whether it arrives at somebody.
    #[must_use]
    pub fn test(deploy: &DeployRepository, name: &str) -> Self {
        let at = clock::now();
        Self {
            id: format!("test-{}", at.as_ms()),
            event: "test",
            at,
            test: true,
            repository: deploy.repository.path().to_string_lossy().into_owned(),
            branch: deploy.branch.clone(),
            environment: None,
            application: None,
            title: format!("test: this is how events arrive at {name}"),
            path: None,
            by: None,
            by_known_by: None,
            reason: Some("somebody ran deploy-by-code notifications --test".to_owned()),
            until: None,
            exceptions: Vec::new(),
            approvals: Vec::new(),
            deployment: None,
            why: Vec::new(),
            gained: None,
            lost: None,
        }
    }

    /// Adds what the deploy file says and which commits come and go.
    fn add_history(
        &mut self,
        deploy: &DeployRepository,
        applications: &mut ApplicationRepositories<'_>,
        deployment: &Deployment,
    ) {
        if let Some(commit) = &deployment.deploy_commit {
            // Who is told of it is told also where the commit can't be read any more.
            self.why = entry_lines(deploy, commit, deployment).unwrap_or_default();
        }

        let path = deploy.application_repository(&deployment.target);
        if let (Some(path), Some(from)) = (path, &deployment.previous_revision) {
            let to = &deployment.revision;
            let folder = deploy.subdirectory(&deployment.target);
            let mut between = |without, to| {
                let commits = applications.between(&path, without, to, folder.clone());
                Some(CommitsRow::of(commits, folder.clone()))
            };
            self.gained = between(from, to);
            self.lost = between(to, from);
        }
    }
}

/// What the newest entry of a deployment's deploy file says, in at most 20 lines of 300 characters.
/// Empty: it says nothing.
///
/// # Errors
/// The commit can't be read.
pub fn entry_lines(
    deploy: &DeployRepository,
    commit: &Revision,
    deployment: &Deployment,
) -> Result<Vec<String>, git::Error> {
    let root = &deploy.config.root;
    let target = &deployment.target;
    let content = deploy.repository.deploy_file(commit, root, target)?;
    let lines = newest_entry(content.as_deref().unwrap_or_default())
        .into_iter()
        .take(LINES_MAX)
        .map(|line| {
            String::from_utf8_lossy(line)
                .chars()
                .take(LINE_MAX)
                .collect()
        });
    Ok(lines.collect())
}

/// Who made an event happen, if the event itself says so.
fn person(event: &Event) -> Option<&Identity> {
    match event {
        Event::Planned { pusher, .. }
        | Event::Retired { pusher, .. }
        | Event::Refused { pusher, .. } => pusher.as_ref(),
        Event::Became { by, .. } => by.as_ref(),
        Event::Frozen { by, .. } | Event::Thawed { by, .. } | Event::Released { by, .. } => {
            Some(by)
        }
        Event::Problem { .. } => None,
    }
}

/// Which path an event is about, why it happened, and until when.
fn circumstances(event: &Event) -> (Option<String>, Option<String>, Option<Timestamp>) {
    match event {
        Event::Became { reason, .. } => (None, reason.clone(), None),
        Event::Refused { path, message, .. } | Event::Problem { path, message } => {
            (Some(path.clone()), Some(message.clone()), None)
        }
        Event::Frozen { reason, until, .. } => (None, Some(reason.clone()), *until),
        // A deployment's row has its exceptions; nothing else says why a file went that may not.
        Event::Retired { exceptions, .. } => {
            let is_override = |one: &&Exception| one.kind == ExceptionKind::Override;
            let reason = exceptions.iter().find(is_override);
            (None, reason.map(|one| one.shown(REASON_MAX)), None)
        }
        Event::Planned { .. } | Event::Thawed { .. } | Event::Released { .. } => (None, None, None),
    }
}

/// Why rules made exceptions, and who approved it.
fn permission(event: &Event, row: Option<&DeploymentRow>) -> (Vec<Exception>, Vec<Approval>) {
    match (event, row) {
        (
            Event::Retired {
                exceptions,
                approvals,
                ..
            },
            _,
        ) => (exceptions.clone(), approvals.clone()),
        (_, Some(row)) => (row.exceptions.clone(), row.approvals.clone()),
        (_, None) => (Vec::new(), Vec::new()),
    }
}

/// What happened, in one line without the environment.
fn title(event: &Event, deployment: Option<&Deployment>) -> String {
    let overrides = match event.all_kinds().contains(&EventKind::Override) {
        true => ", overrides a safeguard",
        false => "",
    };
    match event {
        Event::Planned {
            target, revision, ..
        }
        | Event::Became {
            target, revision, ..
        } => {
            let from = deployment.and_then(|deployment| deployment.previous_revision.as_ref());
            let change = match from {
                Some(from) => format!("{} -> {}", from.short(), revision.short()),
                None => revision.short().to_owned(),
            };
            let what = match event.kind() {
                EventKind::Planned => "queued",
                kind => kind.as_str(),
            };
            format!("{} {change} {what}{overrides}", target.application)
        }
        Event::Retired { target, .. } => format!("{} retired{overrides}", target.application),
        Event::Refused { path, .. } => format!("push refused: {path}"),
        Event::Problem { path, .. } => format!("problem: {path}"),
        Event::Frozen { .. } | Event::Thawed { .. } | Event::Released { .. } => {
            event.kind().to_string()
        }
    }
}
