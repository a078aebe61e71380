//! What became of several deployments, in one line.

use crate::id::{DeploymentId, Target};
use crate::status::Status;

/// How many names one line has of each kind.
const NAMES_MAX: usize = 5;

/// The word for those that have not ended.
const OPEN: &str = "not ended";

/// What became of several deployments, in one line: `3 of 3 succeeded`,
/// `1 of 3 failed: broken/app (#1)`, `1 of 3 failed: broken/app (#1); 1 of 3 not ended: e/a (#3)`.
#[must_use]
pub fn outcome_summary(deployments: &[(DeploymentId, Target, Status)]) -> String {
    let all = deployments.len();
    let is_good = |(_, _, status): &(_, _, Status)| *status == Status::Succeeded;
    if deployments.iter().all(is_good) {
        return format!("{all} of {all} succeeded");
    }

    let words = [
        Status::Failed.as_str(),
        Status::Interrupted.as_str(),
        Status::Cancelled.as_str(),
        Status::Skipped.as_str(),
        Status::Superseded.as_str(),
        OPEN,
    ];
    let group = |word: &str| {
        let of_group = deployments
            .iter()
            .filter(|(_, _, status)| outcome(*status) == word);
        let names: Vec<String> = of_group
            .map(|(id, target, _)| format!("{target} ({id})"))
            .collect();
        let count = names.len();
        (count > 0).then(|| format!("{count} of {all} {word}: {}", some_names(names)))
    };
    let groups: Vec<String> = words.into_iter().filter_map(group).collect();
    groups.join("; ")
}

/// The word for how a deployment ended.
fn outcome(status: Status) -> &'static str {
    if status.has_ended() {
        status.as_str()
    } else {
        OPEN
    }
}

/// The first names, and `…` for the rest.
#[must_use]
pub fn some_names(mut names: Vec<String>) -> String {
    if names.len() > NAMES_MAX {
        names.truncate(NAMES_MAX);
        names.push("…".to_owned());
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Application, Environment};

    #[test]
    fn summary_counts_what_did_not_succeed_and_names_it() {
        use Status::*;
        let table: [(&[Status], &str); 8] = [
            (&[Succeeded], "1 of 1 succeeded"),
            (&[Succeeded; 3], "3 of 3 succeeded"),
            (&[Failed, Succeeded, Succeeded], "1 of 3 failed: e/a (#1)"),
            (
                &[Skipped, Failed, Failed],
                "2 of 3 failed: e/a (#2), e/a (#3); 1 of 3 skipped: e/a (#1)",
            ),
            (
                &[Queued, Succeeded, Running],
                "2 of 3 not ended: e/a (#1), e/a (#3)",
            ),
            (
                &[Superseded, Cancelled, Interrupted],
                "1 of 3 interrupted: e/a (#3); 1 of 3 cancelled: e/a (#2); \
                 1 of 3 superseded: e/a (#1)",
            ),
            (
                &[Failed; 7],
                "7 of 7 failed: e/a (#1), e/a (#2), e/a (#3), e/a (#4), e/a (#5), …",
            ),
            (
                &[Failed; 5],
                "5 of 5 failed: e/a (#1), e/a (#2), e/a (#3), e/a (#4), e/a (#5)",
            ),
        ];
        for (statuses, expected) in table {
            let deployments: Vec<_> = (1..)
                .zip(statuses)
                .map(|(id, status)| {
                    let target = Target {
                        environment: Environment::new("e").unwrap(),
                        application: Application::new("a").unwrap(),
                    };
                    (DeploymentId(id), target, *status)
                })
                .collect();
            assert_eq!(outcome_summary(&deployments), expected, "{statuses:?}");
        }
    }
}
