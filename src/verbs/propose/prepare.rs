//! From what a person asks for to the whole proposal. Nothing is changed but what is fetched.

use super::super::clone_status::clone_status;
use super::super::error::{Error, Kind};
use super::deploy_files::check_nothing_staged;
use super::names::{DeployFiles, check_names};
use super::request::ProposeRequest;
use super::situation::Situation;
use super::step::NotProposed;
use crate::clone::DeployClone;
use crate::git::newest_commits;
use crate::id::{Revision, Target};
use crate::judging::deploy_files_at;
use crate::proposal::{ProposalMessage, ProposedStep, proposal_message};
use crate::text::{self, escape};

/// An application for which nothing is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which one.
    pub target: Target,
    /// Why, in one line or more.
    pub why: String,
}

/// What is proposed, and can be committed.
pub struct Proposal {
    /// The clone.
    pub deploy: DeployClone,
    /// The commit that the work tree is at.
    pub(super) head: Option<Revision>,
    /// What is proposed for each application.
    pub steps: Vec<ProposedStep>,
    /// Where nothing is proposed.
    pub left_out: Vec<LeftOut>,
    /// What the person should know besides.
    pub notices: Vec<String>,
    /// The message of the commit.
    pub message: ProposalMessage,
    /// The name of the branch to push to, unless the person names one.
    pub branch: String,
    /// Whether it is published that the environment needs approvals. Then the commit must be
    /// signed, and somebody else has to approve it.
    pub needs_approval: bool,
}

/// Finds out what to propose.
///
/// # Errors
/// It can't be proposed. Where several applications can't be, the error names all of them.
pub fn propose(request: &ProposeRequest) -> Result<Proposal, Error> {
    request.check()?;
    let deploy = DeployClone::open(&request.chosen)?;
    check_nothing_staged(&deploy)?;

    let head = deploy.clone.head()?;
    let at =
        |commit: Option<&Revision>| deploy_files_at(&deploy.clone.repository, &deploy.root, commit);
    let (here, at_branch) = (at(head.as_ref())?, at(deploy.tip.as_ref())?);
    let known: DeployFiles = here.clone().into_iter().chain(at_branch.clone()).collect();
    check_names(request, &known)?;

    let situation = Situation {
        request,
        deploy: &deploy,
        head,
        at_branch,
        status: clone_status(&deploy)?,
    };
    let (steps, left_out) = situation.steps(&here)?;
    let notices = situation.notices()?;
    let status = situation.status.as_ref();
    let needs = status.and_then(|status| status.environment(&request.environment));
    let needs_approval = needs.is_some_and(|needs| needs.approvals > 0);
    let head = situation.head;
    Ok(Proposal {
        needs_approval,
        head,
        left_out,
        notices,
        message: proposal_message(&request.environment, &steps, request.rollback.as_deref()),
        branch: branch(request, &steps),
        steps,
        deploy,
    })
}

/// The name of the branch to push to: `deploy/production-website-6037512`.
fn branch(request: &ProposeRequest, steps: &[ProposedStep]) -> String {
    let what = match (&request.application, &request.from) {
        (Some(application), _) => format!("-{application}"),
        (None, Some(from)) => format!("-from-{from}"),
        (None, None) => String::new(),
    };
    let to = steps.first().map_or("", |step| step.to.short());
    format!("deploy/{}{what}-{to}", request.environment)
}

impl Situation<'_> {
    /// What is proposed for each application that is meant.
    fn steps(&self, here: &DeployFiles) -> Result<(Vec<ProposedStep>, Vec<LeftOut>), Error> {
        let environment = &self.request.environment;
        if let Some(application) = &self.request.application {
            let target = Target {
                environment: environment.clone(),
                application: application.clone(),
            };
            return match self.step(&target) {
                Ok(step) => Ok((vec![step], Vec::new())),
                Err(NotProposed::Left { why, hint }) => Err(Error::refused(why, hint)),
                Err(NotProposed::Failed(error)) => Err(error),
            };
        }

        let of_environment = |target: &&Target| target.environment == *environment;
        let targets: Vec<&Target> = here.keys().filter(of_environment).collect();
        let (mut steps, mut left_out, mut failed) =
            (Vec::new(), self.only_elsewhere(here), Vec::new());
        for target in targets {
            match self.step(target) {
                Ok(step) => steps.push(step),
                Err(NotProposed::Left { why, .. }) => left_out.push(LeftOut {
                    target: target.clone(),
                    why,
                }),
                Err(NotProposed::Failed(error)) => failed.push((target, error)),
            }
        }
        if let Some(error) = all_of(failed) {
            return Err(error);
        }
        if steps.is_empty() {
            let lines = left_out
                .iter()
                .map(|left| format!("\n{}: {}", left.target, left.why));
            return Err(Error::refused(
                format!(
                    "there is nothing to propose in {environment}{}",
                    lines.collect::<String>()
                ),
                format!(
                    "name one application to see more: deploy-by-code propose {environment}/APP"
                ),
            ));
        }
        Ok((steps, left_out))
    }

    /// The applications that only the other environment has: nobody has said that this one is to
    /// get them.
    fn only_elsewhere(&self, here: &DeployFiles) -> Vec<LeftOut> {
        let environment = &self.request.environment;
        let Some(from) = &self.request.from else {
            return Vec::new();
        };
        let there = self.at_branch.keys();
        let there = there.filter(|target| target.environment == *from);
        let own = there.map(|target| Target {
            environment: environment.clone(),
            application: target.application.clone(),
        });
        let missing = own.filter(|target| !here.contains_key(target));
        // The environment itself can be new.
        let new = if self.request.is_new { " --new" } else { "" };
        let left_out = |target: Target| LeftOut {
            why: format!(
                "it is not there yet; to add it: deploy-by-code propose {target} --from {from}{new}"
            ),
            target,
        };
        missing.map(left_out).collect()
    }

    /// What the person should know besides.
    fn notices(&self) -> Result<Vec<String>, Error> {
        let mut notices = Vec::new();
        let environment = &self.request.environment;
        let status = self.status.as_ref();
        if let Some(freeze) = status.and_then(|status| status.freeze(environment)) {
            let until = freeze
                .until
                .map(|until| format!(", until {}", until.minute()));
            notices.push(format!(
                "warning: {environment} is frozen: {}{}",
                escape(&freeze.reason, 200),
                until.unwrap_or_default()
            ));
        }
        if let (Some(head), Some(tip)) = (&self.head, &self.deploy.tip) {
            let folder = self.deploy.clone.repository.path();
            let own = newest_commits(folder, Some(tip), head, 0, None)?.count;
            if own > 0 {
                let branch = self.deploy.shown_branch();
                notices.push(format!(
                    "warning: {own} earlier commit{} of this branch would be pushed too, which \
                     {branch} does not have; to begin without: git switch -c NAME {branch}",
                    if own == 1 { "" } else { "s" },
                ));
            }
        }
        Ok(notices)
    }
}

/// One error for all that failed; `None`: nothing has.
fn all_of(mut failed: Vec<(&Target, Error)>) -> Option<Error> {
    if failed.len() < 2 {
        return failed.pop().map(|(_, error)| error);
    }
    let kind = failed
        .first()
        .map_or(Kind::Refused, |(_, error)| error.kind());
    let mut lines = format!("{} applications can't be proposed:", failed.len());
    for (target, error) in &failed {
        lines.push_str(&format!("\n{target}: {}", text::with_causes(error)));
        lines.extend(error.hint().map(|hint| format!("\n  hint: {hint}")));
    }
    let hint = "propose the others one by one, or put these in order first";
    Some(Error::advised(kind, lines, hint))
}
