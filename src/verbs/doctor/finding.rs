//! What a check finds.

use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It works, with a limit that is worth knowing.
    Warning,
    /// It does not work.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How the check came out.
    pub level: Level,
    /// What was found, as one line.
    pub found: String,
    /// What to do about it; `None`: nothing needs to be done.
    pub fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            found: found.into(),
            fix: None,
        }
    }

    pub(super) fn warning(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    pub(super) fn problem(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Problem,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }
}
