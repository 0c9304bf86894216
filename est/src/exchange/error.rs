//! Why the client got no certificate, each with its rung on the failure ladder.

use core::fmt;
use std::io;
use std::time::Duration;

use http::StatusCode;
#[cfg(feature = "tokio")]
use pki_common::tls::TlsConfigError;
use pki_common::trust_store::TrustError;
use pki_common::{Diagnose, Failure, KnownCause, Rung, Side};

use super::difference::Difference;
use crate::error::{CsrError, WireError};
use crate::request::RequestError;
use crate::request::cmc::CmcAnswerError;
use crate::request::server_key::ServerKeyError;

/// A step of an exchange that has a time-out of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Name resolution and TCP connection.
    Connect,
    /// The proxy's answer to CONNECT.
    Proxy,
    /// TLS handshake.
    Handshake,
    /// From the request to the end of the response.
    Response,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "the TCP connection",
            Self::Proxy => "the proxy's answer",
            Self::Handshake => "the TLS handshake",
            Self::Response => "the response",
        })
    }
}

/// Why an exchange with an EST server failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is not that of an EST server.
    #[error("{url:?} is not the URL of an EST server: {problem}")]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The TLS configuration cannot be used.
    #[error("the TLS configuration cannot be used: {cause}")]
    TlsConfig {
        /// What is wrong with it.
        cause: String,
        /// The whole diagnosis.
        failure: Box<Failure>,
    },
    /// The request could not be made.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// The request of somebody else cannot be sent.
    #[error("{0}")]
    Csr(#[from] CsrError),
    /// The host name has no address.
    #[error("the name {host:?} cannot be resolved: {cause}")]
    NameResolution {
        /// The name.
        host: String,
        /// What the resolver says.
        cause: String,
    },
    /// No address of the host accepts a connection.
    #[error("no connection to {host}: {cause}")]
    Tcp {
        /// Host and port.
        host: String,
        /// What the operating system says, per address tried.
        cause: String,
        /// Its kind of error for the first address.
        kind: io::ErrorKind,
    },
    /// A step took too long.
    #[error("{step} took longer than {} s", time.as_secs_f32())]
    Timeout {
        /// Which step.
        step: Step,
        /// The time allowed.
        time: Duration,
    },
    /// The TLS handshake failed, or the server ended it with an alert afterwards.
    #[error("TLS: {}", .0.cause)]
    Tls(Box<Failure>),
    /// The connection broke or does not speak HTTP.
    #[error("the HTTP exchange failed: {cause}")]
    Http {
        /// What the HTTP layer says.
        cause: String,
        /// Whether the connection broke, in contrast to an exchange that is not HTTP.
        lost: bool,
    },
    /// A kept connection ended when a request for a certificate had left, with no answer to it.
    #[error(
        "the connection ended without an answer, and whether the server has acted on the request is not known: {cause}"
    )]
    Unanswered {
        /// What the HTTP layer says.
        cause: String,
    },
    /// The proxy did not make the connection.
    #[error("the proxy {proxy} makes no connection: {cause}")]
    Proxy {
        /// The proxy's host and port.
        proxy: String,
        /// What it says, or what is wrong with it.
        cause: String,
        /// Its status, when it answered with one.
        status: Option<u16>,
    },
    /// The server points to a place that is not followed to.
    #[error("the server answers {status} and points to {location:?}; {problem}")]
    Redirect {
        /// The HTTP status.
        status: StatusCode,
        /// Where it points.
        location: String,
        /// Why that is not followed.
        problem: &'static str,
    },
    /// The server points from one place to the next without end.
    #[error("the server redirects more than {limit} times")]
    TooManyRedirects {
        /// The redirects allowed.
        limit: u8,
    },
    /// The server wants another authentication than the client can or may give.
    #[error(
        "the server answers {status} and offers {offered}, which this client has nothing for{}",
        said(text)
    )]
    Challenge {
        /// The HTTP status.
        status: StatusCode,
        /// The schemes offered.
        offered: String,
        /// The first lines of its explanation.
        text: String,
    },
    /// No CA certificate of the server has the fingerprint that was expected.
    #[error("no CA certificate of the server has the fingerprint {expected}; it shows {shown}")]
    FingerprintDiffers {
        /// The SHA-256 fingerprint that was expected.
        expected: String,
        /// The fingerprints of the CA certificates the server sent.
        shown: String,
    },
    /// The fingerprint that was expected is of SHA-1, which does not hold one certificate only.
    #[error("a SHA-1 fingerprint is too weak to trust a certificate by")]
    WeakFingerprint,
    /// The person did not confirm a fingerprint.
    #[error("the fingerprint of the certificate authority was not confirmed")]
    FingerprintRejected,
    /// The request is to be bound to the TLS connection, which has no channel binding.
    #[error("the request must be linked to the TLS connection, and this connection has no channel binding")]
    NoChannelBinding,
    /// The server asks for something that a request cannot be given.
    #[error("the server's CSR attributes cannot be honoured: {cause}")]
    Attributes {
        /// What is asked for, and why it cannot be.
        cause: String,
    },
    /// The key that the server made cannot be had.
    #[error("{0}")]
    ServerKey(Box<ServerKeyError>),
    /// The key that the server made was to be encrypted for us.
    #[error("the server sends the private key without the encryption that was asked for")]
    ServerKeyInTheClear,
    /// The CMC answer cannot be used, or refuses.
    #[error("{0}")]
    Cmc(Box<CmcAnswerError>),
    /// The caller told the state machine of an event that cannot have happened.
    #[error("the exchange was told of {event} when it had asked for something else")]
    Sequence {
        /// The event.
        event: &'static str,
    },
    /// The server refused.
    #[error("the server answers {status}{}", said(text))]
    Status {
        /// The HTTP status.
        status: StatusCode,
        /// The first lines of its explanation; control characters are replaced.
        text: String,
        /// When it says to come back.
        retry_after: Option<Duration>,
    },
    /// The response is something else than certificates.
    #[error("the response has the media type {found:?} where application/pkcs7-mime is expected")]
    MediaType {
        /// The Content-Type, empty when it is missing.
        found: String,
    },
    /// The response is larger than the limit.
    #[error("the response is larger than {limit} bytes")]
    ResponseTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The response cannot be decoded.
    #[error("the response cannot be decoded: {0}")]
    Body(#[from] WireError),
    /// A certificate of the response cannot be read.
    #[error("a certificate of the response cannot be read: {cause}")]
    Certificate {
        /// What is wrong with it.
        cause: String,
    },
    /// No certificate of the response is for the key of the request.
    #[error("none of the {found} certificates of the response is for the key of the request")]
    NoCertificateForKey {
        /// How many there are.
        found: usize,
    },
    /// The issued certificate does not lead to a trust anchor.
    #[error("the issued certificate is not trusted: {0}")]
    Untrusted(Box<TrustError>),
    /// The issued certificate is not what was asked for.
    #[error("the certificate is not what was asked for: {}", list(.0))]
    Differs(Vec<Difference>),
    /// A trust store cannot be made of what the server sent.
    #[error("the server's certificates make no trust anchors: {cause}")]
    Anchors {
        /// What is wrong with them.
        cause: String,
    },
}

fn list(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

fn said(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

impl ClientError {
    #[cfg(feature = "tokio")]
    pub(crate) fn tls_config(error: &TlsConfigError) -> Self {
        Self::TlsConfig {
            cause: error.to_string(),
            failure: Box::new(error.diagnose()),
        }
    }
}

impl Diagnose for ClientError {
    fn diagnose(&self) -> Failure {
        let failure = self.placed();
        match self.known_cause() {
            Some(known_cause) => failure.known_as(known_cause),
            // What an inner error is known as stays.
            None => failure,
        }
    }
}

impl ClientError {
    /// The stable name of what only this type knows; errors inside name themselves.
    fn known_cause(&self) -> Option<KnownCause> {
        match self {
            Self::NameResolution { .. } => Some(KnownCause::NameNotResolved),
            Self::Tcp { kind, .. } => KnownCause::of_io(*kind),
            Self::Timeout {
                step: Step::Connect, ..
            } => Some(KnownCause::ConnectionTimedOut),
            Self::Timeout { .. } => Some(KnownCause::AnswerTimedOut),
            Self::Http { lost: false, .. }
            | Self::MediaType { .. }
            | Self::Body(_)
            | Self::Certificate { .. } => Some(KnownCause::AnswerNotUnderstood),
            Self::Http { .. } | Self::Unanswered { .. } => Some(KnownCause::ConnectionLost),
            Self::Proxy { .. } => Some(KnownCause::ProxyRefused),
            Self::Challenge { .. } => Some(KnownCause::LoginNotOffered),
            Self::Status { status, .. } => self.upstream_cause().or_else(|| known_status(*status)),
            Self::Anchors { .. } | Self::NoCertificateForKey { .. } => Some(KnownCause::AnswerNotUnderstood),
            _ => None,
        }
    }

    fn placed(&self) -> Failure {
        let failure = |rung, remedy: &str| Failure::new(rung, self.to_string(), remedy);
        match self {
            Self::Url { .. } => failure(Rung::Local, "Give a URL like https://host:port."),
            Self::TlsConfig { failure, .. } | Self::Tls(failure) => (**failure).clone(),
            Self::Request(error) => error.diagnose(),
            Self::Csr(error) => Failure {
                rung: Rung::Local,
                ..error.diagnose()
            },
            Self::NameResolution { .. } => {
                failure(Rung::NameResolution, "Check the spelling of the host name and the DNS of this machine.")
            }
            Self::Tcp { .. } => {
                failure(Rung::Tcp, "Check that the server runs and listens on this port, and that no firewall is between.")
            }
            Self::Timeout { step, .. } => timeout_failure(*step, self),
            Self::Http { .. } => {
                failure(Rung::Body, "Check that the port is that of an EST server; its log says why it broke off.")
            }
            Self::Unanswered { .. } => failure(
                Rung::Body,
                "Send the same request again; if two certificates are issued, have the one that is not used revoked.",
            ),
            Self::Redirect { .. } => failure(
                Rung::Status,
                "If the other place is to be trusted, give its URL to the client.",
            )
            .refused_by(Side::Peer),
            Self::Status { status, .. } => match self.upstream_cause() {
                Some(cause) => failure(Rung::Upstream, &format!("On the EST server: {}", cause.remedy())),
                None => failure(status_rung(*status), status_remedy(*status)),
            }
            .refused_by(Side::Peer),
            Self::MediaType { .. } | Self::ResponseTooLarge { .. } | Self::Body(_) | Self::Certificate { .. } => {
                failure(Rung::Body, "Check the URL, and that nothing between here and the server changes its answers.")
                    .refused_by(Side::Local)
            }
            Self::NoCertificateForKey { .. } => {
                failure(Rung::Body, "The server answered another request; ask its operator.").refused_by(Side::Local)
            }
            Self::Untrusted(error) => error.diagnose(),
            Self::Differs(_) => failure(
                Rung::Body,
                "The certificate authority changes what is asked for: ask for what its policy issues, have the policy \
                 changed, or accept the difference by its name.",
            )
            .refused_by(Side::Local),
            other => other.diagnose_more(),
        }
    }
}

impl ClientError {
    fn diagnose_more(&self) -> Failure {
        let failure = |rung, remedy: &str| Failure::new(rung, self.to_string(), remedy);
        match self {
            Self::Proxy { status: Some(407), .. } => {
                failure(Rung::Proxy, "Give the proxy's user name and password (`--proxy-user`, `--proxy-password-file`).").refused_by(Side::Peer)
            }
            Self::Proxy { .. } => failure(
                Rung::Proxy,
                "Check address and rules of the proxy: it must allow CONNECT to the server's host and port.",
            ),
            Self::TooManyRedirects { .. } => {
                failure(Rung::Status, "The server's redirects go in circles; ask its operator.").refused_by(Side::Local)
            }
            Self::Challenge { .. } => failure(
                Rung::Status,
                "Give credentials of a kind that the server offers, or allow the password to be used that way.",
            )
            .refused_by(Side::Peer),
            Self::FingerprintDiffers { .. } => failure(
                Rung::Tls(pki_common::TlsFault::Chain),
                "Get the fingerprint again from the authority's operator; if it is right, this is not the server.",
            )
            .refused_by(Side::Local),
            Self::WeakFingerprint => failure(
                Rung::Local,
                "Give what `openssl x509 -noout -fingerprint -sha256` prints for the CA certificate.",
            ),
            Self::FingerprintRejected => failure(
                Rung::Tls(pki_common::TlsFault::Chain),
                "Get the fingerprint from the authority's operator and compare it with what is shown.",
            )
            .refused_by(Side::Local),
            Self::NoChannelBinding => failure(
                Rung::Local,
                "Use TLS 1.3, or TLS 1.2 with a server that has the extended master secret (RFC 7627).",
            ),
            Self::Attributes { .. } => failure(
                Rung::Body,
                "Ask for what the server wants by hand and skip its CSR attributes, or ask its operator.",
            )
            .refused_by(Side::Local),
            Self::ServerKey(error) => error.diagnose().refused_by(Side::Local),
            Self::ServerKeyInTheClear => failure(
                Rung::Body,
                "Do not use the key; the server must honour the key identifier of the request.",
            )
            .refused_by(Side::Local),
            Self::Cmc(error) => error.diagnose(),
            Self::Anchors { .. } => failure(
                Rung::Body,
                "The server must answer cacerts with the certificates of its certificate authority.",
            )
            .refused_by(Side::Local),
            _ => failure(Rung::Local, "Report this defect."),
        }
    }

    /// Whether trying the same again later may succeed: nobody refused, something was slow or away.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::NameResolution { .. } | Self::Tcp { .. } | Self::Timeout { .. } => true,
            Self::Http { .. } | Self::Unanswered { .. } => true,
            Self::Status { status, .. } => matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Self::Proxy { status, .. } => matches!(status, None | Some(502..=504)),
            // A server that restarts, or is full, breaks handshakes off like other exchanges.
            Self::Tls(failure) => matches!(failure.known_cause, Some(KnownCause::ConnectionLost)),
            _ => false,
        }
    }

    /// How long the server asks to wait before the next try.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn timeout_failure(step: Step, error: &ClientError) -> Failure {
    let (rung, remedy) = match step {
        Step::Connect => (
            Rung::Tcp,
            "Check address and port; a firewall that drops packets looks like this.",
        ),
        Step::Proxy => (
            Rung::Proxy,
            "Check that the port is that of an HTTP proxy, and that it reaches the server.",
        ),
        Step::Handshake => (
            Rung::Tls(pki_common::TlsFault::Protocol),
            "Check that the port speaks TLS and that the server is not overloaded.",
        ),
        Step::Response => (
            Rung::Upstream,
            "The server waits for its certificate authority or is overloaded; try again, or allow more time.",
        ),
    };
    Failure::new(rung, error.to_string(), remedy)
}

fn known_status(status: StatusCode) -> Option<KnownCause> {
    match status.as_u16() {
        401 | 403 | 429 => Some(KnownCause::CredentialsRefused),
        404 => Some(KnownCause::PageNotFound),
        408 => Some(KnownCause::AnswerTimedOut),
        422 => Some(KnownCause::RequestDenied),
        500..=599 => Some(KnownCause::ServerFailed),
        _ => None,
    }
}

fn status_rung(status: StatusCode) -> Rung {
    if matches!(status.as_u16(), 502..=504) {
        Rung::Upstream
    } else {
        Rung::Status
    }
}

fn status_remedy(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 | 415 | 422 => "The server names what it does not accept in the request; change that.",
        401 => "Give the right user name and password, or a client certificate that the server trusts.",
        403 => "Give a client certificate that the server trusts, or have the permission granted.",
        404 => "Check the URL and the label; the server may not offer this operation.",
        405 | 501 => "The server does not offer this operation.",
        408 => "The request did not reach the server in time; check the network and try again.",
        413 => "The request is larger than the server allows; ask for less or have the limit raised.",
        502..=504 => "The server or the certificate authority behind it is not available; try again later.",
        _ => "Look into the log of the server.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_stands_on_the_right_rung() {
        let status = |code| ClientError::Status {
            status: StatusCode::from_u16(code).unwrap(),
            text: "because".into(),
            retry_after: None,
        };
        let time = Duration::from_secs(10);
        for (error, rung) in [
            (
                ClientError::Url {
                    url: "x".into(),
                    problem: "no host",
                },
                Rung::Local,
            ),
            (
                ClientError::NameResolution {
                    host: "x".into(),
                    cause: "y".into(),
                },
                Rung::NameResolution,
            ),
            (
                ClientError::Tcp {
                    host: "x:1".into(),
                    cause: "refused".into(),
                    kind: io::ErrorKind::ConnectionRefused,
                },
                Rung::Tcp,
            ),
            (
                ClientError::Timeout {
                    step: Step::Connect,
                    time,
                },
                Rung::Tcp,
            ),
            (
                ClientError::Timeout {
                    step: Step::Response,
                    time,
                },
                Rung::Upstream,
            ),
            (status(401), Rung::Status),
            (status(503), Rung::Upstream),
            (ClientError::NoCertificateForKey { found: 2 }, Rung::Body),
        ] {
            let failure = error.diagnose();
            assert_eq!(failure.rung, rung, "{error}");
            assert!(failure.remedy.ends_with('.') && !failure.cause.is_empty());
        }
        assert_eq!(
            status(401).to_string(),
            "the server answers 401 Unauthorized: because"
        );
    }
}
