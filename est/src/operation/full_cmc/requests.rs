//! Each certification request: read, checked against who asks, handed to the authority.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use der::Decode as _;
use pki_common::KnownCause;
use rustls_pki_types::CertificateDer;

use super::controls::Plan;
use super::identity::Identification;
use super::signature::SignedBy;
use super::{EnrollOperation, Exchange, Refusal, enrollment};
use crate::ca::{
    ChannelBindingState, EnrollError, EnrollOutcome, EnrollRequest, PolicyRefusal, PolicyRule, Requester,
};
use crate::error::{CsrError, WireError};
use crate::operation::certificate_names::{SUBJECT_ALT_NAME, extension};
use crate::operation::registrar::is_registrar;
use crate::upstream::in_words;
use crate::wire::cmc::{
    BodyPartId, CmcFailInfo, CmcStatusInfo, MacProof, PendInfo, ProofOfPossession, TaggedRequest,
    identity_proof, oid,
};
use crate::wire::csr::{CertificationRequest, UnverifiedCsr, VerifiedCsr};

/// `id-alg-noSignature` (RFC 5272 appendix C.1): a request whose maker cannot sign.
const NO_SIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.6.2");

/// What a query is told whose token was made elsewhere.
pub(super) const UNKNOWN_TOKEN: &str = "the token is not one of this server";

/// What became of one request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The certificate.
    Issued(CertificateDer<'static>),
    /// Something else, final.
    Status(CmcStatusInfo),
    /// The client asks again.
    Pending {
        /// What it is told.
        status: CmcStatusInfo,
        /// When.
        retry_after: Duration,
    },
}

/// Everything that is known by the time the requests are processed.
pub(super) struct Context<'a> {
    pub(super) exchange: &'a Exchange<'a>,
    pub(super) plan: &'a Plan,
    pub(super) signed_by: &'a SignedBy,
    pub(super) identification: &'a Identification<'a>,
}

/// The requests in syntaxes that are not known here.
pub(super) fn of_other_kinds(requests: &[TaggedRequest]) -> Vec<BodyPartId> {
    requests
        .iter()
        .filter(|request| matches!(request, TaggedRequest::Other(_)))
        .map(TaggedRequest::id)
        .collect()
}

/// A request in either syntax.
pub(super) fn read(exchange: &Exchange<'_>, request: &TaggedRequest) -> Result<UnverifiedCsr, CsrError> {
    let limits = &exchange.service.settings.csr_limits;
    match request {
        TaggedRequest::Pkcs10 { request, .. } => UnverifiedCsr::from_der(request, limits),
        TaggedRequest::Crmf(message) => message.to_request(limits),
        TaggedRequest::Other(_) => Err(CsrError::Wire(WireError::Empty {
            what: "request of a known kind",
        })),
    }
}

/// Answers the control `queryPending`, whose token is the request itself: the authority knows the request again.
pub(super) async fn query(context: &Context<'_>, token: &[u8], id: BodyPartId) -> Outcome {
    match TaggedRequest::from_der(token) {
        Ok(request) if !matches!(request, TaggedRequest::Other(_)) => process(context, &request, id).await,
        _ => Outcome::Status(CmcStatusInfo::failed(
            &[id],
            CmcFailInfo::BAD_REQUEST,
            UNKNOWN_TOKEN,
        )),
    }
}

/// Processes one request; statuses are about the body part `id`.
pub(super) async fn process(context: &Context<'_>, request: &TaggedRequest, id: BodyPartId) -> Outcome {
    match checked(context, request, id) {
        Ok(checked) => {
            let requester = context.identification.requester.clone();
            enroll(context.exchange, checked, requester, id, &request.to_der()).await
        }
        Err(status) => Outcome::Status(status),
    }
}

fn checked(context: &Context<'_>, request: &TaggedRequest, id: BodyPartId) -> Result<Checked, CmcStatusInfo> {
    if let TaggedRequest::Crmf(message) = request {
        if message.has_reg_info() {
            let text = "a CRMF request must not have regInfo here (RFC 5272 section 3.2.1.2.2)";
            return Err(CmcStatusInfo::failed(&[id], CmcFailInfo::BAD_REQUEST, text));
        }
        check_kind_of_proof(message.proof_of_possession(), id)?;
    }
    let csr = read(context.exchange, request).map_err(|error| bad_request(id, &error))?;
    if signature_algorithm(csr.unverified_contents()) == Some(NO_SIGNATURE) {
        let text = "the request has no signature, and no other proof of possession is supported here";
        return Err(CmcStatusInfo::failed(&[id], CmcFailInfo::POP_REQUIRED, text));
    }
    let csr = csr
        .verify(&context.exchange.service.settings.verification)
        .map_err(|error| bad_request(id, &error))?;
    if csr
        .attributes()
        .iter()
        .any(|attribute| attribute.oid == oid::PKI_ARCHIVE_OPTIONS)
    {
        let text = "private keys are not archived here (id-regCtrl-pkiArchiveOptions)";
        return Err(CmcStatusInfo::failed(&[id], CmcFailInfo::BAD_REQUEST, text));
    }
    check_link(context, &csr, id)?;
    check_subject(context, &csr, id)?;
    check_as_enrollment(context.exchange, csr, id)
}

/// A request that fulfils what the label demands of every request, by whatever operation it comes.
pub(super) struct Checked {
    csr: VerifiedCsr,
    channel_binding: ChannelBindingState,
}

/// What `simpleenroll` checks as well: the attributes asked for, where they are enforced, and whether the request is
/// tied to its connection. The request behind the token of a query is no exception: else whoever makes up a token
/// would be one.
pub(super) fn check_as_enrollment(
    exchange: &Exchange<'_>,
    csr: VerifiedCsr,
    id: BodyPartId,
) -> Result<Checked, CmcStatusInfo> {
    match enrollment::check(exchange.service, exchange.request, &csr) {
        Ok(channel_binding) => Ok(Checked { csr, channel_binding }),
        Err(refusal) => {
            let reason = match refusal {
                Refusal::ProofOfPossession { .. } => CmcFailInfo::POP_FAILED,
                _ => CmcFailInfo::BAD_REQUEST,
            };
            Err(CmcStatusInfo::failed(&[id], reason, refusal.to_string()))
        }
    }
}

fn check_kind_of_proof(proof: ProofOfPossession, id: BodyPartId) -> Result<(), CmcStatusInfo> {
    let (reason, text) = match proof {
        ProofOfPossession::Signature => return Ok(()),
        ProofOfPossession::Absent => (
            CmcFailInfo::POP_REQUIRED,
            "the request has no proof of possession",
        ),
        ProofOfPossession::RaVerified => (
            CmcFailInfo::POP_FAILED,
            "proof of possession by a registration authority's word is not accepted here",
        ),
        ProofOfPossession::KeyEncipherment | ProofOfPossession::KeyAgreement => (
            CmcFailInfo::POP_REQUIRED,
            "proof of possession is accepted by signature only",
        ),
    };
    Err(CmcStatusInfo::failed(&[id], reason, text))
}

/// RFC 5272 section 6.3.1.1: with a `popLinkRandom`, each request holds a witness made from the secret over it.
fn check_link(context: &Context<'_>, csr: &VerifiedCsr, id: BodyPartId) -> Result<(), CmcStatusInfo> {
    let Some(random) = &context.plan.pop_link_random else {
        return Ok(());
    };
    let failed = |text: String| CmcStatusInfo::failed(&[id], CmcFailInfo::POP_FAILED, text);
    let Some(secret) = context.identification.secret else {
        return Err(failed(
            "popLinkRandom needs an identity proof by a shared secret".to_owned(),
        ));
    };
    let value = |oid| {
        let attribute = csr.attributes().iter().find(|attribute| attribute.oid == oid)?;
        attribute.values.first()
    };
    let verdict = match (value(oid::POP_LINK_WITNESS_V2), value(oid::POP_LINK_WITNESS)) {
        (Some(value), _) => {
            let witness = MacProof::from_der(value).map_err(|error| failed(error.to_string()))?;
            identity_proof::verify(&witness, random, &secret.secret, None)
        }
        (None, Some(value)) => {
            // An OCTET STRING.
            let mut reader = crate::wire::asn1::Reader::new(value, crate::wire::asn1::Rules::Der);
            let witness = reader
                .any("popLinkWitness")
                .map_err(|error| failed(error.to_string()))?;
            identity_proof::verify_sha1(witness.content, random, &secret.secret, None)
        }
        (None, None) => return Err(failed("the request has no popLinkWitness".to_owned())),
    };
    verdict.map_err(|error| failed(format!("popLinkWitness: {error}")))
}

/// Whether this requester may ask for this subject.
fn check_subject(context: &Context<'_>, csr: &VerifiedCsr, id: BodyPartId) -> Result<(), CmcStatusInfo> {
    let failed = |text: String| CmcStatusInfo::failed(&[id], CmcFailInfo::BAD_IDENTITY, text);
    if let Some(subject) = context
        .identification
        .secret
        .and_then(|secret| secret.subject.as_deref())
        && subject != csr.subject_text()
    {
        let text = format!(
            "the shared secret is for the subject {subject}, not for {}",
            csr.subject_text()
        );
        return Err(failed(text));
    }
    let settings = context.exchange.settings;
    let SignedBy::Certificate(certificate) = context.signed_by else {
        return Ok(());
    };
    if !settings.subject_must_match_signer || (settings.accept_registrars && is_registrar(certificate)) {
        return Ok(());
    }
    if csr.subject_der() != certificate.subject_der() {
        let text = format!(
            "the subject {} is not that of the certificate that signed the request ({})",
            csr.subject_text(),
            certificate.subject()
        );
        return Err(failed(text));
    }
    let asked = csr
        .requested_extensions()
        .iter()
        .find(|extension| extension.oid == SUBJECT_ALT_NAME)
        .map(|extension| extension.value.clone());
    if asked != extension(certificate.der(), &SUBJECT_ALT_NAME) {
        let text = "the subject alternative names are not those of the certificate that signed the request";
        return Err(failed(text.to_owned()));
    }
    Ok(())
}

fn signature_algorithm(request: &CertificationRequest) -> Option<ObjectIdentifier> {
    spki::AlgorithmIdentifierRef::from_der(request.signature_algorithm_der())
        .ok()
        .map(|algorithm| algorithm.oid)
}

/// Asks the authority. The token of a pending request is the request itself, `token`.
pub(super) async fn enroll(
    exchange: &Exchange<'_>,
    checked: Checked,
    requester: Requester,
    id: BodyPartId,
    token: &[u8],
) -> Outcome {
    let Checked { csr, channel_binding } = checked;
    let asked = EnrollRequest {
        csr,
        requester,
        label: exchange.request.route.label.clone(),
        operation: EnrollOperation::FullCmc,
        channel_binding,
    };
    match exchange.service.authority.enroll(asked).await {
        Ok(EnrollOutcome::Issued(issued)) => Outcome::Issued(issued.certificate),
        Ok(EnrollOutcome::Pending { retry_after }) => {
            let now = exchange.settings.clock.current_time();
            let pend_info = PendInfo {
                token: token.to_vec(),
                time: now
                    .map_or(0, |now| now.as_secs())
                    .saturating_add(retry_after.as_secs()),
            };
            let text = "the request waits for approval";
            Outcome::Pending {
                status: CmcStatusInfo::pending(&[id], pend_info, text),
                retry_after,
            }
        }
        Err(error) => Outcome::Status(refusal(id, error)),
    }
}

/// A request that is not acceptable as such, in the failure codes of RFC 5272 section 6.1.4.
pub(super) fn bad_request(id: BodyPartId, error: &CsrError) -> CmcStatusInfo {
    let reason = match error {
        CsrError::BadSignature => CmcFailInfo::POP_FAILED,
        CsrError::UnsupportedAlgorithm(_) | CsrError::TooWeak(_) => CmcFailInfo::BAD_ALG,
        _ => CmcFailInfo::BAD_REQUEST,
    };
    CmcStatusInfo::failed(&[id], reason, error.to_string())
}

/// What the authority says no with, in the failure codes of RFC 5272 section 6.1.4.
pub(super) fn refusal(id: BodyPartId, error: EnrollError) -> CmcStatusInfo {
    let failed = |reason, text: String| CmcStatusInfo::failed(&[id], reason, text);
    match error {
        EnrollError::RejectedByPolicy(refusal) => failed(reason_of(&refusal), refusal.to_string()),
        EnrollError::Unsupported { .. } => CmcStatusInfo::no_support(&[id], error.to_string()),
        EnrollError::NoSuchCertificate { .. } => failed(CmcFailInfo::BAD_CERT_ID, error.to_string()),
        EnrollError::AlreadyRevoked { .. } => failed(CmcFailInfo::BAD_REQUEST, error.to_string()),
        EnrollError::Upstream { failure, .. } if failure.known_cause == Some(KnownCause::RequestDenied) => {
            failed(CmcFailInfo::BAD_REQUEST, failure.cause)
        }
        EnrollError::Upstream { failure, .. } => {
            let known = in_words(failure.known_cause);
            tracing::warn!(cause = %failure.cause, remedy = %failure.remedy, "the upstream authority failed{known}");
            failed(
                CmcFailInfo::TRY_LATER,
                format!("the authority behind this server cannot be used at present{known}"),
            )
        }
        EnrollError::Unavailable { .. } => {
            tracing::warn!(cause = %error, "the certificate authority is unavailable");
            failed(
                CmcFailInfo::TRY_LATER,
                "the authority cannot answer at present".to_owned(),
            )
        }
        EnrollError::Internal { .. } => {
            tracing::error!(cause = %error, "the certificate authority failed");
            failed(
                CmcFailInfo::INTERNAL_CA_ERROR,
                "the authority failed; its log has the reason".to_owned(),
            )
        }
    }
}

fn reason_of(refusal: &PolicyRefusal) -> CmcFailInfo {
    match refusal.rule {
        PolicyRule::KeyType => CmcFailInfo::BAD_ALG,
        PolicyRule::BasicConstraints
        | PolicyRule::KeyUsage
        | PolicyRule::ExtendedKeyUsage
        | PolicyRule::SubjectKeyIdentifier
        | PolicyRule::Extension => CmcFailInfo::UNSUPPORTED_EXT,
        PolicyRule::Requester => CmcFailInfo::BAD_IDENTITY,
        _ => CmcFailInfo::BAD_REQUEST,
    }
}
