//! `fullcmc`: a CMC exchange (RFC 7030 section 4.3, RFC 5272).
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | from the body to the response |
//! | `signature.rs` | who signed the request |
//! | `identity.rs` | who asks: by certificate, shared secret or HTTP |
//! | `controls.rs` | which controls are carried out, and what the others are answered |
//! | `requests.rs` | each certification request, to the authority and back |
//! | `revocation.rs` | the control that revokes |
//! | `answer.rs` | the signed response, and its HTTP status |
//! | `secrets.rs` | the shared secrets |
//!
//! Whatever can be said about a request is said in a CMC response, also when HTTP has an error status (RFC 7030
//! section 4.3.2).

mod answer;
mod controls;
mod identity;
mod requests;
mod revocation;
mod secrets;
mod signature;

use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::revocation::RevocationCheck;
use pki_common::trust_store::TrustStore;
use rustls::time_provider::TimeProvider;

pub use secrets::{MAX_SECRETS_FILE_BYTES, MIN_SECRET_CHARACTERS, SharedSecrets, SharedSecretsError};

use self::answer::Answer;
use self::identity::Identification;
use self::signature::SignedBy;
use super::{LabelService, Operation, OperationRequest, OperationResponse, Refusal, enrollment};
use crate::ca::EnrollOperation;
use crate::wire::asn1::{Reader, Rules, tag};
use crate::wire::base64;
use crate::wire::cmc::{
    BodyPartId, CmcFailInfo, CmcLimits, CmcStatusInfo, ID_CCT_PKI_DATA, PkiData, TaggedRequest,
};
use crate::wire::cms::signed_data::SignedData;
use crate::wire::cms::{self, CmsLimits, ID_SIGNED_DATA};
use crate::wire::csr::UnverifiedCsr;

/// How full CMC requests are answered.
#[derive(Debug, Clone)]
pub struct FullCmcSettings {
    /// Signs the responses.
    pub signer: Arc<Identity>,
    /// Whose certificates may sign requests.
    pub anchors: Arc<TrustStore>,
    /// Whether those certificates are revoked; `None`: not asked.
    pub revocation: Option<RevocationCheck>,
    /// The secrets that prove an identity without a certificate.
    pub secrets: Arc<SharedSecrets>,
    /// Whether a Full PKI Request that no certified key has signed needs an identity proof. Without it the client that
    /// HTTP or TLS has authenticated may ask, as in `simpleenroll`, and as it may by a Simple PKI Request in any case.
    pub identity_proof_required: bool,
    /// Whether a request that a certificate has signed must ask for that certificate's subject and alternative names
    /// (RFC 5272 section 6.3.3, as for `simplereenroll`).
    pub subject_must_match_signer: bool,
    /// Whether the holder of a certificate for `id-kp-cmcRA` (RFC 6402 section 2.10) may ask and revoke for others.
    pub accept_registrars: bool,
    /// Whether the control `revokeRequest` is carried out.
    pub allow_revocation: bool,
    /// Bounds on the contents of a request.
    pub limits: CmcLimits,
    /// Bounds on the signed message around it.
    pub message_limits: CmsLimits,
    /// The clock by which certificates of signers are checked.
    pub clock: Arc<dyn TimeProvider>,
}

impl FullCmcSettings {
    /// Responses signed by `signer`, requests from holders of certificates under `anchors`.
    ///
    /// # Defaults
    /// No shared secrets, an identity proof needed from everybody without a certificate, subject as in the signer's
    /// certificate, no revocation lists, no registrars, no revocation, default limits, the system's clock.
    #[must_use]
    pub fn new(signer: Arc<Identity>, anchors: Arc<TrustStore>) -> Self {
        Self {
            signer,
            anchors,
            revocation: None,
            secrets: Arc::new(SharedSecrets::default()),
            identity_proof_required: true,
            subject_must_match_signer: true,
            accept_registrars: false,
            allow_revocation: false,
            limits: CmcLimits::default(),
            message_limits: CmsLimits::default(),
            clock: pki_common::clock::system_clock(),
        }
    }
}

/// Everything a step may look at.
struct Exchange<'a> {
    service: &'a LabelService,
    settings: &'a FullCmcSettings,
    request: &'a OperationRequest,
}

pub(super) async fn answer(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    let settings = service
        .settings
        .full_cmc
        .as_ref()
        .ok_or(Refusal::NotConfigured(Operation::FullCmc))?;
    let exchange = Exchange {
        service,
        settings,
        request,
    };
    let mut answer = Answer::default();
    let message = match base64::decode(&request.body, settings.message_limits.length) {
        Ok(message) => message,
        Err(error) => {
            answer.fail_whole(CmcFailInfo::BAD_REQUEST, error.to_string());
            return answer.finish(&exchange).await;
        }
    };
    if is_simple_request(&message) {
        return simple(&exchange, &message).await;
    }
    if let Err(failure) = full(&exchange, &message, &mut answer).await {
        answer.statuses.push(failure);
    }
    answer.finish(&exchange).await
}

/// A CertificationRequest starts with a SEQUENCE, a ContentInfo with an object identifier.
fn is_simple_request(message: &[u8]) -> bool {
    Reader::new(message, Rules::Ber)
        .sequence("request")
        .is_ok_and(|whole| whole.reader(Rules::Ber).peek() == Some(tag::SEQUENCE))
}

/// A Simple PKI Request (RFC 5272 section 3.1): answered with the certificate alone, or with a Full PKI Response that
/// tells why not.
async fn simple(exchange: &Exchange<'_>, message: &[u8]) -> Result<OperationResponse, Refusal> {
    let settings = &exchange.service.settings;
    let verified = UnverifiedCsr::from_der(message, &settings.csr_limits)
        .and_then(|csr| csr.verify(&settings.verification));
    let id = BodyPartId::SIMPLE_REQUEST;
    let checked = verified
        .map_err(|error| requests::bad_request(id, &error))
        .and_then(|csr| requests::check_as_enrollment(exchange, csr, id));
    let outcome = match checked {
        Ok(checked) => {
            let requester = enrollment::requester(exchange.request);
            // As the token of a Full PKI Request, by which the client may ask for the outcome.
            let token = TaggedRequest::Pkcs10 {
                id,
                request: message.to_vec(),
            };
            requests::enroll(exchange, checked, requester, id, &token.to_der()).await
        }
        Err(status) => requests::Outcome::Status(status),
    };
    match outcome {
        requests::Outcome::Issued(certificate) => {
            enrollment::certificate_response(exchange.service, exchange.request, certificate)
        }
        requests::Outcome::Status(status) => {
            let mut answer = Answer::default();
            answer.statuses.push(status);
            answer.finish(exchange).await
        }
        requests::Outcome::Pending { status, retry_after } => {
            let mut answer = Answer::default();
            answer.pending(status, retry_after);
            answer.finish(exchange).await
        }
    }
}

/// A Full PKI Request. What is wrong with the whole of it is the error.
async fn full(exchange: &Exchange<'_>, message: &[u8], answer: &mut Answer) -> Result<(), CmcStatusInfo> {
    let whole = |reason, text: String| CmcStatusInfo::failed(&[BodyPartId::WHOLE], reason, text);
    let settings = exchange.settings;
    let kind = cms::content_type(message, &settings.message_limits)
        .map_err(|error| whole(CmcFailInfo::BAD_REQUEST, error.to_string()))?;
    if kind != ID_SIGNED_DATA {
        let text =
            "a Full PKI Request is a CMS SignedData; authenticated and enveloped data are not supported here";
        return Err(whole(CmcFailInfo::BAD_REQUEST, text.to_owned()));
    }
    let signed = SignedData::parse(message, &settings.message_limits)
        .map_err(|error| whole(CmcFailInfo::BAD_REQUEST, error.to_string()))?;
    if signed.content_type() != ID_CCT_PKI_DATA {
        let text = format!("the content is {}, not PKIData", signed.content_type());
        return Err(whole(CmcFailInfo::BAD_REQUEST, text));
    }
    let content = signed
        .content()
        .ok_or_else(|| whole(CmcFailInfo::BAD_REQUEST, "there is no PKIData".to_owned()))?;
    let data = PkiData::from_der(content, &settings.limits)
        .map_err(|error| whole(CmcFailInfo::BAD_REQUEST, error.to_string()))?;
    // Before anything can fail: the client tells by these which exchange the answer belongs to.
    answer.reflect(&data)?;
    let signed_by = signature::verify(exchange, &signed, &data)?;
    let plan = controls::examine(&data)?;
    let identification = identity::establish(exchange, &plan, &data, &signed_by)?;
    carry_out(exchange, &data, &plan, &signed_by, &identification, answer).await;
    Ok(())
}

async fn carry_out(
    exchange: &Exchange<'_>,
    data: &PkiData,
    plan: &controls::Plan,
    signed_by: &SignedBy,
    identification: &Identification<'_>,
    answer: &mut Answer,
) {
    answer.statuses.extend(plan.refusals.iter().cloned());
    let others = requests::of_other_kinds(data.requests());
    if !others.is_empty() {
        // RFC 5272 section 3.2.1: and no other certification requests are processed.
        let text = "requests of this kind are not understood here; no other request was processed";
        answer.statuses.push(CmcStatusInfo::no_support(&others, text));
        return;
    }
    for request in data.requests() {
        let context = requests::Context {
            exchange,
            plan,
            signed_by,
            identification,
        };
        answer.add(
            requests::process(&context, request, request.id()).await,
            request.id(),
        );
    }
    for (id, token) in &plan.queries {
        let context = requests::Context {
            exchange,
            plan,
            signed_by,
            identification,
        };
        answer.add(requests::query(&context, token, *id).await, *id);
    }
    for (id, revocation) in &plan.revocations {
        let status = revocation::revoke(exchange, revocation, *id, signed_by, identification).await;
        answer.statuses.push(status);
    }
    if !plan.confirmations.is_empty() {
        answer.statuses.push(CmcStatusInfo::success(&plan.confirmations));
    }
}
