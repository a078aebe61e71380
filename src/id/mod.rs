//! Names and numbers that are valid by construction.

mod name;
mod number;
mod revision;

pub use name::{Application, Environment, NAME_MAX, NameError, Target};
pub use number::{DeploymentId, EventId, NotANumber, RolloutId};
pub use revision::{Revision, RevisionError};
