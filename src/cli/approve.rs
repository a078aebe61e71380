//! `approve`: a signed commit that says that somebody has looked at a change.

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::PathBuf;

use super::clone_commands::ApproveArguments;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::report::{Colour, approval_lines, some_names};
use crate::verbs::{self, ApprovalDraft, ApproveRequest};

/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 100;

/// `approve [REV]`.
pub(super) fn approve(arguments: ApproveArguments, folder: Option<PathBuf>) -> Result<Exit, Error> {
    if !arguments.is_agreed && !io::stdin().is_terminal() {
        return Err(verbs::Error::usage(
            "nobody can be asked, because standard input is no terminal",
            "look at the change, and approve it with --yes",
        )
        .into());
    }
    let draft = verbs::draft_approval(&ApproveRequest {
        chosen: arguments.clone.chosen(folder),
        revision: arguments.revision,
        is_merge: arguments.is_merge,
    })?;

    let output = Output::new();
    show(&output, &draft)?;
    if !arguments.is_agreed && !is_agreed(&output, &draft)? {
        output.line("nothing is approved")?;
        return Ok(Exit::Refused);
    }

    let commit = draft.make()?;
    output.line(&format!("approved with {}", commit.short()))?;
    if arguments.is_pushed {
        let branch = draft.push(&commit)?;
        output.line(&format!("pushed {} to {branch}", commit.short()))?;
    } else {
        output.line(&format!("to push it: {}", draft.push_command(&commit)))?;
    }
    if let Some(command) = draft.deploy_command(&commit) {
        let branch = draft.deploy.shown_branch();
        output.line(&format!(
            "when it has all of its approvals, merge it into {branch} to deploy it, for example: \
             {command}"
        ))?;
    }
    Ok(Exit::Done)
}

/// Shows what would be approved.
fn show(output: &Output, draft: &ApprovalDraft) -> Result<(), Error> {
    let (named, branch) = (&draft.named, draft.deploy.shown_branch());
    output.line(&format!(
        "{} ({}) against {branch}:",
        named.shown,
        named.commit.short()
    ))?;
    for line in draft.files.iter().flat_map(approval_lines) {
        output.line(&line)?;
    }
    if let Some(at) = draft.published_at {
        let at = at.minute();
        output.line(&format!("what is needed is as published at {at} UTC"))?;
    }
    output.line(
        "who signed is what git here says; the server decides, with the keys that it knows",
    )?;
    for warning in &draft.warnings {
        let warning = format!("warning: {warning}");
        output.line(&output.paint(Colour::Attention, &warning))?;
    }
    output.line(&draft.way())
}

/// Asks the person.
fn is_agreed(output: &Output, draft: &ApprovalDraft) -> Result<bool, Error> {
    let names: Vec<String> = draft.targets().map(ToString::to_string).collect();
    output.print(&format!("Approve {}? [y/N] ", some_names(names)))?;
    let mut answer = String::new();
    let mut input = io::stdin().lock().take(ANSWER_MAX);
    input.read_line(&mut answer).map_err(Error::Input)?;
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}
