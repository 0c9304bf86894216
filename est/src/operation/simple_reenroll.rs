//! `simplereenroll`: a certificate for a subject that has one (RFC 7030, section 4.2.2).

use super::{LabelService, OperationRequest, OperationResponse, Refusal, enrollment};
use crate::ca::EnrollOperation;

/// What a re-enrolment demands.
///
/// # Defaults
/// The client shows the certificate that it renews, and asks for the same subject and alternative names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReenrollmentPolicy {
    /// A client without a certificate in the TLS handshake is refused (RFC 7030, section 2.3).
    pub certificate_required: bool,
}

impl Default for ReenrollmentPolicy {
    fn default() -> Self {
        Self {
            certificate_required: true,
        }
    }
}

pub(super) async fn answer(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    let csr = enrollment::read_request(service, request)?;
    let issued = enrollment::enroll(service, request, csr, EnrollOperation::SimpleReenroll).await?;
    enrollment::certificate_response(service, request, issued.certificate)
}
