//! What may come next on a command line, for the shells: commands, options, environments,
//! applications and numbers.
//!
//! It looks at the state as `status` does, and is silent about everything that goes wrong: nobody
//! asked.

use std::path::PathBuf;

use clap::CommandFactory;

use super::arguments::Arguments;
use super::context::Context;
use super::exit::Exit;
use crate::store::Filter;
use crate::verbs::{self, Acts};

/// How many of the newest deployments are offered.
const NEWEST: u32 = 50;

/// The value that the word before asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    None,
    Repository,
    Other,
}

/// What an option expects as its value in the next word.
fn expected(command: &clap::Command, option: &str) -> Expected {
    let is_it = |argument: &&clap::Arg| match (option.strip_prefix("--"), option.strip_prefix('-'))
    {
        (Some(long), _) => argument
            .get_long_and_visible_aliases()
            .unwrap_or_default()
            .contains(&long),
        (None, Some(short)) => argument
            .get_short()
            .is_some_and(|letter| short == letter.to_string()),
        (None, None) => false,
    };
    match command.get_arguments().find(is_it) {
        Some(argument) if !argument.get_action().takes_values() => Expected::None,
        Some(argument) if argument.get_id() == "repository" => Expected::Repository,
        Some(_) => Expected::Other,
        None => Expected::None,
    }
}

/// Prints what can stand in place of the last of some words; nothing where that is a file.
pub(super) fn complete(words: &[String]) -> anyhow::Result<Exit> {
    let Some((current, before)) = words.split_last() else {
        return Ok(Exit::Done);
    };
    let mut whole = Arguments::command();
    whole.build();
    let mut command = &whole;
    let mut repository = None;
    let mut next = Expected::None;
    let mut positional = 0;
    for word in before {
        match std::mem::replace(&mut next, Expected::None) {
            Expected::Repository => repository = Some(PathBuf::from(word)),
            Expected::Other => {}
            Expected::None if word.starts_with('-') => next = expected(command, word),
            Expected::None => match command.find_subcommand(word) {
                Some(found) => command = found,
                None => positional += 1,
            },
        }
    }
    if next != Expected::None {
        return Ok(Exit::Done);
    }
    let mut found: Vec<String> = if current.starts_with('-') {
        let options = command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set());
        options
            .filter_map(|argument| argument.get_long())
            .map(|long| format!("--{long}"))
            .collect()
    } else if command.has_subcommands() {
        let commands = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        commands
            .map(|command| command.get_name().to_owned())
            .collect()
    } else {
        let value = command
            .get_positionals()
            .nth(positional)
            .and_then(|value| value.get_value_names());
        value
            .and_then(|names| values(names.first()?, repository).ok())
            .unwrap_or_default()
    };
    found.retain(|candidate| candidate.starts_with(current.as_str()));
    found.sort_unstable_by_key(|candidate| (candidate.len(), candidate.clone()));
    found.dedup();
    super::output::Output::new().print(
        &found
            .iter()
            .map(|candidate| format!("{candidate}\n"))
            .collect::<String>(),
    )?;
    Ok(Exit::Done)
}

/// What there is of a kind of argument, by the name that it has in the usage.
fn values(name: &str, repository: Option<PathBuf>) -> anyhow::Result<Vec<String>> {
    let context = Context::find(repository, None)?;
    context.become_owner(Acts::No)?;
    let (deploy, mut store) = context.look()?;
    let record = store.read()?;
    let names = verbs::names(&deploy, &record)?;

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
        "ID" => record
            .history(&Filter::default(), NEWEST)?
            .iter()
            .map(|row| row.id.0.to_string())
            .collect(),
        _ => Vec::new(),
    })
}
