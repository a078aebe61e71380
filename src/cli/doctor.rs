//! `doctor`.

use std::path::Path;

use super::{Context, Exit, status};
use crate::deploy_repository::DeployRepository;
use crate::doctor::{Level, Patient, examine};
use crate::id::Target;
use crate::report::{Colour, to_json};
use crate::sys::access::may_create_in;
use crate::sys::user::User;

pub(super) fn doctor(context: &Context, json: bool) -> anyhow::Result<Exit> {
    let (deploy, problems) =
        DeployRepository::open_to_look(&context.git_dir, context.config.as_deref())?;
    let wanted: Vec<Target> = status::wanted(&deploy)
        .map(|wanted| wanted.into_keys().collect())
        .unwrap_or_default();
    let untried = if User::is_root() {
        context.belongs_to_root().err()
    } else {
        None
    };
    // What is root's alone is not the owner's, who this is by now.
    let temporary = Some(std::env::temp_dir());
    let temporary = temporary.filter(|folder| may_create_in(folder));
    let checks = examine(Patient {
        deploy: &deploy,
        problems: problems.map(|problems| problems.to_string()),
        wanted: &wanted,
        program: (&std::env::current_exe()?, env!("CARGO_PKG_VERSION")),
        temporary: temporary.as_deref().unwrap_or(Path::new("/tmp")),
        untried: untried.map(|error| error.to_string()),
    });
    let exit = if checks.iter().any(|check| check.level == Level::Problem) {
        Exit::Refused
    } else {
        Exit::Done
    };
    if json {
        context.output.line(&to_json(&checks))?;
        return Ok(exit);
    }
    for check in &checks {
        let (word, colour) = match check.level {
            Level::Ok => ("ok", Colour::Good),
            Level::Warning => ("warning", Colour::Attention),
            Level::Problem => ("PROBLEM", Colour::Bad),
        };
        let word = context.output.paint(colour, &format!("{word:<8}"));
        context
            .output
            .line(&format!("{word} {}: {}", check.name, check.found))?;
        if let Some(fix) = &check.fix {
            context.output.line(&format!("         fix: {fix}"))?;
        }
    }
    Ok(exit)
}
