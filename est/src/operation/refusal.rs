//! Every way in which the server declines, with status, text and libest error number in one place.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use pki_common::revocation::RevocationReason;
use pki_common::{Diagnose, Failure, KnownCause, Rung, Side};

use super::number::EstErrorNumber;
use super::path::Operation;
use super::response::{OperationResponse, text_plain};
use crate::auth::{AuthenticationRequirement, Challenges, CredentialsError};
use crate::upstream;

/// When a client should come back after an answer that took too long.
#[cfg(feature = "tokio")]
const SLOW_RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why a request gets no certificate. `Display` is the `text/plain` body that the client gets: it says what was
/// wrong, where, and what to do, and never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a path of EST, or a label that is not configured.
    #[error(
        "no such EST path. Paths are /.well-known/est[/label]/operation, compared byte for byte; percent-encoding is \
         not decoded. Operations: cacerts, simpleenroll, \
         simplereenroll, fullcmc, serverkeygen, csrattrs."
    )]
    NotFound,
    /// An HTTP/1.1 request without a Host header, or any with several (RFC 9112, section 3.2).
    #[error("the request has {found} Host headers; exactly one is demanded (RFC 9112, section 3.2).")]
    Host {
        /// How many there are.
        found: usize,
    },
    /// A Host header that is no host and port (RFC 9112, section 3.2).
    #[error("the Host header is no host and port (RFC 9112, section 3.2).")]
    InvalidHost,
    /// The wrong method for the operation.
    #[error("{operation} is requested with {}, not with {found}.", operation.method())]
    WrongMethod {
        /// The operation of the path.
        operation: Operation,
        /// The method of the request.
        found: String,
    },
    /// An operation of RFC 7030 that is not configured for this label.
    #[error("{0} is an operation of RFC 7030, but it is not configured for this label.")]
    NotConfigured(Operation),
    /// The media type of the body is missing or another one.
    #[error(
        "the Content-Type is {}; {operation} needs {}.",
        found.as_ref().map_or_else(|| "missing".to_owned(), |found| format!("{found:?}")),
        body_type(*operation)
    )]
    WrongContentType {
        /// The operation of the path.
        operation: Operation,
        /// The Content-Type of the request.
        found: Option<String>,
    },
    /// A `Content-Encoding` that would have to be undone first.
    #[error("the Content-Encoding {found:?} is not supported; send the body as it is.")]
    ContentEncoding {
        /// The encoding of the request.
        found: String,
    },
    /// The body is larger than the limit of the operation.
    #[error("the body is larger than the {limit} bytes that {operation} accepts.")]
    BodyTooLarge {
        /// The operation of the path.
        operation: Operation,
        /// Bytes accepted.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {} s.", time.as_secs_f32())]
    BodyTimeout {
        /// Time allowed.
        time: Duration,
    },
    /// The body broke off, or its chunks cannot be read.
    #[error("the body could not be read to its end: {cause}.")]
    BodyBroken {
        /// What the HTTP layer says.
        cause: String,
    },
    /// Not base64, not DER, no PKCS #10, or its signature is wrong.
    #[error("the certificate request is not acceptable: {cause}")]
    BadRequest {
        /// What is wrong and where.
        cause: String,
    },
    /// The client must authenticate.
    #[error("{operation} needs authentication: {}.", required.describe())]
    Unauthenticated {
        /// The operation of the path.
        operation: Operation,
        /// What would suffice.
        required: AuthenticationRequirement,
        /// What to offer; nothing when only a certificate would help.
        challenges: Challenges,
    },
    /// Name, password or token is wrong; the text does not say which.
    #[error("user name or password is wrong.")]
    WrongCredentials {
        /// The name that was claimed, for the log only.
        user: String,
        /// What to offer for another try.
        challenges: Challenges,
    },
    /// Too many wrong credentials from one address or for one name. An unknown name is counted as a known one.
    #[error(
        "too many failed logins from this address or with this user name; nothing was checked. Correct the credentials \
         and try again in {} s.",
        retry_after.as_secs().max(1)
    )]
    TooManyFailures {
        /// When to try again.
        retry_after: Duration,
    },
    /// An `Authorization` header that cannot be read.
    #[error("the Authorization header cannot be read: {0}.")]
    MalformedCredentials(CredentialsError),
    /// A re-enrolment by a client that has not shown the certificate it renews.
    #[error(
        "rule re-enrollment: simplereenroll needs the certificate that is to be renewed as client certificate of the \
         TLS connection (RFC 7030, section 4.2.2), and there is none."
    )]
    NoClientCertificate,
    /// The certificate of the client was revoked after its connection began; before, the handshake would have failed.
    #[error(
        "the client certificate was revoked (reason: {reason}). Enrol anew with other credentials, or ask the operator \
         of the certificate authority."
    )]
    RevokedCertificate {
        /// Why, as its authority says.
        reason: RevocationReason,
    },
    /// The request is not tied to the connection it came in (RFC 7030, section 3.5).
    #[error(
        "rule proof-of-possession: the request is not tied to this TLS connection: {cause}. Make and sign it anew on \
         the connection that it is sent on."
    )]
    ProofOfPossession {
        /// What is missing or differs.
        cause: String,
    },
    /// The generated key cannot be encrypted as asked (RFC 7030, section 4.4.1). It is never sent in the clear instead.
    #[error("the key cannot be encrypted, and is not sent in the clear: {cause}")]
    KeyEncryption {
        /// What is missing.
        cause: String,
    },
    /// The policy of the certificate authority forbids it.
    #[error("the certificate authority's policy refuses the request: {cause}")]
    Policy {
        /// The rule and what it compared.
        cause: String,
    },
    /// The request lacks what csrattrs asks for, and the label enforces it.
    #[error("the certificate authority's policy refuses the request: rule csr-attributes: {cause}")]
    AttributesMissing {
        /// What is missing or differs.
        cause: String,
    },
    /// The request waits for an operator's decision (RFC 7030, section 4.2.3).
    #[error("the request waits for approval; send the same request again in {} s.", retry_after.as_secs())]
    Pending {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Certificate authority or authenticator cannot answer now.
    #[error("the server cannot answer at present; try again in {} s.", retry_after.as_secs())]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What is wrong, for the log only.
        cause: String,
    },
    /// The authority that this server stands in front of has failed, or cannot be reached.
    #[error(
        "the certificate authority behind this server cannot be used at present{}; the log of the server has the \
         details. Try again in {} s.",
        upstream::in_words(failure.known_cause),
        retry_after.as_secs().max(1)
    )]
    Upstream {
        /// What happened, as this server sees it. The client gets to read its known cause only: the rest may name hosts
        /// and accounts that are none of its business.
        failure: Box<Failure>,
        /// When to try again.
        retry_after: Duration,
    },
    /// A fault of the server itself.
    #[error("the server failed; the reason is in its log.")]
    Internal {
        /// What is wrong, for the log only.
        cause: String,
    },
}

fn body_type(operation: Operation) -> &'static str {
    match operation {
        Operation::FullCmc => "application/pkcs7-mime; smime-type=CMC-request (RFC 7030, section 4.3.1)",
        _ => "application/pkcs10 (RFC 7030, section 4.2.1)",
    }
}

impl Refusal {
    /// The authority or the authenticator took longer than an answer may.
    #[cfg(feature = "tokio")]
    pub(crate) fn slow(limit: Duration) -> Self {
        Self::Unavailable {
            retry_after: SLOW_RETRY_AFTER,
            cause: format!("no answer within {} s", limit.as_secs_f32()),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotConfigured(_) => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::WrongContentType { .. } | Self::ContentEncoding { .. } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Host { .. }
            | Self::InvalidHost
            | Self::BodyBroken { .. }
            | Self::BadRequest { .. }
            | Self::MalformedCredentials(_) => StatusCode::BAD_REQUEST,
            // 401 must offer a scheme (RFC 9110, section 15.5.2); a certificate cannot be offered, hence 403.
            Self::Unauthenticated { challenges, .. } if challenges.is_empty() => StatusCode::FORBIDDEN,
            Self::Unauthenticated { .. } | Self::WrongCredentials { .. } => StatusCode::UNAUTHORIZED,
            Self::TooManyFailures { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoClientCertificate | Self::RevokedCertificate { .. } | Self::ProofOfPossession { .. } => {
                StatusCode::FORBIDDEN
            }
            // Well-formed and understood, but not to be carried out.
            Self::Policy { .. } | Self::AttributesMissing { .. } | Self::KeyEncryption { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Pending { .. } => StatusCode::ACCEPTED,
            Self::Unavailable { .. } | Self::Upstream { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The libest error number that fits, [`EstErrorNumber::UNKNOWN`] where none does.
    #[must_use]
    pub const fn est_error(&self) -> EstErrorNumber {
        match self {
            Self::NotFound | Self::NotConfigured(_) => EstErrorNumber::HTTP_NOT_FOUND,
            Self::WrongMethod { .. } => EstErrorNumber::WRONG_METHOD,
            Self::ContentEncoding { .. } => EstErrorNumber::HTTP_UNSUPPORTED,
            Self::WrongContentType { .. } => EstErrorNumber::BAD_CONTENT_TYPE,
            Self::Host { .. } | Self::InvalidHost | Self::BodyTooLarge { .. } | Self::BodyBroken { .. } => {
                EstErrorNumber::HTTP_BAD_REQ
            }
            Self::BodyTimeout { .. } => EstErrorNumber::SSL_READ,
            Self::BadRequest { .. } => EstErrorNumber::BAD_PKCS10,
            Self::Unauthenticated { .. }
            | Self::WrongCredentials { .. }
            | Self::TooManyFailures { .. }
            | Self::MalformedCredentials(_) => EstErrorNumber::AUTH_FAIL,
            Self::NoClientCertificate | Self::RevokedCertificate { .. } => EstErrorNumber::AUTH_FAIL,
            Self::ProofOfPossession { .. } => EstErrorNumber::AUTH_FAIL_TLSUID,
            Self::AttributesMissing { .. } => EstErrorNumber::CSR_ATTR_MISSING,
            Self::Policy { .. } | Self::KeyEncryption { .. } => EstErrorNumber::CA_ENROLL_FAIL,
            Self::Pending { .. } | Self::Unavailable { .. } | Self::Upstream { .. } => {
                EstErrorNumber::CA_ENROLL_RETRY
            }
            Self::Internal { .. } => EstErrorNumber::UNKNOWN,
        }
    }

    /// What the log says beyond the text that the client gets.
    #[must_use]
    pub fn log_cause(&self) -> String {
        match self {
            Self::WrongCredentials { user, .. } => format!("user name or password is wrong (user {user:?})"),
            Self::Unavailable { cause, .. } | Self::Internal { cause } => cause.clone(),
            Self::Upstream { failure, .. } => {
                let known = upstream::in_words(failure.known_cause);
                format!(
                    "the upstream authority{known}: {} {}",
                    failure.cause, failure.remedy
                )
            }
            _ => self.to_string(),
        }
    }

    /// The response that carries this refusal.
    #[must_use]
    pub fn to_response(&self) -> OperationResponse {
        let mut text = self.to_string();
        text.push('\n');
        let mut response = OperationResponse::new(self.status(), text_plain(), Bytes::from(text));
        response.est_error = self.est_error();
        response.known_cause = self.known_cause();
        response.log_cause = Some(self.log_cause());
        self.add_headers(&mut response.headers);
        response
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::WrongMethod { operation, .. } => {
                let allow = if *operation.method().as_str() == *"GET" {
                    "GET, HEAD"
                } else {
                    "POST"
                };
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::Unauthenticated { challenges, .. } | Self::WrongCredentials { challenges, .. } => {
                for challenge in challenges.iter() {
                    headers.append(WWW_AUTHENTICATE, challenge.clone());
                }
            }
            Self::Pending { retry_after }
            | Self::TooManyFailures { retry_after }
            | Self::Unavailable { retry_after, .. }
            | Self::Upstream { retry_after, .. } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
            }
            // The rest of the body is still on its way and must not be read as the next request; who sends a wrong Host
            // may not agree with us on where requests end either.
            Self::Host { .. }
            | Self::InvalidHost
            | Self::BodyTooLarge { .. }
            | Self::BodyTimeout { .. }
            | Self::BodyBroken { .. } => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
    }
}

impl Refusal {
    /// The cause by its stable name, for the log.
    fn known_cause(&self) -> Option<KnownCause> {
        match self {
            Self::Upstream { failure, .. } => failure.known_cause,
            Self::AttributesMissing { .. } => Some(KnownCause::RequestDenied),
            Self::NotFound | Self::NotConfigured(_) => Some(KnownCause::PageNotFound),
            Self::BodyTimeout { .. } => Some(KnownCause::AnswerTimedOut),
            Self::BodyBroken { .. } => Some(KnownCause::ConnectionLost),
            Self::Unauthenticated { .. }
            | Self::WrongCredentials { .. }
            | Self::TooManyFailures { .. }
            | Self::MalformedCredentials(_) => Some(KnownCause::CredentialsRefused),
            Self::NoClientCertificate => Some(KnownCause::CertificateRequired),
            Self::RevokedCertificate { .. } => Some(KnownCause::CertificateRevoked),
            Self::Policy { .. } => Some(KnownCause::RequestDenied),
            Self::Pending { .. } => Some(KnownCause::RequestPending),
            Self::Unavailable { .. } | Self::Internal { .. } => Some(KnownCause::ServerFailed),
            _ => None,
        }
    }

    const fn rung(&self) -> Rung {
        match self {
            Self::BodyTooLarge { .. }
            | Self::BodyTimeout { .. }
            | Self::BodyBroken { .. }
            | Self::BadRequest { .. }
            | Self::ProofOfPossession { .. }
            | Self::KeyEncryption { .. } => Rung::Body,
            Self::Policy { .. }
            | Self::AttributesMissing { .. }
            | Self::Pending { .. }
            | Self::Unavailable { .. }
            | Self::Upstream { .. } => Rung::Upstream,
            Self::Internal { .. } => Rung::Local,
            _ => Rung::Status,
        }
    }

    const fn remedy(&self) -> &'static str {
        match self {
            Self::NotFound => "Ask for a path of EST under a label that is configured.",
            Self::Host { .. } => "Send exactly one Host header.",
            Self::InvalidHost => "Send the name of the server in Host, and its port if it has one.",
            Self::WrongMethod { .. } => "Use the method of the operation.",
            Self::NotConfigured(_) => "Do without this operation, or have it configured for the label.",
            Self::WrongContentType { .. } | Self::ContentEncoding { .. } => {
                "Send one Content-Type, the one that the text names, and no Content-Encoding."
            }
            Self::BodyTooLarge { .. } => "Send a smaller request, or raise the limit of the server.",
            Self::BodyTimeout { .. } | Self::BodyBroken { .. } => {
                "Check the network between client and server, and send the request again."
            }
            Self::BadRequest { .. } => "Make the request anew, for instance with `openssl req -new`.",
            Self::Unauthenticated { .. } | Self::WrongCredentials { .. } => {
                "Give the client a user name and password, or a certificate, that the server accepts."
            }
            Self::TooManyFailures { .. } => {
                "Correct the credentials, and wait for the time that Retry-After names."
            }
            Self::NoClientCertificate => "Connect with the certificate that is to be renewed and its key.",
            Self::RevokedCertificate { .. } => {
                "Give the client a certificate that is not revoked, or other credentials."
            }
            Self::ProofOfPossession { .. } => {
                "Put the channel binding of the connection into the request, as RFC 7030 section 3.5 says."
            }
            Self::KeyEncryption { .. } => {
                "Name a key that this server knows, or leave the attribute out to have the key within TLS alone."
            }
            Self::AttributesMissing { .. } => {
                "Make the request anew with what csrattrs asks for; `est csrattrs` prints it."
            }
            Self::Policy { .. } => "Ask for what the policy allows, or have the policy changed.",
            Self::Pending { .. } | Self::Unavailable { .. } | Self::Upstream { .. } => {
                "Send the same request again after the time the server names."
            }
            Self::Internal { .. } => "Look into the log of the server.",
            Self::MalformedCredentials(_) => "Correct the Authorization header.",
        }
    }
}

impl Diagnose for Refusal {
    /// As the server sees it: it refused, and the remedy is the client's unless the server itself is at fault.
    fn diagnose(&self) -> Failure {
        if let Self::MalformedCredentials(error) = self {
            return error.diagnose();
        }
        if let Self::Upstream { failure, .. } = self {
            return Failure {
                rung: Rung::Upstream,
                ..(**failure).clone()
            };
        }
        let failure = Failure::new(self.rung(), self.to_string(), self.remedy()).refused_by(Side::Local);
        match self.known_cause() {
            Some(known_cause) => failure.known_as(known_cause),
            None => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_401_always_offers_a_scheme() {
        let mut challenges = Challenges::none();
        challenges.push(crate::auth::basic_challenge("EST"));
        let unauthenticated = |challenges| Refusal::Unauthenticated {
            operation: Operation::SimpleEnroll,
            required: AuthenticationRequirement::default(),
            challenges,
        };
        let refusals = [
            unauthenticated(challenges.clone()),
            unauthenticated(Challenges::none()),
            Refusal::WrongCredentials {
                user: "x".into(),
                challenges,
            },
        ];
        for refusal in refusals {
            let response = refusal.to_response();
            let offered = response.headers.get(WWW_AUTHENTICATE);
            assert_eq!(
                response.status == StatusCode::UNAUTHORIZED,
                offered.is_some(),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn stands_on_its_rung_with_a_remedy_and_without_what_is_for_the_log_only() {
        let cause = || "disk full on /secret".to_owned();
        let retry_after = Duration::from_secs(1);
        for (refusal, rung) in [
            (Refusal::Host { found: 0 }, Rung::Status),
            (Refusal::InvalidHost, Rung::Status),
            (Refusal::BadRequest { cause: "x".into() }, Rung::Body),
            (Refusal::Policy { cause: "x".into() }, Rung::Upstream),
            (
                Refusal::Unavailable {
                    retry_after,
                    cause: cause(),
                },
                Rung::Upstream,
            ),
            (Refusal::Internal { cause: cause() }, Rung::Local),
        ] {
            let found = refusal.diagnose();
            assert_eq!(found.rung, rung, "{refusal:?}");
            assert!(
                found.remedy.ends_with('.') && !found.to_string().contains("secret"),
                "{found}"
            );
        }
    }

    #[test]
    fn what_is_for_the_log_only_stays_in_the_log() {
        let refusal = Refusal::Internal {
            cause: "disk full on /secret".into(),
        };
        let response = refusal.to_response();
        assert!(!String::from_utf8_lossy(&response.body).contains("secret"));
        assert_eq!(response.log_cause.as_deref(), Some("disk full on /secret"));
        let refusal = Refusal::WrongCredentials {
            user: "alice".into(),
            challenges: Challenges::none(),
        };
        assert!(!String::from_utf8_lossy(&refusal.to_response().body).contains("alice"));
    }

    #[test]
    fn a_405_names_the_allowed_method() {
        let refusal = Refusal::WrongMethod {
            operation: Operation::SimpleEnroll,
            found: "GET".into(),
        };
        assert_eq!(refusal.to_response().headers.get(ALLOW).unwrap(), "POST");
        let refusal = Refusal::WrongMethod {
            operation: Operation::CaCerts,
            found: "POST".into(),
        };
        assert_eq!(refusal.to_response().headers.get(ALLOW).unwrap(), "GET, HEAD");
    }

    #[test]
    fn retry_after_is_at_least_a_second() {
        let refusal = Refusal::Pending {
            retry_after: Duration::from_millis(10),
        };
        assert_eq!(refusal.to_response().headers.get(RETRY_AFTER).unwrap(), "1");
    }
}
