//! `csrattrs`: what the server wants to see in a request (RFC 7030, section 4.5, RFC 8951, RFC 9908).

use const_oid::ObjectIdentifier;

use super::enrollment::internal;
use super::{
    EST_IDENTITY_LINKING, LabelService, OperationRequest, OperationResponse, ProofOfPossession, Refusal,
};
use crate::wire::csr::{CertificationRequest, VerifiedCsr};
use crate::wire::csr_attributes::{CsrAttribute, CsrAttributeMismatch, CsrAttributes, enforce, enforce_form};
use crate::wire::media_type::CSR_ATTRS;

/// `challengePassword` (RFC 2985, section 5.4.1).
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

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
pub(super) fn answer(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    match asked_for(service)? {
        Some(attributes) => Ok(service.base64_response(request, CSR_ATTRS, &attributes.to_der())),
        None => Ok(OperationResponse::no_content()),
    }
}

/// What is configured, and the challengePassword where a proof of possession is demanded: that is how a client learns
/// of it (RFC 7030, section 3.5).
fn asked_for(service: &LabelService) -> Result<Option<CsrAttributes>, Refusal> {
    let settings = &service.settings;
    let configured = settings.csr_attributes.as_ref().map(|policy| &policy.attributes);
    let named = |attributes: &CsrAttributes| {
        let mut entries = attributes.entries().iter();
        entries.any(|entry| [CHALLENGE_PASSWORD, EST_IDENTITY_LINKING].contains(&entry.oid()))
    };
    if settings.proof_of_possession != ProofOfPossession::Required || configured.is_some_and(named) {
        return Ok(configured.cloned());
    }
    let mut entries = configured.map_or_else(Vec::new, |attributes| attributes.entries().to_vec());
    entries.push(CsrAttribute::Oid(CHALLENGE_PASSWORD));
    CsrAttributes::new(entries).map(Some).map_err(internal)
}

/// Refuses a request that lacks what the label asks for, where the label says so.
pub(super) fn check(service: &LabelService, csr: &VerifiedCsr) -> Result<(), Refusal> {
    match &service.settings.csr_attributes {
        Some(policy) if policy.enforce => {
            enforce(&policy.attributes, csr).map_err(|mismatch| refused(&mismatch))
        }
        _ => Ok(()),
    }
}

/// The same for the form of a request whose key is yet to be made.
pub(super) fn check_form(service: &LabelService, form: &CertificationRequest) -> Result<(), Refusal> {
    match &service.settings.csr_attributes {
        Some(policy) if policy.enforce => {
            enforce_form(&policy.attributes, form).map_err(|mismatch| refused(&mismatch))
        }
        _ => Ok(()),
    }
}

fn refused(mismatch: &CsrAttributeMismatch) -> Refusal {
    Refusal::AttributesMissing {
        cause: mismatch.to_string(),
    }
}
