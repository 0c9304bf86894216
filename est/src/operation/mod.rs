//! The EST operations as functions from a request to a response, without I/O.
//!
//! ```text
//! method, path, headers --Operations::route--> Route --authenticate, read the body--> OperationRequest
//!                                                            --Operations::answer--> OperationResponse
//! ```
//!
//! The caller reads the body only after [`Operations::route`] has accepted the headers and [`decide`] the client, so
//! that a stranger cannot make the server read anything. Each way to decline is a [`Refusal`].
//!
//! [`decide`]: crate::auth::decide

mod number;
mod path;
mod refusal;
mod response;

use core::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

pub use number::EstErrorNumber;
pub use path::{EstPath, Operation, WELL_KNOWN_EST};
pub use refusal::Refusal;
pub use response::OperationResponse;

use crate::auth::{AuthenticationMethod, AuthenticationRequirement, Client};
use crate::ca::{
    Authentication, CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome,
    EnrollRequest, IssuedCertificate, Requester,
};
use crate::wire::base64::{self, Base64Layout};
use crate::wire::certs_only;
use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
use crate::wire::label::PathLabel;
use crate::wire::media_type::{MediaType, PKCS7_MIME_CERTS_ONLY};

/// The largest body of a `simpleenroll` request, in bytes: base64 of the largest certification request that is
/// accepted ([`DEFAULT_MAX_CSR_LENGTH`](crate::wire::csr::DEFAULT_MAX_CSR_LENGTH)), with room for line ends and armour.
pub const DEFAULT_MAX_ENROLL_BODY: usize = 64 * 1024;

/// How the operations behave.
///
/// # Defaults
/// A certificate or HTTP Basic suffices, bodies up to [`DEFAULT_MAX_ENROLL_BODY`], limits and verification of the wire layer,
/// one line of base64, `Content-Transfer-Encoding: base64` sent, realm `EST`.
#[derive(Debug, Clone)]
pub struct OperationSettings {
    /// What an enrolment demands of its client. `cacerts` demands nothing (RFC 7030, section 4.1.1).
    pub authentication: AuthenticationRequirement,
    /// The largest body of a `simpleenroll` request, in bytes.
    pub enroll_body: usize,
    /// Bounds on a certification request.
    pub csr_limits: CsrLimits,
    /// Which signatures on a certification request are accepted.
    pub verification: VerificationPolicy,
    /// How the base64 of responses is broken into lines.
    pub layout: Base64Layout,
    /// Whether responses carry `Content-Transfer-Encoding: base64`. RFC 7030 demands it and clients of its time look
    /// for it; RFC 8951 has receivers ignore it. Sending it serves both.
    pub content_transfer_encoding: bool,
    /// The realm of the challenges: the name by which a person knows which password is meant.
    pub realm: String,
}

impl Default for OperationSettings {
    fn default() -> Self {
        Self {
            authentication: AuthenticationRequirement::default(),
            enroll_body: DEFAULT_MAX_ENROLL_BODY,
            csr_limits: CsrLimits::default(),
            verification: VerificationPolicy::default(),
            layout: Base64Layout::default(),
            content_transfer_encoding: true,
            realm: "EST".to_owned(),
        }
    }
}

/// The EST operations over one certificate authority.
#[derive(Debug, Clone)]
pub struct Operations {
    authority: Arc<dyn CertificateAuthority>,
    settings: OperationSettings,
}

/// An operation that the headers of a request have been found fit for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What is asked for.
    pub operation: Operation,
    /// Of which authority.
    pub label: Option<PathLabel>,
}

/// A request whose client is authenticated and whose body is complete.
#[derive(Debug, Clone)]
pub struct OperationRequest {
    /// What is asked for.
    pub route: Route,
    /// Who asks.
    pub client: Client,
    /// From where, if known.
    pub address: Option<IpAddr>,
    /// The body as it came; empty for a GET.
    pub body: Bytes,
}

impl Operations {
    /// Operations over this authority.
    #[must_use]
    pub fn new(authority: Arc<dyn CertificateAuthority>, settings: OperationSettings) -> Self {
        Self { authority, settings }
    }

    /// How the operations behave.
    #[must_use]
    pub const fn settings(&self) -> &OperationSettings {
        &self.settings
    }

    /// Decides from method, path (without query) and headers whether to go on with a request.
    ///
    /// # Errors
    /// [`Refusal`] for everything that can be told without client and body.
    pub fn route(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<Route, Refusal> {
        let EstPath { label, operation } = EstPath::parse(path).ok_or(Refusal::NotFound)?;
        // There is one authority, and it has no label.
        if label.is_some() {
            return Err(Refusal::NotFound);
        }
        let head = *method == Method::HEAD && operation.method() == Method::GET;
        if *method != operation.method() && !head {
            // A method is any token of any length; one is enough to be recognised.
            let found = method.as_str().chars().take(32).collect();
            return Err(Refusal::WrongMethod { operation, found });
        }
        match operation {
            Operation::CaCerts => {}
            Operation::SimpleEnroll => check_content_type(operation, headers)?,
            Operation::CsrAttrs => return Err(Refusal::NoCsrAttributes),
            Operation::SimpleReenroll | Operation::FullCmc | Operation::ServerKeyGen => {
                return Err(Refusal::NotImplemented(operation));
            }
        }
        Ok(Route { operation, label })
    }

    /// What the operation demands of its client, `None` for nothing.
    #[must_use]
    pub const fn authentication(&self, operation: Operation) -> Option<&AuthenticationRequirement> {
        match operation {
            Operation::CaCerts | Operation::CsrAttrs => None,
            _ => Some(&self.settings.authentication),
        }
    }

    /// The largest body of a request for the operation, in bytes.
    #[must_use]
    pub const fn body_limit(&self, operation: Operation) -> usize {
        match operation {
            Operation::CaCerts | Operation::CsrAttrs => 0,
            _ => self.settings.enroll_body,
        }
    }

    /// Carries the operation out.
    ///
    /// The future waits for nothing but the certificate authority.
    ///
    /// # Errors
    /// [`Refusal`], which [`Refusal::to_response`] turns into the answer.
    pub async fn answer(&self, request: OperationRequest) -> Result<OperationResponse, Refusal> {
        match request.route.operation {
            Operation::CaCerts => self.ca_certificates().await,
            Operation::SimpleEnroll => self.simple_enroll(request).await,
            Operation::CsrAttrs => Err(Refusal::NoCsrAttributes),
            other => Err(Refusal::NotImplemented(other)),
        }
    }

    async fn ca_certificates(&self) -> Result<OperationResponse, Refusal> {
        let certificates = self.authority.ca_certificates().await.map_err(refusal_of)?;
        let message = certs_only::encode(&certificates).map_err(internal)?;
        Ok(self.certificates_response(&message))
    }

    async fn simple_enroll(&self, request: OperationRequest) -> Result<OperationResponse, Refusal> {
        let csr = UnverifiedCsr::from_body(&request.body, &self.settings.csr_limits)
            .and_then(|csr| csr.verify(&self.settings.verification))
            .map_err(|error| Refusal::BadRequest {
                cause: error.to_string(),
            })?;
        let requester = requester(&request.client, request.address);
        let asked = EnrollRequest {
            csr,
            requester,
            label: request.route.label,
            operation: EnrollOperation::SimpleEnroll,
            channel_binding: ChannelBindingState::Absent,
        };
        match self.authority.enroll(asked).await.map_err(refusal_of)? {
            EnrollOutcome::Issued(IssuedCertificate { certificate, .. }) => {
                // The certificate and nothing else (RFC 7030, section 4.2.3).
                let message = certs_only::encode(&[certificate]).map_err(internal)?;
                Ok(self.certificates_response(&message))
            }
            EnrollOutcome::Pending { retry_after } => Err(Refusal::Pending { retry_after }),
        }
    }

    fn certificates_response(&self, message: &[u8]) -> OperationResponse {
        let body = Bytes::from(base64::encode(message, self.settings.layout));
        let content_type = HeaderValue::from_static(PKCS7_MIME_CERTS_ONLY);
        let mut response = OperationResponse::new(StatusCode::OK, content_type, body);
        if self.settings.content_transfer_encoding {
            let name = HeaderName::from_static("content-transfer-encoding");
            response.headers.insert(name, HeaderValue::from_static("base64"));
        }
        response
    }
}

/// One `application/pkcs10` in any case and with any parameters; no `Content-Encoding`.
fn check_content_type(operation: Operation, headers: &HeaderMap) -> Result<(), Refusal> {
    let shown = |value: &HeaderValue| -> String {
        String::from_utf8_lossy(value.as_bytes())
            .chars()
            .take(100)
            .collect()
    };
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if let Some(found) = encodings.find(|found| !found.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::ContentEncoding { found: shown(found) });
    }
    // Several make none (RFC 9110, section 5.3): somebody in between may have gone by another one.
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (found, another) = (types.next(), types.next());
    let fits = found
        .filter(|_| another.is_none())
        .and_then(|value| value.to_str().ok())
        .and_then(|value| MediaType::parse(value).ok())
        .is_some_and(|media_type| media_type.is_pkcs10());
    if fits {
        Ok(())
    } else {
        Err(Refusal::WrongContentType {
            operation,
            found: found.map(|found| {
                another.into_iter().fold(shown(found), |all: String, another| {
                    format!("{all}, {}", shown(another))
                })
            }),
        })
    }
}

fn requester(client: &Client, address: Option<IpAddr>) -> Requester {
    let authentication = client.methods.iter().fold(Authentication::NONE, |all, method| {
        all.and(match method {
            AuthenticationMethod::Certificate => Authentication::CERTIFICATE,
            AuthenticationMethod::Basic => Authentication::BASIC,
            AuthenticationMethod::Digest => Authentication::DIGEST,
            AuthenticationMethod::Bearer => Authentication::BEARER,
        })
    });
    Requester {
        name: client.name().to_owned(),
        authentication,
        address,
        certificate: client.certificate.clone(),
    }
}

fn refusal_of(error: EnrollError) -> Refusal {
    match error {
        EnrollError::RejectedByPolicy(refusal) => Refusal::Policy {
            cause: format!("rule {}: {}", refusal.rule, refusal.text),
        },
        error @ (EnrollError::Unsupported { .. }
        | EnrollError::NoSuchCertificate { .. }
        | EnrollError::AlreadyRevoked { .. }) => Refusal::BadRequest {
            cause: error.to_string(),
        },
        EnrollError::Unavailable { reason, retry_after } => Refusal::Unavailable {
            retry_after,
            cause: reason,
        },
        EnrollError::Internal { reason } => Refusal::Internal { cause: reason },
    }
}

fn internal(error: impl fmt::Display) -> Refusal {
    Refusal::Internal {
        cause: error.to_string(),
    }
}
