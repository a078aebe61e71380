//! What the hooks do once the command line has called them. They judge, record and start runners.
//! They never run a deployment and never print.

pub mod environment;
mod guarded_refs;
mod post_receive;
mod pre_receive;
mod reference_transaction;
mod touched;

pub use post_receive::{Announcement, Failure, Received, post_receive};
pub use pre_receive::{Error, Verdict, pre_receive};
pub use reference_transaction::reference_transaction;
