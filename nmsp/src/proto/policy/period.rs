//! Time between notifications.

use core::time::Duration;
use std::time::Instant;

use crate::proto::after;

/// The running interval of one class for one subscriber. The first change after a quiet interval is reported at once;
/// what changes after that waits for the end of the interval and is reported together.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotificationPeriod {
    begun: Option<Instant>,
}

impl NotificationPeriod {
    /// Whether what waits may be reported now.
    #[must_use]
    pub fn is_over(&self, now: Instant, interval: Duration) -> bool {
        self.end(interval).is_none_or(|end| end <= now)
    }

    /// When it is over; `None` if none is running. An interval that was changed counts from the beginning of the period.
    #[must_use]
    pub fn end(&self, interval: Duration) -> Option<Instant> {
        self.begun.map(|begun| after(begun, interval))
    }

    /// Something is reported now: another period begins.
    pub const fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_goes_at_once_and_the_next_ones_at_the_end_of_the_interval() {
        let (start, interval) = (Instant::now(), Duration::from_secs(2));
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut period = NotificationPeriod::default();
        assert!(period.is_over(at(0), interval) && period.end(interval).is_none());
        period.begin(at(0));
        for (milliseconds, over) in [(0, false), (1999, false), (2000, true), (9000, true)] {
            assert_eq!(
                period.is_over(at(milliseconds), interval),
                over,
                "{milliseconds} ms"
            );
        }
        assert_eq!(period.end(interval), Some(at(2000)));
        assert!(
            period.is_over(at(1000), Duration::from_secs(1)),
            "a shorter interval counts from the same beginning"
        );
    }
}
