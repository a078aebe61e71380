//! `reconcile`, and the processes that hooks and systemd start.

use std::path::Path;

use super::context::Context;
use super::exit::Exit;
use super::output::{Output, complain};
use crate::id::Environment;
use crate::planning::Push;
use crate::report::refusal_lines;
use crate::text;
use crate::verbs::{self, Reconciled};

pub(super) fn reconcile(context: &Context, after_push: Option<&Push>) -> anyhow::Result<Exit> {
    let done = verbs::reconcile(&context.place, after_push)?;
    if after_push.is_none() {
        show(context, &done)?;
    }
    Ok(Exit::Done)
}

fn show(context: &Context, done: &Reconciled) -> anyhow::Result<()> {
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
        let line = format!("woke the runner of {environment}");
        context.output.line(&line)?;
    }
    if !planned.had_work && busy.is_empty() {
        context.output.line("nothing to do")?;
    }
    Ok(())
}

pub(super) fn reconcile_registered(registry: &Path) -> anyhow::Result<Exit> {
    let done = verbs::reconcile_registered(registry)?;
    for complaint in done.iter().flat_map(|of_user| &of_user.complaints) {
        complain(complaint, None);
    }
    Ok(Exit::of(!done.iter().any(|of_user| of_user.has_failed)))
}

pub(super) fn list_registered(registry: &Path) -> anyhow::Result<Exit> {
    let output = Output::new();
    for (repositories, user_with_more) in verbs::list_registered(registry)? {
        for repository in repositories {
            let path = repository.as_os_str().as_encoded_bytes();
            output.line(&text::escape(path, 300))?;
        }
        if let Some(user) = user_with_more {
            output.line(&format!("and more of user {user}"))?;
        }
    }
    Ok(Exit::Done)
}

pub(super) fn serve(context: &Context) -> Exit {
    verbs::serve(&context.place, |why| complain(why, None));
    Exit::Done
}

pub(super) fn run(context: &Context, environment: &Environment) -> anyhow::Result<Exit> {
    verbs::run(&context.place, environment)?;
    Ok(Exit::Done)
}
