//! Points in time and lengths of time. The clock itself is in `sys`. Pure.

use std::fmt;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time in UTC, with milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Takes milliseconds since 1970-01-01T00:00:00Z. A value outside of the calendar becomes its
    /// first or last point in time.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        Self(jiff::Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }

    /// Reads RFC 3339, `2026-11-23 22:57` or `2026-11-23`. The last two are in UTC.
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

    /// The time this long before.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_ms(self.as_ms().saturating_sub(ms))
    }

    /// The time this long afterwards; the last one that there is, where that is too far away.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_ms(self.as_ms().saturating_add(ms))
    }

    /// How much later than `earlier` this is; zero if it is not later. That happens when somebody
    /// sets the clock back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(
            u64::try_from(self.as_ms().saturating_sub(earlier.as_ms())).unwrap_or(0),
        )
    }

    /// For people: the point in time in UTC, to the minute, `2026-11-23 22:57`.
    #[must_use]
    pub fn minute(self) -> String {
        let utc = jiff::tz::Offset::UTC.to_datetime(self.0);
        let mut text = String::with_capacity("2026-11-23 22:57".len());
        put_date(&mut text, utc.date());
        text.push(' ');
        put_digits(&mut text, utc.hour().into(), 2);
        text.push(':');
        put_digits(&mut text, utc.minute().into(), 2);
        text
    }
}

/// RFC 3339 in UTC, with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = jiff::tz::Offset::UTC.to_datetime(self.0);
        let mut text = String::with_capacity("2026-11-23T22:57:00.000Z".len());
        put_date(&mut text, utc.date());
        let parts = [
            (b'T', utc.hour()),
            (b':', utc.minute()),
            (b':', utc.second()),
        ];
        for (before, number) in parts {
            text.push(char::from(before));
            put_digits(&mut text, number.into(), 2);
        }
        text.push('.');
        put_digits(&mut text, utc.millisecond(), 3);
        text.push('Z');
        f.pad(&text)
    }
}

/// Adds `2026-11-23`. A year before 0 has a minus sign and six digits (RFC 9557).
fn put_date(text: &mut String, date: jiff::civil::Date) {
    let year = date.year();
    if year < 0 {
        text.push('-');
    }
    put_digits(text, year.abs(), if year < 0 { 6 } else { 4 });
    for number in [date.month(), date.day()] {
        text.push('-');
        put_digits(text, number.into(), 2);
    }
}

/// Adds the last digits of a number. Lists have several times in each row, and this takes a tenth
/// of the time that the formats of a library take.
fn put_digits(text: &mut String, number: i16, count: u32) {
    for place in (0..count).rev() {
        let digit = i32::from(number) / 10_i32.pow(place) % 10;
        text.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
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
    /// This text has another form.
    Unreadable(String),
    /// This text is a negative length.
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

/// Reads `30m`, `1h 30m`, `2 days`: the friendly format of the crate jiff. A day has 24 hours.
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

/// A length of time for people, in one or two units: `250 ms`, `3 s`, `2 min 5 s`, `1 h 3 min`,
/// `4 d`.
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

/// How long ago something was, for people, in one unit: `just now`, `5 min ago`, `3 d ago`.
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
    fn length_of_time_is_read() {
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
    fn length_of_time_is_shown_in_one_or_two_units() {
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
    fn timestamp_is_rfc_3339_in_utc() {
        assert_eq!(
            Timestamp::from_ms(1_000).to_string(),
            "1970-01-01T00:00:01.000Z"
        );
    }

    #[test]
    fn timestamp_is_shown_as_the_calendar_has_it() {
        let table = [
            i64::MIN,
            -62_198_755_200_001,
            -1,
            0,
            951_782_399_999,
            1_800_000_000_123,
            i64::MAX,
        ];
        for ms in table {
            let Timestamp(at) = Timestamp::from_ms(ms);
            assert_eq!(Timestamp(at).to_string(), format!("{at:.3}"));
            let minute = at.strftime("%Y-%m-%d %H:%M").to_string();
            if ms >= 0 {
                assert_eq!(Timestamp(at).minute(), minute);
            }
        }
    }

    #[test]
    fn clock_that_was_set_back_makes_no_negative_time() {
        assert_eq!(
            Timestamp::from_ms(5).since(Timestamp::from_ms(9)),
            Duration::ZERO
        );
    }
}
