//! Points in time and lengths of time. The clock itself is in `sys`.

use std::fmt;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time with milliseconds, UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// From milliseconds since 1970-01-01T00:00:00Z; values outside the calendar are clamped.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(jiff::Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }

    /// Reads RFC 3339, or a date with or without a time of day, which is UTC then.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let utc = |local: jiff::civil::DateTime| jiff::tz::TimeZone::UTC.to_timestamp(local).ok();
        let time = || {
            jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M", text)
                .ok()
                .and_then(utc)
        };
        let date = || {
            jiff::civil::Date::strptime("%Y-%m-%d", text)
                .ok()
                .and_then(|date| utc(date.at(0, 0, 0, 0)))
        };
        text.parse().ok().or_else(time).or_else(date).map(Self)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        self.0.as_millisecond()
    }

    /// How long after `earlier` this is; zero when it is before (clocks get set back).
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(
            u64::try_from(self.as_ms().saturating_sub(earlier.as_ms())).unwrap_or(0),
        )
    }

    /// For people, to the minute, in UTC: `2026-11-23 22:57`.
    #[must_use]
    pub fn minute(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.3}", self.0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a point in time"))
    }
}

/// Why some text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotADuration {
    /// It has another form; the text.
    Unreadable(String),
    /// It is negative; the text.
    Negative(String),
}

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => write!(
                f,
                "\"{text}\" is not a length of time like \"90s\", \"30m\", \"1h 30m\" or \"2d\""
            ),
            Self::Negative(text) => write!(f, "\"{text}\" is negative"),
        }
    }
}

impl std::error::Error for NotADuration {}

/// Reads `30m`, `1h 30m`, `2 days`: the friendly format of the jiff crate, a day being 24 hours.
///
/// # Errors
/// The text has another form or is negative.
pub fn parse_duration(text: &str) -> Result<Duration, NotADuration> {
    let unreadable = || NotADuration::Unreadable(text.to_owned());
    let span: Span = text.parse().map_err(|_| unreadable())?;
    let signed = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| unreadable())?;
    Duration::try_from(signed).map_err(|_| NotADuration::Negative(text.to_owned()))
}

/// A length of time for people, its largest two units at most: `250 ms`, `3 s`, `2 min 5 s`, `1 h 3
/// min`, `4 d`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let s = duration.as_secs();
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{s} s"),
        60..3600 => two(s / 60, "min", s % 60, "s"),
        3600..86400 => two(s / 3600, "h", s % 3600 / 60, "min"),
        _ => two(s / 86400, "d", s % 86400 / 3600, "h"),
    }
}

/// How long ago, for people, one unit: `just now`, `5 min ago`, `3 d ago`.
#[must_use]
pub fn show_ago(ago: Duration) -> String {
    let s = ago.as_secs();
    match s {
        0..5 => "just now".to_owned(),
        5..60 => format!("{s} s ago"),
        60..3600 => format!("{} min ago", s / 60),
        3600..86400 => format!("{} h ago", s / 3600),
        _ => format!("{} d ago", s / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let table = [
            ("90s", Some(90)),
            ("30m", Some(1800)),
            ("1h 30m", Some(5400)),
            ("1h30m", Some(5400)),
            ("2d", Some(172_800)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("soon", None),
            ("-5s", None),
            ("1 month", None),
        ];
        for (text, expect) in table {
            assert_eq!(
                parse_duration(text).ok(),
                expect.map(Duration::from_secs),
                "{text:?}"
            );
        }
        assert_eq!(parse_duration("200ms"), Ok(Duration::from_millis(200)));
    }

    #[test]
    fn durations_are_shown() {
        let table = [
            (250, "250 ms"),
            (3_000, "3 s"),
            (125_000, "2 min 5 s"),
            (3_780_000, "1 h 3 min"),
            (345_600_000, "4 d"),
        ];
        for (ms, expect) in table {
            assert_eq!(show_duration(Duration::from_millis(ms)), expect);
        }
        assert_eq!(show_ago(Duration::from_secs(61)), "1 min ago");
    }

    #[test]
    fn timestamps_are_rfc_3339_in_utc() {
        assert_eq!(
            Timestamp::from_ms(1_000).to_string(),
            "1970-01-01T00:00:01.000Z"
        );
        assert_eq!(
            Timestamp::from_ms(5).since(Timestamp::from_ms(9)),
            Duration::ZERO
        );
    }
}
