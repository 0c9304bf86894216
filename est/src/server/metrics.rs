//! What monitoring reads, in the Prometheus text format (version 0.0.4).
//!
//! | metric | type | meaning |
//! |---|---|---|
//! | `est_build` | gauge | always 1; the label `version` is that of the program |
//! | `est_start_time_seconds` | gauge | when the server was started, since 1970 |
//! | `est_tasks` | gauge | tasks alive in the runtime: some for the server, one or a few for each connection |
//! | `est_server_certificate_not_after_timestamp_seconds` | gauge | end of validity of the server's own certificate |
//! | `est_requests_total` | counter | answers, by `operation` (empty: no EST path) and HTTP `status` |
//! | `est_handshake_failures_total` | counter | TLS handshakes that failed, by `reason` |
//!
//! and one counter without labels for each other field of [`ServerStatistics`], under its name.

use rustls_pki_types::UnixTime;

use super::ServerStatistics;
use crate::exposition::{Exposition, Kind};
use crate::operation::Operation;

/// What is known beside the counters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) started: UnixTime,
    pub(super) certificate_not_after: UnixTime,
    /// Tasks of the runtime; `None` outside of one.
    pub(super) tasks: Option<u64>,
}

type Value = fn(&ServerStatistics) -> u64;

const COUNTERS: [(&str, &str, Value); 10] = [
    ("est_connections_total", "TCP connections accepted.", |of| {
        of.connections
    }),
    (
        "est_connections_refused_total",
        "Connections closed at once because their address has too many.",
        |of| of.connections_refused,
    ),
    ("est_handshakes_total", "TLS handshakes completed.", |of| {
        of.handshakes
    }),
    (
        "est_malformed_requests_total",
        "Requests that are not HTTP/1, contradict themselves or exceed the header limits.",
        |of| of.malformed_requests,
    ),
    (
        "est_header_timeouts_total",
        "Connections closed because the headers of a request did not arrive in time.",
        |of| of.header_timeouts,
    ),
    (
        "est_oversized_bodies_total",
        "Bodies over the limit of their operation.",
        |of| of.oversized_bodies,
    ),
    (
        "est_body_timeouts_total",
        "Bodies that did not arrive in time.",
        |of| of.body_timeouts,
    ),
    (
        "est_broken_bodies_total",
        "Bodies that broke off or whose chunks could not be read.",
        |of| of.broken_bodies,
    ),
    (
        "est_password_checks_total",
        "Passwords checked at full cost.",
        |of| of.password_checks,
    ),
    (
        "est_passwords_recalled_total",
        "Passwords found among the recently verified ones.",
        |of| of.passwords_recalled,
    ),
];

const HANDSHAKE_FAILURES: [(&str, Value); 6] = [
    ("timeout", |of| of.handshake_timeouts),
    ("not-tls", |of| of.not_tls),
    ("closed", |of| of.closed_in_handshake),
    ("alert-received", |of| of.alerts_received),
    ("client-certificate-refused", |of| of.client_certificates_refused),
    ("other", |of| of.other_handshake_failures),
];

/// The whole text.
pub(super) fn prometheus(statistics: &ServerStatistics, facts: Facts) -> String {
    let mut out = Exposition::default();
    out.metric("est_build", Kind::Gauge, "The program.");
    out.sample("est_build", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    out.single(
        "est_start_time_seconds",
        Kind::Gauge,
        "When the server was started, since 1970.",
        facts.started.as_secs(),
    );
    if let Some(tasks) = facts.tasks {
        out.single("est_tasks", Kind::Gauge, "Tasks alive in the runtime.", tasks);
    }
    out.single(
        "est_server_certificate_not_after_timestamp_seconds",
        Kind::Gauge,
        "End of validity of the server's own certificate.",
        facts.certificate_not_after.as_secs(),
    );
    for (name, help, value) in COUNTERS {
        out.single(name, Kind::Counter, help, value(statistics));
    }
    let name = "est_handshake_failures_total";
    out.metric(name, Kind::Counter, "TLS handshakes that failed.");
    for (reason, value) in HANDSHAKE_FAILURES {
        out.sample(name, &[("reason", reason)], value(statistics));
    }
    let name = "est_requests_total";
    out.metric(name, Kind::Counter, "Answers; without an operation: no EST path.");
    for ((operation, status), count) in &statistics.requests {
        let operation = operation.map_or("", Operation::segment);
        let labels = [("operation", operation), ("status", &status.to_string())];
        out.sample(name, &labels, *count);
    }
    out.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_counter_of_the_server_is_there_under_its_name() {
        let mut statistics = ServerStatistics {
            connections: 1,
            connections_refused: 2,
            handshakes: 3,
            handshake_timeouts: 4,
            not_tls: 5,
            closed_in_handshake: 6,
            alerts_received: 7,
            client_certificates_refused: 8,
            other_handshake_failures: 9,
            malformed_requests: 10,
            header_timeouts: 11,
            oversized_bodies: 12,
            body_timeouts: 13,
            broken_bodies: 14,
            password_checks: 15,
            passwords_recalled: 16,
            ..ServerStatistics::default()
        };
        statistics
            .requests
            .insert((Some(Operation::SimpleEnroll), 202), 17);
        statistics.requests.insert((None, 404), 18);
        let facts = Facts {
            started: UnixTime::since_unix_epoch(Duration::from_secs(19)),
            certificate_not_after: UnixTime::since_unix_epoch(Duration::from_secs(20)),
            tasks: Some(21),
        };
        let text = prometheus(&statistics, facts);
        let samples: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(1)
            .collect();
        assert_eq!(
            samples,
            [
                "est_start_time_seconds 19",
                "est_tasks 21",
                "est_server_certificate_not_after_timestamp_seconds 20",
                "est_connections_total 1",
                "est_connections_refused_total 2",
                "est_handshakes_total 3",
                "est_malformed_requests_total 10",
                "est_header_timeouts_total 11",
                "est_oversized_bodies_total 12",
                "est_body_timeouts_total 13",
                "est_broken_bodies_total 14",
                "est_password_checks_total 15",
                "est_passwords_recalled_total 16",
                "est_handshake_failures_total{reason=\"timeout\"} 4",
                "est_handshake_failures_total{reason=\"not-tls\"} 5",
                "est_handshake_failures_total{reason=\"closed\"} 6",
                "est_handshake_failures_total{reason=\"alert-received\"} 7",
                "est_handshake_failures_total{reason=\"client-certificate-refused\"} 8",
                "est_handshake_failures_total{reason=\"other\"} 9",
                "est_requests_total{operation=\"\",status=\"404\"} 18",
                "est_requests_total{operation=\"simpleenroll\",status=\"202\"} 17",
            ]
        );
    }
}
