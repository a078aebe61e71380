//! Deployments by their numbers.

use super::error::Error;
use crate::id::{DeploymentId, RolloutId};
use crate::store::{Deployment, Reader};

/// What to do where a number is not known.
const HINT: &str = "to see all deployments: deploy-by-code log";

/// Which deployments somebody asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those with these numbers.
    Numbers(Vec<DeploymentId>),
    /// All of this rollout.
    Rollout(RolloutId),
}

impl Which {
    /// Whether it is a list, which can also have one member or be given twice the same number.
    #[must_use]
    pub fn is_list(&self) -> bool {
        !matches!(self, Self::Numbers(ids) if ids.len() == 1)
    }
}

/// A deployment by its number.
///
/// # Errors
/// There is none, or the state can't be read.
pub fn find(record: &Reader<'_>, id: DeploymentId) -> Result<Deployment, Error> {
    let missing = || Error::refused(format!("there is no deployment {id}"), HINT);
    record.deployment(id)?.ok_or_else(missing)
}

/// Some deployments, each once, in the order in which they are asked for.
///
/// # Errors
/// One of them does not exist; the error names all that do not. Or the state can't be read.
pub fn find_all(record: &Reader<'_>, which: &Which) -> Result<Vec<Deployment>, Error> {
    let ids = match which {
        Which::Numbers(ids) => ids,
        Which::Rollout(rollout) => {
            let members = record.deployments_in(*rollout)?;
            let none = || format!("no deployment belongs to a rollout {rollout}");
            return match members.is_empty() {
                true => Err(Error::refused(none(), HINT)),
                false => Ok(members),
            };
        }
    };

    let (mut found, mut missing) = (Vec::<Deployment>::new(), Vec::new());
    for id in ids {
        match record.deployment(*id)? {
            Some(deployment) if found.iter().all(|other| other.id != *id) => found.push(deployment),
            Some(_) => {}
            None => missing.push(id.to_string()),
        }
    }
    match missing.as_slice() {
        [] => Ok(found),
        [one] => Err(Error::refused(
            format!("there is no deployment {one}"),
            HINT,
        )),
        several => {
            let message = format!("there are no deployments {}", several.join(", "));
            Err(Error::refused(message, HINT))
        }
    }
}
