//! What a push changes without a deployment, in words and for programs.

use serde::Serialize;

use crate::id::{Application, Environment, Revision};
use crate::judging::NotDeployed;
use crate::text;

/// How many lines are shown.
const LINES_MAX: usize = 10;

/// A line for each change that deploys nothing. Where these lines do not stand alone, something
/// else says that something has changed.
#[must_use]
pub fn not_deployed_lines(all: &[NotDeployed], is_alone: bool) -> Vec<String> {
    let all = shown(all, is_alone);
    let mut lines: Vec<String> = all.iter().take(LINES_MAX).map(|one| line(one)).collect();
    let more = all.len() - lines.len();
    if more > 0 {
        lines.push(format!("nothing to deploy for {more} more files"));
    }
    lines
}

/// A change that deploys nothing, for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct NotDeployedRow {
    /// What it is: `unchanged`, `near_miss`, `no_file` or `no_deploy_file`.
    pub not_deployed: &'static str,
    /// For a deploy file that asks for the same as before: its environment.
    pub environment: Option<Environment>,
    /// Its application.
    pub application: Option<Application>,
    /// The revision that it asks for.
    pub revision: Option<Revision>,
    /// A revision that was added to it, but not as the first entry.
    pub added_below: Option<Revision>,
    /// For a file that may have been meant to be a deploy file: its path.
    pub path: Option<String>,
    /// Where the deploy file would be.
    pub meant: Option<String>,
    /// The same in words.
    pub message: String,
}

impl NotDeployedRow {
    /// A row for each change that deploys nothing, as in [`not_deployed_lines`], but for all of
    /// them.
    #[must_use]
    pub fn all(all: &[NotDeployed], is_alone: bool) -> Vec<Self> {
        shown(all, is_alone).into_iter().map(Self::new).collect()
    }

    fn new(one: &NotDeployed) -> Self {
        let row = Self {
            not_deployed: "no_file",
            environment: None,
            application: None,
            revision: None,
            added_below: None,
            path: None,
            meant: None,
            message: line(one),
        };
        match one.clone() {
            NotDeployed::Unchanged {
                target,
                revision,
                below,
            } => Self {
                not_deployed: "unchanged",
                environment: Some(target.environment),
                application: Some(target.application),
                revision: Some(revision),
                added_below: below,
                ..row
            },
            NotDeployed::NearMiss { path, meant } => Self {
                not_deployed: "near_miss",
                path: Some(String::from_utf8_lossy(&path).into_owned()),
                meant: Some(meant),
                ..row
            },
            NotDeployed::NoFile => row,
            NotDeployed::NoDeployFile => Self {
                not_deployed: "no_deploy_file",
                ..row
            },
        }
    }
}

/// What is shown. That nothing at all was changed is said only where nothing else is.
fn shown(all: &[NotDeployed], is_alone: bool) -> Vec<&NotDeployed> {
    let is_general =
        |one: &&NotDeployed| matches!(one, NotDeployed::NoFile | NotDeployed::NoDeployFile);
    let shown = all.iter().filter(|one| is_alone || !is_general(one));
    shown.collect()
}

fn line(not_deployed: &NotDeployed) -> String {
    match not_deployed {
        NotDeployed::Unchanged {
            target,
            revision,
            below,
        } => {
            let below = match below {
                Some(below) => format!(
                    "; {} was added below it, and a new entry goes to the top",
                    below.short()
                ),
                None => String::new(),
            };
            format!(
                "{target}: still {}, nothing to deploy (its first entry is unchanged{below})",
                revision.short()
            )
        }
        NotDeployed::NearMiss { path, meant } => {
            let (path, meant) = (text::escape(path, 200), text::escape(meant, 200));
            format!("{path}: no deploy file, nothing to deploy (did you mean {meant}?)")
        }
        NotDeployed::NoFile => "nothing to deploy: no file has changed; to deploy a revision \
                                again, put a new entry for it at the top of its deploy file"
            .to_owned(),
        NotDeployed::NoDeployFile => "nothing to deploy: no deploy file has changed".to_owned(),
    }
}
