//! Says of a failed handshake or connection: the rung, who refused, the cause and the remedy.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

use super::alert_remedy::meaning_of_received;
use super::{Refusal, RefusalRecorder};
use crate::authlist::AuthListRefusal;
use crate::ladder::{Alert, Diagnose as _, Failure, KnownCause, Rung, Side, TlsFault};
use crate::trust_store::{ExpectedName, TrustError};

/// What the caller knows about a connection, for better sentences.
///
/// This crate knows no protocol above TLS, so the caller says what the peer is called and whether it is a
/// device that keeps an authlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeContext {
    /// The peer as it is called in a sentence, for example "the controller".
    pub peer: String,
    /// The peer checks us against an authlist: its alert 46 then means that list.
    pub peer_has_authlist: bool,
}

impl Default for HandshakeContext {
    fn default() -> Self {
        Self {
            peer: "the peer".to_owned(),
            peer_has_authlist: false,
        }
    }
}

impl HandshakeContext {
    /// A peer that keeps an authlist, as `peer` in a sentence.
    #[must_use]
    pub fn with_authlist(peer: impl Into<String>) -> Self {
        Self {
            peer: peer.into(),
            peer_has_authlist: true,
        }
    }

    /// As [`diagnose_tls`]. When `recorder` observed the connection, its reason is told instead of the poorer
    /// one in the error.
    #[must_use]
    pub fn diagnose_tls(&self, error: &Error, recorder: Option<&RefusalRecorder>) -> Failure {
        let refusal = recorder.and_then(RefusalRecorder::refusal);
        match (error, refusal) {
            (Error::InvalidCertificate(_), Some(refusal)) => {
                let mut failure = with_capital(refusal.diagnose());
                // The alert is what rustls did send for this error.
                failure.alert = alert_sent_for(error);
                failure.refused_by = Some(Side::Local);
                failure
            }
            _ => self.explain(error),
        }
    }

    /// As [`diagnose_io`], with the reason of `recorder` as in [`diagnose_tls`](Self::diagnose_tls).
    #[must_use]
    pub fn diagnose_io(&self, error: &io::Error, recorder: Option<&RefusalRecorder>) -> Failure {
        match tls_error_in(error) {
            Some(tls) => self.diagnose_tls(tls, recorder),
            None => self.explain_io(error),
        }
    }

    fn explain(&self, error: &Error) -> Failure {
        match error {
            Error::AlertReceived(description) => self.peer_refused(*description),
            Error::InvalidCertificate(reason) => self.certificate_refused(reason, error),
            other => self.handshake_failed(other),
        }
    }

    fn peer_refused(&self, description: AlertDescription) -> Failure {
        let alert = Alert(description.into());
        let meaning = meaning_of_received(alert, self);
        Failure {
            rung: Rung::Tls(meaning.fault),
            refused_by: Some(Side::Peer),
            alert: Some(alert),
            known_cause: meaning.known_cause,
            cause: sentence(&meaning.cause),
            remedy: meaning.remedy,
        }
    }

    fn certificate_refused(&self, reason: &CertificateError, error: &Error) -> Failure {
        let mut failure = match known_reason(reason) {
            Some(refusal) => with_capital(refusal.diagnose()),
            None => self.unexplained_certificate(reason),
        };
        failure.refused_by = Some(Side::Local);
        failure.alert = alert_sent_for(error);
        failure
    }

    fn unexplained_certificate(&self, reason: &CertificateError) -> Failure {
        let peer = &self.peer;
        let (fault, cause, remedy) = match reason {
            CertificateError::UnknownIssuer => (
                TlsFault::Chain,
                format!("the certificate of {peer} does not lead to an anchor of our trust store"),
                "Add the certificate of its authority to our trust store, or let the peer send its whole chain.",
            ),
            CertificateError::BadSignature => (
                TlsFault::Chain,
                format!("a signature of {peer} does not verify"),
                "Check that the peer's certificate, its chain and its private key belong together.",
            ),
            CertificateError::BadEncoding => (
                TlsFault::Chain,
                format!("the certificate of {peer} cannot be read"),
                "Look at the peer's certificate with `openssl x509 -text` and issue it again.",
            ),
            CertificateError::NotValidForName => (
                TlsFault::Name,
                format!("the certificate of {peer} is for another name"),
                "Connect to a name the certificate is for, letter for letter.",
            ),
            CertificateError::Revoked => (
                TlsFault::Chain,
                format!("the certificate of {peer} is revoked"),
                "Let the peer enrol again with a new key.",
            ),
            CertificateError::UnknownRevocationStatus => (
                TlsFault::Chain,
                format!("whether the certificate of {peer} is revoked is not known"),
                "Add the current revocation list of its issuer to the configured lists.",
            ),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
                TlsFault::Chain,
                format!("the certificate of {peer} is not meant for this use ({reason})"),
                "Issue it with the right extended key usage (clientAuth or serverAuth), or without one.",
            ),
            other => (
                TlsFault::Chain,
                format!("the certificate of {peer} was refused: {other}"),
                "Look at the peer's certificate with `openssl x509 -text` and issue it again.",
            ),
        };
        let known_cause = match reason {
            CertificateError::UnknownIssuer => Some(KnownCause::IssuerNotTrusted),
            CertificateError::NotValidForName => Some(KnownCause::NameMismatch),
            CertificateError::Revoked => Some(KnownCause::CertificateRevoked),
            CertificateError::Expired => Some(KnownCause::Expired),
            CertificateError::NotValidYet => Some(KnownCause::NotYetValid),
            _ => None,
        };
        Failure {
            rung: Rung::Tls(fault),
            refused_by: Some(Side::Local),
            alert: None,
            known_cause,
            cause: sentence(&cause),
            remedy: remedy.to_owned(),
        }
    }

    /// Everything in a handshake that is neither an alert nor a certificate.
    fn handshake_failed(&self, error: &Error) -> Failure {
        let peer = &self.peer;
        let (fault, cause, remedy) = match error {
            Error::NoCertificatesPresented => (
                TlsFault::Chain,
                format!("{peer} sent no certificate, but one is required"),
                "Configure a certificate and private key on the peer.",
            ),
            Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => (
                TlsFault::Protocol,
                format!("{peer} does not speak TLS: its bytes are no TLS record"),
                "Check the port and that TLS is on at the peer; plain HTTP and other protocols end here.",
            ),
            Error::PeerIncompatible(reason) => {
                return self.incompatible(reason, error);
            }
            Error::InvalidMessage(reason) => (
                TlsFault::Protocol,
                format!("{peer} sent a TLS message that cannot be read ({reason:?})"),
                "Check the port; if the peer does speak TLS, record the handshake and report it.",
            ),
            Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme) => (
                TlsFault::Protocol,
                format!("{peer} signed the handshake with an algorithm that was not offered"),
                "Give the peer an RSA-2048 or EC P-256 key and allow SHA-256 signatures there.",
            ),
            Error::NoApplicationProtocol => (
                TlsFault::Protocol,
                format!("{peer} and we have no application protocol in common (ALPN)"),
                "Check the port: another service listens there.",
            ),
            Error::DecryptError => (
                TlsFault::Protocol,
                format!("a record of {peer} could not be decrypted"),
                "Check for a device in between that changes the traffic.",
            ),
            Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes => {
                return Failure::new(
                    Rung::Local,
                    sentence(&format!("this machine cannot do TLS: {error}")),
                    "Set the clock and check the source of random numbers of the operating system.",
                );
            }
            other => (
                TlsFault::Protocol,
                format!("the handshake with {peer} failed: {other}"),
                "Record the handshake, for example with Wireshark, and report it.",
            ),
        };
        Failure {
            known_cause: known_handshake_failure(error),
            ..local_refusal(fault, &cause, remedy, error)
        }
    }

    fn incompatible(&self, reason: &PeerIncompatible, error: &Error) -> Failure {
        let peer = &self.peer;
        let (cause, remedy) = match reason {
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired => (
                format!("{peer} and we have no TLS version in common ({reason:?})"),
                "Allow both TLS 1.2 and 1.3 on our side; a peer that knows only TLS 1.0 or 1.1 needs another transport.",
            ),
            PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon
            | PeerIncompatible::NoSignatureSchemesInCommon => (
                format!("{peer} and we have no signature algorithm in common ({reason:?})"),
                "Give both sides keys the other knows: RSA-2048 for old peers.",
            ),
            _ => (
                format!("{peer} and we have no cipher suite or key exchange in common ({reason:?})"),
                "Compare the cipher suites of both sides; devices that know only RSA key exchange or CBC suites need another transport.",
            ),
        };
        local_refusal(TlsFault::Protocol, &cause, remedy, error).known_as(KnownCause::TlsNotCommon)
    }

    fn explain_io(&self, error: &io::Error) -> Failure {
        let peer = &self.peer;
        let (rung, cause, remedy) = match error.kind() {
            io::ErrorKind::ConnectionRefused => (
                Rung::Tcp,
                format!("{peer} refused the connection: nobody listens on the port"),
                "Start the service at the peer, or correct the address and port.",
            ),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
                (
                    Rung::Tcp,
                    format!("{peer} broke the connection ({error})"),
                    "Read the log of the peer at this time; a firewall in between may also reset connections.",
                )
            }
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => (
                Rung::Tcp,
                format!("{peer} did not answer in time"),
                "Check that the peer is reachable and that no firewall drops the port.",
            ),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => (
                Rung::Tcp,
                format!("{peer} is not reachable ({error})"),
                "Check the address, the route and the interface.",
            ),
            io::ErrorKind::UnexpectedEof => (
                Rung::Tls(TlsFault::Protocol),
                format!("{peer} closed the connection without a TLS alert"),
                "Check the port and that TLS is on at the peer, and read its log at this time.",
            ),
            io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied => (
                Rung::Local,
                format!("the operating system refused the socket ({error})"),
                "Choose another address or port, or give this process the right to use it.",
            ),
            _ => (
                Rung::Tcp,
                format!("the connection to {peer} failed ({error})"),
                "Check the network between both sides and the log of the peer.",
            ),
        };
        let refused_by = match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Some(Side::Peer),
            _ => None,
        };
        Failure {
            rung,
            refused_by,
            alert: None,
            known_cause: KnownCause::of_io(error.kind()),
            cause: sentence(&cause),
            remedy: remedy.to_owned(),
        }
    }
}

/// Explains an error of rustls: which rung, which side refused with which alert, the cause and the remedy.
///
/// Reasons that travel inside the error are told in full: a refusal by the authlist, and the times of an
/// expired certificate. For "unknown issuer" observe the connection with a [`RefusalRecorder`] and ask
/// [`HandshakeContext::diagnose_tls`].
#[must_use]
pub fn diagnose_tls(error: &Error) -> Failure {
    HandshakeContext::default().diagnose_tls(error, None)
}

/// Explains an error of a connection: a rustls error inside it as [`diagnose_tls`], or the network's.
#[must_use]
pub fn diagnose_io(error: &io::Error) -> Failure {
    HandshakeContext::default().diagnose_io(error, None)
}

/// The alert our side put on the wire for `error`, when it sends one.
///
/// rustls does not tell; this follows its source (0.23) and is tested against real handshakes.
#[must_use]
pub fn alert_sent_for(error: &Error) -> Option<Alert> {
    let description = match error {
        Error::InvalidCertificate(reason) => AlertDescription::from(reason.clone()),
        Error::NoCertificatesPresented => AlertDescription::CertificateRequired,
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            AlertDescription::UnexpectedMessage
        }
        Error::InvalidMessage(reason) => AlertDescription::from(*reason),
        Error::PeerIncompatible(reason) => alert_for_incompatible(reason),
        Error::PeerMisbehaved(_) => AlertDescription::IllegalParameter,
        Error::DecryptError => AlertDescription::BadRecordMac,
        Error::PeerSentOversizedRecord => AlertDescription::RecordOverflow,
        Error::NoApplicationProtocol => AlertDescription::NoApplicationProtocol,
        _ => return None,
    };
    Some(Alert(description.into()))
}

fn alert_for_incompatible(reason: &PeerIncompatible) -> AlertDescription {
    match reason {
        PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired => AlertDescription::ProtocolVersion,
        PeerIncompatible::NullCompressionRequired => AlertDescription::IllegalParameter,
        _ => AlertDescription::HandshakeFailure,
    }
}

/// The reason as this crate's own error, when the rustls error carries enough of it.
fn known_reason(reason: &CertificateError) -> Option<Refusal> {
    let subject = || "of the peer".to_owned();
    Some(Refusal::Certificate(match reason {
        CertificateError::Other(other) => {
            if let Some(refusal) = other.0.downcast_ref::<AuthListRefusal>() {
                return Some(Refusal::AuthList(refusal.clone()));
            }
            other.0.downcast_ref::<TrustError>()?.clone()
        }
        CertificateError::ExpiredContext { time, not_after } => TrustError::Expired {
            subject: subject(),
            not_after: *not_after,
            now: *time,
        },
        CertificateError::NotValidYetContext { time, not_before } => TrustError::NotYetValid {
            subject: subject(),
            not_before: *not_before,
            now: *time,
        },
        CertificateError::ExpiredRevocationListContext { time, next_update } => {
            TrustError::RevocationListExpired {
                subject: subject(),
                issuer: "its issuer".to_owned(),
                next_update: *next_update,
                now: *time,
            }
        }
        CertificateError::NotValidForNameContext { expected, presented } => TrustError::WrongName {
            expected: ExpectedName::Server(expected.clone()),
            presented: presented.clone(),
        },
        _ => return None,
    }))
}

/// The rustls error that an asynchronous TLS stream wrapped into an I/O error.
fn tls_error_in(error: &io::Error) -> Option<&Error> {
    let mut source: &(dyn std::error::Error + 'static) = error.get_ref()?;
    // An error may be wrapped more than once; a chain of sources is finite.
    loop {
        if let Some(found) = source.downcast_ref::<Error>() {
            return Some(found);
        }
        if let Some(inner) = source.downcast_ref::<io::Error>() {
            return tls_error_in(inner);
        }
        source = source.source()?;
    }
}

fn known_handshake_failure(error: &Error) -> Option<KnownCause> {
    match error {
        Error::NoCertificatesPresented => Some(KnownCause::CertificateRequired),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Some(KnownCause::NotTls),
        _ => None,
    }
}

fn local_refusal(fault: TlsFault, cause: &str, remedy: &str, error: &Error) -> Failure {
    Failure {
        rung: Rung::Tls(fault),
        refused_by: Some(Side::Local),
        alert: alert_sent_for(error),
        known_cause: None,
        cause: sentence(cause),
        remedy: remedy.to_owned(),
    }
}

/// A cause as a sentence of its own: a capital letter and a full stop.
fn sentence(text: &str) -> String {
    format!("{}.", capitalised(text))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let mut capitalised: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    capitalised.push_str(letters.as_str());
    capitalised
}

fn with_capital(mut failure: Failure) -> Failure {
    failure.cause = capitalised(&failure.cause);
    failure
}
