//! A refusal, or a problem on record, for people and for programs.

use serde::Serialize;

use crate::policy::Refusal;

/// A refusal for programs.
#[derive(Debug, Serialize)]
pub struct RefusalRow {
    /// The path or ref.
    pub path: String,
    /// What was found; a line, or some.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl RefusalRow {
    /// Makes a row of a refusal.
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

/// A refusal or problem: what, where and why, further lines of why indented, and what to do.
#[must_use]
pub fn refusal_lines(word: &str, refusal: &Refusal) -> String {
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
