//! The steps of a connection in the words of the vendor's trace (Cisco document 200206, F001-20 to F001-30), so that a
//! person who knows that trace recognises each of them. Lines of our own say what the vendor's words hide.
//!
//! The vendor's trace also has a line for each state inside OpenSSL (0x6000 to 0x3). TLS here is rustls, or OpenSSL behind
//! a binding without that callback, which show none of them, so none is made up; only the verdict on a certificate can be
//! observed and is logged with the vendor's state.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use pki_common::authlist::AuthListRefusal;
use pki_common::certificate::Certificate;
use pki_common::tls::{HandshakeContext, RefusalRecorder, VerificationObserver};
use pki_common::trust_store::TrustError;
use pki_common::{Alert, Failure, MacAddr, TlsFault};

use super::counters::Counters;
use super::ending::Order;
use crate::proto::CloseReason;
use crate::transport::{self, FatalAlert};

/// The vendor's text for an authlist refusal. It misleads: a certificate was returned, the authlist refused it
/// (F001-29).
const VENDOR_ERROR: &str = "error:140890B2:SSL routines:SSL3_GET_CLIENT_CERTIFICATE:no certificate returned";

/// The state in which the vendor's trace has the verdict on a certificate (F001-16).
const VERDICT_STATE: &str = "SSL state = 0x2182; ";

/// Where OpenSSL's info callback was called from (F001-13).
const ACCEPT_EXIT: u32 = 0x2002;
const READ_ALERT: u32 = 0x4004;
const WRITE_ALERT: u32 = 0x4008;

/// The alert level in the upper byte of the callback's `ret` (F001-13).
const FATAL_ALERT: u32 = 0x200;

/// OpenSSL's names for what ended a handshake: TLS itself (F001-29), or the transport below it.
const SSL_ERROR_SSL: u8 = 1;
const SSL_ERROR_SYSCALL: u8 = 5;

/// Writes the log of one connection and watches the verification of its certificate.
#[derive(Debug)]
pub(super) struct ConnectionTrace {
    connection: u32,
    asks_authlist: bool,
    /// What the vendor prints as an address: here a random number, eight hex digits.
    ssl: String,
    counters: Arc<Counters>,
    recorder: RefusalRecorder,
    peer_certificate: Mutex<Option<Arc<Certificate>>>,
}

impl ConnectionTrace {
    /// `asks_authlist` says whether a valid certificate goes to an authlist next.
    pub(super) fn new(connection: u32, asks_authlist: bool, counters: Arc<Counters>) -> Self {
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
            asks_authlist,
            ssl,
            counters,
            recorder: RefusalRecorder::default(),
            peer_certificate: Mutex::default(),
        }
    }

    pub(super) fn peer_mac(&self) -> Option<MacAddr> {
        self.peer_certificate()?.subject_mac()
    }

    /// What the peer presented, once it is valid.
    pub(super) fn peer_certificate(&self) -> Option<Arc<Certificate>> {
        let certificate = self.peer_certificate.lock();
        certificate.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The handshake has used up what had arrived.
    pub(super) fn wants_read(&self) {
        tracing::info!("returning WANT_READ for conn ssl {}", self.ssl);
    }

    /// The first attempt at the handshake is over: it has not failed, and goes on when bytes arrive.
    pub(super) fn initialised(&self) {
        tracing::info!("sslConnectionInit() success with conn state: INIT, SSL state: HANDSHAKING");
    }

    /// Bytes arrived that the handshake was waiting for.
    pub(super) fn handshake_goes_on(&self) {
        tracing::info!(
            "doSSLRecvLoop: Handshake has not completed for conn {}",
            self.connection
        );
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
        let failure = transport::diagnose(&context, error, Some(&self.recorder));
        let authlist = failure.rung == pki_common::Rung::Tls(TlsFault::AuthList);
        let state = if authlist { VERDICT_STATE } else { "" };
        match transport::fatal_alert(error) {
            Some(FatalAlert::Received(alert)) => alert_lines(state, READ_ALERT, alert),
            Some(FatalAlert::Sent(alert)) => alert_lines(state, WRITE_ALERT, alert),
            None => {}
        }
        let ssl_error = if transport::is_tls_error(error) {
            SSL_ERROR_SSL
        } else {
            SSL_ERROR_SYSCALL
        };
        if authlist {
            callback_lines(state, ACCEPT_EXIT, u32::MAX, "unknown", "unknown");
            tracing::warn!(
                "handshake failed for conn ssl {}, ssl_err {ssl_error} error = {VENDOR_ERROR}",
                self.ssl
            );
        } else {
            tracing::warn!(
                "handshake failed for conn ssl {}, ssl_err {ssl_error} error = {error}",
                self.ssl
            );
        }
        // The rendering of a failure escapes what a peer may have put into a name; here its three lines are one.
        let meaning = failure.to_string().replace(".\n", "; ").replace('\n', "; ");
        tracing::warn!("meaning of conn ssl {}: {meaning}", self.ssl);
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
        if reason.is_ordinary() {
            tracing::info!("NMSP connection closed: conn {}: {reason}", self.connection);
        } else {
            tracing::warn!("NMSP connection closed: conn {}: {reason}", self.connection);
        }
    }

    /// The connection was ended from outside: by the authlist, or by an operator.
    pub(super) fn ended_by_order(&self, order: &Order) {
        tracing::warn!(
            "NMSP connection closed: conn {}: {}: {}",
            self.connection,
            order.reason,
            order.explanation
        );
    }

    pub(super) fn broken(&self, error: &io::Error) {
        tracing::warn!("NMSP connection broken: conn {}: {error}", self.connection);
    }

    pub(super) fn freed(&self) {
        tracing::info!("Freeing Nmsp conn ssl {}, conn id {}", self.ssl, self.connection);
    }
}

/// The lines of OpenSSL's info callback for a fatal alert (F001-12, F001-13, F001-27).
fn alert_lines(state: &str, location: u32, alert: Alert) {
    let description = alert
        .name()
        .map_or_else(|| alert.0.to_string(), |name| name.replace('_', " "));
    callback_lines(
        state,
        location,
        FATAL_ALERT | u32::from(alert.0),
        "fatal",
        &description,
    );
}

/// The lines of OpenSSL's info callback. rustls shows no state, so it is empty except where a certificate is judged; for
/// the same reason the vendor's fourth line, the name of the state, is left out.
fn callback_lines(state: &str, location: u32, ret: u32, kind: &str, description: &str) {
    tracing::warn!("{state}where = {location:#x}; ret = {ret:#x}");
    tracing::warn!("ret_type_string={kind}");
    tracing::warn!("ret_desc_string={description}");
}

impl VerificationObserver for ConnectionTrace {
    fn certificate_validated(&self, certificate: &Certificate) {
        self.counters.certificate_checked(true);
        *self
            .peer_certificate
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certificate.clone()));
        if self.asks_authlist {
            tracing::info!(
                "Peer certificate Validation Done for conn ssl {}, calling authlist..",
                self.ssl
            );
        } else {
            tracing::info!(
                "Peer certificate Validation Done for conn ssl {}, no authlist is configured",
                self.ssl
            );
        }
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
