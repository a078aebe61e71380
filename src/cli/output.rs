//! Printing. A reader that went away is an error that ends the program quietly, never a panic.

use std::env;
use std::io::{self, IsTerminal, Write};

use crate::policy::Refusal;
use crate::report::{Colour, Table};

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

/// A refusal or problem: what, where and why, further lines of why indented, and what to do.
pub(super) fn refusal_lines(word: &str, refusal: &Refusal) -> String {
    let mut message = refusal.message.lines();
    let mut lines = format!(
        "{word} {}: {}\n",
        refusal.shown_path(),
        message.next().unwrap_or_default()
    );
    message.for_each(|line| lines.push_str(&format!("    {line}\n")));
    lines.push_str(&format!("  hint: {}\n", refusal.hint));
    lines
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
