//! `git deploy`: the commands for a clone of the deploy repository. git calls a program that is
//! named `git-deploy` for it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::clone_commands::{CloneArguments, CloneCommand};
use super::error::Error;
use super::exit::{Exit, fail};
use super::filter::FilterArgument;
use super::in_clone::in_clone;
use super::output::{self, Output};
use super::usage::usage;
use super::{complete, history, status};
use crate::clone::Chosen;
use crate::id::DeploymentId;
use crate::report::{Colour, PublishedDeployment, StatusLine, to_json};
use crate::store::Filter;
use crate::verbs::{self, PublishedInClone};

/// The name of the program for which git calls `git deploy`.
const PROGRAM: &str = "git-deploy";

/// What a person types for it.
const SHOWN: &str = "git deploy";

/// Deploy by Code, in a clone of the deploy repository.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "git-deploy",
    bin_name = "git deploy",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 80,
    after_help = "Example:\n  git deploy status\n\n\
        Exit codes: 0 done, 1 refused or failed, 2 usage, 4 a repository or I/O."
)]
struct GitDeployArguments {
    #[command(subcommand)]
    command: GitDeployCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum GitDeployCommand {
    #[command(flatten)]
    Clone(CloneCommand),

    /// Show what is deployed, as the server publishes it
    #[command(after_help = "Example:\n  git deploy status production")]
    Status(PublishedArguments),

    /// Show the deployments that ended last, newest first, as the server publishes them
    #[command(after_help = "Example:\n  git deploy log production/website -n 5")]
    Log {
        /// At most this many deployments [default: 20]
        #[arg(
            short = 'n',
            long = "number",
            value_name = "N",
            value_parser = clap::value_parser!(u32).range(1..)
        )]
        number: Option<u32>,
        #[command(flatten)]
        published: PublishedArguments,
    },

    /// Say what can come next on a command line, for the shells
    #[command(hide = true, after_help = "Example:\n  git deploy complete -- sta")]
    Complete {
        /// The words so far; the last is to be completed
        #[arg(last = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, Clone, Args)]
struct PublishedArguments {
    /// One environment, or one application of it
    #[arg(value_name = "ENV[/APP]")]
    filter: Option<FilterArgument>,
    /// Print JSON: what is published, with its keys
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    clone: CloneArguments,
}

impl PublishedArguments {
    /// What is published of what is asked for.
    fn read(self) -> Result<PublishedInClone, Error> {
        let chosen: Chosen = self.clone.chosen(None);
        let filter: Filter = self.filter.unwrap_or_default().0;
        let mut published = verbs::published_in_clone(&chosen)?;
        published.keep(&filter)?;
        Ok(published)
    }
}

/// The description of `git deploy`. The commands are described with the words that are typed here.
fn git_deploy_command() -> clap::Command {
    let command = GitDeployArguments::command();
    command.mut_subcommands(|command| {
        let help = command.get_after_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        command.after_help(help.replace("deploy-by-code ", &format!("{SHOWN} ")))
    })
}

/// Whether a program's name is that of `git deploy`.
pub(super) fn is_called(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(PROGRAM))
}

/// Runs the program as `git deploy`, and returns its exit code.
pub(super) fn main() -> Exit {
    let complain = |message: &str, hint: Option<&str>| {
        output::print_error(&output::complaint_of(SHOWN, message, hint));
    };
    dispatch().unwrap_or_else(|error| fail(&error, complain))
}

fn dispatch() -> Result<Exit, Error> {
    let words = git_deploy_command().try_get_matches();
    let arguments = words.and_then(|words| GitDeployArguments::from_arg_matches(&words));
    let command = match arguments {
        Ok(arguments) => arguments.command,
        Err(error) => return usage(&error),
    };
    match command {
        GitDeployCommand::Clone(command) => in_clone(command, None),
        GitDeployCommand::Status(arguments) => published_status(arguments),
        GitDeployCommand::Log { number, published } => published_log(number, published),
        GitDeployCommand::Complete { words } => {
            complete::complete_of(git_deploy_command(), &words, complete::values_in_clone)
        }
    }
}

/// `git deploy status [ENV[/APP]]`.
fn published_status(arguments: PublishedArguments) -> Result<Exit, Error> {
    let is_json = arguments.json;
    let published = arguments.read()?;
    let output = Output::new();
    if is_json {
        output.line(&to_json(&published.status))?;
        return Ok(Exit::Done);
    }

    let log = published.log.iter();
    let by_id: BTreeMap<DeploymentId, &PublishedDeployment> =
        log.map(|row| (row.id, row)).collect();
    let rows = published.status.applications.iter();
    let lines: Vec<StatusLine> = rows
        .map(|row| StatusLine::published(row, by_id.get(&row.newest).copied()))
        .collect();
    status::table(&output, &lines)?;
    for freeze in &published.status.frozen {
        let line = format!(
            "{}: {}",
            freeze.environment,
            freeze.as_recorded().describe()
        );
        output.line(&output.paint(Colour::Attention, &line))?;
    }
    for line in &lines {
        status::remarks(&output, line)?;
    }
    match published.status.left_out {
        0 => {}
        left_out => output.line(&format!("{left_out} more applications are not published"))?,
    }
    as_of(&output, &published)
}

/// `git deploy log [ENV[/APP]] [-n N]`.
fn published_log(number: Option<u32>, arguments: PublishedArguments) -> Result<Exit, Error> {
    let is_json = arguments.json;
    let mut published = arguments.read()?;
    let number = number.unwrap_or(history::NUMBER);
    published
        .log
        .truncate(usize::try_from(number).unwrap_or(usize::MAX));
    let output = Output::new();
    if is_json {
        output.line(&to_json(&published.log))?;
        return Ok(Exit::Done);
    }

    let log = published.log.iter();
    let deployments = log.map(|deployment| deployment.as_recorded().into());
    history::table(&output, deployments)?;
    as_of(&output, &published)
}

/// Says of when it is.
fn as_of(output: &Output, published: &PublishedInClone) -> Result<Exit, Error> {
    let (at, place) = (published.status.at.minute(), &published.shown_place);
    output.line(&format!("as of {at} UTC, from {place}"))?;
    Ok(Exit::Done)
}
