//! The names of environments and applications, as far as a clone knows them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::Error;
use super::request::ProposeRequest;
use crate::id::{Environment, Revision, Target};
use crate::text;

/// What to do where a new name is meant.
const NEW: &str = "if it is new: --new";

/// Every deploy file of a commit, with what it asks for.
pub(super) type DeployFiles = BTreeMap<Target, Option<Revision>>;

/// Checks that what is asked for is known, or is said to be new.
///
/// # Errors
/// It is not. The error offers the nearest name.
pub(super) fn check_names(request: &ProposeRequest, known: &DeployFiles) -> Result<(), Error> {
    let environments: BTreeSet<&Environment> =
        known.keys().map(|target| &target.environment).collect();
    if let Some(from) = &request.from {
        check_environment(from, &environments, "there is no deploy file of it")?;
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
    let message = format!("there is no environment {environment}");
    Err(Error::refused(message, hint))
}
