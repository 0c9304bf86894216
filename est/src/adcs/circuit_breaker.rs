//! A circuit breaker: after several failures in a row the server is left alone for a while, then tried once.
//!
//! While it is open, an EST client gets its answer at once instead of after a time-out, and a server that is coming up
//! again is not met by everybody at the same moment. No I/O and no clock: the caller passes the time.

use core::time::Duration;
use std::time::Instant;

use pki_common::Failure;

use super::error::CertsrvError;

/// When the breaker opens, and for how long.
///
/// # Defaults
/// Five failures in a row; 15 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitBreakerSettings {
    /// Failures in a row after which nothing is tried for a while; 0: always try.
    pub failures: u32,
    /// How long nothing is tried.
    pub rest: Duration,
}

/// A server that fails five times in a row has not stumbled.
pub const DEFAULT_FAILURES: u32 = 5;

/// Long enough for a service to restart, short enough that a phone's next try succeeds.
pub const DEFAULT_REST: Duration = Duration::from_secs(15);

impl Default for CircuitBreakerSettings {
    fn default() -> Self {
        Self {
            failures: DEFAULT_FAILURES,
            rest: DEFAULT_REST,
        }
    }
}

/// The state of the breaker.
#[derive(Debug)]
pub struct CircuitBreaker {
    settings: CircuitBreakerSettings,
    failures: u32,
    last: Option<Failure>,
    open_until: Option<Instant>,
    /// A probe is under way; others wait for its outcome, but not for ever.
    probe_until: Option<Instant>,
}

impl CircuitBreaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(settings: CircuitBreakerSettings) -> Self {
        Self {
            settings,
            failures: 0,
            last: None,
            open_until: None,
            probe_until: None,
        }
    }

    /// Whether the server may be tried now. After the rest, one caller may: its [`success`](Self::success) closes the
    /// breaker, its [`failure`](Self::failure) opens it again.
    ///
    /// # Errors
    /// [`CertsrvError::LeftAlone`] with the time to wait.
    pub fn admit(&mut self, now: Instant) -> Result<(), CertsrvError> {
        let Some(open_until) = self.open_until else {
            return Ok(());
        };
        let closed_until = self.probe_until.unwrap_or(open_until).max(open_until);
        if now < closed_until {
            return Err(self.left_alone(closed_until.saturating_duration_since(now)));
        }
        // A caller that never reports (its task was dropped) must not keep the breaker open.
        self.probe_until = now.checked_add(self.settings.rest);
        Ok(())
    }

    /// The server has answered, whatever it said.
    pub fn success(&mut self) {
        *self = Self::new(self.settings);
    }

    /// The server could not be reached, or did not answer.
    pub fn failure(&mut self, failure: Failure, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.last = Some(failure);
        self.probe_until = None;
        if self.settings.failures > 0 && self.failures >= self.settings.failures {
            if self.open_until.is_none() {
                tracing::warn!(
                    failures = self.failures,
                    seconds = self.settings.rest.as_secs(),
                    "AD CS is left alone for a while"
                );
            }
            self.open_until = now.checked_add(self.settings.rest);
        }
    }

    /// Whether the server is being left alone, probes aside.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    fn left_alone(&self, again_in: Duration) -> CertsrvError {
        CertsrvError::LeftAlone {
            failures: self.failures,
            again_in,
            last: Box::new(
                self.last
                    .clone()
                    .unwrap_or_else(|| pki_common::KnownCause::ServerFailed.failure("AD CS failed.")),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki_common::{Diagnose as _, KnownCause};

    fn failing() -> Failure {
        KnownCause::AnswerTimedOut.failure("No answer.")
    }

    #[test]
    fn opens_after_the_failures_in_a_row_and_names_the_last() {
        let now = Instant::now();
        let mut breaker = CircuitBreaker::new(CircuitBreakerSettings::default());
        for _ in 0..4 {
            breaker.failure(failing(), now);
        }
        breaker.success();
        for _ in 0..4 {
            breaker.failure(failing(), now);
            assert_eq!(breaker.admit(now), Ok(()));
        }
        breaker.failure(failing(), now);
        assert!(breaker.is_open());
        let refused = breaker.admit(now + Duration::from_secs(5)).unwrap_err();
        assert_eq!(refused.diagnose().known_cause, Some(KnownCause::AnswerTimedOut));
        assert!(
            matches!(refused, CertsrvError::LeftAlone { failures: 5, again_in, .. } if again_in == Duration::from_secs(10))
        );
    }

    #[test]
    fn one_caller_probes_after_the_rest_and_decides_for_all() {
        let now = Instant::now();
        let settings = CircuitBreakerSettings {
            failures: 1,
            rest: Duration::from_secs(15),
        };
        let mut breaker = CircuitBreaker::new(settings);
        breaker.failure(failing(), now);
        let later = now + Duration::from_secs(15);
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later).is_err(), "a second probe");
        breaker.failure(failing(), later);
        assert!(breaker.admit(later + Duration::from_secs(14)).is_err());
        assert_eq!(breaker.admit(later + Duration::from_secs(15)), Ok(()));
        breaker.success();
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_probe_that_never_reports_is_replaced() {
        let now = Instant::now();
        let settings = CircuitBreakerSettings {
            failures: 1,
            rest: Duration::from_secs(15),
        };
        let mut breaker = CircuitBreaker::new(settings);
        breaker.failure(failing(), now);
        assert_eq!(breaker.admit(now + Duration::from_secs(15)), Ok(()));
        assert_eq!(breaker.admit(now + Duration::from_secs(30)), Ok(()));
    }

    #[test]
    fn nought_failures_never_open_it() {
        let now = Instant::now();
        let settings = CircuitBreakerSettings {
            failures: 0,
            rest: Duration::from_secs(15),
        };
        let mut breaker = CircuitBreaker::new(settings);
        for _ in 0..100 {
            breaker.failure(failing(), now);
        }
        assert_eq!(breaker.admit(now), Ok(()));
    }
}
