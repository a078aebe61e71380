//! `propose`: a deploy file's next entry, as a commit to review.

use std::path::PathBuf;

use super::clone_commands::ProposeArguments;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::report::{proposal_diff, proposal_text};
use crate::text::escape;
use crate::verbs::{self, Proposal, ProposeRequest};

/// `propose ENV[/APP] [REV]`.
pub(super) fn propose(arguments: ProposeArguments, folder: Option<PathBuf>) -> Result<Exit, Error> {
    let (is_dry_run, edit, push) = (arguments.dry_run, arguments.edit, arguments.push.clone());
    let proposal = verbs::propose(&request(arguments, folder)?)?;
    let branch = push.clone().flatten();
    let branch = branch.unwrap_or_else(|| proposal.branch.clone());
    if push.is_some() {
        proposal.check_branch(&branch)?;
    }

    let output = Output::new();
    show(&output, &proposal)?;
    if is_dry_run {
        for step in &proposal.steps {
            output.print(&format!("\n{}", proposal_diff(&step.file)))?;
        }
        output.line("\nthe message of the commit:")?;
        let message = proposal.message.text();
        let lines = message.lines().map(|line| format!("    {line}"));
        let lines: Vec<String> = lines.collect();
        for line in &lines {
            output.line(line.trim_end())?;
        }
        output.line("nothing is written (--dry-run)")?;
        return Ok(Exit::Done);
    }

    let commit = proposal.commit(edit)?;
    output.line(&format!(
        "committed {}: {}",
        commit.short(),
        proposal.message.title
    ))?;
    let (remote, branch_shown) = (escape(&proposal.deploy.remote, 80), escape(&branch, 200));
    if push.is_none() {
        let next = format!(
            "to push it: git push {remote} {}:refs/heads/{branch_shown}",
            commit.short()
        );
        output.line(&next)?;
        return Ok(Exit::Done);
    }
    proposal.push(&commit, &branch)?;
    output.line(&format!(
        "pushed {} to the branch {branch_shown} of {remote}",
        commit.short()
    ))?;
    Ok(Exit::Done)
}

/// What a person asks for.
fn request(arguments: ProposeArguments, folder: Option<PathBuf>) -> Result<ProposeRequest, Error> {
    let target = arguments.target.0;
    let wrong = |message: &str, hint: &str| verbs::Error::usage(message, hint);
    let environment = target.environment;
    let environment =
        environment.ok_or_else(|| wrong("no environment is named", "write ENV/APP"))?;
    let of_one = arguments.revision.is_some()
        || arguments.rollback.is_some()
        || arguments.application_repository.is_some();
    if of_one && target.application.is_none() {
        let hint = format!("write {environment}/APP");
        return Err(wrong(
            "a revision, a rollback and a repository are those of one application",
            &hint,
        )
        .into());
    }

    Ok(ProposeRequest {
        chosen: arguments.clone.chosen(folder),
        environment,
        application: target.application,
        revision: arguments.revision,
        from: arguments.from,
        rollback: arguments.rollback,
        is_redeploy: arguments.is_redeploy,
        is_new: arguments.is_new,
        lines_max: arguments.lines.into(),
        application_repository: arguments.application_repository,
    })
}

/// Shows the plan.
fn show(output: &Output, proposal: &Proposal) -> Result<(), Error> {
    for step in &proposal.steps {
        output.print(&proposal_text(step))?;
    }
    for left in &proposal.left_out {
        let mut why = left.why.lines();
        let first = why.next().unwrap_or_default();
        output.line(&format!("{} is left out: {first}", left.target))?;
        for line in why {
            output.line(&format!("    {line}"))?;
        }
    }
    for notice in &proposal.notices {
        output.line(notice)?;
    }
    Ok(())
}
