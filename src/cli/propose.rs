//! `propose`: a deploy file's next entry, as a commit to review.

use std::path::PathBuf;

use super::clone_commands::ProposeArguments;
use super::error::Error;
use super::exit::Exit;
use super::output::{self, Output};
use crate::id::Revision;
use crate::report::{ProposalRow, proposal_diff, proposal_text, to_json};
use crate::text::{escape, shell_word};
use crate::verbs::{self, Proposal, ProposeRequest};

/// `propose ENV[/APP] [REV]`.
pub(super) fn propose(arguments: ProposeArguments, folder: Option<PathBuf>) -> Result<Exit, Error> {
    let (is_dry_run, edit, json) = (arguments.dry_run, arguments.edit, arguments.json);
    let push = arguments.push.clone();
    let proposal = verbs::propose(&request(arguments, folder)?)?;
    let push = push.map(|named| named.unwrap_or_else(|| proposal.branch.clone()));
    if let Some(branch) = &push {
        proposal.check_branch(branch)?;
    }

    let output = Output::new();
    if json {
        for notice in &proposal.notices {
            output::complain(notice, None);
        }
    } else {
        show(&output, &proposal)?;
    }
    let commit = if is_dry_run {
        None
    } else {
        Some(proposal.commit(edit)?)
    };
    match &commit {
        _ if json => output.line(&to_json(&rows(&proposal, commit.as_ref())))?,
        None => show_content(&output, &proposal)?,
        Some(commit) => {
            let (short, title) = (commit.short(), &proposal.message.title);
            output.line(&format!("committed {short}: {title}"))?;
        }
    }

    let remote = escape(&proposal.deploy.remote, 80);
    let said = match (&commit, &push) {
        (None, _) => return Ok(Exit::Done),
        (Some(commit), Some(branch)) => {
            proposal.push(commit, branch)?;
            let branch = escape(branch, 200);
            format!(
                "pushed {} to the branch {branch} of {remote}",
                commit.short()
            )
        }
        (Some(commit), None) => {
            let refspec = format!("{}:refs/heads/{}", commit.short(), proposal.branch);
            format!("to push it: git push {remote} {refspec}")
        }
    };
    if json {
        return Ok(Exit::Done);
    }
    output.line(&said)?;
    if proposal.needs_approval {
        let branch = push.as_ref().unwrap_or(&proposal.branch);
        let branch = shell_word(format!("{}/{branch}", proposal.deploy.remote), 300);
        output.line(&format!(
            "somebody else has to approve it: git deploy approve {branch} --push"
        ))?;
    }
    Ok(Exit::Done)
}

/// The rows for programs.
fn rows(proposal: &Proposal, commit: Option<&Revision>) -> Vec<ProposalRow> {
    let steps = proposal.steps.iter();
    let steps = steps.map(|step| ProposalRow::proposed(step, commit));
    let left_out = proposal.left_out.iter();
    let left_out = left_out.map(|left| ProposalRow::left_out(&left.target, Some(&left.why)));
    steps.chain(left_out).collect()
}

/// Shows what would be committed.
fn show_content(output: &Output, proposal: &Proposal) -> Result<(), Error> {
    for step in &proposal.steps {
        output.print(&format!("\n{}", proposal_diff(&step.file)))?;
    }
    output.line("\nthe message of the commit:")?;
    for line in proposal.message.text().lines() {
        output.line(format!("    {line}").trim_end())?;
    }
    output.line("nothing is written (--dry-run)")
}

/// What a person asks for.
fn request(arguments: ProposeArguments, folder: Option<PathBuf>) -> Result<ProposeRequest, Error> {
    let target = arguments.target.0;
    let missing = || verbs::Error::usage("no environment is named", "write ENV/APP");
    let environment = target.environment.ok_or_else(missing)?;
    let of_one = arguments.revision.is_some()
        || arguments.rollback.is_some()
        || arguments.application_repository.is_some();
    if of_one && target.application.is_none() {
        let message = "a revision, a rollback and a repository are those of one application";
        return Err(verbs::Error::usage(message, format!("write {environment}/APP")).into());
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
