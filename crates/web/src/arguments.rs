//! The command line.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use deploy_by_code::text::{escape, with_causes};
use deploy_by_code::time::{NotADuration, parse_duration};
use deploy_by_code::timer_list;

/// Show on a web page what deploy-by-code deployed where. It only reads
#[derive(Debug, Parser)]
#[command(name = "deploy-by-code-web", version)]
pub(crate) struct Arguments {
    /// Listen on this address and port [default: the socket of systemd, else 127.0.0.1:8008]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "unix")]
    pub(crate) listen: Option<SocketAddr>,

    /// Listen on a unix socket, which is made here
    #[arg(long, value_name = "PATH")]
    pub(crate) unix: Option<PathBuf>,

    /// Allow an address that other machines can reach
    #[arg(long)]
    pub(crate) allow_public: bool,

    /// A name by which browsers may ask for the page, beside localhost and addresses
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,

    /// End after this long without a request, such as 10m [default: never]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) idle: Option<Duration>,

    /// The configuration file, for all repositories
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Show the repositories of this user that install registered
    #[arg(long, conflicts_with = "repositories")]
    pub(crate) registered: bool,

    #[arg(long, hide = true, default_value = timer_list::FOLDER)]
    pub(crate) registry: PathBuf,

    /// The deploy repositories [default: the one at or above the current folder]
    #[arg(value_name = "REPOSITORY")]
    pub(crate) repositories: Vec<PathBuf>,
}

fn time(text: &str) -> Result<Duration, NotADuration> {
    parse_duration(text)
}

/// Prints a line. Where nobody reads it, it is lost.
pub(crate) fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{}", escape(line, usize::MAX));
}

/// Prints an error and what to do about it. Where nobody reads it, it is lost.
pub(crate) fn complain(error: &dyn std::error::Error, hint: Option<&str>) {
    let message = escape(with_causes(error), usize::MAX);
    let _ = writeln!(io::stderr(), "deploy-by-code-web: {message}");
    if let Some(hint) = hint {
        let _ = writeln!(io::stderr(), "  hint: {}", escape(hint, usize::MAX));
    }
}
