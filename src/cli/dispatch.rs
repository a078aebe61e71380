//! From the words on the command line to the command.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::FromArgMatches;

use super::arguments::Arguments;
use super::commands::{Command, HookCommand, InstallCommand, ReconcileArguments};
use super::context::Context;
use super::error::Error;
use super::exit::{Exit, fail};
use super::help::with_groups;
use super::in_clone::in_clone;
use super::intervene_commands::InterveneCommand;
use super::look_commands::LookCommand;
use super::output;
use super::usage::usage;
use super::{
    check, checkout, complete, doctor, follow, git_deploy, history, hooks, install, intervene,
    metrics, notifications, plan, rebuild, run, show, status,
};
use crate::hook_files::AS_HOOK;
use crate::verbs::{self, Acts};

/// The description of the command line, from which the manual pages are made.
#[must_use]
pub fn command() -> clap::Command {
    with_groups(<Arguments as clap::CommandFactory>::command())
}

/// Runs the program and returns its exit code.
#[must_use]
pub fn main() -> u8 {
    let exit = run_as_called();
    output::finish();
    exit.into()
}

/// Runs what the program was called as: a hook, `git deploy`, or the program with a command.
fn run_as_called() -> Exit {
    let mut words = env::args_os();
    let mut program = words.next().unwrap_or_default();
    // The kernel was asked to execute the file of a hook. Its first line names this program, and
    // the kernel adds the path of the file.
    let mut words = words.peekable();
    if words.next_if(|word| word == AS_HOOK).is_some() {
        program = words.next().unwrap_or_default();
    }

    if git_deploy::is_called(&program) {
        return git_deploy::main();
    }

    let result = match hooks::called_as(&program) {
        Some(hook) => {
            let words: Vec<OsString> = words.collect();
            Ok(hooks::run(hook, None, None, &program, &words))
        }
        None => dispatch(&program),
    };
    result.unwrap_or_else(|error| fail(&error, output::complain))
}

/// Runs the command that the command line names.
fn dispatch(program: &OsStr) -> Result<Exit, Error> {
    let words = command().try_get_matches();
    let arguments = match words.and_then(|words| Arguments::from_arg_matches(&words)) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let Arguments {
        repository,
        config,
        command,
    } = arguments;

    match command {
        Command::Hook(command) => {
            let (repository, config) = (repository.as_deref(), config.as_deref());
            Ok(hook(command, repository, config, program))
        }
        Command::Install(command) => put_in_or_take_out(command, repository, config),
        Command::Look(command) => {
            let context = Context::find(repository, config)?;
            context.become_owner(command.acts())?;
            look(&context, command)
        }
        Command::Intervene(command) => {
            let context = Context::find(repository, config)?;
            context.become_owner(command.acts())?;
            intervene(&context, command)
        }
        // These work as the person who typed them, in a clone of that person.
        Command::Clone(command) => in_clone(command, repository),
        Command::Reconcile(arguments) => reconcile(arguments, repository, config),
        Command::Complete { words } => complete::complete(&words),

        // These run as the user who started them.
        Command::CheckoutStep { step } => checkout::step(step),
        Command::Publish { is_checked } => {
            let context = Context::find(repository, config)?;
            if !is_checked {
                verbs::become_owner(&context.place, Acts::Starts)?;
            }
            Ok(run::publish(&context))
        }
        Command::Serve => Ok(run::serve(&Context::find(repository, config)?)),
        Command::Run {
            environment,
            is_checked,
        } => {
            let context = Context::find(repository, config)?;
            if !is_checked {
                verbs::become_owner(&context.place, Acts::Starts)?;
            }
            run::run(&context, &environment)
        }
    }
}

/// Runs a hook that is called as a command, and not by the program's name.
fn hook(
    command: HookCommand,
    repository: Option<&Path>,
    config: Option<&Path>,
    program: &OsStr,
) -> Exit {
    let (name, words) = match command {
        HookCommand::PreReceive => ("pre-receive", Vec::new()),
        HookCommand::PostReceive => ("post-receive", Vec::new()),
        HookCommand::ReferenceTransaction { state } => {
            ("reference-transaction", vec![OsString::from(state)])
        }
    };
    hooks::run(name, repository, config, program, &words)
}

fn put_in_or_take_out(
    command: InstallCommand,
    repository: Option<PathBuf>,
    config: Option<PathBuf>,
) -> Result<Exit, Error> {
    match command {
        InstallCommand::Install {
            deploy_existing,
            dry_run,
            registry,
            named,
        } => {
            let context = Context::find(named.or(repository), config)?;
            install::install(&context, deploy_existing, dry_run, &registry)
        }
        InstallCommand::Uninstall {
            dry_run,
            registry,
            named,
        } => {
            let named = named.or(repository);
            if let Some(path) = &named
                && !verbs::is_repository(path)?
                && let Some(exit) = install::uninstall_gone(path, dry_run, &registry)?
            {
                return Ok(exit);
            }
            install::uninstall(&Context::find(named, config)?, dry_run, &registry)
        }
    }
}

fn look(context: &Context, command: LookCommand) -> Result<Exit, Error> {
    match command {
        LookCommand::Doctor { json } => doctor::doctor(context, json),
        LookCommand::Check { revision, json } => check::check(context, revision.as_deref(), json),
        LookCommand::Plan {
            old,
            new,
            markdown,
            json,
        } => plan::plan(
            context,
            (&old, new.as_deref()),
            plan::Form::of(markdown, json),
        ),
        LookCommand::Status { filter, json } => {
            status::status(context, &filter.unwrap_or_default().0, json)
        }
        LookCommand::Log(arguments) => history::log(context, arguments),
        LookCommand::Metrics { textfile } => metrics::metrics(context, textfile.as_deref()),
        LookCommand::Show { which, json } => show::show(context, &which.which(), json),
        LookCommand::Logs { which, follow } => follow::logs(context, &which.which(), follow),
        LookCommand::Wait { which } => follow::wait(context, &which.which()),
    }
}

fn intervene(context: &Context, command: InterveneCommand) -> Result<Exit, Error> {
    match command {
        InterveneCommand::Retry { id, stale } => intervene::retry(context, id, stale),
        InterveneCommand::Cancel { id } => intervene::cancel(context, id),
        InterveneCommand::Freeze {
            environment,
            reason,
            until,
        } => intervene::freeze(context, &environment, &reason, until.as_deref()),
        InterveneCommand::Thaw {
            environment,
            dry_run,
        } => intervene::thaw(context, &environment, dry_run),
        InterveneCommand::Notifications(arguments) => {
            notifications::notifications(context, arguments)
        }
        InterveneCommand::Rebuild { dry_run, above } => rebuild::rebuild(context, above, dry_run),
        InterveneCommand::Release { environment } => intervene::release(context, &environment),
    }
}

fn reconcile(
    arguments: ReconcileArguments,
    repository: Option<PathBuf>,
    config: Option<PathBuf>,
) -> Result<Exit, Error> {
    if arguments.list {
        return run::list_registered(&arguments.registry);
    }
    if arguments.registered {
        return run::reconcile_registered(&arguments.registry);
    }

    let context = Context::find(repository, config)?;
    let check_hooks = arguments.check_hooks;
    let push = arguments.push();
    if push.is_none() {
        context.become_owner(Acts::Starts)?;
    }
    run::reconcile(&context, push.as_ref(), check_hooks)
}
