//! The steps of a connection in the words of the vendor's trace (Cisco document 200206, F001-20 to F001-30), so that a
//! person who knows that trace recognises each of them. Lines of our own say what the vendor's words hide.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use pki_common::authlist::AuthListRefusal;
use pki_common::certificate::Certificate;
use pki_common::tls::{HandshakeContext, RefusalRecorder, VerificationObserver, alert_sent_for};
use pki_common::trust_store::TrustError;
use pki_common::{Alert, Failure, MacAddr, TlsFault};

use super::counters::Counters;
use crate::proto::CloseReason;

/// The vendor's text for an authlist refusal. It misleads: a certificate was returned, the authlist refused it
/// (F001-29).
const VENDOR_ERROR: &str = "error:140890B2:SSL routines:SSL3_GET_CLIENT_CERTIFICATE:no certificate returned";

/// Writes the log of one connection and watches the verification of its certificate.
#[derive(Debug)]
pub(super) struct ConnectionTrace {
    connection: u32,
    /// What the vendor prints as an address: here a random number, eight hex digits.
    ssl: String,
    counters: Arc<Counters>,
    recorder: RefusalRecorder,
    peer_mac: Mutex<Option<MacAddr>>,
}

impl ConnectionTrace {
    pub(super) fn new(connection: u32, counters: Arc<Counters>) -> Self {
        use std::hash::{BuildHasher as _, RandomState};

        let [a, b, c, d, ..] = RandomState::new().hash_one(connection).to_be_bytes();
        let ssl = format!("{:08x}", u32::from_be_bytes([a, b, c, d]));
        tracing::info!("Allocated new NMSP connection {connection}");
        tracing::info!("sslConnectionInit: SSL_new() conn ssl {ssl}");
        tracing::info!(
            "sslConnectionInit: SSL_do_handshake for conn ssl {ssl}, conn state: INIT, SSL state: HANDSHAKING"
        );
        Self {
            connection,
            ssl,
            counters,
            recorder: RefusalRecorder::default(),
            peer_mac: Mutex::default(),
        }
    }

    pub(super) fn peer_mac(&self) -> Option<MacAddr> {
        *self.peer_mac.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn handshake_succeeded(&self) {
        tracing::info!("SSL_do_handshake() success for conn ssl {}", self.ssl);
        tracing::info!("NMSP connection success! conn {}", self.connection);
    }

    /// The handshake failed; says why, and returns it.
    pub(super) fn handshake_failed(&self, error: &io::Error) -> Failure {
        let context = HandshakeContext {
            peer: "the location server".to_owned(),
            peer_has_authlist: false,
        };
        let failure = context.diagnose_io(error, Some(&self.recorder));
        let tls_error = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let authlist = failure.rung == pki_common::Rung::Tls(TlsFault::AuthList);
        if let Some(alert) = tls_error.and_then(alert_sent_for) {
            alert_lines(alert, authlist);
        }
        if authlist {
            tracing::warn!(
                "handshake failed for conn ssl {}, ssl_err 1 error = {VENDOR_ERROR}",
                self.ssl
            );
        } else {
            tracing::warn!(
                "handshake failed for conn ssl {}, ssl_err 1 error = {error}",
                self.ssl
            );
        }
        tracing::warn!(
            "meaning of conn ssl {}: {}: {} {}",
            self.ssl,
            failure.rung,
            failure.cause,
            failure.remedy
        );
        failure
    }

    pub(super) fn handshake_timed_out(&self, after: core::time::Duration) {
        tracing::warn!(
            "handshake failed for conn ssl {}: the location server did not finish it in {after:?}",
            self.ssl
        );
    }

    pub(super) fn measurement_sent(&self) {
        tracing::debug!(
            "sending NMSP_APP_MEAS_NOTIFY_MSG to LocServer {}",
            self.connection
        );
    }

    pub(super) fn closed(&self, reason: &CloseReason) {
        match reason {
            CloseReason::ClosedByPeer | CloseReason::ClosedLocally => {
                tracing::info!("NMSP connection closed: conn {}: {reason}", self.connection);
            }
            _ => tracing::warn!("NMSP connection closed: conn {}: {reason}", self.connection),
        }
    }

    pub(super) fn broken(&self, error: &io::Error) {
        tracing::warn!("NMSP connection broken: conn {}: {error}", self.connection);
    }

    pub(super) fn freed(&self) {
        tracing::info!("Freeing Nmsp conn ssl {}, conn id {}", self.ssl, self.connection);
    }
}

/// The lines of OpenSSL's info callback when it writes an alert (F001-12, F001-13, F001-27). The state is known where a
/// certificate is judged; elsewhere it is left out.
fn alert_lines(alert: Alert, authlist: bool) {
    let ret = 0x200 | u32::from(alert.0);
    if authlist {
        tracing::warn!("SSL state = 0x2182; where = 0x4008; ret = {ret:#x}");
    } else {
        tracing::warn!("where = 0x4008; ret = {ret:#x}");
    }
    tracing::warn!("ret_type_string=fatal");
    let description = alert
        .name()
        .map_or_else(|| alert.0.to_string(), |name| name.replace('_', " "));
    tracing::warn!("ret_desc_string={description}");
}

impl VerificationObserver for ConnectionTrace {
    fn certificate_validated(&self, certificate: &Certificate) {
        self.counters.certificate_checked(true);
        *self.peer_mac.lock().unwrap_or_else(PoisonError::into_inner) = certificate.subject_mac();
        tracing::info!(
            "Peer certificate Validation Done for conn ssl {}, calling authlist..",
            self.ssl
        );
    }

    fn certificate_refused(&self, error: &TrustError) {
        self.counters.certificate_checked(false);
        self.recorder.certificate_refused(error);
        tracing::warn!(
            "Peer certificate Validation failed for conn ssl {}: {error}",
            self.ssl
        );
    }

    fn authlist_verdict(&self, verdict: Result<(), &AuthListRefusal>) {
        self.counters.authlist_asked(verdict.is_ok());
        self.recorder.authlist_verdict(verdict);
        if verdict.is_ok() {
            tracing::info!("Authlist authentication successful for conn ssl {}", self.ssl);
            tracing::info!("Peer validated against the AuthList");
        } else {
            tracing::warn!("Authlist authentication failed for conn ssl {}", self.ssl);
            tracing::warn!("Peer is not validated against the AuthList");
        }
    }
}
