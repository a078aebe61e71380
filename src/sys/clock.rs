//! The real clock. Nothing else asks for the time.
//!
//! Protocol: what is recorded or shown to people is the system's time ([`now`]); waits and limits
//! go by a clock that nobody can set ([`Deadline`]).
//!
//! It does not promise that [`now`] never goes back: somebody can set the system's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// The present, by the system's clock. Before 1970 it is 1970.
#[must_use]
pub fn now() -> Timestamp {
    let ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The rules of a time zone from the machine's IANA database (package tzdata); `None`: there is
/// none of that name.
#[must_use]
pub fn zone(name: &str) -> Option<jiff::tz::TimeZone> {
    jiff::tz::TimeZone::get(name).ok()
}

/// Waits this long.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// A point in the future by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The point that is this long from now. If the clock does not reach so far, the point never
    /// comes.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now().checked_add(duration))
    }

    /// How long it is until then; zero when it is over.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// Whether that point has come.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}
