//! How long certificates are valid.

use std::time::Duration;

use rustls_pki_types::UnixTime;

use crate::ca::x509::{display_time, seconds};
use crate::ca::{EnrollError, PolicyRefusal, PolicyRule};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// 90 days: short enough that renewal is practised, long enough for devices that are off for a month.
pub const DEFAULT_VALIDITY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How far the validity starts in the past: five minutes cover the clock skew of devices that ask the time of the
/// same network.
pub const DEFAULT_BACKDATE: Duration = Duration::from_secs(5 * 60);

/// A certificate that would end sooner, because the CA's own does, is not worth issuing.
pub const DEFAULT_MINIMUM_VALIDITY: Duration = Duration::from_secs(60 * 60);

/// How long certificates are valid. A certificate never outlives the CA's own: it ends with it when it must.
///
/// # Defaults
/// [`DEFAULT_VALIDITY`], [`DEFAULT_BACKDATE`], [`DEFAULT_MINIMUM_VALIDITY`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidityPolicy {
    /// From the time of issue on.
    pub validity: Duration,
    /// How far the validity starts in the past.
    pub backdate: Duration,
    /// Least remaining validity when the CA's own end cuts it short.
    pub minimum: Duration,
    /// Upper bound on [`Self::validity`], whatever that says: for a bound that is common to several policies.
    pub maximum: Option<Duration>,
    /// No certificate is valid after this time, in seconds since the Unix epoch: for a service that ends.
    pub latest_end: Option<u64>,
}

impl Default for ValidityPolicy {
    fn default() -> Self {
        Self {
            validity: DEFAULT_VALIDITY,
            backdate: DEFAULT_BACKDATE,
            minimum: DEFAULT_MINIMUM_VALIDITY,
            maximum: None,
            latest_end: None,
        }
    }
}

impl ValidityPolicy {
    /// Start and end for a certificate issued at `now` by a CA valid over `ca`, in seconds since the Unix epoch.
    pub(crate) fn period(&self, ca: (u64, u64), now: UnixTime) -> Result<(u64, u64), EnrollError> {
        let (ca_not_before, ca_not_after) = ca;
        let now = seconds(now);
        let unavailable = |reason: String| {
            Err(EnrollError::Unavailable {
                reason,
                retry_after: DAY,
            })
        };
        if now < ca_not_before {
            return unavailable(format!(
                "the CA certificate is valid from {}, and it is {} by this machine's clock",
                display_time(ca_not_before),
                display_time(now)
            ));
        }
        let validity = self.maximum.map_or(self.validity, |most| most.min(self.validity));
        let minimum = self.minimum.min(validity);
        if let Some(end) = self.latest_end
            && end < now.saturating_add(minimum.as_secs())
        {
            return Err(EnrollError::RejectedByPolicy(PolicyRefusal::new(
                PolicyRule::Validity,
                format!(
                    "no certificate may be valid after {}, and it is {}",
                    display_time(end),
                    display_time(now)
                ),
            )));
        }
        if ca_not_after < now.saturating_add(minimum.as_secs()) {
            return unavailable(format!(
                "the CA certificate ends at {}, and it is {} by this machine's clock; renew the CA",
                display_time(ca_not_after),
                display_time(now)
            ));
        }
        let not_before = now.saturating_sub(self.backdate.as_secs()).max(ca_not_before);
        let not_after = now
            .saturating_add(validity.as_secs())
            .min(ca_not_after)
            .min(self.latest_end.unwrap_or(u64::MAX));
        Ok((not_before, not_after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn never_outlives_the_ca() {
        let policy = ValidityPolicy {
            validity: 100 * DAY,
            ..ValidityPolicy::default()
        };
        let now = 1_000_000_000;
        let ca = (now - HOUR, now + 10 * DAY.as_secs());
        assert_eq!(policy.period(ca, at(now)), Ok((now - 300, ca.1)));
        let long = (now - 100, now + 1000 * DAY.as_secs());
        assert_eq!(
            policy.period(long, at(now)),
            Ok((now - 100, now + 100 * DAY.as_secs()))
        );
    }

    #[test]
    fn issues_nothing_outside_the_validity_of_the_ca() {
        let policy = ValidityPolicy::default();
        let ca = (1_000_000, 2_000_000);
        for now in [999_999, 2_000_000 - HOUR + 1, 2_000_001, u64::MAX] {
            let error = policy.period(ca, at(now)).unwrap_err();
            assert!(matches!(error, EnrollError::Unavailable { .. }), "{error}");
        }
        assert!(policy.period(ca, at(2_000_000 - HOUR)).is_ok());
    }

    #[test]
    fn keeps_to_the_upper_bounds() {
        let now = 1_000_000_000;
        let ca = (now - 1000, now + 1000 * DAY.as_secs());
        let bounded = ValidityPolicy {
            maximum: Some(30 * DAY),
            ..ValidityPolicy::default()
        };
        let (_, end) = bounded.period(ca, at(now)).unwrap();
        assert_eq!(end, now + 30 * DAY.as_secs());
        let ending = ValidityPolicy {
            latest_end: Some(now + 2 * HOUR),
            ..ValidityPolicy::default()
        };
        assert_eq!(ending.period(ca, at(now)).unwrap().1, now + 2 * HOUR);
        let error = ending.period(ca, at(now + 2 * HOUR)).unwrap_err();
        assert!(error.to_string().contains("rule validity"), "{error}");
    }
}
