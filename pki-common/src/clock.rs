//! Times as people read them, and clocks a caller can set.
//!
//! Most certificate trouble between network devices is a clock that is wrong
//! (F001-41: the controller's time must be the same as or ahead of the location
//! server's). So every message about validity prints both times and the distance.

use core::time::Duration;
use std::sync::Arc;

use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemClock;

impl TimeProvider for SystemClock {
    fn current_time(&self) -> Option<UnixTime> {
        DefaultTimeProvider.current_time()
    }
}

/// The clock of the operating system, shared.
#[must_use]
pub fn system_clock() -> Arc<dyn TimeProvider> {
    Arc::new(SystemClock)
}

/// A clock that stands still, for tests and for asking "would this certificate have been valid then?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedClock(pub UnixTime);

impl TimeProvider for FixedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// `time` in UTC in the form of RFC 3339, for example `2026-11-21T21:44:07Z`.
///
/// A time outside the years 1970 to 9999 is printed as seconds since 1970.
#[must_use]
pub fn rfc3339(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{} s after 1970-01-01T00:00:00Z", time.as_secs()))
}

/// A length of time in its two largest units: `45 s`, `2 h 14 min`, `3 d 4 h`.
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (large, large_unit, small, small_unit) = match seconds {
        0..MINUTE => return format!("{seconds} s"),
        MINUTE..HOUR => (seconds / MINUTE, "min", seconds % MINUTE, "s"),
        HOUR..DAY => (seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        _ => (seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    };
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// The time from `earlier` to `later`; zero when `later` is not later.
#[must_use]
pub fn distance(earlier: UnixTime, later: UnixTime) -> Duration {
    Duration::from_secs(later.as_secs().saturating_sub(earlier.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_two_largest_units_of_a_duration() {
        for (seconds, text) in [
            (0, "0 s"),
            (45, "45 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (2 * HOUR + 14 * MINUTE + 5, "2 h 14 min"),
            (3 * DAY + 4 * HOUR, "3 d 4 h"),
            (365 * DAY, "365 d"),
        ] {
            assert_eq!(human_duration(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn prints_times_as_rfc_3339_and_survives_absurd_ones() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        assert_eq!(rfc3339(time(0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(time(1_795_297_447)), "2026-11-21T21:44:07Z");
        assert_eq!(
            rfc3339(time(u64::MAX)),
            "18446744073709551615 s after 1970-01-01T00:00:00Z"
        );
    }
}
