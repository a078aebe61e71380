//! A refusal or a recorded problem, for people and for programs.

use serde::Serialize;

use crate::policy::Refusal;

/// A refusal for programs. The keys are stable.
#[derive(Debug, Serialize)]
pub struct RefusalRow {
    /// The path or ref.
    pub path: String,
    /// What was found, in one or more lines.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl RefusalRow {
    /// Makes the row of a refusal.
    #[must_use]
    pub fn new(refusal: &Refusal) -> Self {
        let Refusal {
            path,
            message,
            hint,
            ..
        } = refusal;
        Self {
            path: String::from_utf8_lossy(path).into_owned(),
            message: message.clone(),
            hint: hint.clone(),
        }
    }
}

/// A refusal or problem in lines: a word for what it is, where it is, what was found, and what to
/// do. Further lines of what was found are indented.
#[must_use]
pub fn refusal_lines(word: &str, refusal: &Refusal) -> String {
    let mut message = refusal.message.lines();
    let (path, first) = (refusal.shown_path(), message.next().unwrap_or_default());

    let mut lines = format!("{word} {path}: {first}\n");
    message.for_each(|line| lines.push_str(&format!("    {line}\n")));
    lines.push_str(&format!("  hint: {}\n", refusal.hint));
    lines
}
