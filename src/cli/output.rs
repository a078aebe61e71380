//! Printing. A reader that went away is an error that ends the program quietly, never a panic.

use std::env;
use std::io::{self, IsTerminal, Write};

use crate::report::{Colour, Table};
use crate::text;

/// Standard output.
pub(super) struct Output {
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

    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    pub(super) fn line(&self, line: &str) -> io::Result<()> {
        self.print(&format!("{line}\n"))
    }

    pub(super) fn table(&self, table: &Table) -> io::Result<()> {
        self.print(&table.render(self.coloured))
    }

    pub(super) fn paint(&self, colour: Colour, text: &str) -> String {
        if self.coloured {
            colour.paint(text)
        } else {
            text.to_owned()
        }
    }
}

/// Writes to standard error, if anybody still listens.
pub(super) fn print_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says on standard error what went wrong, if anybody still listens.
pub(super) fn complain(message: &str, hint: Option<&str>) {
    let mut text = String::new();
    for (index, line) in message.lines().enumerate() {
        text.push_str(if index == 0 { "deploy-by-code: " } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
    if let Some(hint) = hint {
        text.push_str(&format!("  hint: {hint}\n"));
    }
    print_error(&text);
}

/// The longest line of a command's output that is held back until its end comes, in bytes.
const LINE_MAX: usize = 64 * 1024;

/// A command's output on its way to somebody.
pub(super) struct OutputLines {
    /// Whether the bytes go through as they are.
    is_raw: bool,
    /// What stands before each line.
    prefix: String,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
    /// Whether what was written as it is ended with a whole line.
    ended_its_line: bool,
}

impl OutputLines {
    /// For a file or another program: the bytes as they are.
    pub(super) fn raw() -> Self {
        Self {
            is_raw: true,
            prefix: String::new(),
            pending: Vec::new(),
            ended_its_line: true,
        }
    }

    /// For a terminal or a pusher: whole lines in which nothing can deceive.
    pub(super) fn escaped(prefix: String) -> Self {
        Self {
            is_raw: false,
            prefix,
            ..Self::raw()
        }
    }

    /// Whether the cursor of whoever reads stands at the beginning of a line.
    pub(super) fn ended_their_line(&self) -> bool {
        self.ended_its_line
    }

    /// Writes a piece of output.
    pub(super) fn write(&mut self, output: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        if self.is_raw {
            output.write_all(bytes)?;
            let last = bytes.last();
            self.ended_its_line = last.map_or(self.ended_its_line, |last| *last == b'\n');
            return output.flush();
        }

        self.pending.extend_from_slice(bytes);
        let mut shown = String::new();
        while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            self.show(&mut shown, &line[..end]);
        }
        if self.pending.len() > LINE_MAX {
            let line = std::mem::take(&mut self.pending);
            self.show(&mut shown, &line);
        }
        output.write_all(shown.as_bytes())?;
        output.flush()
    }

    /// Writes what is left of an unfinished line.
    pub(super) fn end(&mut self, output: &mut impl Write) -> io::Result<()> {
        let line = std::mem::take(&mut self.pending);
        if line.is_empty() {
            return Ok(());
        }
        let mut shown = String::new();
        self.show(&mut shown, &line);
        output.write_all(shown.as_bytes())?;
        output.flush()
    }

    fn show(&self, shown: &mut String, line: &[u8]) {
        let mut text = String::new();
        text::push_output_line(&mut text, line);
        for line in text.split('\n') {
            shown.push_str(&self.prefix);
            shown.push_str(line);
            shown.push('\n');
        }
    }
}
