//! `doctor`.

use super::{Context, Exit, status};
use crate::doctor::{Level, examine};
use crate::id::Target;
use crate::report::{Colour, to_json};

pub(super) fn doctor(context: &Context, json: bool) -> anyhow::Result<Exit> {
    let deploy = context.deploy()?;
    let wanted: Vec<Target> = status::wanted(&deploy).map(|wanted| wanted.into_keys().collect()).unwrap_or_default();
    let checks = examine(&deploy, &std::env::current_exe()?, env!("CARGO_PKG_VERSION"), &wanted);
    let exit = if checks.iter().any(|check| check.level == Level::Problem) { Exit::Refused } else { Exit::Done };
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
        context.output.line(&format!("{word} {}: {}", check.name, check.found))?;
        if let Some(fix) = &check.fix {
            context.output.line(&format!("         fix: {fix}"))?;
        }
    }
    Ok(exit)
}
