//! Tables whose columns line up.

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

/// The least room that the last column of a row in one line has, in characters.
const LAST_MIN: usize = 20;

/// A table whose cells are safe to show.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<(String, Colour)>>,
    /// How many columns at the end are details.
    details: usize,
}

impl Table {
    /// A table with a heading.
    #[must_use]
    pub fn new(heading: &[&str]) -> Self {
        Self::with_details(heading, 0)
    }

    /// A table whose last columns are details. Where a line is too short for all columns, the last
    /// one is cut, or the details go into a line of their own below their row.
    #[must_use]
    pub fn with_details(heading: &[&str], details: usize) -> Self {
        let names = heading.iter();
        let row = names.map(|name| ((*name).to_owned(), Colour::Plain));
        Self {
            rows: vec![row.collect()],
            details,
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
    /// `width`: how many characters a line may have, which counts where there are details; `None`:
    /// as many as are needed.
    #[must_use]
    pub fn render(&self, coloured: bool, width: Option<usize>) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widths = cells.map(|(text, _)| text.chars().count());
            widths.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let (last, others) = widths.split_last().unwrap_or((&0, &[]));
        let room = width.filter(|_| self.details > 0).map(|width| {
            let taken: usize = others.iter().map(|width| width + 2).sum();
            (width, width.saturating_sub(taken))
        });

        let mut lines = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            match room {
                Some((width, room)) if room < LAST_MIN.min(*last) => {
                    let (row, details) = row.split_at(row.len().saturating_sub(self.details));
                    put_row(&mut lines, row, &widths, coloured);
                    if number > 0 {
                        put_details(&mut lines, details, width);
                    }
                }
                Some((_, room)) => {
                    let mut row = row.clone();
                    if let Some((text, _)) = row.last_mut() {
                        *text = cut(text, room);
                    }
                    put_row(&mut lines, &row, &widths, coloured);
                }
                None => put_row(&mut lines, row, &widths, coloured),
            }
        }
        lines
    }
}

fn put_row(lines: &mut String, row: &[(String, Colour)], widths: &[usize], coloured: bool) {
    for ((text, colour), width) in row.iter().zip(widths) {
        let padding = width.saturating_sub(text.chars().count()) + 2;
        if coloured {
            lines.push_str(&colour.paint(text));
        } else {
            lines.push_str(text);
        }
        lines.extend(std::iter::repeat_n(' ', padding));
    }
    lines.truncate(lines.trim_end_matches(' ').len());
    lines.push('\n');
}

/// Adds the details of a row, if there are any, in a line of their own.
fn put_details(lines: &mut String, details: &[(String, Colour)], width: usize) {
    let cells = details.iter().map(|(text, _)| text.as_str());
    let said: Vec<&str> = cells.filter(|text| !["", "-"].contains(text)).collect();
    if !said.is_empty() {
        lines.push_str(&cut(&format!("    {}", said.join("  ")), width));
        lines.push('\n');
    }
}

/// The beginning of a line of text, with a final `…` if something was cut.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", beginning.trim_end())
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
        assert_eq!(table.render(false, None), "A    LONG\nabc  x\n");
        assert_eq!(
            table.render(true, None),
            "A    LONG\n\x1b[32mabc\x1b[0m  x\n"
        );
    }

    #[test]
    fn details_are_cut_or_go_below_where_a_line_is_short() {
        let mut table = Table::with_details(&["APP", "TOOK", "SUMMARY"], 2);
        for cells in [
            ["web", "3 s", "Deploy alarms X, Y and Z"],
            ["api", "-", ""],
            ["bus", "-", "Fix é"],
        ] {
            table.row(cells.map(|cell| (cell.to_owned(), Colour::Plain)).into());
        }

        let whole = "APP  TOOK  SUMMARY\nweb  3 s   Deploy alarms X, Y and Z\napi  -\nbus  -     \
                     Fix é\n";
        let one_less = whole.replace("and Z", "and…");
        let below = "APP\nweb\n    3 s  Deploy alarms X, Y…\napi\nbus\n    Fix é\n";
        for (width, expect) in [
            (None, whole),
            (Some(200), whole),
            (Some(35), whole),
            (Some(34), &one_less),
            (Some(29), below),
        ] {
            assert_eq!(table.render(false, width), expect, "{width:?}");
        }
        assert_eq!(table.render(false, Some(0)).lines().count(), 6);
    }
}
