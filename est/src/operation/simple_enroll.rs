//! `simpleenroll`: a certificate for a PKCS #10 request (RFC 7030, section 4.2.1).

use super::{LabelService, OperationRequest, OperationResponse, Refusal, enrollment};
use crate::ca::EnrollOperation;

pub(super) async fn answer(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    let csr = enrollment::read_request(service, request)?;
    let enrolled = enrollment::enroll(service, request, csr, EnrollOperation::SimpleEnroll).await?;
    enrolled.respond(service, request)
}
