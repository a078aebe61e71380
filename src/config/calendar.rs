//! When the calendar freezes an environment.
//!
//! Pure: the rules of a time zone are handed in by whoever reads the configuration, because they
//! lie in files of the machine.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use crate::text;
use crate::time::Timestamp;

/// Finds a time zone's rules by its name in the IANA database; `None`: there is none of that name.
pub type Zones<'a> = &'a dyn Fn(&str) -> Option<TimeZone>;

/// What happens to a push that deploys to a frozen environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFreeze {
    /// It is refused.
    Refuse,
    /// It is taken, and its deployments wait for the thaw.
    Hold,
}

/// A stretch of time in which an environment is frozen: every week, or once.
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
        from: DateTime,
        to: DateTime,
    },
}

/// One end of a window, as written.
enum End {
    Weekday(Weekday, Time),
    Date(Date, Option<Time>),
}

impl Window {
    /// Reads `Fri 16:00 .. Mon 08:00 Europe/Zurich` and `2026-12-24 .. 2027-01-02`; a date without
    /// a time is a whole day, also as the end. Without a zone the times are UTC, whatever the
    /// machine's own zone is.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(super) fn parse(text: &str, zones: Zones<'_>) -> Result<Self, String> {
        let wanted = || {
            format!(
                "{} is no stretch of time like \"Fri 16:00 .. Mon 08:00 Europe/Zurich\" or \"2026-12-24 .. 2027-01-02\"",
                text::quote(text, 80)
            )
        };
        let (from, to) = text.split_once("..").ok_or_else(wanted)?;
        let from: Vec<&str> = from.split_whitespace().collect();
        let mut to: Vec<&str> = to.split_whitespace().collect();
        let has_zone = to
            .last()
            .is_some_and(|word| word.starts_with(|c: char| c.is_alphabetic()))
            && to.len() > 1;
        let zone = match to.pop_if(|_| has_zone) {
            None => TimeZone::UTC,
            // Also where the machine has no time zone data.
            Some("UTC") => TimeZone::UTC,
            Some(name) => {
                let unknown = || {
                    format!(
                        "unknown time zone {}; names are those of the package tzdata",
                        text::quote(name, 60)
                    )
                };
                zones(name).ok_or_else(unknown)?
            }
        };
        let days = match (end(&from).ok_or_else(wanted)?, end(&to).ok_or_else(wanted)?) {
            (End::Weekday(from, at), End::Weekday(to, until)) if (from, at) == (to, until) => {
                return Err(format!("{} ends where it begins", text::quote(text, 80)));
            }
            (End::Weekday(from, at), End::Weekday(to, until)) => Days::Weekly {
                from: (from, at),
                to: (to, until),
            },
            (End::Date(from, at), End::Date(to, until)) => {
                let from = from.to_datetime(at.unwrap_or(Time::midnight()));
                let to = match until {
                    Some(until) => Some(to.to_datetime(until)),
                    None => to
                        .tomorrow()
                        .ok()
                        .map(|day| day.to_datetime(Time::midnight())),
                };
                Days::Once {
                    from,
                    to: to.filter(|to| *to > from).ok_or_else(|| {
                        format!("{} ends before it begins", text::quote(text, 80))
                    })?,
                }
            }
            _ => return Err(wanted()),
        };
        Ok(Self {
            text: text.to_owned(),
            zone,
            days,
        })
    }

    /// As the configuration says it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// When the window that holds `now` ends; `None`: none does. Where a clock goes forward over an
    /// end, the end is the moment after; where one goes back over it, the first of the two.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let at = |local: DateTime| {
            let at = self.zone.to_ambiguous_timestamp(local).compatible().ok()?;
            Some(Timestamp::from_ms(at.as_millisecond()))
        };
        let within = |from: DateTime, to: DateTime| {
            let end = at(to)?;
            (at(from)? <= now && now < end).then_some(end)
        };
        match &self.days {
            Days::Once { from, to } => within(*from, *to),
            Days::Weekly { from, to } => {
                let today = self
                    .zone
                    .to_datetime(jiff::Timestamp::from_millisecond(now.as_ms()).ok()?)
                    .date();
                (0..=7).find_map(|back| {
                    let first = today
                        .checked_sub(days(back))
                        .ok()
                        .filter(|day| day.weekday() == from.0)?;
                    let length = match from.0.until(to.0) {
                        0 if to.1 <= from.1 => 7,
                        length => i64::from(length),
                    };
                    let last = first.checked_add(days(length)).ok()?;
                    within(first.to_datetime(from.1), last.to_datetime(to.1))
                })
            }
        }
    }
}

fn days(count: i64) -> Span {
    count.days()
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
    let days = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let word = word.to_ascii_lowercase();
    days.into_iter()
        .find(|(name, _)| *name == word)
        .map(|(_, day)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of central Europe since 1996, as the IANA database writes them: no file of the
    /// machine is read.
    fn zones(name: &str) -> Option<TimeZone> {
        (name == "Europe/Zurich").then(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    /// At `now` (UTC) the window holds until then; empty: it does not.
    #[track_caller]
    fn check(window: &str, now: &str, until: &str) {
        let at: jiff::Timestamp = now.parse().unwrap();
        let found = Window::parse(window, &zones)
            .unwrap()
            .until(Timestamp::from_ms(at.as_millisecond()));
        assert_eq!(
            found.map(Timestamp::minute).unwrap_or_default(),
            until,
            "{window} at {now}"
        );
    }

    #[test]
    fn weekly() {
        let weekend = "Fri 16:00 .. Mon 08:00 Europe/Zurich";
        // Winter: UTC+1.
        check(weekend, "2026-11-27T14:59:59Z", "");
        check(weekend, "2026-11-27T15:00:00Z", "2026-11-30 07:00");
        check(weekend, "2026-11-29T12:00:00Z", "2026-11-30 07:00");
        check(weekend, "2026-11-30T06:59:59Z", "2026-11-30 07:00");
        check(weekend, "2026-11-30T07:00:00Z", "");
        // Summer: UTC+2. On 2026-10-25 the clock goes back in the middle of the window, on
        // 2026-03-29 forward.
        check(weekend, "2026-07-03T14:00:00Z", "2026-07-06 06:00");
        check(weekend, "2026-10-23T14:00:00Z", "2026-10-26 07:00");
        check(weekend, "2026-10-26T06:30:00Z", "2026-10-26 07:00");
        check(weekend, "2026-03-27T14:59:00Z", "");
        check(weekend, "2026-03-27T15:00:00Z", "2026-03-30 06:00");
        check(weekend, "2026-03-30T06:00:00Z", "");
        // Without a zone: UTC. The same day at both ends: within the day, or the whole week but
        // that.
        check(
            "Tue 10:00 .. Tue 12:00",
            "2026-11-24T11:00:00Z",
            "2026-11-24 12:00",
        );
        check("Tue 10:00 .. Tue 12:00", "2026-11-24T12:00:00Z", "");
        check("Tue 12:00 .. Tue 10:00", "2026-11-24T11:00:00Z", "");
        check(
            "Tue 12:00 .. Tue 10:00",
            "2026-11-24T09:00:00Z",
            "2026-11-24 10:00",
        );
        check(
            "Tue 12:00 .. Tue 10:00",
            "2026-11-24T12:00:00Z",
            "2026-12-01 10:00",
        );
        check(
            "sun 02:30 .. sun 03:00 Europe/Zurich",
            "2026-03-29T01:00:00Z",
            "",
        );
    }

    #[test]
    fn once() {
        let christmas = "2026-12-24 .. 2027-01-02";
        check(christmas, "2026-12-23T23:59:59Z", "");
        check(christmas, "2026-12-24T00:00:00Z", "2027-01-03 00:00");
        check(christmas, "2027-01-02T23:59:59Z", "2027-01-03 00:00");
        check(christmas, "2027-01-03T00:00:00Z", "");
        check(
            "2026-12-24 .. 2026-12-24",
            "2026-12-24T12:00:00Z",
            "2026-12-25 00:00",
        );
        check(
            "2026-12-24 12:00 .. 2026-12-24 18:00 Europe/Zurich",
            "2026-12-24T11:00:00Z",
            "2026-12-24 17:00",
        );
        check(
            "2026-12-24 12:00 .. 2026-12-24 18:00 Europe/Zurich",
            "2026-12-24T10:59:00Z",
            "",
        );
    }

    #[test]
    fn what_is_no_window_is_said() {
        let wanted = "is no stretch of time like \"Fri 16:00 .. Mon 08:00 Europe/Zurich\" or \"2026-12-24 .. 2027-01-02\"";
        for text in [
            "",
            "..",
            "Fri 16:00",
            "Fri .. Mon",
            "Fri 16:00 .. 2026-12-24",
            "Fri 25:00 .. Mon 08:00",
            "a b c .. d",
            "2026-13-01 .. 2027-01-01",
        ] {
            assert_eq!(
                Window::parse(text, &zones),
                Err(format!("\"{text}\" {wanted}"))
            );
        }
        let error = |text| Window::parse(text, &zones).unwrap_err();
        assert_eq!(
            error("Fri 16:00 .. Mon 08:00 Europe/Zürich"),
            "unknown time zone \"Europe/Zürich\"; names are those of the package tzdata"
        );
        assert_eq!(
            error("Fri 16:00 .. Fri 16:00"),
            "\"Fri 16:00 .. Fri 16:00\" ends where it begins"
        );
        assert_eq!(
            error("2026-12-24 .. 2026-12-23"),
            "\"2026-12-24 .. 2026-12-23\" ends before it begins"
        );
    }
}
