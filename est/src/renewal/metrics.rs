//! What monitoring reads, in the Prometheus text format (version 0.0.4).
//!
//! | metric | type | meaning |
//! |---|---|---|
//! | `est_renewal_identities` | gauge | identities watched |
//! | `est_renewal_certificate_not_before_timestamp_seconds` | gauge | start of validity |
//! | `est_renewal_certificate_not_after_timestamp_seconds` | gauge | end of validity |
//! | `est_renewal_renew_timestamp_seconds` | gauge | when the certificate is to be renewed |
//! | `est_renewal_next_attempt_timestamp_seconds` | gauge | when the next attempt will be made |
//! | `est_renewal_last_attempt_timestamp_seconds` | gauge | start of the last attempt |
//! | `est_renewal_last_success_timestamp_seconds` | gauge | the last certificate issued to this process |
//! | `est_renewal_attempts_total` | counter | attempts |
//! | `est_renewal_failures_total` | counter | attempts that failed |
//! | `est_renewal_consecutive_failures` | gauge | failures since the last success |
//! | `est_renewal_phase` | gauge | 1 for the phase it is in: valid, in-flight, pending, retrying, due, unusable |
//! | `est_renewal_hook_failures_total` | counter | runs of the hook that failed |
//! | `est_renewal_consecutive_hook_failures` | gauge | runs that failed since the last that did not |
//! | `est_renewal_configured` | gauge | 1 when the configuration can be used, 0 when it cannot |
//!
//! All but the first have the label `identity`. What is not known yet has no line.

use rustls_pki_types::UnixTime;

use super::machine::{Phase, Status};
use crate::exposition::{Exposition, Kind};

/// One identity as monitoring sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityMetrics {
    /// Its name: that of its folder.
    pub identity: String,
    /// Its renewal; `None` as long as its configuration cannot be used, or its files were not looked at.
    pub status: Option<Status>,
    /// Whether its configuration can be used. When it cannot, an earlier one may be in force.
    pub configured: bool,
    /// Runs of the hook that failed.
    pub hook_failures: u64,
    /// Runs of the hook that failed since the last that did not.
    pub consecutive_hook_failures: u32,
}

const PHASES: [Phase; 6] = [
    Phase::Valid,
    Phase::InFlight,
    Phase::Pending,
    Phase::Retrying,
    Phase::Due,
    Phase::Unusable,
];

type Value = fn(&IdentityMetrics) -> Option<u64>;

fn seconds(time: Option<UnixTime>) -> Option<u64> {
    time.map(|time| time.as_secs())
}

const METRICS: [(&str, Kind, &str, Value); 12] = [
    (
        "est_renewal_certificate_not_before_timestamp_seconds",
        Kind::Gauge,
        "Start of validity of the certificate.",
        |one| one.status?.certificate.map(|facts| facts.not_before.as_secs()),
    ),
    (
        "est_renewal_certificate_not_after_timestamp_seconds",
        Kind::Gauge,
        "End of validity of the certificate.",
        |one| one.status?.certificate.map(|facts| facts.not_after.as_secs()),
    ),
    (
        "est_renewal_renew_timestamp_seconds",
        Kind::Gauge,
        "When the certificate is to be renewed.",
        |one| seconds(one.status?.renew_at),
    ),
    (
        "est_renewal_next_attempt_timestamp_seconds",
        Kind::Gauge,
        "When the next attempt will be made.",
        |one| seconds(one.status?.next_attempt),
    ),
    (
        "est_renewal_last_attempt_timestamp_seconds",
        Kind::Gauge,
        "Start of the last attempt.",
        |one| seconds(one.status?.last_attempt),
    ),
    (
        "est_renewal_last_success_timestamp_seconds",
        Kind::Gauge,
        "When the last certificate was issued to this process.",
        |one| seconds(one.status?.last_success),
    ),
    ("est_renewal_attempts_total", Kind::Counter, "Attempts.", |one| {
        Some(one.status?.attempts)
    }),
    (
        "est_renewal_failures_total",
        Kind::Counter,
        "Attempts that failed.",
        |one| Some(one.status?.failures),
    ),
    (
        "est_renewal_consecutive_failures",
        Kind::Gauge,
        "Failures since the last success.",
        |one| Some(one.status?.consecutive_failures.into()),
    ),
    (
        "est_renewal_hook_failures_total",
        Kind::Counter,
        "Runs of the hook that failed.",
        |one| Some(one.hook_failures),
    ),
    (
        "est_renewal_consecutive_hook_failures",
        Kind::Gauge,
        "Runs of the hook that failed since the last that did not.",
        |one| Some(one.consecutive_hook_failures.into()),
    ),
    (
        "est_renewal_configured",
        Kind::Gauge,
        "1 when the configuration can be used, 0 when it cannot.",
        |one| Some(one.configured.into()),
    ),
];

/// The whole text, sorted as given.
#[must_use]
pub fn prometheus(identities: &[IdentityMetrics]) -> String {
    let mut out = Exposition::default();
    let watched = u64::try_from(identities.len()).unwrap_or(u64::MAX);
    out.single(
        "est_renewal_identities",
        Kind::Gauge,
        "Identities watched.",
        watched,
    );
    for (name, kind, help, value) in METRICS {
        out.metric(name, kind, help);
        for one in identities {
            if let Some(value) = value(one) {
                out.sample(name, &[("identity", &one.identity)], value);
            }
        }
    }
    let name = "est_renewal_phase";
    out.metric(name, Kind::Gauge, "1 for the phase the renewal is in.");
    for one in identities {
        let Some(status) = one.status else {
            continue;
        };
        for phase in PHASES {
            let labels = [("identity", one.identity.as_str()), ("phase", phase.name())];
            out.sample(name, &labels, (status.phase == phase).into());
        }
    }
    out.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::renewal::{Now, Renewal, RenewalSettings};
    use std::time::Duration;

    #[test]
    fn an_odd_name_stays_one_label() {
        let now = Now {
            wall: UnixTime::since_unix_epoch(Duration::from_secs(1000)),
            monotonic: Duration::ZERO,
        };
        let one = IdentityMetrics {
            identity: "a\"b\\c\nd".to_owned(),
            status: Some(Renewal::new(RenewalSettings::default(), 1).status(now)),
            configured: true,
            hook_failures: 3,
            consecutive_hook_failures: 0,
        };
        let text = prometheus(&[one]);
        assert!(
            text.contains("est_renewal_hook_failures_total{identity=\"a\\\"b\\\\c\\nd\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("phase=\"due\"} 1\n"), "{text}");
        assert!(
            text.contains("est_renewal_next_attempt_timestamp_seconds{identity=\"a\\\"b\\\\c\\nd\"} 1000\n"),
            "{text}"
        );
        // Nothing is said about a certificate that is not there.
        assert!(!text.contains("not_after_timestamp_seconds{"), "{text}");
    }
}
