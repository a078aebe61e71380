//! The command line: arguments, terminal, exit codes. The only place that prints.

mod arguments;
mod check;
mod complete;
mod context;
mod dispatch;
mod doctor;
mod exit;
mod follow;
mod history;
mod hooks;
mod install;
mod intervene;
mod output;
mod plan;
mod run;
mod status;

pub use dispatch::{command, main};
