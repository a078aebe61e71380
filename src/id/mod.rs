//! Names and numbers that are valid by construction.

mod name;
mod number;
mod revision;

pub use name::{Application, Environment, NAME_MAX, NameError, NotifyName, Target};
pub use number::{DeploymentId, EventId, NotANumber, NotificationId, RolloutId};
pub use revision::{Revision, RevisionError};
