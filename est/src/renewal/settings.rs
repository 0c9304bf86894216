//! The knobs of a renewal.

use std::time::Duration;

use pki_common::{Diagnose, Failure, Rung};

/// When to renew, and how to try again.
///
/// # Defaults
/// Renewal at two thirds of the lifetime, up to a twentieth of it earlier; tries again after a minute, then twice that
/// up to six hours, and at last a minute before the end.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewalSettings {
    /// The part of the lifetime after which a certificate is renewed; above 0 and below 1.
    pub fraction: f64,
    /// The part of the lifetime over which renewals are spread, before `fraction`; from 0 to `fraction`. A thousand
    /// devices set up on one day would otherwise come back on one day.
    pub jitter: f64,
    /// The first wait after a failure, and the shortest of all waits.
    pub retry_initial: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
    /// How long before the end the last attempt of a valid certificate is made, whatever the waits say.
    pub last_attempt: Duration,
    /// How often the clock and the files are looked at, at least.
    pub look_again: Duration,
}

impl Default for RenewalSettings {
    fn default() -> Self {
        Self {
            fraction: 2.0 / 3.0,
            jitter: 0.05,
            retry_initial: Duration::from_secs(60),
            retry_max: Duration::from_secs(6 * 3600),
            last_attempt: Duration::from_secs(60),
            look_again: Duration::from_secs(60),
        }
    }
}

impl RenewalSettings {
    /// Refuses values that cannot work together.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn check(&self) -> Result<(), SettingsError> {
        // Written so that NaN fails, too.
        if !(self.fraction > 0.0 && self.fraction < 1.0) {
            return Err(SettingsError::Fraction(self.fraction));
        }
        if !(self.jitter >= 0.0 && self.jitter <= self.fraction) {
            return Err(SettingsError::Jitter {
                jitter: self.jitter,
                fraction: self.fraction,
            });
        }
        for (name, value) in [
            ("retry-initial", self.retry_initial),
            ("retry-max", self.retry_max),
            ("last-attempt", self.last_attempt),
            ("look-again", self.look_again),
        ] {
            if value.is_zero() {
                return Err(SettingsError::Zero { name });
            }
        }
        if self.retry_initial > self.retry_max {
            return Err(SettingsError::RetryOrder {
                initial: self.retry_initial,
                max: self.retry_max,
            });
        }
        Ok(())
    }
}

/// Settings that cannot work.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The fraction is not between 0 and 1.
    #[error("a certificate cannot be renewed at {0} of its lifetime")]
    Fraction(f64),
    /// The jitter is negative or goes back behind the start of the lifetime.
    #[error("the jitter {jitter} does not lie between 0 and the fraction {fraction}")]
    Jitter {
        /// The jitter.
        jitter: f64,
        /// The fraction.
        fraction: f64,
    },
    /// A wait of no time would ask without pause.
    #[error("{name} is zero")]
    Zero {
        /// The setting.
        name: &'static str,
    },
    /// The first wait is longer than the longest.
    #[error("the first wait of {} s is longer than the longest of {} s", initial.as_secs(), max.as_secs())]
    RetryOrder {
        /// The first wait.
        initial: Duration,
        /// The longest wait.
        max: Duration,
    },
}

impl Diagnose for SettingsError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Fraction(_) => "Give a part of the lifetime above 0 and below 1, such as 0.66.",
            Self::Jitter { .. } => "Give a part of the lifetime from 0 up to the fraction, such as 0.05.",
            Self::Zero { .. } => "Give at least one second.",
            Self::RetryOrder { .. } => "Make retry-max at least as long as retry-initial.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_cannot_work() {
        let changed = |change: fn(&mut RenewalSettings)| {
            let mut settings = RenewalSettings::default();
            change(&mut settings);
            settings.check()
        };
        assert_eq!(changed(|_| {}), Ok(()));
        assert_eq!(changed(|s| s.fraction = 1.0), Err(SettingsError::Fraction(1.0)));
        assert!(changed(|s| s.fraction = f64::NAN).is_err());
        assert!(changed(|s| s.jitter = 0.7).is_err());
        assert!(changed(|s| s.jitter = f64::NAN).is_err());
        assert_eq!(
            changed(|s| s.look_again = Duration::ZERO),
            Err(SettingsError::Zero { name: "look-again" })
        );
        assert!(changed(|s| s.retry_max = Duration::from_secs(1)).is_err());
    }
}
