//! Which environments are frozen.

use std::collections::BTreeMap;

use super::error::Error;
use super::names::Names;
use crate::deploy_repository::DeployRepository;
use crate::id::Environment;
use crate::policy::{Freeze, freeze_of};
use crate::store::Reader;
use crate::time::Timestamp;

/// The environments that are frozen now, by hand or by the calendar.
pub(super) fn frozen(
    deploy: &DeployRepository,
    record: &Reader<'_>,
    names: &Names,
    now: Timestamp,
) -> Result<BTreeMap<Environment, Freeze>, Error> {
    let by_hand = record.freezes(now)?;
    let mut known = names.environments();
    known.extend(by_hand.keys());

    let freeze = |name: &Environment| {
        let section = deploy.config.environment(name);
        freeze_of(&section, by_hand.get(name), now)
    };
    Ok(known
        .into_iter()
        .filter_map(|name| Some((name.clone(), freeze(name)?)))
        .collect())
}
