//! The command line: arguments, terminal, exit codes. The only place that prints.

mod announce;
mod arguments;
mod check;
mod checkout;
mod commands;
mod complete;
mod context;
mod dispatch;
mod doctor;
mod error;
mod exit;
mod filter;
mod follow;
mod follow_push;
mod help;
mod history;
mod hooks;
mod install;
mod intervene;
mod intervene_commands;
mod kept_hook;
mod look_commands;
mod metrics;
mod notifications;
mod output;
mod output_lines;
mod own_program;
mod plan;
mod push_options;
mod pusher;
mod rebuild;
mod run;
mod show;
mod status;

pub use dispatch::{command, main};
