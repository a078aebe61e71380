//! Tables whose columns line up.

use std::fmt::Write as _;

/// The colour of some text. It is used on terminals only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// No colour.
    Plain,
    /// It is as it should be.
    Good,
    /// Somebody has to do something.
    Bad,
    /// It is not finished, or worth a look.
    Attention,
}

impl Colour {
    /// Puts the colour around some text (ECMA-48 SGR).
    #[must_use]
    pub fn paint(self, text: &str) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => 32,
            Self::Bad => 31,
            Self::Attention => 33,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A table whose cells are safe to show.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<(String, Colour)>>,
}

impl Table {
    /// A table with a heading.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        let names = heading.iter();
        let row = names.map(|name| ((*name).to_owned(), Colour::Plain));
        Self {
            rows: vec![row.collect()],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<(String, Colour)>) {
        self.rows.push(cells);
    }

    /// Whether there is nothing but the heading.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The lines. Each column is as wide as its widest cell, and two spaces are between columns.
    #[must_use]
    pub fn render(&self, coloured: bool) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widths = cells.map(|(text, _)| text.chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();

        let mut lines = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (text, colour)) in row.iter().enumerate() {
                let padding = widths[column].saturating_sub(text.chars().count()) + 2;
                let shown = if coloured {
                    colour.paint(text)
                } else {
                    text.clone()
                };
                let _ = write!(line, "{shown}{}", " ".repeat(padding));
            }
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let mut table = Table::new(&["A", "LONG"]);
        table.row(vec![
            ("abc".into(), Colour::Good),
            ("x".into(), Colour::Plain),
        ]);
        assert_eq!(table.render(false), "A    LONG\nabc  x\n");
        assert_eq!(table.render(true), "A    LONG\n\x1b[32mabc\x1b[0m  x\n");
    }
}
