//! What the parser of a command line says.

use super::error::Error;
use super::exit::Exit;
use super::output::{self, Output};
use crate::text;

/// Prints what the parser of the command line says: the help, the version, or what is wrong with
/// the words. The words can be hostile, so they are escaped.
pub(super) fn usage(error: &clap::Error) -> Result<Exit, Error> {
    let mut shown = String::new();
    for line in error.render().to_string().lines() {
        shown.push_str(&text::escape(line, usize::MAX));
        shown.push('\n');
    }

    if error.use_stderr() {
        output::print_error(&shown);
        return Ok(Exit::Usage);
    }
    Output::new().print(&shown)?;
    Ok(Exit::Done)
}
