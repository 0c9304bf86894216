//! How many messages one peer may send: a token bucket.

use core::time::Duration;
use std::time::Instant;

/// Messages that may be received. It fills at a steady rate and holds one second's worth.
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: f64,
    tokens: f64,
    filled: Instant,
    /// Messages received when they were last charged.
    charged: u64,
}

impl Throttle {
    /// A full bucket. A rate of 0 is taken as 1.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = rate(per_second);
        Self {
            per_second,
            tokens: per_second,
            filled: now,
            charged: 0,
        }
    }

    /// Another rate from now on.
    pub(super) fn set_rate(&mut self, per_second: u32) {
        self.per_second = rate(per_second);
    }

    /// Charges what was received since the last call, given the number of all messages so far. Returns how long not to
    /// read, if the peer has sent too much.
    pub(super) fn charge(&mut self, received: u64, now: Instant) -> Option<Duration> {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second);
        let new = u32::try_from(received.saturating_sub(self.charged)).unwrap_or(u32::MAX);
        self.charged = received;
        self.tokens -= f64::from(new);
        (self.tokens < 0.0).then(|| Duration::from_secs_f64(-self.tokens / self.per_second))
    }
}

fn rate(per_second: u32) -> f64 {
    f64::from(per_second.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_may_send_a_seconds_worth_at_once_and_then_at_the_rate() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut throttle = Throttle::new(10, start);
        // Milliseconds, messages so far, milliseconds to wait.
        let table = [
            (0, 10, 0),
            (100, 11, 0),
            (100, 16, 500),
            (600, 16, 0),
            (5000, 26, 0),
            (5000, 27, 100),
        ];
        for (milliseconds, received, wait) in table {
            let pause = throttle.charge(received, at(milliseconds)).unwrap_or_default();
            assert_eq!(
                pause.as_millis(),
                wait,
                "at {milliseconds} ms, {received} messages"
            );
        }
        throttle.set_rate(1);
        let pause = throttle.charge(29, at(6000)).unwrap_or_default();
        assert_eq!(
            pause.as_millis(),
            2000,
            "the new rate holds for the old debt, too"
        );
    }
}
