//! `doctor`: has the installation checked, and prints what the checks found.

use std::path::PathBuf;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output::terminal_width;
use crate::report::{Colour, to_json, wrap};
use crate::sys::access::may_create_in;
use crate::text;
use crate::verbs::doctor::{CheckResult, Level, Request, examine};
use crate::verbs::{self, Acts};

/// Where the text of a check begins in its line.
const INDENT: usize = 9;

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
        for (at, result) in results.iter().enumerate() {
            print(context, result, results.get(at + 1))?;
        }
        context.output.line(&summary(&results))?;
    }
    Ok(Exit::of(count(&results, Level::Problem) == 0))
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

fn count(results: &[CheckResult], level: Level) -> usize {
    let is_of_level = |result: &&CheckResult| result.finding.level == level;
    results.iter().filter(is_of_level).count()
}

/// The last line: how many checks came out how.
fn summary(results: &[CheckResult]) -> String {
    let counted = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    let ok = count(results, Level::Ok);
    format!(
        "\n{}, {}; {ok} of {} are ok",
        counted(count(results, Level::Problem), "problem"),
        counted(count(results, Level::Warning), "warning"),
        counted(results.len(), "check"),
    )
}

/// Prints a check with what it found and how to fix that. Where the next result of the same check
/// has the same fix, it is printed there.
fn print(context: &Context, result: &CheckResult, next: Option<&CheckResult>) -> Result<(), Error> {
    let finding = &result.finding;
    let (word, colour) = match finding.level {
        Level::Ok => ("ok", Colour::Good),
        Level::Warning => ("warning", Colour::Attention),
        Level::Problem => ("PROBLEM", Colour::Bad),
    };

    let width = terminal_width().unwrap_or(usize::MAX);
    let line = format!("{word:<8} {}: {}", result.name, finding.found);
    let line = wrap(&line, width, INDENT);
    let painted = context.output.paint(colour, &line[..INDENT - 1]);
    context
        .output
        .line(&format!("{painted}{}", &line[INDENT - 1..]))?;

    let is_same = |next: &CheckResult| next.name == result.name && next.finding.fix == finding.fix;
    match &finding.fix {
        Some(fix) if !next.is_some_and(is_same) => {
            let line = format!("{:INDENT$}fix: {fix}", "");
            context.output.line(&wrap(&line, width, INDENT))
        }
        _ => Ok(()),
    }
}
