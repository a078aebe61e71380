//! Whether a deployment will be able to provide what all releases share, before anybody deploys.
//!
//! Protocol: only a file that the revision does not have has to be in the checkout's folder. That
//! is looked at as the user of this process, who may be another one than that of the deployment.
//! What can't be looked at is neither there nor missing, and this is said where it has to be there.
//!
//! It does not promise that a deployment finds the same: the folder belongs to the application.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::checkout::SHARED;
use crate::config::SharedPath;
use crate::deploy_repository::{DeployRepository, folder_values};
use crate::git::{self, TreePlace};
use crate::id::{Revision, Target};
use crate::text;

/// Why a deployment can't provide what all releases share, or may not be able to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedFault {
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub fix: String,
    /// Whether it is certain. Otherwise this user can't look.
    pub is_certain: bool,
}

/// For each shared path of a target, with the revision that its deploy file asks for: where it is
/// seen to be, or why it can't be shared. What is made where it is missing is left out.
pub(super) fn check_shared(
    deploy: &DeployRepository,
    target: &Target,
    revision: &Revision,
) -> Vec<Result<String, SharedFault>> {
    let settings = deploy.config.settings(target);
    // A rule refuses a checkout without a repository.
    let repository = deploy.application_repository(target);
    let (Some(checkout), Some(repository)) = (&settings.checkout, repository) else {
        return Vec::new();
    };
    let checkout = PathBuf::from(checkout.fill(&folder_values(target)));
    let folder = deploy.subdirectory(target);

    let look_in_revision = |path: &SharedPath| {
        let path = match &folder {
            Some(folder) => format!("{folder}/{}", path.as_str()),
            None => path.as_str().to_owned(),
        };
        git::open_application(&repository)?.tree_place(revision, &path)
    };
    let paths = settings.shared.iter();
    let checked = paths.filter_map(|path| {
        let in_revision = look_in_revision(path);
        check_path(&checkout, (target, revision), path, in_revision).transpose()
    });
    checked.collect()
}

/// Where a path is seen to be; `None`: it need not be anywhere.
fn check_path(
    checkout: &Path,
    (target, revision): (&Target, &Revision),
    path: &SharedPath,
    in_revision: Result<TreePlace, git::Error>,
) -> Result<Option<String>, SharedFault> {
    let (of, name) = (&target.application, text::escape(path.as_str(), 200));
    let of = format!("{of} at {}", revision.short());
    let in_the_way = |what: &str| SharedFault {
        found: format!("{target}: {name} can't be shared, because in {of} {what}"),
        fix: "deploy a revision without it, or take the path out of shared".to_owned(),
        is_certain: true,
    };
    match in_revision {
        Ok(TreePlace::Link) => return Err(in_the_way("it is a symbolic link")),
        Ok(TreePlace::Blocked) => {
            return Err(in_the_way("something on the way to it is no folder"));
        }
        Ok(TreePlace::There | TreePlace::Missing) | Err(_) => {}
    }

    let place = shown(&checkout.join(SHARED).join(path.as_str()));
    let (found, fix, is_certain) = match (look_in_folder(checkout, path), in_revision) {
        (Ok(InFolder::There), _) => return Ok(Some(format!("{target}: {place}"))),
        (Ok(InFolder::Blocked(folder)), _) => (
            format!(
                "{name} can't be shared, because {} is no folder",
                shown(&folder)
            ),
            "put a folder there: what is shared may be a link, but the folders above it may not"
                .to_owned(),
            true,
        ),
        (Ok(InFolder::Missing), Ok(TreePlace::There)) => {
            return Ok(Some(format!("{target}: {name} is in {of}")));
        }
        // Whatever is missing there, the deployment makes it.
        (_, Ok(TreePlace::There)) => return Ok(None),
        _ if path.is_folder() => return Ok(None),
        (Ok(InFolder::Missing), Ok(_)) => (
            format!("{place} is missing; it is shared, and {of} does not have it"),
            format!(
                "put the file there before the deployment, or write \"{name}/\" in shared if a \
                 folder is meant"
            ),
            true,
        ),
        (Ok(InFolder::Missing), Err(why)) => (
            format!("{place} is missing, and nobody could look whether {of} has {name}: {why}"),
            "put the file there, unless the revision has it".to_owned(),
            false,
        ),
        (Err((folder, error)), _) => (
            format!(
                "nobody could look whether {place} is there: {}: {error}",
                shown(&folder)
            ),
            "look as the user of the deployment, which fails without the file".to_owned(),
            false,
        ),
    };
    Err(SharedFault {
        found: format!("{target}: {found}"),
        fix,
        is_certain,
    })
}

/// What is at a shared path in a checkout's folder.
enum InFolder {
    There,
    Missing,
    /// Nothing, because this is no folder.
    Blocked(PathBuf),
}

/// Looks at a shared path in a checkout's folder, as a deployment does: no link on the way is
/// followed.
///
/// # Errors
/// This can't be looked at.
fn look_in_folder(checkout: &Path, path: &SharedPath) -> Result<InFolder, (PathBuf, io::Error)> {
    let status = |place: &Path| match fs::symlink_metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(|error| (place.to_owned(), error)),
    };

    let mut place = checkout.to_owned();
    for name in [SHARED].into_iter().chain(path.folders()) {
        place.push(name);
        match status(&place)? {
            Some(found) if found.is_dir() => {}
            Some(_) => return Ok(InFolder::Blocked(place)),
            None => return Ok(InFolder::Missing),
        }
    }
    place.push(path.name());
    Ok(match status(&place)? {
        Some(_) => InFolder::There,
        None => InFolder::Missing,
    })
}

fn shown(path: &Path) -> String {
    text::escape(path.as_os_str().as_encoded_bytes(), 200)
}
