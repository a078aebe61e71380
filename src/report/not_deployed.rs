//! What a push changes without a deployment, in words.

use crate::judging::NotDeployed;
use crate::text;

/// How many lines are shown.
const LINES_MAX: usize = 10;

/// A line for each change that deploys nothing. Where these lines do not stand alone, something
/// else says that something has changed.
#[must_use]
pub fn not_deployed_lines(all: &[NotDeployed], is_alone: bool) -> Vec<String> {
    let is_general =
        |one: &&NotDeployed| matches!(one, NotDeployed::NoFile | NotDeployed::NoDeployFile);
    let all: Vec<&NotDeployed> = all
        .iter()
        .filter(|one| is_alone || !is_general(one))
        .collect();

    let mut lines: Vec<String> = all.iter().take(LINES_MAX).map(|one| line(one)).collect();
    let more = all.len() - lines.len();
    if more > 0 {
        lines.push(format!("nothing to deploy for {more} more files"));
    }
    lines
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
