//! Why and until when an environment is frozen.

use crate::config::EnvironmentSection;
use crate::identity::Identity;
use crate::text::escape;
use crate::time::Timestamp;

/// Why an environment is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Who froze it; `None`: the calendar in the configuration.
    pub by: Option<Identity>,
    /// The reason; for the calendar, the window as the configuration has it.
    pub reason: String,
    /// Since when, if a person froze it.
    pub since: Option<Timestamp>,
    /// Until when; `None`: until somebody thaws it.
    pub until: Option<Timestamp>,
}

impl Freeze {
    /// Who, when, why and until when, in words that are safe to show.
    #[must_use]
    pub fn describe(&self) -> String {
        let until = self.until.map_or_else(String::new, |until| {
            format!(", until {} UTC", until.minute())
        });

        match (&self.by, self.since) {
            (Some(by), Some(since)) => {
                let by = escape(&by.name, 64);
                let reason = escape(&self.reason, 200);
                format!("frozen by {by} at {} UTC: {reason}{until}", since.minute())
            }
            _ => {
                let window = escape(&self.reason, 80);
                format!("frozen by the calendar, \"{window}\"{until}")
            }
        }
    }
}

/// Why an environment is frozen at the time `now`; `None`: it is not. `by_hand` is what a person
/// decided, if anybody did; it counts more than the calendar.
#[must_use]
pub fn freeze_of(
    section: &EnvironmentSection,
    by_hand: Option<&Freeze>,
    now: Timestamp,
) -> Option<Freeze> {
    let by_hand = by_hand.filter(|freeze| freeze.until.is_none_or(|until| until > now));

    let calendar = || {
        let (window, until) = section
            .frozen
            .iter()
            .filter_map(|window| Some((window, window.until(now)?)))
            .max_by_key(|(_, until)| *until)?;
        Some(Freeze {
            by: None,
            reason: window.text().to_owned(),
            since: None,
            until: Some(until),
        })
    };
    by_hand.cloned().or_else(calendar)
}
