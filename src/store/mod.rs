//! What was planned, what runs and what happened: the one place where processes meet.
//!
//! Protocol: an SQLite database in WAL mode with `synchronous=FULL`, so that what a committed
//! transaction says survives a power cut. Every change is made inside `BEGIN IMMEDIATE` … `COMMIT`,
//! and nothing that follows from a change happens before its COMMIT was seen to succeed. A writer
//! waits for another one; readers wait for nobody. Hooks leave the write-ahead log as it is, the
//! runner folds it into the database when it leaves.
//!
//! It does not promise to work on a network file system, where WAL has no shared memory.

mod connection;
mod deployments;
mod error;
mod events;
mod planning;
mod reader;
mod rows;
mod safeguards;
mod schema;
#[cfg(test)]
mod tests;
mod transaction;
mod views;

pub use connection::Store;
pub use error::Error;
pub use events::RecordedEvent;
pub use planning::{Cursor, Enqueued, Fault, Problem, Retired, Source};
pub use reader::{Reader, Snapshot};
pub use rows::{Deployment, Outcome, Run, Stale};
pub use safeguards::RecordedNeed;
pub use schema::VERSION;
pub use transaction::Transaction;
pub use views::Filter;
