//! The runner: it carries out what is queued for one environment, and ends.
//!
//! Protocol: it takes the environment's kernel lock. Where another runner holds the lock, it ends
//! after a second. It works until nothing is queued, releases the lock, and looks once more. A hook
//! that queued a deployment while the lock was held committed it before the hook's own runner tried
//! the lock, so the last look sees that deployment. When a runner dies, the kernel releases its
//! lock, and the next runner first finds out what became of the dead runner's deployments.
//!
//! It does not promise to begin anything by itself: hooks, commands, `reconcile` and the timer
//! start it.

mod activation;
mod checkout;
mod drain;
mod error;
mod execute;
mod fetch;
mod job;
mod left_running;
mod log;
mod outcome;
mod patience;
mod phase_program;
mod phases;
mod programs;
mod recover;
mod run;
mod schedule;
mod start;
mod supervise;
mod this_runner;
mod tries;
mod unwatched;

pub use error::Error;
pub use left_running::left_running;
pub use run::run;
pub use unwatched::{Unwatched, has_runner, running, unwatched};
