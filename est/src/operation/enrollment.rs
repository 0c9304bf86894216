//! What the enrolling operations have in common: from the body to a verified request, and from there to a certificate.

use core::fmt;
use core::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use pki_common::KnownCause;
use rustls_pki_types::CertificateDer;

use super::{LabelService, OperationRequest, OperationResponse, Refusal, csr_attributes};
use crate::auth::AuthenticationMethod;
use crate::ca::{
    Authentication, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome, EnrollRequest,
    IssuedCertificate, Requester,
};
use crate::upstream::in_words;
use crate::wire::base64;
use crate::wire::certs_only;
use crate::wire::csr::{UnverifiedCsr, VerifiedCsr};
use crate::wire::media_type::PKCS7_MIME_CERTS_ONLY;

/// When a client should come back after a failure that lasts until somebody mends it.
const MENDED_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The PKCS #10 request in the body, its own signature checked.
pub(super) fn read_request(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<VerifiedCsr, Refusal> {
    let settings = &service.settings;
    UnverifiedCsr::from_body(&request.body, &settings.csr_limits)
        .and_then(|csr| csr.verify(&settings.verification))
        .map_err(|error| Refusal::BadRequest {
            cause: error.to_string(),
        })
}

/// What became of a request that was granted.
pub(super) struct Enrolled {
    pub(super) issued: IssuedCertificate,
    pub(super) channel_binding: ChannelBindingState,
}

/// Applies the rules of the label and asks the authority.
pub(super) async fn enroll(
    service: &LabelService,
    request: &OperationRequest,
    csr: VerifiedCsr,
    operation: EnrollOperation,
) -> Result<Enrolled, Refusal> {
    let channel_binding = check(service, request, &csr)?;
    let asked = EnrollRequest {
        csr,
        requester: requester(request),
        label: request.route.label.clone(),
        operation,
        channel_binding,
    };
    match service.authority.enroll(asked).await.map_err(refusal_of)? {
        EnrollOutcome::Issued(issued) => Ok(Enrolled {
            issued,
            channel_binding,
        }),
        EnrollOutcome::Pending { retry_after } => Err(Refusal::Pending { retry_after }),
    }
}

/// Applies what the label demands of every certification request: the attributes asked for, where they are enforced,
/// and the proof of possession.
pub(super) fn check(
    service: &LabelService,
    request: &OperationRequest,
    csr: &VerifiedCsr,
) -> Result<ChannelBindingState, Refusal> {
    csr_attributes::check(service, csr)?;
    let bindings = &request.connection.channel_bindings;
    service.settings.proof_of_possession.check(csr, bindings)
}

impl Enrolled {
    /// The answer with the certificate.
    pub(super) fn respond(
        self,
        service: &LabelService,
        request: &OperationRequest,
    ) -> Result<OperationResponse, Refusal> {
        let mut response = certificate_response(service, request, self.issued.certificate)?;
        response.channel_binding = Some(self.channel_binding);
        Ok(response)
    }
}

/// The certificate and nothing else (RFC 7030, section 4.2.3).
pub(super) fn certificate_response(
    service: &LabelService,
    request: &OperationRequest,
    certificate: CertificateDer<'static>,
) -> Result<OperationResponse, Refusal> {
    let message = certs_only::encode(&[certificate]).map_err(internal)?;
    Ok(service.base64_response(request, PKCS7_MIME_CERTS_ONLY, &message))
}

impl LabelService {
    /// 200 with `der` as base64 in the layout for this client.
    pub(super) fn base64_response(
        &self,
        request: &OperationRequest,
        content_type: &'static str,
        der: &[u8],
    ) -> OperationResponse {
        let layout = self.settings.layout.for_client(request.user_agent.as_ref());
        self.encoded_response(content_type, Bytes::from(base64::encode(der, layout)))
    }

    /// 200 with a body that is base64 already.
    pub(super) fn encoded_response(&self, content_type: &'static str, body: Bytes) -> OperationResponse {
        let content_type = HeaderValue::from_static(content_type);
        let mut response = OperationResponse::new(StatusCode::OK, content_type, body);
        if self.settings.content_transfer_encoding {
            let name = HeaderName::from_static("content-transfer-encoding");
            response.headers.insert(name, HeaderValue::from_static("base64"));
        }
        response
    }
}

/// The client as the authority puts it on record.
pub(super) fn requester(request: &OperationRequest) -> Requester {
    let client = &request.client;
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
        address: request.connection.address,
        certificate: request.connection.certificate.clone(),
    }
}

pub(super) fn refusal_of(error: EnrollError) -> Refusal {
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
        EnrollError::Upstream { failure, .. } if failure.known_cause == Some(KnownCause::RequestDenied) => {
            Refusal::Policy {
                cause: format!("{}{}", failure.cause, in_words(failure.known_cause)),
            }
        }
        EnrollError::Upstream { failure, retry_after } => Refusal::Upstream {
            failure,
            retry_after: retry_after.unwrap_or(MENDED_RETRY_AFTER),
        },
        EnrollError::Internal { reason } => Refusal::Internal { cause: reason },
    }
}

pub(super) fn internal(error: impl fmt::Display) -> Refusal {
    Refusal::Internal {
        cause: error.to_string(),
    }
}
