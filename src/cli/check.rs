//! `check`.

use std::collections::BTreeSet;

use super::{Context, Exit, Refusal, output};
use crate::deploy_repository::DeployRepository;
use crate::facts::{self, Question};
use crate::git::{self, DeepScan};
use crate::policy::{Facts, Stage};
use crate::report::{RefusalRow, to_json};
use crate::{plan, policy};

pub(super) fn check(context: &Context, revision: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let store = deploy.find_store()?;
    let state = store.as_ref().map(crate::store::Store::read);
    let name = revision.unwrap_or(&deploy.branch);
    let commit = match revision {
        Some(name) => Some(
            deploy
                .repository
                .resolve(name)?
                .ok_or_else(|| unknown(name))?,
        ),
        None => deploy.repository.branch_tip(&deploy.branch)?,
    };
    let changes = deploy.repository.changes(
        &deploy.config.root,
        None,
        commit.as_ref(),
        DeepScan::Everywhere,
    )?;
    let candidates = plan::candidates(changes);
    let facts = facts::gather(&Question {
        deploy: &deploy,
        candidates: &candidates,
        state: state.as_ref(),
        range: (None, commit.as_ref()),
        stage: Stage::Look,
        pusher: None,
        faults: &[],
    })?;
    let mut refusals = plan::decide(&deploy.config, &candidates, &facts).refusals;
    refusals.extend(repositories(&deploy, &facts));
    let not_judged: Vec<String> = facts
        .targets
        .iter()
        .filter(|(_, known)| known.revision.is_none())
        .map(|(target, _)| target.to_string())
        .collect();
    if !not_judged.is_empty() {
        let which = not_judged.join(", ");
        let message = format!(
            "warning: where the revision comes from and what it would lose is not judged for {which}"
        );
        output::complain(
            &message,
            Some("set repository for them in the configuration"),
        );
    }
    if json {
        let rows: Vec<_> = refusals.iter().map(RefusalRow::new).collect();
        context.output.line(&to_json(&rows))?;
    } else {
        for refusal in &refusals {
            context
                .output
                .print(&output::refusal_lines("refused", refusal))?;
        }
        if refusals.is_empty() {
            let name = crate::text::escape(name, 200);
            let files = match candidates.len() {
                1 => "1 deploy file".to_owned(),
                count => format!("{count} deploy files"),
            };
            context
                .output
                .line(&format!("{name}: {files}, nothing refused"))?;
        }
    }
    Ok(if refusals.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// The repositories of applications that the configuration names and no deploy file asks for.
fn repositories(deploy: &DeployRepository, facts: &Facts) -> Vec<policy::Refusal> {
    let mut seen = BTreeSet::new();
    let targets = deploy
        .config
        .named_targets()
        .into_iter()
        .filter(|target| !facts.targets.contains_key(target));
    let broken = targets.filter_map(|target| {
        let path = deploy
            .application_repository(&target)
            .filter(|path| seen.insert(path.clone()))?;
        let error = git::open_application(&path).err()?;
        Some(policy::Refusal {
            path: target.to_string().into_bytes(),
            message: format!(
                "the repository of {} can't be read: {error}",
                target.application
            ),
            hint: "see that it is there and that this user may read it".to_owned(),
            is_fault: true,
        })
    });
    broken.collect()
}

/// A name that is no commit of the deploy repository.
pub(super) fn unknown(name: &str) -> anyhow::Error {
    let name = crate::text::quote(name, 100);
    Refusal::error(
        format!("{name} is no commit of the deploy repository"),
        "name a branch or a commit that was pushed",
    )
}
