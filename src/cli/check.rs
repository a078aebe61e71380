//! `check`: judges every deploy file, and prints what would be refused.

use super::announce::fetching;
use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use super::output;
use crate::publish::TargetFault;
use crate::report::{RefusalRow, not_deployed_lines, refusal_lines, to_json};
use crate::text;
use crate::verbs::{self, ProgramFault, SharedFault};

/// `check [REV]`: refused if anything is.
pub(super) fn check(context: &Context, revision: Option<&str>, json: bool) -> Result<Exit, Error> {
    let checked = verbs::check(&context.place, revision, |application| {
        output::print_error(&fetching(application));
    })?;

    if !checked.without_repository.is_empty() {
        let names: Vec<String> = checked
            .without_repository
            .iter()
            .map(ToString::to_string)
            .collect();

        let message = format!(
            "warning: where the revision comes from and which commits it would lose is not judged \
             for {}",
            names.join(", ")
        );
        let hint = "set repository for them in the configuration";
        output::complain(&message, Some(hint));
    }

    for unknown in &checked.unknown_names {
        output::complain(
            &format!("warning: {}", unknown.message),
            Some(&unknown.hint),
        );
    }
    for ProgramFault { found, fix } in &checked.programs {
        output::complain(&format!("warning: {found}"), Some(fix));
    }
    for SharedFault { found, fix, .. } in &checked.shared {
        output::complain(&format!("warning: {found}"), Some(fix));
    }
    for fault in &checked.key_faults {
        let message = format!("warning: {}: {}", fault.key, fault.found);
        output::complain(&message, Some(&fault.fix));
    }
    for (name, TargetFault { found, fix }) in &checked.target_faults {
        output::complain(&format!("warning: notify.{name}: {found}"), Some(fix));
    }
    for line in not_deployed_lines(&checked.near_misses, true) {
        output::complain(&format!("warning: {line}"), None);
    }

    let refusals = &checked.refusals;
    if json {
        let rows: Vec<_> = refusals.iter().map(RefusalRow::new).collect();
        context.output.line(&to_json(&rows))?;
        return Ok(Exit::of(refusals.is_empty()));
    }

    for refusal in refusals {
        context.output.print(&refusal_lines("refused", refusal))?;
    }
    if refusals.is_empty() {
        let name = text::escape(&checked.name, 200);
        let files = match checked.files {
            1 => "1 deploy file".to_owned(),
            count => format!("{count} deploy files"),
        };
        let line = format!("{name}: {files}, nothing refused");
        context.output.line(&line)?;
    }
    Ok(Exit::of(refusals.is_empty()))
}
