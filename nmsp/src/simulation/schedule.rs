//! Whose turn it is to be reported.

use core::ops::Range;

use super::number::{count, to_usize};

/// Spreads the reports of all devices evenly over time, so that every tick has its share and each device comes at the same
/// distance of time.
#[derive(Debug, Clone)]
pub struct ReportSchedule {
    devices: usize,
    per_second: f64,
    next: usize,
    /// The part of a report that is not due yet.
    rest: f64,
}

impl ReportSchedule {
    /// `per_second` reports of each device, more than 0.
    #[must_use]
    pub fn new(devices: usize, per_second: f64) -> Self {
        Self {
            devices,
            per_second: per_second.max(0.0),
            next: 0,
            rest: 0.0,
        }
    }

    /// The devices whose turn came in these seconds, as two ranges because the end of the list may be passed. Nobody comes
    /// twice in one answer: a longer pause is not made up for.
    pub fn due(&mut self, seconds: f64) -> [Range<usize>; 2] {
        let due = count(self.devices) * self.per_second * seconds.max(0.0) + self.rest;
        let number = to_usize(due.floor()).min(self.devices);
        self.rest = (due - due.floor()).clamp(0.0, 1.0);
        let (start, end) = (self.next, self.next + number);
        if end < self.devices {
            self.next = end;
            return [start..end, 0..0];
        }
        self.next = end - self.devices;
        [start..self.devices, 0..self.next]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_comes_as_often_as_everybody_else() {
        let mut schedule = ReportSchedule::new(7, 2.0);
        let mut counts = [0; 7];
        for _ in 0..100 {
            for range in schedule.due(0.05) {
                for device in range {
                    counts[device] += 1;
                }
            }
        }
        // 5 s at 2 per second; the sum of 0.7 a tick may fall short by a rounding of the last.
        assert!(
            counts.iter().all(|number| (9..=10).contains(number)),
            "{counts:?}"
        );
        assert!(counts.iter().sum::<i32>() >= 69, "{counts:?}");
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut schedule = ReportSchedule::new(10, 1.0);
        let [first, second] = schedule.due(3600.0);
        assert_eq!(first.len() + second.len(), 10);
        let [first, second] = ReportSchedule::new(0, 1.0).due(1.0);
        assert!(first.is_empty() && second.is_empty());
    }
}
