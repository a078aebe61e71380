//! What a range of the deploy branch changes without asking for a deployment, though somebody may
//! have meant it to.

use super::error::Error;
use crate::candidate::{Candidate, Intent, candidates};
use crate::deploy_repository::DeployRepository;
use crate::git::{DeepScan, OtherFile};
use crate::id::{Revision, Target};
use crate::near_miss;

/// How many files are read to see whether they begin with a revision, though their names do not
/// resemble those of deploy files.
const READ_MAX: usize = 10;

/// A change that deploys nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDeployed {
    /// A deploy file asks for the same revision as before.
    Unchanged {
        /// The application and the environment.
        target: Target,
        /// The revision.
        revision: Revision,
        /// A revision that was added, but not as the first entry.
        below: Option<Revision>,
    },
    /// A file that is no deploy file may have been meant to be one.
    NearMiss {
        /// Its path.
        path: Vec<u8>,
        /// Where the deploy file would be.
        meant: String,
    },
    /// No file has changed.
    NoFile,
    /// Only files have changed that are no deploy files.
    NoDeployFile,
}

/// What a range deploys nothing for. It is empty if the range asks for something and all else looks
/// as it was meant. `old` is `None` for everything that is there at `new`.
///
/// # Errors
/// The deploy repository can't be read.
pub fn not_deployed(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: &Revision,
) -> Result<Vec<NotDeployed>, Error> {
    let root = &deploy.config.root;
    let scan = DeepScan::EnvironmentFolders;
    let changes = deploy.repository.changes(root, old, Some(new), scan)?;
    let candidates = candidates(changes);
    let mut found: Vec<NotDeployed> = candidates.iter().filter_map(unchanged).collect();
    found.extend(near_misses(deploy, old, new)?);

    if found.is_empty() && candidates.is_empty() {
        let is_same = match old {
            Some(old) => deploy.repository.has_same_files(old, new)?,
            None => false,
        };
        found.push(if is_same {
            NotDeployed::NoFile
        } else {
            NotDeployed::NoDeployFile
        });
    }
    Ok(found)
}

/// The files that may have been meant to be deploy files.
///
/// # Errors
/// The deploy repository can't be read.
pub fn near_misses(
    deploy: &DeployRepository,
    old: Option<&Revision>,
    new: &Revision,
) -> Result<Vec<NotDeployed>, Error> {
    let (root, repository) = (deploy.config.root.as_str(), &deploy.repository);
    let files = repository.other_files(root, old, new)?;
    let near_miss = |file: OtherFile, meant: fn(&[u8]) -> Option<String>| {
        let name = file.path.rsplit(|b| *b == b'/').next();
        let meant = in_folder(root, &file.path, &name.and_then(meant)?);
        let path = file.path;
        Some(NotDeployed::NearMiss { path, meant })
    };

    let mut found = Vec::new();
    for file in files.resembling {
        found.extend(near_miss(file, near_miss::meant));
    }
    for file in files.others.into_iter().take(READ_MAX) {
        if repository.first_word(&file)?.is_some() {
            found.extend(near_miss(file, near_miss::meant_by_content));
        }
    }
    for OtherFile { path, .. } in files.outside {
        let meant = format!("{root}/{}", String::from_utf8_lossy(&path));
        found.push(NotDeployed::NearMiss { path, meant });
    }
    Ok(found)
}

/// Where a deploy file with a name belongs that was looked for at `path`.
fn in_folder(root: &str, path: &[u8], name: &str) -> String {
    let path = String::from_utf8_lossy(path);
    let below = path
        .strip_prefix(root)
        .map_or(&*path, |below| below.trim_start_matches('/'));
    let prefix = if root.is_empty() {
        String::new()
    } else {
        format!("{root}/")
    };
    match below.split_once('/') {
        Some((environment, _)) => format!("{prefix}{environment}/{name}"),
        None => format!("{prefix}<environment>/{name}"),
    }
}

/// A deploy file that changed and asks for the same as before.
fn unchanged(candidate: &Candidate) -> Option<NotDeployed> {
    let (Intent::Nothing, Some(target), Some(revision)) =
        (&candidate.intent, &candidate.target, &candidate.from)
    else {
        return None;
    };
    let comparison = candidate.change.comparison.as_ref();
    let below = comparison.and_then(|comparison| comparison.added_below.clone());
    Some(NotDeployed::Unchanged {
        target: target.clone(),
        revision: revision.clone(),
        below,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_file_belongs_into_the_folder_of_an_environment() {
        let table = [
            ("", "staging/b.deply", "staging/b.deploy"),
            ("", "b.deply", "<environment>/b.deploy"),
            (
                "deploy",
                "deploy/staging/b.deply",
                "deploy/staging/b.deploy",
            ),
            ("deploy", "deploy/b.deply", "deploy/<environment>/b.deploy"),
        ];
        for (root, path, expect) in table {
            assert_eq!(in_folder(root, path.as_bytes(), "b.deploy"), expect);
        }
    }
}
