//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use deploy_by_code::id::NotifyName;
use deploy_by_code::text::{escape, with_causes};
use deploy_by_code::verbs;

/// Tell people and other programs what deploy-by-code did. Hooks and runners start it; nobody needs
/// to
#[derive(Debug, Parser)]
#[command(name = "deploy-by-code-notify", version)]
pub(crate) struct Arguments {
    /// The deploy repository [default: the one at or above the current folder]
    #[arg(short = 'C', long, value_name = "DIR")]
    pub(crate) repository: Option<PathBuf>,

    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Send a test event to the section [notify.NAME], and show the answer
    #[arg(long, value_name = "NAME")]
    pub(crate) test: Option<NotifyName>,

    /// Look at what each section needs, without sending anything, and print JSON
    #[arg(long, conflicts_with = "test")]
    pub(crate) check: bool,

    /// The process that starts this one has the right to: it is a hook of a push, or has checked it
    #[arg(long = "checked", hide = true)]
    pub(crate) is_checked: bool,
}

/// Prints a line. Where nobody reads it, it is lost.
pub(crate) fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{}", escape(line, usize::MAX));
}

/// Prints an error and what to do about it. Where nobody reads it, it is lost.
pub(crate) fn complain(error: &verbs::Error) {
    let message = escape(with_causes(error), usize::MAX);
    let _ = writeln!(io::stderr(), "deploy-by-code-notify: {message}");
    if let Some(hint) = error.hint() {
        let _ = writeln!(io::stderr(), "  hint: {}", escape(hint, usize::MAX));
    }
}
