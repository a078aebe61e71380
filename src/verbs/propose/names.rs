//! The names of environments and applications, as far as a clone knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::super::error::Error;
use super::request::ProposeRequest;
use crate::clone::{LocalClone, root};
use crate::id::{Environment, Revision, Target};
use crate::judging::deploy_files_at;
use crate::text;

/// What to do where a new name is meant.
const NEW: &str = "if it is new: --new";

/// Every deploy file of a commit, with what it asks for.
pub(super) type DeployFiles = BTreeMap<Target, Option<Revision>>;

/// The applications in their environments that have a deploy file in a clone; for completion, so
/// nothing is fetched. `folder` is in the clone; otherwise the current one is.
///
/// # Errors
/// There is no clone, or it can't be read.
pub fn targets_in_clone(folder: Option<PathBuf>) -> Result<Vec<Target>, Error> {
    let folder = folder.unwrap_or_else(|| PathBuf::from("."));
    let clone = LocalClone::open(&folder)?;
    let root = root(&clone, None)?;
    let head = clone.head()?;
    let files = deploy_files_at(&clone.repository, &root, head.as_ref())?;
    Ok(files.into_keys().collect())
}

/// Checks that what is asked for is known, or is said to be new.
///
/// # Errors
/// It is not. The error offers the nearest name.
pub(super) fn check_names(request: &ProposeRequest, known: &DeployFiles) -> Result<(), Error> {
    let environments: BTreeSet<&Environment> =
        known.keys().map(|target| &target.environment).collect();
    if let Some(from) = &request.from {
        check_environment(from, &environments, "name one that has deploy files")?;
        if *from == request.environment {
            return Err(Error::refused(
                format!("{from} can't be proposed from itself"),
                "name another environment with --from",
            ));
        }
    }
    if request.is_new || known.is_empty() {
        return Ok(());
    }
    check_environment(&request.environment, &environments, NEW)?;

    let Some(application) = &request.application else {
        return Ok(());
    };
    let is_known = known
        .keys()
        .any(|target| target.application == *application);
    let mut names = known.keys().map(|target| &target.application);
    match names.find(|name| text::is_slip(application.as_str(), name.as_str())) {
        Some(near) if !is_known => Err(Error::refused(
            format!("there is no deploy file of {application} in any environment"),
            format!("did you mean {near}? {NEW}"),
        )),
        _ => Ok(()),
    }
}

fn check_environment(
    environment: &Environment,
    known: &BTreeSet<&Environment>,
    otherwise: &str,
) -> Result<(), Error> {
    if known.contains(environment) {
        return Ok(());
    }
    let names = known.iter().map(|name| name.as_str());
    let hint = match text::nearest(environment.as_str(), names) {
        Some(near) => format!("did you mean {near}? {otherwise}"),
        None => otherwise.to_owned(),
    };
    let message = format!("there is no deploy file in an environment {environment}");
    Err(Error::refused(message, hint))
}
