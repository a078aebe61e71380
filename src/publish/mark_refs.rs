//! The marks of an application: the refs of its repository that say what is deployed and what is
//! wanted, and the lines of notes that say what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::git::NoteLine;
use crate::id::{DeploymentId, Environment, Revision, Target};
use crate::store::{self, Deployment, Reader};
use crate::text;

/// The ref of the notes.
pub(super) const NOTES: &str = "refs/notes/deployments";

/// Where the refs are. A name below it is `ENVIRONMENT/APPLICATION`.
pub(super) const FOLDERS: [&str; 4] = [DEPLOYED, PREVIOUS, WANTED, WAITING];

/// What is deployed.
const DEPLOYED: &str = "refs/deployed";

/// The revision that was deployed before what is deployed, which a rollback may go back to.
const PREVIOUS: &str = "refs/previous";

/// What the deploy file asks for, as it was planned last.
const WANTED: &str = "refs/wanted";

/// What is queued or running beside these, by number: `ENVIRONMENT/APPLICATION/NUMBER`.
const WAITING: &str = "refs/waiting";

/// The longest name and the longest reason in a line of a note, in characters.
const TEXT_MAX: usize = 200;

/// A name as a part of the name of a ref. git does not accept every name of an environment or an
/// application there (git-check-ref-format(1)): one that has two dots in a row, or ends with a dot
/// or with `.lock`. Each dot of such a name is written as `%2E`. No name has a percent sign, so two
/// names never become one.
fn part(name: &str) -> String {
    if name.contains("..") || name.ends_with('.') || name.ends_with(".lock") {
        name.replace('.', "%2E")
    } else {
        name.to_owned()
    }
}

/// The name of a target's ref in a folder.
fn name_in(folder: &str, target: &Target) -> String {
    let environment = part(target.environment.as_str());
    format!(
        "{folder}/{environment}/{}",
        part(target.application.as_str())
    )
}

/// What has to be in one application repository.
pub(super) struct Marks {
    pub(super) refs: MarkRefs,
    pub(super) notes: Vec<NoteLine>,
}

/// The refs of some targets: which they are, and what they should be.
#[derive(Debug, Default)]
pub(super) struct MarkRefs {
    /// The names of refs that belong to the targets.
    names: BTreeSet<String>,
    /// The beginnings of the names of the others.
    beginnings: BTreeSet<String>,
    /// What should be there.
    pub(super) wanted: BTreeMap<String, Revision>,
}

impl MarkRefs {
    /// Whether a ref belongs to one of the targets.
    pub(super) fn has(&self, name: &str) -> bool {
        let end = name.rfind('/').map_or(0, |slash| slash + 1);
        self.names.contains(name) || self.beginnings.contains(&name[..end])
    }

    /// Adds a target, with what its refs should be by the record. `open` is what is queued or
    /// running in its environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn add(
        &mut self,
        target: &Target,
        record: &Reader<'_>,
        open: &[Deployment],
    ) -> Result<(), store::Error> {
        let mut kept = BTreeMap::new();
        if !record.is_retired(target)? {
            if let Some(deployed) = record.deployed(target)? {
                let before = record.deployed_before(target, &deployed.revision)?;
                kept.insert(DEPLOYED, deployed.revision);
                kept.extend(before.map(|before| (PREVIOUS, before.revision)));
            }
            let planned = record.newest_planned(target)?;
            kept.extend(planned.map(|planned| (WANTED, planned.revision)));
        }

        let waiting = open.iter().filter(|deployment| {
            deployment.target == *target && kept.values().all(|kept| *kept != deployment.revision)
        });
        for deployment in waiting {
            let name = format!("{}/{}", name_in(WAITING, target), deployment.id.0);
            self.wanted.insert(name, deployment.revision.clone());
        }
        for folder in [DEPLOYED, PREVIOUS, WANTED] {
            self.names.insert(name_in(folder, target));
        }
        self.beginnings
            .insert(format!("{}/", name_in(WAITING, target)));
        let kept = kept.into_iter();
        self.wanted
            .extend(kept.map(|(folder, revision)| (name_in(folder, target), revision)));
        Ok(())
    }
}

/// What is open in each environment that was asked for.
#[derive(Default)]
pub(super) struct OpenDeployments(BTreeMap<Environment, Vec<Deployment>>);

impl OpenDeployments {
    /// What is queued or running in an environment.
    ///
    /// # Errors
    /// The state can't be read.
    pub(super) fn of(
        &mut self,
        environment: &Environment,
        record: &Reader<'_>,
    ) -> Result<&[Deployment], store::Error> {
        if !self.0.contains_key(environment) {
            let open = record.open_deployments(environment)?;
            self.0.insert(environment.clone(), open);
        }
        Ok(self.0.get(environment).map_or(&[], Vec::as_slice))
    }
}

/// The line that tells of a deployment in the note of its commit. `state` is the id of the state.
pub(super) fn note_line(deployment: &Deployment, state: &str) -> NoteLine {
    let Deployment { id, target, .. } = deployment;
    let ended = deployment.finished_at.unwrap_or(deployment.queued_at);
    let mut line = format!("{ended} {id} {target} {}", deployment.status);

    // Writing to a String never fails.
    if let Some(reason) = &deployment.reason {
        let _ = write!(line, ": {}", text::escape(reason, TEXT_MAX));
    }
    match (&deployment.pusher, &deployment.author) {
        (Some(pusher), _) => {
            let name = text::escape(&pusher.name, TEXT_MAX);
            let _ = write!(line, "; by {name} ({})", pusher.evidence);
        }
        (None, Some(author)) => {
            let _ = write!(line, "; written by {}", text::escape(author, TEXT_MAX));
        }
        (None, None) => {}
    }
    if let Some(commit) = &deployment.deploy_commit {
        let _ = write!(line, "; deploy commit {commit}");
    }

    NoteLine {
        commit: deployment.revision.clone(),
        text: line,
        id: note_id(*id, state),
    }
}

/// What the line of a deployment ends with. No deployment of any state has the same.
fn note_id(id: DeploymentId, state: &str) -> String {
    format!("[{state} {id}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Application;
    use crate::identity::{Evidence, Identity};
    use crate::status::Status;
    use crate::store::testing::recorded;
    use crate::time::Timestamp;

    #[test]
    fn names_that_git_does_not_accept_are_escaped_and_stay_different() {
        let table = [
            ("website", "website"),
            ("v1.2", "v1.2"),
            ("a.b.c", "a.b.c"),
            ("lock", "lock"),
            ("x.lock.y", "x.lock.y"),
            ("x.lock", "x%2Elock"),
            ("a.x.lock", "a%2Ex%2Elock"),
            ("a..b", "a%2E%2Eb"),
            ("a.b..", "a%2Eb%2E%2E"),
            ("a.", "a%2E"),
        ];
        for (name, expected) in table {
            assert_eq!(part(name), expected);
        }
    }

    #[test]
    fn refs_of_other_targets_are_left_alone() {
        let target = |environment: &str, application: &str| Target {
            environment: Environment::new(environment).unwrap(),
            application: Application::new(application).unwrap(),
        };
        let mut store = store::Store::empty().unwrap();
        let mut refs = MarkRefs::default();
        let record = store.read().unwrap();
        refs.add(&target("production", "a"), &record, &[]).unwrap();

        for ours in [
            "refs/deployed/production/a",
            "refs/previous/production/a",
            "refs/wanted/production/a",
            "refs/waiting/production/a/7",
        ] {
            assert!(refs.has(ours), "{ours}");
        }
        for other in [
            "refs/deployed/production/a.b",
            "refs/deployed/staging/a",
            "refs/deployed/production/a/7",
            "refs/waiting/production/a",
            "refs/waiting/production/a.b/7",
            "refs/waiting/production/a/7/8",
            "refs/heads/main",
        ] {
            assert!(!refs.has(other), "{other}");
        }
    }

    #[test]
    fn line_of_a_note_is_one_line_whatever_names_and_reasons_say() {
        let deployment = Deployment {
            reason: Some("exit\nstatus \u{1b}[2J7".to_owned()),
            pusher: Some(Identity::new("eve [x #43]\n", Evidence::Http)),
            finished_at: Some(Timestamp::from_ms(4_000)),
            ..recorded(42, "a", Status::Failed)
        };
        let line = note_line(&deployment, "x");
        assert_eq!(
            line.text,
            "1970-01-01T00:00:04.000Z #42 production/a failed: exit\\nstatus \\u{1b}[2J7; \
             by eve [x #43]\\n (http)"
        );
        assert_eq!(line.id, "[x #42]");
    }
}
