//! What can come next on a command line, for the shells: commands, options, environments,
//! applications and numbers.
//!
//! It reads the state as `status` does. It says nothing about errors, since the person only pressed
//! a key and asked for nothing.

use std::path::PathBuf;

use clap::{CommandFactory, Subcommand};

use super::arguments::Arguments;
use super::clone_commands::CloneCommand;
use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::store::Filter;
use crate::verbs::{self, Acts};

/// How many of the newest deployments are offered.
const NEWEST: u32 = 50;

/// The value that an option wants as the next word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    None,
    Repository,
    Other,
}

/// Finds the known values of an argument of a command, by the name that it has in the usage, for a
/// repository that is named.
pub(super) type FindValues =
    fn(&clap::Command, &str, Option<PathBuf>) -> Result<Vec<String>, Error>;

/// What the words before the current one say.
struct Before<'c> {
    command: &'c clap::Command,
    repository: Option<PathBuf>,
    /// What the last word wants as its value.
    expected: Expected,
    /// How many arguments without an option there are.
    positional: usize,
}

/// What an option wants as its value.
fn expected(command: &clap::Command, option: &str) -> Expected {
    let is_long = |argument: &clap::Arg, long: &str| {
        let names = argument.get_long_and_visible_aliases();
        names.is_some_and(|names| names.contains(&long))
    };
    let is_short = |argument: &clap::Arg, short: &str| {
        let letter = argument.get_short();
        letter.is_some_and(|letter| short == letter.to_string())
    };
    let is_it = |argument: &&clap::Arg| match option.strip_prefix("--") {
        Some(long) => is_long(argument, long),
        None => option
            .strip_prefix('-')
            .is_some_and(|short| is_short(argument, short)),
    };

    match command.get_arguments().find(is_it) {
        Some(argument) if !argument.get_action().takes_values() => Expected::None,
        Some(argument) if argument.get_id() == "repository" => Expected::Repository,
        Some(_) => Expected::Other,
        None => Expected::None,
    }
}

/// Prints what can stand in the place of the last word. It prints nothing where that is a file.
pub(super) fn complete(words: &[String]) -> Result<Exit, Error> {
    complete_of(Arguments::command(), words, values)
}

/// The same, for any description of a command line. `values` finds the known values of an argument.
pub(super) fn complete_of(
    mut whole: clap::Command,
    words: &[String],
    values: FindValues,
) -> Result<Exit, Error> {
    let Some((current, before)) = words.split_last() else {
        return Ok(Exit::Done);
    };
    whole.build();
    let before = Before::read(&whole, before);
    if before.expected != Expected::None {
        return Ok(Exit::Done);
    }

    let mut found = candidates(before, current.starts_with('-'), values);
    found.retain(|candidate| candidate.starts_with(current.as_str()));
    found.sort_unstable_by_key(|candidate| (candidate.len(), candidate.clone()));
    found.dedup();

    let lines = found.iter().map(|candidate| format!("{candidate}\n"));
    Output::new().print(&lines.collect::<String>())?;
    Ok(Exit::Done)
}

impl<'c> Before<'c> {
    fn read(whole: &'c clap::Command, words: &[String]) -> Self {
        let mut before = Self {
            command: whole,
            repository: None,
            expected: Expected::None,
            positional: 0,
        };

        for word in words {
            match std::mem::replace(&mut before.expected, Expected::None) {
                Expected::Repository => before.repository = Some(PathBuf::from(word)),
                Expected::Other => {}
                Expected::None if word.starts_with('-') => {
                    before.expected = expected(before.command, word);
                }
                Expected::None => match before.command.find_subcommand(word) {
                    Some(found) => before.command = found,
                    None => before.positional += 1,
                },
            }
        }
        before
    }
}

/// Everything that can come next: options, commands, or values of the next argument.
fn candidates(before: Before<'_>, is_option: bool, values: FindValues) -> Vec<String> {
    let command = before.command;
    if is_option {
        let options = command.get_arguments();
        let shown = options.filter(|argument| !argument.is_hide_set());
        let long = shown.filter_map(|argument| argument.get_long());
        return long.map(|long| format!("--{long}")).collect();
    }
    if command.has_subcommands() {
        let commands = command.get_subcommands();
        let shown = commands.filter(|command| !command.is_hide_set());
        return shown.map(|command| command.get_name().to_owned()).collect();
    }

    let takes_several =
        |argument: &&clap::Arg| matches!(argument.get_action(), clap::ArgAction::Append);
    let argument = command.get_positionals().nth(before.positional);
    argument
        .or_else(|| command.get_positionals().last().filter(takes_several))
        .and_then(|argument| argument.get_value_names()?.first())
        .and_then(|name| values(command, name, before.repository).ok())
        .unwrap_or_default()
}

/// The same, of a command that works in a clone. Nothing is fetched.
pub(super) fn values_in_clone(
    command: &clap::Command,
    name: &str,
    folder: Option<PathBuf>,
) -> Result<Vec<String>, Error> {
    Ok(match name {
        "ENV[/APP]" => {
            let targets = verbs::targets_in_clone(folder)?;
            let environments = targets.iter().map(|target| target.environment.to_string());
            let targets = targets.iter().map(ToString::to_string);
            environments.chain(targets).collect()
        }
        "REV" if command.get_name() == "approve" => verbs::remote_branches(folder)?,
        _ => Vec::new(),
    })
}

/// The known values of an argument, by the name that it has in the usage.
fn values(
    command: &clap::Command,
    name: &str,
    repository: Option<PathBuf>,
) -> Result<Vec<String>, Error> {
    if CloneCommand::has_subcommand(command.get_name()) {
        return values_in_clone(command, name, repository);
    }
    let context = Context::find(repository, None)?;
    context.become_owner(Acts::Reads)?;
    let (deploy, mut store) = context.look()?;
    if name == "NAME" {
        let names = verbs::notify_names(&deploy, &mut store)?;
        return Ok(names.iter().map(ToString::to_string).collect());
    }
    let names = verbs::names(&deploy, &mut store)?;

    Ok(match name {
        "ENV" => {
            let environments = names.environments();
            environments.into_iter().map(ToString::to_string).collect()
        }
        "ENV[/APP]" => {
            let environments = names.targets().map(|target| target.environment.to_string());
            environments
                .chain(names.targets().map(ToString::to_string))
                .collect()
        }
        "ID" => store
            .read()?
            .history(&Filter::default(), NEWEST)?
            .iter()
            .map(|row| row.id.0.to_string())
            .collect(),
        _ => Vec::new(),
    })
}
