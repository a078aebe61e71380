//! `reconcile`, and the processes that hooks and systemd start.

use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::{Output, complain};
use crate::id::Environment;
use crate::planning::Push;
use crate::report::refusal_lines;
use crate::text;
use crate::verbs::{self, Reconciled};

/// `reconcile`. After a push nobody reads what it did, so it prints nothing. With `check_hooks`, it
/// is refused if git does not run a hook.
pub(super) fn reconcile(
    context: &Context,
    after_push: Option<&Push>,
    check_hooks: bool,
) -> Result<Exit, Error> {
    let faulty = if check_hooks {
        verbs::hook_faults(&context.place)?
    } else {
        Vec::new()
    };
    for hook in &faulty {
        complain(
            &hook.to_string(),
            Some("to see how to fix it: deploy-by-code doctor"),
        );
    }

    let done = verbs::reconcile(&context.place, after_push)?;
    if after_push.is_none() {
        show(context, &done)?;
    }
    Ok(Exit::of(faulty.is_empty()))
}

/// Prints what was planned, and for which environments a runner was started.
fn show(context: &Context, done: &Reconciled) -> Result<(), Error> {
    let Reconciled { planned, busy } = done;
    for queued in &planned.queued {
        let (id, target) = (queued.id, queued.planned.target());
        let revision = queued.planned.revision().short();
        let line = format!("{id} {target} {revision} queued");
        context.output.line(&line)?;
    }
    for target in &planned.retired {
        context.output.line(&format!("retired {target}"))?;
    }
    for problem in &planned.problems {
        context.output.print(&refusal_lines("problem", problem))?;
    }

    for environment in busy {
        let line = format!("started a runner for {environment}");
        context.output.line(&line)?;
    }
    if !planned.had_work && busy.is_empty() {
        context.output.line("nothing to do")?;
    }
    Ok(())
}

/// `reconcile --registered`: prints only what went wrong.
pub(super) fn reconcile_registered(registry: &Path) -> Result<Exit, Error> {
    let done = verbs::reconcile_registered(registry)?;
    for complaint in done.iter().flat_map(|of_user| &of_user.complaints) {
        complain(&text::with_causes(complaint), None);
    }
    Ok(Exit::of(!done.iter().any(|of_user| of_user.has_failed)))
}

/// `reconcile --registered --list`.
pub(super) fn list_registered(registry: &Path) -> Result<Exit, Error> {
    let output = Output::new();
    for listed in verbs::list_registered(registry)? {
        for repository in listed.repositories {
            let path = repository.as_os_str().as_encoded_bytes();
            output.line(&text::escape(path, 300))?;
        }
        if listed.has_more {
            let line = format!("and more repositories of user {}", listed.user);
            output.line(&line)?;
        }
    }
    Ok(Exit::Done)
}

/// `serve`: the process of the systemd service.
pub(super) fn serve(context: &Context) -> Exit {
    verbs::serve(&context.place, |error| {
        let error = text::with_causes(error);
        complain(&format!("waiting until this is fixed: {error}"), None);
    });
    Exit::Done
}

/// `run ENV`: the process of a runner.
pub(super) fn run(context: &Context, environment: &Environment) -> Result<Exit, Error> {
    verbs::run(&context.place, environment)?;
    Ok(Exit::Done)
}

/// `publish`: the process that writes marks, the published status and the figures. Nobody sees what
/// it prints, so errors go to the system log.
pub(super) fn publish(context: &Context) -> Exit {
    match verbs::publish(&context.place) {
        Ok(()) => Exit::Done,
        Err(error) => {
            verbs::report_failure(&context.place, "publish", &text::with_causes(&error));
            Exit::State
        }
    }
}
