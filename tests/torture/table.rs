//! The table of what a run found.

use std::collections::BTreeSet;

/// What went wrong at one point. Nothing of it should.
#[derive(Debug, Default, Clone)]
pub struct Findings {
    /// What was accepted and never carried out.
    pub lost: Vec<String>,
    /// What was planned or started more than once.
    pub doubled: Vec<String>,
    /// What ran beside something else in the same environment.
    pub overlapped: Vec<String>,
    /// What is recorded or said and is not so.
    pub wrong: Vec<String>,
}

impl Findings {
    pub fn wrong(text: impl Into<String>) -> Self {
        let wrong = vec![text.into()];
        Self {
            wrong,
            ..Self::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let lists = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("overlapped", &self.overlapped),
            ("wrong", &self.wrong),
        ];
        lists
            .into_iter()
            .flat_map(|(kind, list)| list.iter().map(move |text| (kind, text)))
    }

    /// The findings, each in a line of its own.
    pub fn lines(&self) -> String {
        let lines = self.all().map(|(kind, text)| format!("  {kind}: {text}\n"));
        lines.collect()
    }
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub method: &'static str,
    /// What a control breaks on purpose, and must be found. `None` if this is none.
    pub must_find: Option<&'static str>,
    /// How many points there are, and how many of them were tried.
    pub points: usize,
    pub tried: usize,
    /// At how many points something of each kind was found.
    pub lost: usize,
    pub doubled: usize,
    pub overlapped: usize,
    pub wrong: usize,
    /// Examples of what was found.
    pub examples: BTreeSet<String>,
}

impl Row {
    pub fn add(&mut self, findings: &Findings, point: &str) {
        self.tried += 1;
        self.lost += usize::from(!findings.lost.is_empty());
        self.doubled += usize::from(!findings.doubled.is_empty());
        self.overlapped += usize::from(!findings.overlapped.is_empty());
        self.wrong += usize::from(!findings.wrong.is_empty());
        if !findings.is_empty() {
            self.examples
                .insert(format!("{point}\n{}", findings.lines()));
        }
    }

    /// Whether nothing was found, or for a control, whether it was found what it breaks.
    pub fn is_as_promised(&self) -> bool {
        match self.must_find {
            None => self.lost + self.doubled + self.overlapped + self.wrong == 0 && self.tried > 0,
            Some("lost") => self.lost > 0,
            Some("doubled") => self.doubled > 0,
            Some("overlapped") => self.overlapped > 0,
            Some(_) => self.wrong > 0,
        }
    }
}

/// Prints the table, and what was found where nothing should have been.
pub fn print(rows: &[Row]) {
    for row in rows.iter().filter(|row| row.must_find.is_none()) {
        for example in &row.examples {
            println!("{} ({}): {example}", row.name, row.method);
        }
    }

    println!(
        "{:<34} {:<7} {:>7} {:>6} {:>5} {:>8} {:>11} {:>6}",
        "what", "method", "points", "tried", "lost", "doubled", "overlapped", "wrong"
    );
    for row in rows {
        let note = match (row.must_find, row.is_as_promised()) {
            (None, true) => String::new(),
            (None, false) => String::from("  BROKEN"),
            (Some(kind), true) => format!("  control: {kind}, as it must be"),
            (Some(kind), false) => format!("  CONTROL FAILED: nothing was {kind}"),
        };
        println!(
            "{:<34} {:<7} {:>7} {:>6} {:>5} {:>8} {:>11} {:>6}{note}",
            row.name,
            row.method,
            row.points,
            row.tried,
            row.lost,
            row.doubled,
            row.overlapped,
            row.wrong
        );
    }
}
