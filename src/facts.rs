//! Finding out what the rules ask for.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::deploy_repository::DeployRepository;
use crate::git::{self, Repository};
use crate::plan::Candidate;
use crate::policy::{Facts, RevisionFact};

/// Asks each candidate's application repository about the revision. Each repository is opened once.
#[must_use]
pub fn gather(deploy: &DeployRepository, candidates: &[Candidate]) -> Facts {
    let mut facts = Facts::default();
    let mut opened: HashMap<PathBuf, Result<Repository, String>> = HashMap::new();
    for candidate in candidates {
        let (Some(target), Some(revision)) = (&candidate.target, candidate.revision()) else { continue };
        let Some(path) = deploy.application_repository(target) else { continue };
        let repository = opened.entry(path).or_insert_with_key(|path| open(path));
        let fact = match repository {
            Ok(repository) => repository.revision(revision),
            Err(why) => RevisionFact::Unreadable(why.clone()),
        };
        facts.revisions.insert(target.clone(), fact);
    }
    facts
}

fn open(path: &Path) -> Result<Repository, String> {
    git::open_application(path).map_err(|error| error.to_string())
}
