//! What the page does not show, and what is said instead of words that could name it.
//!
//! Nobody can know which names are in a text. So where anything is hidden, no text that this
//! program made about several applications is shown: why something has its status, what the rules
//! said, what is wrong on the deploy branch, what a repository answered. What people wrote is
//! shown: entries, reasons of freezes and of exceptions.
//!
//! Each function here takes a value apart without `..`. So whoever gives a type another text has to
//! decide here whether it may be shown.

use deploy_by_code::config::WebSection;
use deploy_by_code::deploy_path::{deploy_path, target_of};
use deploy_by_code::deploy_repository::DeployRepository;
use deploy_by_code::id::DeploymentId;
use deploy_by_code::policy::Refusal;
use deploy_by_code::report::{DeploymentRow, PhaseRow, RefusalRow, StatusRow, remark};
use deploy_by_code::status::Status;
use deploy_by_code::store::{Deployment, Problem};
use deploy_by_code::verbs::{Overview, Untold};

/// What is said of a problem.
const PROBLEM: &str = "deploy-by-code status on the server says what is wrong";

/// See the head of the file.
pub(crate) struct Hiding<'d> {
    web: &'d WebSection,
    /// The folder above the environments' folders.
    root: &'d str,
    /// The full name of the deploy branch.
    branch: &'d str,
}

impl<'d> Hiding<'d> {
    pub(crate) fn of(deploy: &'d DeployRepository) -> Self {
        Self {
            web: &deploy.config.web,
            root: &deploy.config.root,
            branch: &deploy.branch,
        }
    }

    /// Whether nothing is hidden.
    fn is_idle(&self) -> bool {
        self.web.hidden.is_empty()
    }

    /// A deployment as it is shown; `None`: it is hidden.
    pub(crate) fn deployment(&self, mut deployment: Deployment) -> Option<Deployment> {
        if !self.web.shows(&deployment.target) {
            return None;
        }
        if !self.is_idle() {
            hide_words(&mut deployment);
        }
        Some(deployment)
    }

    /// The row of a deployment that is shown.
    pub(crate) fn row(&self, row: &mut DeploymentRow) {
        let DeploymentRow {
            log,
            notes,
            phases,
            // These are those of the deployment, which came from here.
            reason: _,
            remark: _,
            // These name nothing but this deployment, others of the same application, and people.
            id,
            repository: _,
            rollout: _,
            environment: _,
            application: _,
            revision: _,
            previous_revision: _,
            status: _,
            deploy_commit: _,
            pusher: _,
            pusher_known_by: _,
            retry_of: _,
            superseded_by: _,
            cancelled_by: _,
            cancelled_known_by: _,
            released_by: _,
            released_known_by: _,
            queued_at: _,
            started_at: _,
            finished_at: _,
            waited_ms: _,
            duration_ms: _,
            exit_status: _,
            rolled_back: _,
            approvals: _,
            // People wrote these.
            summary: _,
            author: _,
            holds: _,
            exceptions: _,
        } = row;
        if self.web.without_logs {
            *log = None;
        }
        if self.is_idle() {
            return;
        }
        notes.clear();
        for phase in phases {
            let PhaseRow {
                reason,
                phase: _,
                status: _,
                started_at: _,
                finished_at: _,
                duration_ms: _,
            } = phase;
            if let Some(reason) = reason {
                *reason = see(*id);
            }
        }
    }

    /// Everything that `status` shows.
    pub(crate) fn overview(&self, overview: &mut Overview) {
        if self.is_idle() {
            return;
        }
        let Overview {
            rows,
            frozen,
            unwatched,
            problems,
            untold,
            names,
            // These name branches, hooks and a folder.
            not_as_installed: _,
            missing_branch: _,
            hooks: _,
            root: _,
        } = overview;
        let web = self.web;
        names.retain(
            |target| web.shows(target),
            |environment| web.shows_environment(environment),
        );
        frozen.retain(|environment, _| web.shows_environment(environment));
        rows.retain(|row| web.shows(&row.target()));
        rows.iter_mut().for_each(|row| self.status_row(row));
        unwatched.retain(|left| web.shows(&left.deployment.target));
        self.problems(problems);
        untold.iter_mut().for_each(hide_answers);
    }

    fn status_row(&self, row: &mut StatusRow) {
        let file = deploy_path(self.root, &row.target());
        let StatusRow {
            remark: words,
            problem,
            newest,
            // These name nothing but this application, and people.
            repository: _,
            environment: _,
            application: _,
            wanted: _,
            is_wanted_known: _,
            deployed: _,
            status: _,
            deployment: _,
            rollout: _,
            since: _,
            duration_ms: _,
            pusher: _,
            phase: _,
            rolled_back: _,
            // The number alone does not say of what.
            held_by: _,
            approvals: _,
            // People wrote these.
            summary: _,
            holds: _,
            frozen: _,
            exceptions: _,
        } = row;
        // Without a reason, the remark has only the names of a status and a phase.
        if let Some(newest) = newest.as_mut().filter(|newest| newest.reason.is_some()) {
            hide_words(newest);
            *words = remark(newest);
        }
        if problem.is_some() {
            *problem = Some(RefusalRow {
                path: file,
                message: PROBLEM.to_owned(),
                hint: String::new(),
            });
        }
    }

    /// Keeps the problems of what is shown, and one for all that are of no application: their paths
    /// can have any name in them.
    fn problems(&self, problems: &mut Vec<Problem>) {
        let shown = |path: &[u8]| {
            let target = target_of(self.root, path)?;
            self.web
                .shows(&target)
                .then(|| deploy_path(self.root, &target))
        };
        problems.retain_mut(|problem| {
            let path = &problem.refusal.path;
            let is_hidden = target_of(self.root, path).is_some() && shown(path).is_none();
            let path = shown(path).unwrap_or_else(|| self.branch.to_owned());
            problem.refusal = Refusal {
                path: path.into_bytes(),
                message: PROBLEM.to_owned(),
                hint: String::new(),
                is_fault: problem.refusal.is_fault,
            };
            !is_hidden
        });
        problems.sort_by(|a, b| a.refusal.path.cmp(&b.refusal.path));
        problems.dedup_by(|a, b| a.refusal.path == b.refusal.path);
    }
}

/// Replaces the words of a deployment that this program made.
fn hide_words(deployment: &mut Deployment) {
    let words = words(deployment);
    let Deployment {
        reason,
        id: _,
        rollout: _,
        target: _,
        revision: _,
        previous_revision: _,
        status: _,
        deploy_commit: _,
        pusher: _,
        author: _,
        retry_of: _,
        superseded_by: _,
        queued_at: _,
        started_at: _,
        finished_at: _,
        exit_status: _,
        run: _,
        cancelled_by: _,
        released_by: _,
        rolled_back: _,
        overrides_freeze: _,
        summary: _,
    } = deployment;
    if let Some(reason) = reason {
        *reason = words;
    }
}

/// Why a deployment has its status, as far as that can be said without the words of the record.
fn words(deployment: &Deployment) -> String {
    let by_person = deployment.cancelled_by.as_ref();
    let known = match deployment.status {
        Status::Skipped => Some("one that it waits for did not succeed".to_owned()),
        Status::Failed => deployment
            .exit_status
            .map(|status| format!("exit status {status}")),
        Status::Cancelled => by_person.map(|by| format!("by {}", by.name)),
        Status::Superseded => deployment.superseded_by.map(|by| format!("by {by}")),
        Status::Queued | Status::Running | Status::Succeeded | Status::Interrupted => None,
    };
    known.unwrap_or_else(|| see(deployment.id))
}

/// Where the words are that are not shown.
fn see(id: DeploymentId) -> String {
    format!("deploy-by-code show {} on the server says more", id.0)
}

/// Leaves out what repositories and servers answered.
fn hide_answers(untold: &mut Untold) {
    let Untold {
        waiting,
        partial,
        failed,
        // The section of the configuration.
        name: _,
        is_retried: _,
    } = untold;
    if let Some((.., answer)) = waiting {
        *answer = None;
    }
    if let Some((_, answer)) = partial {
        *answer = None;
    }
    if let Some((_, newest)) = failed {
        newest.answer = None;
    }
}
