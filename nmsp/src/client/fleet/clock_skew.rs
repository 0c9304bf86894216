//! How far a controller's clock is from ours. Times are passed in.
//!
//! A controller refuses a certificate whose validity begins in its future, so its clock must be the same as the location
//! server's or ahead (the checklist of `cmxctl config controllers show`, F001-41).
//!
//! NMSP carries the controller's clock in one place: a measurement says when it was made. Its age when it arrives (the
//! controller collects, the network delays) is not known, but it is never negative. So the largest difference "time of
//! the measurement less time of its arrival" within the last minutes is a lower bound: the controller is ahead by at
//! least that much, or behind by at most that much.

use core::fmt;
use core::time::Duration;
use std::time::Instant;

use pki_common::clock::human_duration;

use crate::wire::message::Timestamp;

/// How long a sample counts: one to two of these. Longer than the longest interval of a controller (180 s), short enough
/// to notice a clock that was set.
const WINDOW: Duration = Duration::from_secs(300);

/// How far behind a clock may seem before it is said: measurements are that old when they arrive from a controller that
/// sends every few seconds.
pub const TOLERATED_LAG: Duration = Duration::from_secs(30);

/// The controller's clock against ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockSkew {
    /// Milliseconds. Positive: the controller's clock is ahead of ours by at least this. Negative: it is behind by at most
    /// this; or it is right, and its measurements arrive this late.
    pub at_least_ahead_ms: i64,
}

impl ClockSkew {
    /// Whether the controller's clock seems to be behind by more than [`TOLERATED_LAG`]: a certificate of ours that was
    /// made in that time is not yet valid there.
    #[must_use]
    pub fn seems_behind(self) -> bool {
        self.at_least_ahead_ms < 0 && self.distance() > TOLERATED_LAG
    }

    fn distance(self) -> Duration {
        Duration::from_millis(self.at_least_ahead_ms.unsigned_abs())
    }
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distance = human_duration(self.distance());
        if self.at_least_ahead_ms >= 0 {
            return write!(f, "its clock is ahead of ours by at least {distance}");
        }
        if self.seems_behind() {
            return write!(
                f,
                "its clock is behind ours by up to {distance}, or its measurements are that old; compare both with NTP, a \
                 certificate of ours that is younger is not yet valid there"
            );
        }
        write!(
            f,
            "its clock is behind ours by at most {distance}, measurements in flight included"
        )
    }
}

/// The largest difference of this and the previous window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClockSkewEstimate {
    began: Option<Instant>,
    current: Option<i64>,
    previous: Option<i64>,
}

impl ClockSkewEstimate {
    /// Takes the time of a measurement and the time of its arrival by our clock.
    pub(super) fn sample(&mut self, measured: Timestamp, arrived: Timestamp, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let age = now.saturating_duration_since(began);
        if age >= WINDOW {
            self.previous = if age < WINDOW * 2 { self.current } else { None };
            self.current = None;
            self.began = Some(now);
        }
        let difference = i128::from(measured.0) - i128::from(arrived.0);
        let limit = |number: i128| number.clamp(i64::MIN.into(), i64::MAX.into());
        let difference = i64::try_from(limit(difference)).unwrap_or_default();
        self.current = self.current.max(Some(difference));
    }

    /// `None` before the first sample.
    pub(super) fn skew(self) -> Option<ClockSkew> {
        let at_least_ahead_ms = self.current.max(self.previous)?;
        Some(ClockSkew { at_least_ahead_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_433_612_873_000;

    fn estimate(samples: &[(i64, u64)]) -> Option<i64> {
        let start = Instant::now();
        let mut estimate = ClockSkewEstimate::default();
        for (difference, seconds) in samples {
            let measured = Timestamp(NOON.saturating_add_signed(*difference));
            estimate.sample(measured, Timestamp(NOON), start + Duration::from_secs(*seconds));
        }
        estimate.skew().map(|skew| skew.at_least_ahead_ms)
    }

    #[test]
    fn the_freshest_measurement_counts_not_the_oldest() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(estimate(&[(-9_000, 0), (-200, 1), (-5_000, 2)]), Some(-200));
        assert_eq!(estimate(&[(-9_000, 0), (4_000, 1)]), Some(4_000));
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_within_two_windows() {
        assert_eq!(estimate(&[(60_000, 0), (-100, 299)]), Some(60_000));
        assert_eq!(estimate(&[(60_000, 0), (-100, 301)]), Some(60_000));
        assert_eq!(estimate(&[(60_000, 0), (-100, 301), (-50, 602)]), Some(-50));
        assert_eq!(estimate(&[(60_000, 0), (-100, 3_600)]), Some(-100));
    }

    #[test]
    fn absurd_times_do_no_harm() {
        let mut estimate = ClockSkewEstimate::default();
        estimate.sample(Timestamp(0), Timestamp(u64::MAX), Instant::now());
        assert_eq!(estimate.skew().unwrap().at_least_ahead_ms, i64::MIN);
        assert!(estimate.skew().unwrap().seems_behind());
        estimate.sample(Timestamp(u64::MAX), Timestamp(0), Instant::now());
        assert_eq!(estimate.skew().unwrap().at_least_ahead_ms, i64::MAX);
    }

    #[test]
    fn the_text_says_which_bound_it_is() {
        let text = |at_least_ahead_ms| ClockSkew { at_least_ahead_ms }.to_string();
        assert_eq!(text(125_000), "its clock is ahead of ours by at least 2 min 5 s");
        assert!(text(-2_000).contains("at most 2 s"), "{}", text(-2_000));
        assert!(
            text(-600_000).contains("compare both with NTP"),
            "{}",
            text(-600_000)
        );
    }
}
