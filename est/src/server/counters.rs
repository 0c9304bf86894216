//! What the server counts, without locks.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::io;

use http::StatusCode;
use rustls::InvalidMessage;

use crate::operation::{EstErrorNumber, Operation};

/// The statuses that are counted one by one; every other goes into a slot of its own at the end.
const STATUSES: [StatusCode; 16] = [
    StatusCode::OK,
    StatusCode::ACCEPTED,
    StatusCode::NO_CONTENT,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::NOT_IMPLEMENTED,
    StatusCode::SERVICE_UNAVAILABLE,
    // The last one stands for all others; the server itself answers with none of them.
    StatusCode::IM_A_TEAPOT,
];

/// One row per operation, and one for paths that are none.
const ROWS: usize = Operation::ALL.len() + 1;

/// Why a TLS handshake did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandshakeFailure {
    Timeout,
    NotTls,
    Closed,
    PeerAlert,
    CertificateRefused,
    Other,
}

impl HandshakeFailure {
    pub(crate) fn of(error: &io::Error) -> Self {
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            )) => Self::NotTls,
            Some(rustls::Error::AlertReceived(_)) => Self::PeerAlert,
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                Self::CertificateRefused
            }
            Some(_) => Self::Other,
            None => Self::Closed,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) handshakes: AtomicU64,
    handshake_failures: [AtomicU64; 6],
    requests: [[AtomicU64; STATUSES.len()]; ROWS],
    pub(crate) malformed_requests: AtomicU64,
    pub(crate) header_timeouts: AtomicU64,
    pub(crate) oversized_bodies: AtomicU64,
    pub(crate) body_timeouts: AtomicU64,
    pub(crate) broken_bodies: AtomicU64,
    pub(crate) password_checks: AtomicU64,
    pub(crate) passwords_recalled: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn value(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    pub(crate) fn handshake_failed(&self, failure: HandshakeFailure) {
        let [timeout, not_tls, closed, alert, certificate, other] = &self.handshake_failures;
        count(match failure {
            HandshakeFailure::Timeout => timeout,
            HandshakeFailure::NotTls => not_tls,
            HandshakeFailure::Closed => closed,
            HandshakeFailure::PeerAlert => alert,
            HandshakeFailure::CertificateRefused => certificate,
            HandshakeFailure::Other => other,
        });
    }

    pub(crate) fn answered(&self, operation: Option<Operation>, status: StatusCode) {
        let known = Operation::ALL
            .iter()
            .position(|candidate| Some(*candidate) == operation);
        let row = self.requests.get(known.unwrap_or(ROWS - 1));
        let column = STATUSES
            .iter()
            .position(|candidate| *candidate == status)
            .unwrap_or(STATUSES.len() - 1);
        if let Some(counter) = row.and_then(|row| row.get(column)) {
            count(counter);
        }
    }

    pub(crate) fn snapshot(&self) -> ServerStatistics {
        let [timeout, not_tls, closed, alert, certificate, other] = &self.handshake_failures;
        let mut requests = BTreeMap::new();
        let operations = Operation::ALL.into_iter().map(Some).chain([None]);
        for (row, operation) in self.requests.iter().zip(operations) {
            for (counter, status) in row.iter().zip(STATUSES) {
                let count = value(counter);
                if count > 0 {
                    requests.insert((operation, status.as_u16()), count);
                }
            }
        }
        ServerStatistics {
            connections: value(&self.connections),
            connections_refused: value(&self.connections_refused),
            handshakes: value(&self.handshakes),
            handshake_timeouts: value(timeout),
            not_tls: value(not_tls),
            closed_in_handshake: value(closed),
            alerts_received: value(alert),
            client_certificates_refused: value(certificate),
            other_handshake_failures: value(other),
            requests,
            malformed_requests: value(&self.malformed_requests),
            header_timeouts: value(&self.header_timeouts),
            oversized_bodies: value(&self.oversized_bodies),
            body_timeouts: value(&self.body_timeouts),
            broken_bodies: value(&self.broken_bodies),
            password_checks: value(&self.password_checks),
            passwords_recalled: value(&self.passwords_recalled),
        }
    }
}

/// What a server has done since it was started. Each figure is exact; together they are not one moment's picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStatistics {
    /// TCP connections accepted.
    pub connections: u64,
    /// Connections closed at once because their address has too many.
    pub connections_refused: u64,
    /// TLS handshakes completed.
    pub handshakes: u64,
    /// Handshakes given up because the client took too long.
    pub handshake_timeouts: u64,
    /// Connections whose first bytes were not TLS.
    pub not_tls: u64,
    /// Connections that the client closed or reset before the handshake was complete.
    pub closed_in_handshake: u64,
    /// Handshakes that the client ended with an alert.
    pub alerts_received: u64,
    /// Handshakes that this server ended because of the client's certificate.
    pub client_certificates_refused: u64,
    /// Handshakes that failed otherwise, for instance for want of a common version or by a message that is no TLS
    /// behind a record header that is.
    pub other_handshake_failures: u64,
    /// Answers by operation (`None`: no EST path) and HTTP status; status 418 stands for all that are not listed.
    pub requests: BTreeMap<(Option<Operation>, u16), u64>,
    /// Requests that are not HTTP/1, contradict themselves (two lengths) or exceed the header limits.
    pub malformed_requests: u64,
    /// Connections closed because the headers of a request did not arrive in time.
    pub header_timeouts: u64,
    /// Bodies over the limit of their operation.
    pub oversized_bodies: u64,
    /// Bodies that did not arrive in time.
    pub body_timeouts: u64,
    /// Bodies that broke off or whose chunks could not be read.
    pub broken_bodies: u64,
    /// Passwords checked at full cost.
    pub password_checks: u64,
    /// Passwords found among the recently verified ones.
    pub passwords_recalled: u64,
}

impl ServerStatistics {
    /// How many requests for an operation were answered with this status.
    #[must_use]
    pub fn answers(&self, operation: Option<Operation>, status: u16) -> u64 {
        self.requests.get(&(operation, status)).copied().unwrap_or(0)
    }
}

/// The libest error number that fits a failed handshake, for the log.
pub(crate) const fn est_error(failure: HandshakeFailure) -> EstErrorNumber {
    match failure {
        HandshakeFailure::Timeout => EstErrorNumber::SSL_READ,
        _ => EstErrorNumber::SSL_CONNECT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_another_protocol_from_damaged_tls() {
        let of = |error: rustls::Error| HandshakeFailure::of(&io::Error::other(error));
        let damaged = of(rustls::Error::InvalidMessage(InvalidMessage::MissingData("x")));
        assert_eq!(damaged, HandshakeFailure::Other);
        let http = of(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType));
        assert_eq!(http, HandshakeFailure::NotTls);
        assert_eq!(
            HandshakeFailure::of(&io::ErrorKind::UnexpectedEof.into()),
            HandshakeFailure::Closed
        );
    }

    #[test]
    fn counts_by_operation_and_status() {
        let counters = Counters::default();
        counters.answered(Some(Operation::CaCerts), StatusCode::OK);
        counters.answered(Some(Operation::CaCerts), StatusCode::OK);
        counters.answered(None, StatusCode::NOT_FOUND);
        counters.answered(Some(Operation::SimpleEnroll), StatusCode::BAD_GATEWAY);
        let found = counters.snapshot();
        assert_eq!(found.answers(Some(Operation::CaCerts), 200), 2);
        assert_eq!(found.answers(None, 404), 1);
        assert_eq!(found.answers(Some(Operation::SimpleEnroll), 418), 1);
        assert_eq!(found.requests.len(), 3);
    }
}
