//! OpenSSL's errors in the words of the ladder.

use std::io;

use openssl::ssl::{self, ErrorCode, SslAlert};
use rustls::AlertDescription;

use pki_common::tls::{HandshakeContext, RefusalRecorder};
use pki_common::{Alert, Failure, KnownCause, Rung, Side, TlsFault};

use super::judge::Verdict;
use crate::transport::FatalAlert;

/// OpenSSL's number for "the stream ended inside TLS" (`SSL_R_UNEXPECTED_EOF_WHILE_READING`).
const UNEXPECTED_EOF: i32 = 294;

/// And for a certificate that the verify callback refused (`SSL_R_CERTIFICATE_VERIFY_FAILED`).
const CERTIFICATE_VERIFY_FAILED: i32 = 134;

/// Where a reason code that is an alert of the peer begins (`SSL_AD_REASON_OFFSET`).
const ALERT_REASONS: i32 = 1000;

/// What a reason means.
#[derive(Debug)]
struct Meaning {
    /// The reason codes of `<openssl/sslerr.h>`.
    reasons: &'static [i32],
    /// The alert that OpenSSL sends.
    sent: Option<Alert>,
    known_cause: Option<KnownCause>,
    cause: &'static str,
    remedy: &'static str,
}

/// `{peer}` is filled in.
static MEANINGS: [Meaning; 6] = [
    Meaning {
        // PEER_DID_NOT_RETURN_A_CERTIFICATE
        reasons: &[199],
        sent: Some(Alert::HANDSHAKE_FAILURE),
        known_cause: Some(KnownCause::CertificateRequired),
        cause: "{peer} sent no certificate, but one is required",
        remedy: "Configure a certificate and private key on the peer.",
    },
    Meaning {
        // NO_SHARED_CIPHER
        reasons: &[193],
        sent: Some(Alert::HANDSHAKE_FAILURE),
        known_cause: Some(KnownCause::TlsNotCommon),
        cause: "{peer} and we have no cipher suite in common",
        remedy: "Add a cipher suite of the peer to `ciphers` of the legacy transport; `openssl ciphers -s -v \
                 'ALL:@SECLEVEL=0'` lists what the installed OpenSSL has.",
    },
    Meaning {
        // UNSUPPORTED_PROTOCOL, VERSION_TOO_LOW, VERSION_TOO_HIGH, NO_PROTOCOLS_AVAILABLE
        reasons: &[258, 396, 166, 191],
        sent: Some(Alert::PROTOCOL_VERSION),
        known_cause: Some(KnownCause::TlsNotCommon),
        cause: "{peer} and we have no version of TLS in common",
        remedy: "Widen the versions of the legacy transport, or use the normal transport for TLS 1.3.",
    },
    Meaning {
        // WRONG_VERSION_NUMBER, WRONG_SSL_VERSION, HTTP_REQUEST, HTTPS_PROXY_REQUEST, UNKNOWN_PROTOCOL
        reasons: &[267, 266, 156, 155, 252],
        sent: None,
        known_cause: Some(KnownCause::NotTls),
        cause: "{peer} does not speak TLS: its bytes are no TLS record",
        remedy: "Check the port and that TLS is on at the peer; plain HTTP and other protocols end here.",
    },
    Meaning {
        // BAD_SIGNATURE, DIGEST_CHECK_FAILED
        reasons: &[123, 149],
        sent: Some(Alert::DECRYPT_ERROR),
        known_cause: None,
        cause: "a signature or checksum of {peer} in the handshake does not verify",
        remedy: "Check that the peer's certificate and its private key belong together, and for a device in between \
                 that changes the traffic.",
    },
    Meaning {
        // DECRYPTION_FAILED, DECRYPTION_FAILED_OR_BAD_RECORD_MAC
        reasons: &[147, 281],
        sent: Some(Alert::BAD_RECORD_MAC),
        known_cause: None,
        cause: "a record of {peer} could not be decrypted",
        remedy: "Check for a device in between that changes the traffic.",
    },
];

static OTHER: Meaning = Meaning {
    reasons: &[],
    sent: None,
    known_cause: None,
    cause: "the handshake with {peer} failed in OpenSSL ({reason})",
    remedy: "Record the handshake, for example with Wireshark, and read the log of the peer at this time.",
};

static UNJUDGED: Meaning = Meaning {
    reasons: &[],
    sent: None,
    known_cause: None,
    cause: "the handshake with {peer} ended without its certificate having been judged",
    remedy: "Take suites without certificates out of `ciphers` of the legacy transport.",
};

/// Alerts of the peer whose usual remedy is to take another transport: this one.
static RECEIVED: [(Alert, Meaning); 2] = [
    (
        Alert::HANDSHAKE_FAILURE,
        Meaning {
            reasons: &[],
            sent: None,
            known_cause: Some(KnownCause::TlsNotCommon),
            cause: "{peer} found no common cipher suite or version, or requires a certificate we did not send",
            remedy: "Check that our certificate is configured, and compare versions and `ciphers` of the legacy \
                     transport with those of the peer.",
        },
    ),
    (
        Alert::PROTOCOL_VERSION,
        Meaning {
            reasons: &[],
            sent: None,
            known_cause: Some(KnownCause::TlsNotCommon),
            cause: "{peer} speaks none of the TLS versions of the legacy transport",
            remedy: "Widen the versions of the legacy transport, or use the normal transport.",
        },
    ),
];

#[derive(Debug)]
enum Kind {
    /// Our side refused the certificate.
    Certificate { error: rustls::Error, sent: Alert },
    /// The peer's alert.
    Received(Alert),
    /// Anything else.
    Meaning(&'static Meaning),
}

/// Why a handshake by OpenSSL failed; it travels inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct LegacyTlsError {
    /// In OpenSSL's format, as the vendor's trace shows it.
    text: String,
    kind: Kind,
}

impl LegacyTlsError {
    /// The error inside an I/O error.
    pub(crate) fn in_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(super) fn unjudged() -> Self {
        Self {
            text: "the certificate was not judged".to_owned(),
            kind: Kind::Meaning(&UNJUDGED),
        }
    }

    /// The alert that ended the handshake.
    pub(crate) fn alert(&self) -> Option<FatalAlert> {
        match &self.kind {
            Kind::Certificate { sent, .. } => Some(FatalAlert::Sent(*sent)),
            Kind::Received(alert) => Some(FatalAlert::Received(*alert)),
            Kind::Meaning(meaning) => meaning.sent.map(FatalAlert::Sent),
        }
    }

    /// Rung, cause and remedy.
    pub(crate) fn diagnose(&self, context: &HandshakeContext, recorder: Option<&RefusalRecorder>) -> Failure {
        match &self.kind {
            Kind::Certificate { error, sent } => context.diagnose_tls(error, recorder).with_alert(*sent),
            Kind::Received(alert) => {
                if let Some((_, meaning)) = RECEIVED.iter().find(|(known, _)| known == alert) {
                    return self
                        .failure(meaning, context)
                        .refused_by(Side::Peer)
                        .with_alert(*alert);
                }
                let received = rustls::Error::AlertReceived(AlertDescription::from(alert.0));
                context.diagnose_tls(&received, recorder)
            }
            Kind::Meaning(meaning) => {
                let failure = self.failure(meaning, context).refused_by(Side::Local);
                match meaning.sent {
                    Some(alert) => failure.with_alert(alert),
                    None => failure,
                }
            }
        }
    }

    fn failure(&self, meaning: &Meaning, context: &HandshakeContext) -> Failure {
        let cause = meaning.cause.replace("{reason}", &self.text);
        let cause = cause.replace("{peer}", &context.peer);
        let mut letters = cause.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        let fault = if meaning.reasons == [199] {
            TlsFault::Chain
        } else {
            TlsFault::Protocol
        };
        let failure = Failure::new(
            Rung::Tls(fault),
            format!("{first}{}.", letters.as_str()),
            meaning.remedy,
        );
        match meaning.known_cause {
            Some(known_cause) => failure.known_as(known_cause),
            None => failure,
        }
    }
}

impl From<LegacyTlsError> for io::Error {
    fn from(error: LegacyTlsError) -> Self {
        Self::other(error)
    }
}

/// The first error of OpenSSL's stack is the one that began it.
fn first_reason(error: &ssl::Error) -> Option<(i32, String)> {
    let first = error.ssl_error()?.errors().first()?;
    let reason = first.reason().unwrap_or("unknown reason");
    let text = format!("error:{:08X}:SSL routines::{reason}", first.code());
    Some((first.reason_code(), text))
}

fn received_alert(reason: i32) -> Option<Alert> {
    // The crate knows the offset too; its alert has no public number, so it only confirms.
    SslAlert::from_reason_code(reason)?;
    u8::try_from(reason - ALERT_REASONS).ok().map(Alert)
}

/// The error of a handshake.
pub(super) fn explain(error: ssl::Error, verdict: Option<Verdict>) -> io::Error {
    let Some((reason, text)) = first_reason(&error) else {
        return below_tls(error);
    };
    let kind = match (reason, verdict) {
        (UNEXPECTED_EOF, _) => return io::ErrorKind::UnexpectedEof.into(),
        (CERTIFICATE_VERIFY_FAILED, Some(Verdict::Refused { reason, sent })) => Kind::Certificate {
            error: rustls::Error::InvalidCertificate(reason),
            sent,
        },
        _ => match received_alert(reason) {
            Some(alert) => Kind::Received(alert),
            None => {
                let known = MEANINGS.iter().find(|meaning| meaning.reasons.contains(&reason));
                Kind::Meaning(known.unwrap_or(&OTHER))
            }
        },
    };
    LegacyTlsError { text, kind }.into()
}

/// Not TLS failed, but what carries it; or the peer went away.
fn below_tls(error: ssl::Error) -> io::Error {
    let gone = matches!(error.code(), ErrorCode::SYSCALL | ErrorCode::ZERO_RETURN);
    match error.into_io_error() {
        Ok(error) => error,
        Err(_) if gone => io::ErrorKind::UnexpectedEof.into(),
        Err(error) => io::Error::other(error),
    }
}

/// The error of an established session, as rustls would put it.
pub(super) fn explain_established(error: io::Error) -> io::Error {
    let reason = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ssl::Error>())
        .and_then(first_reason);
    match reason {
        Some((UNEXPECTED_EOF, _)) => io::ErrorKind::UnexpectedEof.into(),
        Some((reason, text)) => match received_alert(reason) {
            Some(alert) => io::Error::other(rustls::Error::AlertReceived(AlertDescription::from(alert.0))),
            None => io::Error::other(rustls::Error::General(text)),
        },
        None => error,
    }
}
