//! `doctor`: has the installation checked, and prints what the checks found.

use std::path::PathBuf;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use crate::report::{Colour, to_json};
use crate::sys::access::may_create_in;
use crate::text;
use crate::verbs::doctor::{CheckResult, Level, Request, examine};
use crate::verbs::{self, Acts};

/// `doctor`: refused if there is a problem. Warnings do not count.
pub(super) fn doctor(context: &Context, json: bool) -> Result<Exit, Error> {
    let (deploy, config_error) = context.place.deploy_to_look()?;

    // Nobody runs the hooks of somebody else, nor root those that another user can change.
    let untried = verbs::may_act(&context.place, Acts::Starts).err();
    let results = examine(Request {
        deploy: &deploy,
        config_error,
        program: &std::env::current_exe().map_err(Error::Program)?,
        version: env!("CARGO_PKG_VERSION"),
        temporary: &temporary_folder(),
        untried: untried.map(|error| text::with_causes(&error)),
    });

    if json {
        context.output.line(&to_json(&results))?;
    } else {
        results
            .iter()
            .try_for_each(|result| print(context, result))?;
    }

    let is_problem = |result: &CheckResult| result.finding.level == Level::Problem;
    Ok(Exit::of(!results.iter().any(is_problem)))
}

/// The folder for temporary files that the environment names. At this point root has become the
/// owner of the repository. The owner may have no access to a folder that belongs to root.
fn temporary_folder() -> PathBuf {
    let folder = std::env::temp_dir();
    if may_create_in(&folder) {
        folder
    } else {
        PathBuf::from("/tmp")
    }
}

/// Prints a check with what it found and how to fix that.
fn print(context: &Context, result: &CheckResult) -> Result<(), Error> {
    let finding = &result.finding;
    let (word, colour) = match finding.level {
        Level::Ok => ("ok", Colour::Good),
        Level::Warning => ("warning", Colour::Attention),
        Level::Problem => ("PROBLEM", Colour::Bad),
    };

    let word = context.output.paint(colour, &format!("{word:<8}"));
    let line = format!("{word} {}: {}", result.name, finding.found);
    context.output.line(&line)?;
    if let Some(fix) = &finding.fix {
        context.output.line(&format!("         fix: {fix}"))?;
    }
    Ok(())
}
