//! The runner: carries out what is queued for one environment, and leaves.
//!
//! Protocol: it takes the environment's kernel lock or leaves at once, because another runner holds
//! it. It works until nothing waits, lets go of the lock, and looks once more: whoever enqueued
//! while it held the lock committed before its own runner tried the lock, so the last look sees it.
//! A runner that died left its lock to the next one, which first finds out what became of the dead
//! one's deployments.
//!
//! It does not promise to begin anything by itself: hooks, `reconcile`, the boot unit and the timer
//! start it.

mod checkout;
mod drain;
mod error;
mod execute;
mod log;
mod recover;
mod run;
mod schedule;
mod this_runner;
mod unwatched;

pub use error::Error;
pub use run::run;
pub use unwatched::{Unwatched, has_runner, unwatched};
