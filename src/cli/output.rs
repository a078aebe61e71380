//! Printing. If the reader goes away, that is an error which ends the program quietly, and never a
//! panic.

use std::env;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use super::error::Error;
use crate::report::{Colour, Table};
use crate::sys::terminal;

/// How much is collected before it is written, in bytes.
const BUFFER: usize = 64 * 1024;

/// Standard output, which is written to in large pieces.
pub(super) type Buffered = BufWriter<StdoutLock<'static>>;

/// Standard output.
pub(super) struct Output {
    /// Whether a person reads it.
    pub(super) is_terminal: bool,
    coloured: bool,
}

impl Output {
    pub(super) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            is_terminal,
            coloured: is_terminal && !no_color && !is_dumb,
        }
    }

    /// Prints some text.
    pub(super) fn print(&self, text: &str) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        written.and_then(|()| stdout.flush()).map_err(Error::Output)
    }

    /// Prints what `write` writes, and ends the line.
    pub(super) fn write(
        &self,
        write: impl FnOnce(&mut Buffered) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut stdout = BufWriter::with_capacity(BUFFER, io::stdout().lock());
        write(&mut stdout)?;
        let written = stdout.write_all(b"\n");
        written.and_then(|()| stdout.flush()).map_err(Error::Output)
    }

    /// Prints a line.
    pub(super) fn line(&self, line: &str) -> Result<(), Error> {
        self.print(&format!("{line}\n"))
    }

    /// Prints a table, in lines as long as those of the terminal.
    pub(super) fn table(&self, table: &Table) -> Result<(), Error> {
        self.print(&table.render(self.coloured, terminal_width()))
    }

    /// Puts a colour around some text, where the output has colours.
    pub(super) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.coloured {
            colour.paint(text)
        } else {
            text.to_owned()
        }
    }
}

/// Hands on what was printed and still waits in a buffer. Nobody is left to hear of an error.
pub(super) fn finish() {
    let _ = io::stdout().flush();
}

/// How many characters a line of the terminal has; `None`: standard output is no terminal.
pub(super) fn terminal_width() -> Option<usize> {
    terminal::width(&io::stdout())
}

/// Writes to standard error. Nothing happens if nobody reads it any more.
pub(super) fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says on standard error what went wrong and what to do.
pub(super) fn complain(message: &str, hint: Option<&str>) {
    print_error(&complaint(message, hint));
}

/// The lines that say what went wrong and what to do. Further lines of the message are indented.
pub(super) fn complaint(message: &str, hint: Option<&str>) -> String {
    complaint_of("deploy-by-code", message, hint)
}

/// The same, of a program that is called by another name.
pub(super) fn complaint_of(program: &str, message: &str, hint: Option<&str>) -> String {
    let mut text = String::new();

    for (index, line) in message.lines().enumerate() {
        match index {
            0 => text.push_str(&format!("{program}: {line}\n")),
            _ => text.push_str(&format!("  {line}\n")),
        }
    }
    if let Some(hint) = hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    text
}
