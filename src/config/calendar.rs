//! The calendar: windows of time in which an environment is frozen.
//!
//! This is pure: the caller hands in the rules of time zones, because they are in files of the
//! machine.

use std::fmt;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;

use crate::text;
use crate::time::Timestamp;

/// Finds a time zone's rules by its name in the IANA database; `None`: there is none of that name.
pub type Zones<'a> = &'a dyn Fn(&str) -> Option<TimeZone>;

/// What happens to a push that deploys to a frozen environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFreeze {
    /// It is refused.
    Refuse,
    /// It is accepted, and its deployments wait for the thaw.
    Hold,
}

/// A period in which an environment is frozen: every week, or once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    text: String,
    zone: TimeZone,
    days: Days,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    Weekly {
        from: (Weekday, Time),
        to: (Weekday, Time),
    },
    Once {
        from: Timestamp,
        to: Timestamp,
    },
}

/// One end of a window, as written.
enum End {
    Weekday(Weekday, Time),
    Date(Date, Option<Time>),
}

/// What is wrong with the text of a window. Each holds the text, or the part that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WindowError {
    /// The text does not have the form of a window.
    Form(String),
    /// The machine knows no time zone of this name.
    UnknownZone(String),
    /// Both ends are the same point in the week.
    Empty(String),
    /// The second date comes before the first.
    Backwards(String),
    /// One of its ends is later than any time that can be computed with.
    TooLate(String),
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |text: &str| text::quote(text, 80);

        match self {
            Self::Form(text) => write!(
                f,
                "{} is not a period like \"Fri 16:00 .. Mon 08:00 Europe/Zurich\" \
                 or \"2026-12-24 .. 2027-01-02\"",
                quote(text)
            ),
            Self::UnknownZone(name) => {
                let name = text::quote(name, 60);
                write!(
                    f,
                    "unknown time zone {name}; names are those of the package tzdata"
                )
            }
            Self::Empty(text) => write!(f, "{} ends where it begins", quote(text)),
            Self::Backwards(text) => write!(f, "{} ends before it begins", quote(text)),
            Self::TooLate(text) => write!(
                f,
                "{} has an end that is too late; the last day that can be written is 9999-12-29",
                quote(text)
            ),
        }
    }
}

impl std::error::Error for WindowError {}

impl Window {
    /// Reads `Fri 16:00 .. Mon 08:00 Europe/Zurich` and `2026-12-24 .. 2027-01-02`; a date without
    /// a time is a whole day, also as the end. Without a zone the times are UTC, whatever the
    /// machine's own zone is.
    ///
    /// # Errors
    /// The text has another form, names an unknown zone, ends before it begins, or has an end that
    /// is too late.
    pub(super) fn parse(text: &str, zones: Zones<'_>) -> Result<Self, WindowError> {
        let form = || WindowError::Form(text.to_owned());
        let (from, to) = text.split_once("..").ok_or_else(form)?;
        let from: Vec<&str> = from.split_whitespace().collect();
        let mut to: Vec<&str> = to.split_whitespace().collect();

        let is_zone = |word: &&str| word.starts_with(|c: char| c.is_alphabetic());
        let has_zone = to.len() > 1 && to.last().is_some_and(is_zone);
        let zone = match to.pop_if(|_| has_zone) {
            // UTC is known also where the machine has no time zone data.
            None | Some("UTC") => TimeZone::UTC,
            Some(name) => zones(name).ok_or_else(|| WindowError::UnknownZone(name.to_owned()))?,
        };

        let from = end(&from).ok_or_else(form)?;
        let to = end(&to).ok_or_else(form)?;
        Ok(Self {
            days: Days::between(from, to, &zone, text)?,
            text: text.to_owned(),
            zone,
        })
    }

    /// The window as the configuration has it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The end of the window, if `now` is in it; otherwise `None`. If the clock is set forward past
    /// the end, the end comes later by the same time. If the clock is set back and the end comes
    /// twice, the first one counts.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.days {
            Days::Once { from, to } => (*from <= now && now < *to).then_some(*to),
            Days::Weekly { from, to } => {
                let instant = jiff::Timestamp::from_millisecond(now.as_ms()).ok()?;
                let today = self.zone.to_datetime(instant).date();

                // A window that began up to a week ago can hold `now`.
                (0..=7_i64).find_map(|back| {
                    let first = today.checked_sub(back.days()).ok()?;
                    if first.weekday() != from.0 {
                        return None;
                    }
                    let length = match from.0.until(to.0) {
                        0 if to.1 <= from.1 => 7,
                        length => i64::from(length),
                    };
                    let last = first.checked_add(length.days()).ok()?;
                    let from = at(&self.zone, first.to_datetime(from.1))?;
                    let to = at(&self.zone, last.to_datetime(to.1))?;
                    (from <= now && now < to).then_some(to)
                })
            }
        }
    }
}

/// When it is a local time in a zone; `None`: at no time that can be computed with.
fn at(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}

impl Days {
    /// The days between two ends of the same kind. `text` is that of the window.
    fn between(from: End, to: End, zone: &TimeZone, text: &str) -> Result<Self, WindowError> {
        match (from, to) {
            (End::Weekday(from, begin), End::Weekday(to, until)) => {
                let (from, to) = ((from, begin), (to, until));
                if from == to {
                    return Err(WindowError::Empty(text.to_owned()));
                }
                Ok(Self::Weekly { from, to })
            }

            (End::Date(from, begin), End::Date(to, until)) => {
                let from = from.to_datetime(begin.unwrap_or(Time::midnight()));
                let to = match until {
                    Some(until) => Some(to.to_datetime(until)),
                    None => to
                        .tomorrow()
                        .ok()
                        .map(|day| day.to_datetime(Time::midnight())),
                };

                let ends = (at(zone, from), to.and_then(|to| at(zone, to)));
                match ends {
                    (Some(from), Some(to)) if to > from => Ok(Self::Once { from, to }),
                    (Some(_), Some(_)) => Err(WindowError::Backwards(text.to_owned())),
                    _ => Err(WindowError::TooLate(text.to_owned())),
                }
            }
            _ => Err(WindowError::Form(text.to_owned())),
        }
    }
}

fn end(words: &[&str]) -> Option<End> {
    let time = |word: &str| Time::strptime("%H:%M", word).ok();

    match words {
        [day] => Some(End::Date(date(day)?, None)),
        [day, at] => match date(day) {
            Some(date) => Some(End::Date(date, Some(time(at)?))),
            None => Some(End::Weekday(weekday(day)?, time(at)?)),
        },
        _ => None,
    }
}

fn date(word: &str) -> Option<Date> {
    Date::strptime("%Y-%m-%d", word).ok()
}

fn weekday(word: &str) -> Option<Weekday> {
    match word.to_ascii_lowercase().as_str() {
        "mon" => Some(Weekday::Monday),
        "tue" => Some(Weekday::Tuesday),
        "wed" => Some(Weekday::Wednesday),
        "thu" => Some(Weekday::Thursday),
        "fri" => Some(Weekday::Friday),
        "sat" => Some(Weekday::Saturday),
        "sun" => Some(Weekday::Sunday),
        _ => None,
    }
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
