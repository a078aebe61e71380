//! From the words of a command line to the command.

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use super::arguments::{Arguments, Command};
use super::context::Context;
use super::exit::{Exit, fail};
use super::output::{self, Output};
use super::{
    check, complete, doctor, follow, history, hooks, install, intervene, plan, run, status,
};
use crate::identity::{Evidence, Identity};
use crate::planning::Push;
use crate::text;
use crate::verbs::{self, Acts};

/// The command line's description, for manual pages.
#[must_use]
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the program and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = env::args_os();
    let program = words.next().unwrap_or_default();
    let result = match hooks::called_as(&program) {
        Some(hook) => hooks::run(
            hook,
            None,
            None,
            &program,
            &words.collect::<Vec<OsString>>(),
        ),
        None => dispatch(&program),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => fail(error).into(),
    }
}

fn dispatch(program: &OsString) -> anyhow::Result<Exit> {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            return usage(&error);
        }
    };
    let Arguments {
        repository,
        config,
        command,
    } = arguments;
    let hook = |name, words: &[OsString]| {
        hooks::run(
            name,
            repository.as_deref(),
            config.as_deref(),
            program,
            words,
        )
    };
    // What works on no repository, or finds it as git tells it.
    let command = match command {
        Command::PreReceive => return hook("pre-receive", &[]),
        Command::PostReceive => return hook("post-receive", &[]),
        Command::ReferenceTransaction { state } => {
            return hook("reference-transaction", &[state.into()]);
        }
        Command::Reconcile {
            list: true,
            registry,
            ..
        } => return run::list_registered(&registry),
        Command::Reconcile {
            registered: true,
            registry,
            ..
        } => return run::reconcile_registered(&registry),
        Command::Complete { words } => return complete::complete(&words),
        command => command,
    };
    let named = match &command {
        Command::Install { named, .. } | Command::Uninstall { named, .. } => named.clone(),
        _ => None,
    };
    if let (
        Command::Uninstall {
            dry_run, registry, ..
        },
        Some(gone),
    ) = (&command, named.as_ref().or(repository.as_ref()))
        && !verbs::is_repository(gone)
        && let Some(exit) = install::uninstall_gone(gone, *dry_run, registry)?
    {
        return Ok(exit);
    }
    let context = Context::find(named.or(repository), config)?;
    match command {
        // These have something to do first, or were started by the hook as whoever it is.
        Command::Install { .. }
        | Command::Uninstall { .. }
        | Command::Serve
        | Command::Run { .. } => {}
        Command::Reconcile {
            after_push: true, ..
        } => {}
        Command::Reconcile { .. }
        | Command::Retry { .. }
        | Command::Cancel { .. }
        | Command::Release { .. }
        | Command::Thaw { .. } => context.become_owner(Acts::Yes)?,
        _ => context.become_owner(Acts::No)?,
    }
    match command {
        Command::PreReceive
        | Command::PostReceive
        | Command::ReferenceTransaction { .. }
        | Command::Complete { .. } => unreachable!("returned above"),
        Command::Install {
            deploy_existing,
            dry_run,
            registry,
            ..
        } => install::install(&context, deploy_existing, dry_run, &registry),
        Command::Uninstall {
            dry_run, registry, ..
        } => install::uninstall(&context, dry_run, &registry),
        Command::Doctor { json } => doctor::doctor(&context, json),
        Command::Check { revision, json } => check::check(&context, revision.as_deref(), json),
        Command::Plan {
            old,
            new,
            markdown,
            json,
        } => {
            let form = plan::Form::of(markdown, json);
            plan::plan(&context, &old, &new, form)
        }
        Command::Status { filter, json } => {
            status::status(&context, &filter.unwrap_or_default().0, json)
        }
        Command::Log {
            filter,
            number,
            json,
        } => history::log(&context, &filter.unwrap_or_default().0, number, json),
        Command::Show { id, json } => history::show(&context, id, json),
        Command::Logs { id, follow } => follow::logs(&context, id, follow),
        Command::Wait { id } => follow::wait(&context, id),
        Command::Retry { id, stale } => intervene::retry(&context, id, stale),
        Command::Cancel { id } => intervene::cancel(&context, id),
        Command::Freeze {
            environment,
            reason,
            until,
        } => intervene::freeze(&context, &environment, &reason, until.as_deref()),
        Command::Thaw {
            environment,
            dry_run,
        } => intervene::thaw(&context, &environment, dry_run),
        Command::Release { environment } => intervene::release(&context, &environment),
        Command::Reconcile {
            after_push,
            push_old,
            push_new,
            pusher,
            pusher_known_by,
            ..
        } => {
            let evidence = pusher_known_by.unwrap_or(Evidence::Unrecorded);
            let pusher = pusher.map(|name| Identity { name, evidence });
            let push = Push {
                old_is_told: push_old.is_some(),
                old: push_old,
                new: push_new,
                pusher,
            };
            run::reconcile(&context, after_push.then_some(&push))
        }
        Command::Serve => Ok(run::serve(&context)),
        Command::Run { environment } => run::run(&context, &environment),
    }
}

/// Prints what the command line's parser has to say: help, the version, or what is wrong with the
/// words, which may be hostile too.
fn usage(error: &clap::Error) -> anyhow::Result<Exit> {
    let mut shown = String::new();
    for line in error.render().to_string().lines() {
        shown.push_str(&text::escape(line, usize::MAX));
        shown.push('\n');
    }
    if error.use_stderr() {
        output::print_error(&shown);
        return Ok(Exit::Usage);
    }
    Output::new().print(&shown)?;
    Ok(Exit::Done)
}
