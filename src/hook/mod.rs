//! What the hooks do, once the command line has called them. They record and wake; they never run a
//! deployment and never print.

pub mod environment;
pub mod planning;
mod receive;
pub mod wake;

pub use receive::{
    Announcement, Received, Verdict, post_receive, pre_receive, reference_transaction,
};
