//! The state: what was planned, what runs and what happened. Processes meet in it, and nowhere
//! else.
//!
//! Protocol: it is an SQLite database in WAL mode with `synchronous=FULL`, so what a committed
//! transaction says survives a power cut. Only what can be found out again is committed without a
//! sync. Every change is made between `BEGIN IMMEDIATE` and
//! `COMMIT`. Nothing that follows from a change happens before its `COMMIT` has succeeded. A writer
//! waits for other writers, and a reader never waits. Hooks leave the write-ahead log as it is.
//! When it is long, a runner, `reconcile` or the notifier moves it into the database at its end.
//!
//! It does not promise to work on a network file system, where WAL has no shared memory.

mod addressees;
mod columns;
mod connection;
mod create;
mod cursor;
#[cfg(test)]
mod damage_tests;
mod dates;
mod deployments;
mod details;
mod enqueue;
mod error;
mod events;
#[cfg(test)]
mod events_tests;
mod figures;
#[cfg(test)]
mod figures_tests;
mod freezes;
mod gone_readers;
mod identity_file;
mod left_running;
mod log_files;
mod logged;
#[cfg(test)]
mod notes_tests;
mod notifications;
mod numbers;
mod open;
mod phases;
mod problems;
mod progress;
#[cfg(test)]
mod progress_tests;
#[cfg(test)]
mod query_plan_tests;
mod queue;
mod read_only;
mod reader;
mod releases;
mod restore;
mod retirements;
mod rows;
mod safeguards;
mod schema;
mod search;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod transaction;
mod views;

pub use addressees::{Addressees, Settled};
pub use connection::Store;
pub use cursor::Cursor;
pub use dates::Undated;
pub use deployments::{NewestRecord, TargetRecord};
pub use details::{Details, NewestDetails};
pub use enqueue::{Enqueued, Source, Superseded};
pub use error::Error;
pub use events::RecordedEvent;
pub use figures::{
    BOUNDS, ChangeFigures, DeploymentFigures, DurationFigures, NotificationFigures, QueueFigures,
};
pub use gone_readers::EventReader;
pub use left_running::LeftRunning;
pub use log_files::with_log;
pub use logged::LoggedDeployment;
pub use notifications::{Attempt, Notification, NotificationStatus};
pub use open::FOLDERS;
pub use phases::{PhaseEnd, RecordedPhase};
pub use problems::{Fault, Problem};
pub use read_only::ChangeMark;
pub use reader::{Reader, Snapshot};
pub use retirements::Retired;
pub use rows::{Deployment, Outcome, RecordedCheckout, Run, Stale, state_mark};
pub use safeguards::RecordedNeed;
pub use schema::VERSION;
pub use search::SEARCHED_MAX;
pub use transaction::Transaction;
pub use views::{Filter, Period};
