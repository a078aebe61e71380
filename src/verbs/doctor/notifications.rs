//! Those who are told of what happens, and the program that tells them.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::finding::Finding;
use super::installation::{Installation, shown};
use crate::store::Store;
use crate::sys::output::{OutputError, output_within};
use crate::sys::program::Obstacle;
use crate::text;
use crate::verbs::notifications::untold;
use crate::wake::{notifier, notifier_call};

/// How long the program may take to look at everything, and how much it may write, in bytes.
const LIMIT: Duration = Duration::from_secs(15);
const OUTPUT_MAX: usize = 1024 * 1024;

/// What to do where the program is missing.
const INSTALL: &str = "install it beside deploy-by-code, in the same version";

/// Whether the program that tells people and other programs is there, and of the same version.
pub(super) fn program(installation: &Installation<'_>) -> Finding {
    let path = match notifier() {
        Ok(path) => path,
        Err(error) => return Finding::problem(error.to_string(), INSTALL),
    };
    let name = shown(&path);
    let bad = |found: String| match installation.deploy.config.notify.len() {
        0 => Finding::ok(format!("nobody is told of what happens; {found}")),
        _ => Finding::problem(
            format!("{found}, so nobody is told of what happens"),
            INSTALL,
        ),
    };
    if let Some(obstacle) = Obstacle::of(&path) {
        return bad(format!("{name} {obstacle}"));
    }

    let said = match ask(installation, "--version") {
        Ok(said) => said,
        Err(why) => return bad(format!("{name}: {why}")),
    };
    let version = installation.request.version;
    match said.trim().rsplit(' ').next() {
        Some(found) if found == version => Finding::ok("it is beside this program"),
        found => {
            let found = text::escape(found.unwrap_or_default(), 64);
            let found = format!("{name} has the version {found}, and this program {version}");
            Finding::warning(found, INSTALL)
        }
    }
}

/// What the program found about a target.
#[derive(Deserialize)]
struct Looked {
    target: String,
    found: String,
    fix: Option<String>,
}

/// Whether each of those who are told can be told, as far as it can be tried without sending
/// anything.
pub(super) fn targets(installation: &Installation<'_>) -> Vec<Finding> {
    if installation.deploy.config.notify.is_empty() {
        return Vec::new();
    }
    // The configuration of somebody else would decide where this user connects to.
    if let Some(why) = &installation.request.untried {
        return vec![Finding::ok(format!("not tried: {why}"))];
    }

    let looked = ask(installation, "--check");
    let looked = looked.and_then(|json| Ok(serde_json::from_str::<Vec<Looked>>(&json)?));
    match looked {
        Ok(looked) => looked.into_iter().map(finding).collect(),
        Err(why) => vec![Finding::problem(format!("nobody can look: {why}"), INSTALL)],
    }
}

fn finding(looked: Looked) -> Finding {
    let found = format!("{}: {}", looked.target, looked.found);
    let found = text::escape(found, 500);
    match looked.fix {
        None => Finding::ok(found),
        Some(fix) => Finding::problem(found, text::escape(fix, 500)),
    }
}

/// Why the program gives no answer.
#[derive(Debug, Error)]
enum AskError {
    #[error(transparent)]
    Start(#[from] io::Error),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("{0}: {1}")]
    Failed(ExitStatus, String),
    #[error("its answer is not the JSON of this version: {0}")]
    Json(#[from] serde_json::Error),
}

/// What the program prints for an option.
fn ask(installation: &Installation<'_>, option: &str) -> Result<String, AskError> {
    let words = ["--checked".into(), option.into()];
    let command = notifier_call(installation.deploy, &words)?;
    let output = output_within(command, LIMIT, OUTPUT_MAX)?;
    if !output.status.success() {
        let why = text::escape(output.stderr.trim_ascii(), 200);
        return Err(AskError::Failed(output.status, why));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether anybody waits for events, or was not told of one.
pub(super) fn delivery(installation: &Installation<'_>, store: &mut Store) -> Finding {
    let untold = store
        .read()
        .and_then(|record| untold(installation.deploy, &record));
    let untold = match untold {
        Ok(untold) => untold,
        Err(error) => return Finding::problem(error.to_string(), error.hint()),
    };
    let remarks: Vec<String> = untold
        .iter()
        .flat_map(|untold| {
            let remarks = untold.remarks().into_iter();
            remarks.map(|remark| format!("{}: {}", untold.name, text::escape(remark, 300)))
        })
        .collect();
    if remarks.is_empty() {
        return Finding::ok("nothing waits, and nothing failed within the last day");
    }
    Finding::warning(remarks.join("; "), installation.run("notifications"))
}
