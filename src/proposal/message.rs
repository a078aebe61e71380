//! The message of the commit that proposes something.

use super::step::{ProposalSource, ProposedStep};
use crate::id::{Environment, Revision};
use crate::policy::gained_and_lost;
use crate::text::escape;

/// How many applications the message lists.
const LISTED_MAX: usize = 100;

/// The paragraphs of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalMessage {
    /// The title.
    pub title: String,
    /// From where to where, and why.
    pub body: String,
    /// A trailer.
    pub trailer: Option<String>,
}

impl ProposalMessage {
    /// The paragraphs, in their order.
    pub fn paragraphs(&self) -> impl Iterator<Item = &str> {
        let trailer = self.trailer.as_deref();
        [self.title.as_str(), self.body.as_str()]
            .into_iter()
            .chain(trailer)
    }

    /// The whole message.
    #[must_use]
    pub fn text(&self) -> String {
        self.paragraphs().collect::<Vec<_>>().join("\n\n") + "\n"
    }
}

/// The message for what is proposed in an environment. `rollback` is the reason for going back.
#[must_use]
pub fn proposal_message(
    environment: &Environment,
    steps: &[ProposedStep],
    rollback: Option<&str>,
) -> ProposalMessage {
    ProposalMessage {
        title: title(environment, steps, rollback.is_some()),
        body: match steps {
            [only] => format!("{}.", change(only)),
            several => list(several),
        },
        trailer: rollback.map(|reason| format!("Deploy-Rollback: {reason}")),
    }
}

fn title(environment: &Environment, steps: &[ProposedStep], is_rollback: bool) -> String {
    let [step] = steps else {
        return format!("Deploy {} applications to {environment}", steps.len());
    };
    let (application, to) = (&step.target.application, step.to.short());
    if is_rollback {
        format!("Roll {application} back to {to} in {environment}")
    } else if step.source == ProposalSource::Again {
        format!("Deploy {application} {to} to {environment} again")
    } else {
        format!("Deploy {application} {to} to {environment}")
    }
}

fn list(steps: &[ProposedStep]) -> String {
    let line = |step: &ProposedStep| format!("* {}: {}", step.target.application, change(step));
    let mut lines: Vec<String> = steps.iter().take(LISTED_MAX).map(line).collect();
    let others = steps.len().saturating_sub(LISTED_MAX);
    if others > 0 {
        lines.push(format!("* and {others} more"));
    }
    lines.join("\n")
}

/// From where to where, how many commits that are, and why.
fn change(step: &ProposedStep) -> String {
    let mut words = match (&step.source, &step.from) {
        (ProposalSource::Again, _) => format!("{} again", step.to.short()),
        (_, from) => {
            let from = from.as_ref().map_or("new", Revision::short);
            format!("{from} -> {}", step.to.short())
        }
    };
    if step.source != ProposalSource::Again {
        words.push_str(&format!(", {}", gained_and_lost(&step.gained, &step.lost)));
    }

    match &step.source {
        ProposalSource::Named(name) => words.push_str(&format!(", {}", escape(name, 100))),
        ProposalSource::Deployed(environment, Some(id)) => {
            words.push_str(&format!(", as deployed in {environment} ({id})"));
        }
        ProposalSource::Deployed(environment, None) => {
            words.push_str(&format!(", as deployed in {environment}"));
        }
        ProposalSource::Wanted(environment) => {
            words.push_str(&format!(", as wanted in {environment}"));
        }
        ProposalSource::Before => words.push_str(", as before"),
        ProposalSource::Again => {}
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Application, DeploymentId, Target};
    use crate::message::trailers;
    use crate::policy::Commits;
    use crate::proposal::ProposedFile;

    fn step(application: &str, source: ProposalSource, counts: (u64, u64)) -> ProposedStep {
        let revision = |digit: &str| Revision::new(digit.repeat(40)).unwrap();
        let commits = |count| Commits {
            count,
            in_folder: None,
            newest: Vec::new(),
        };
        ProposedStep {
            target: Target {
                environment: Environment::new("production").unwrap(),
                application: Application::new(application).unwrap(),
            },
            from: Some(revision("a")),
            to: revision("b"),
            source,
            gained: commits(counts.0),
            lost: commits(counts.1),
            remarks: Vec::new(),
            file: ProposedFile {
                path: String::new(),
                old: None,
                entry: Vec::new(),
            },
        }
    }

    #[test]
    fn message_says_what_and_from_where() {
        let production = Environment::new("production").unwrap();
        let staging = Environment::new("staging").unwrap();
        let message = |steps: &[ProposedStep], rollback: Option<&str>| {
            proposal_message(&production, steps, rollback).text()
        };

        let named = step(
            "web",
            ProposalSource::Named("origin/ma\x07in".to_owned()),
            (1, 0),
        );
        let deployed = ProposalSource::Deployed(staging.clone(), Some(DeploymentId(7)));
        let deployed = step("api", deployed, (3, 0));
        let before = step("web", ProposalSource::Before, (0, 2));
        let again = step("web", ProposalSource::Again, (0, 0));
        let table = [
            (
                message(std::slice::from_ref(&named), None),
                "Deploy web bbbbbbb to production\n\n\
                 aaaaaaa -> bbbbbbb, 1 commit gained, origin/ma\\u{7}in.\n",
            ),
            (
                message(&[before], Some("alarms")),
                "Roll web back to bbbbbbb in production\n\n\
                 aaaaaaa -> bbbbbbb, 2 commits lost, as before.\n\n\
                 Deploy-Rollback: alarms\n",
            ),
            (
                message(&[again], None),
                "Deploy web bbbbbbb to production again\n\nbbbbbbb again.\n",
            ),
            (
                message(&[named, deployed], None),
                "Deploy 2 applications to production\n\n\
                 * web: aaaaaaa -> bbbbbbb, 1 commit gained, origin/ma\\u{7}in\n\
                 * api: aaaaaaa -> bbbbbbb, 3 commits gained, as deployed in staging (#7)\n",
            ),
        ];
        for (found, expect) in table {
            assert_eq!(found, expect);
        }

        let wanted = step("web", ProposalSource::Wanted(staging), (0, 0));
        let text = message(&[wanted], Some("alarms"));
        let declared = trailers(text.as_bytes(), None).counted;
        assert_eq!(declared.len(), 1);
        assert_eq!(
            (declared[0].name.as_str(), declared[0].value.as_str()),
            ("rollback", "alarms")
        );
    }
}
