//! `metrics`: the figures for Prometheus.

use std::path::Path;

use super::context::Context;
use super::error::Error;
use super::exit::Exit;
use crate::verbs;

/// `metrics`, or with `--textfile` the same into a folder. Figures by a broken configuration would
/// be wrong, so there are none then.
pub(super) fn metrics(context: &Context, folder: Option<&Path>) -> Result<Exit, Error> {
    match folder {
        Some(folder) => {
            let (deploy, mut store) = context.place.deploy_and_store()?;
            verbs::write_metrics(&deploy, &mut store, folder)?;
        }
        None => {
            let deploy = context.place.deploy()?;
            let mut store = deploy.open_store_to_look().map_err(verbs::Error::from)?;
            context
                .output
                .print(&verbs::metrics(&deploy, &mut store)?)?;
        }
    }
    Ok(Exit::Done)
}
