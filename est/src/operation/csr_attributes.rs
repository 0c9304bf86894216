//! `csrattrs`: what the server wants to see in a request (RFC 7030, section 4.5, RFC 8951, RFC 9908).

use super::{LabelService, OperationRequest, OperationResponse};
use crate::wire::csr_attributes::CsrAttributes;
use crate::wire::media_type::CSR_ATTRS;

/// What `csrattrs` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsrAttributesPolicy {
    /// What a request is to hold.
    pub attributes: CsrAttributes,
    /// Whether an enrolment that lacks them is refused.
    pub enforce: bool,
}

/// Without attributes the answer is 204: RFC 7030, section 4.5.2, allows 404 as well, but a client cannot tell that from
/// a wrong path.
pub(super) fn answer(service: &LabelService, request: &OperationRequest) -> OperationResponse {
    match &service.settings.csr_attributes {
        Some(policy) => service.base64_response(request, CSR_ATTRS, &policy.attributes.to_der()),
        None => OperationResponse::no_content(),
    }
}
