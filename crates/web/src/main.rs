//! deploy-by-code-web: shows on a web page what deploy-by-code deployed where.
//!
//! It is a program of its own, so that HTTP stays out of the hooks, and it only reads: it opens the
//! state read-only, with short snapshots, and makes no file. One thread serves all connections; a
//! few more look at repositories.

mod api;
mod arguments;
mod assets;
mod body;
mod browser;
mod commits;
mod connections;
mod fault;
mod feed;
mod follow;
mod hiding;
mod host;
mod limits;
mod listener;
mod log_page;
mod log_reader;
mod log_text;
mod pages;
mod reply;
mod router;
mod routes;
mod server;
mod site;
mod socket;
mod start_error;
mod turn;
mod view;
mod visit;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::start_error::StartError;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            arguments::complain(&error, error.hint());
            error.exit()
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), StartError> {
    let site = site::Site::find(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(limits::THREADS)
        .build()
        .map_err(StartError::System)?;
    let served = runtime.block_on(server::serve(arguments, site));
    // A thread may wait for a repository that gives no answer.
    runtime.shutdown_background();
    served
}
