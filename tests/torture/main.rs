//! Faults at system calls: what is promised about crashes is tried at every point at which the
//! machine can fail.
//!
//! A point is one call of one kind, such as the 7th `write` of `post-receive`. strace either kills
//! the process that makes this call, or lets the call fail once. Afterwards somebody cleans up, as
//! the timer does, and the arena looks at what users would see. Nothing may be lost, started twice,
//! run beside something else, or be recorded wrongly.
//!
//! Some sweeps are controls: in them something is broken on purpose, and the arena must see it.
//!
//!     cargo test --test torture                a sample, within a minute
//!     cargo test --test torture -- --whole     every point: hours
//!     cargo test --test torture -- install     the targets whose name contains `install`

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and may say more"
)]
#![allow(
    clippy::needless_collect,
    clippy::pedantic,
    dead_code,
    unreachable_pub,
    reason = "tests are not held to a style, and this one shares helpers of the others"
)]

#[path = "../it/applications.rs"]
mod applications;
#[path = "../it/init.rs"]
mod init;
#[path = "../it/observe.rs"]
mod observe;
#[path = "../it/processes.rs"]
mod processes;
#[path = "../it/run.rs"]
mod run;
#[path = "../it/world.rs"]
mod world;

mod arena;
mod fault;
mod installation;
mod notifier;
mod releases;
mod sweep;
mod table;
mod target;

use std::process::ExitCode;
use std::time::Duration;

use crate::sweep::{Extent, sweep};
use crate::target::targets;

/// How long the sample may take, if it is not told otherwise.
const SAMPLE: Duration = Duration::from_secs(45);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let found = arguments.iter().position(|argument| argument == name);
        found.and_then(|at| arguments.get(at + 1)?.parse::<u64>().ok())
    };

    let is_whole = arguments.iter().any(|argument| argument == "--whole");
    let extent = if is_whole {
        Extent::Whole
    } else {
        let time = value("--seconds").map_or(SAMPLE, Duration::from_secs);
        let seed = value("--seed").unwrap_or(1);
        Extent::Sample { time, seed }
    };

    // As libtest has it, words are parts of names. Its options are not for this program.
    let words: Vec<&String> = arguments
        .iter()
        .filter(|word| !word.starts_with('-') && word.parse::<u64>().is_err())
        .collect();
    let is_meant = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(*word));
    let targets: Vec<_> = targets()
        .into_iter()
        .filter(|target| is_meant(target.name))
        .collect();
    if targets.is_empty() {
        return ExitCode::SUCCESS;
    }

    if let Err(reason) = fault::can_inject() {
        run::skip(&reason);
        return ExitCode::SUCCESS;
    }

    let rows = sweep(&targets, extent);
    table::print(&rows);
    if rows.iter().all(table::Row::is_as_promised) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
