//! What a server answers to a CMC request.

use const_oid::AssociatedOid as _;
use der::Decode as _;
use pki_common::signature::SignaturePolicy;
use pki_common::trust_store::{TrustError, TrustStore, Usage};
use pki_common::{Certificate, Diagnose, Escaped, Failure, KnownCause, Rung};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage};

use super::CmcRequest;
use crate::error::WireError;
use crate::request::issued;
use crate::wire::cmc::{
    BodyPartId, BodyPartReference, CmcLimits, CmcStatus, CmcStatusInfo, Control, ID_CCT_PKI_RESPONSE,
    PendInfo, PkiResponse, oid,
};
use crate::wire::cms::signed_data::SignedData;
use crate::wire::cms::{CmsError, CmsLimits, ID_DATA};

/// What an answer is checked against.
#[derive(Clone, Copy, Debug)]
pub struct AnswerCheck<'a> {
    /// Who may have signed it: the authority itself, or somebody certified by it whose extended key usage says that it
    /// speaks for the authority (`id-kp-cmcCA`, RFC 6402 section 2.10), that it is a registration authority
    /// (`id-kp-cmcRA`, which RFC 7030 section 3.6.1 asks of EST servers) or a TLS server.
    pub anchors: &'a TrustStore,
    /// Which signatures are accepted.
    pub policy: SignaturePolicy,
    /// The time at which the signer's certificate must be valid.
    pub now: UnixTime,
    /// Bounds on the signed message.
    pub message_limits: CmsLimits,
    /// Bounds on its contents.
    pub limits: CmcLimits,
}

impl<'a> AnswerCheck<'a> {
    /// Strong signatures only, default limits.
    #[must_use]
    pub fn new(anchors: &'a TrustStore, now: UnixTime) -> Self {
        Self {
            anchors,
            policy: SignaturePolicy::strict(),
            now,
            message_limits: CmsLimits::default(),
            limits: CmcLimits::default(),
        }
    }
}

/// An answer that cannot be accepted, or that says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmcAnswerError {
    /// Not a signed message, or its signature is wrong.
    #[error("the CMC response is not acceptable: {0}")]
    Message(#[from] CmsError),
    /// The content is not a PKIResponse.
    #[error("the CMC response cannot be read: {0}")]
    Content(#[from] WireError),
    /// Somebody signed whom we do not trust.
    #[error("the signer of the CMC response is not trusted: {0}")]
    Signer(TrustError),
    /// The signer is certified, but nothing says that it speaks for an authority.
    #[error(
        "the certificate {} may not sign CMC responses: it is no authority and has no extended key usage",
        Escaped::new(subject)
    )]
    NotAuthorized {
        /// The subject of the signer's certificate.
        subject: String,
    },
    /// The answer to another request: its transaction identifier or nonce is another one, or missing.
    #[error("the CMC response belongs to another request: its {0} is not the one that was sent")]
    OtherExchange(&'static str),
    /// The server says no.
    #[error("the server answers {}", describe(.statuses))]
    Refused {
        /// Everything it says, refusals first.
        statuses: Vec<CmcStatusInfo>,
    },
    /// The server has not decided yet.
    #[error("the server has not decided yet{}", text.as_ref().map_or_else(String::new, |text| format!(": {}", Escaped::new(text))))]
    Pending {
        /// When and how to ask again, when it says so.
        pend_info: Option<PendInfo>,
        /// What it says.
        text: Option<String>,
    },
    /// The server grants the request, and there is no certificate in its answer.
    #[error("the server says that the request is granted, but its answer holds no certificate")]
    NoCertificate,
}

/// `failed (badIdentity) for body part 3: text`, one after the other.
fn describe(statuses: &[CmcStatusInfo]) -> String {
    let one = |status: &CmcStatusInfo| {
        let parts: Vec<String> = status
            .body_list
            .iter()
            .map(BodyPartReference::to_string)
            .collect();
        format!("{status} [body part {}]", parts.join(", "))
    };
    statuses.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl Diagnose for CmcAnswerError {
    fn diagnose(&self) -> Failure {
        let (rung, remedy) = match self {
            Self::Message(error) => {
                return Failure {
                    cause: self.to_string(),
                    ..error.diagnose()
                };
            }
            Self::Content(error) => {
                return Failure {
                    cause: self.to_string(),
                    ..error.diagnose()
                };
            }
            Self::Signer(_) => (
                Rung::Body,
                "Trust the authority that certified the signer, or ask another server.",
            ),
            Self::NotAuthorized { .. } => (
                Rung::Body,
                "Let the server sign with a certificate for id-kp-cmcCA, id-kp-cmcRA or serverAuth, or with the authority's own.",
            ),
            Self::OtherExchange(_) => (
                Rung::Body,
                "Ask again; if it happens twice, somebody between client and server replays answers.",
            ),
            Self::Refused { .. } => (
                Rung::Status,
                "Do what the text of the server says, and ask again.",
            ),
            Self::Pending { .. } => (Rung::Upstream, "Ask again after the time that the server names."),
            Self::NoCertificate => (Rung::Body, "Ask the operator of the server."),
        };
        let failure = Failure::new(rung, self.to_string(), remedy);
        match self {
            Self::Refused { .. } => failure.known_as(KnownCause::RequestDenied),
            Self::Pending { .. } => failure.known_as(KnownCause::RequestPending),
            Self::NoCertificate => failure.known_as(KnownCause::AnswerNotUnderstood),
            _ => failure,
        }
    }
}

/// An answer that belongs to the request and comes from a trusted server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmcAnswer {
    /// Every status, in the server's order. Empty when the answer holds certificates alone, which means success
    /// (RFC 5272 section 3.2).
    pub statuses: Vec<CmcStatusInfo>,
    /// The certificates, in no particular order: those issued and those above them.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Who signed the answer; `None` for a simple one, which only the TLS connection vouches for.
    pub signer: Option<Certificate>,
    /// The server's nonce, for the next message of the same transaction.
    pub nonce: Option<Vec<u8>>,
}

impl CmcAnswer {
    /// The certificates, when everything was granted.
    ///
    /// # Errors
    /// [`CmcAnswerError::Refused`] when anything failed, [`CmcAnswerError::Pending`] when something is undecided,
    /// [`CmcAnswerError::NoCertificate`].
    pub fn granted(&self) -> Result<&[CertificateDer<'static>], CmcAnswerError> {
        self.check(|_| true)?;
        if self.certificates.is_empty() {
            return Err(CmcAnswerError::NoCertificate);
        }
        Ok(&self.certificates)
    }

    /// When and how to ask again for what is undecided, when the server says so.
    #[must_use]
    pub fn pend_info(&self) -> Option<&PendInfo> {
        self.statuses.iter().find_map(CmcStatusInfo::pend_info)
    }

    /// Whether one body part was done: for controls that yield no certificate, for instance a revocation.
    ///
    /// # Errors
    /// As [`Self::granted`], about this body part and the message as a whole.
    pub fn done(&self, part: BodyPartId) -> Result<(), CmcAnswerError> {
        self.check(|status| status.is_about(part) || status.is_about(BodyPartId::WHOLE))
    }

    fn check(&self, about: impl Fn(&CmcStatusInfo) -> bool) -> Result<(), CmcAnswerError> {
        let statuses: Vec<&CmcStatusInfo> = self.statuses.iter().filter(|status| about(status)).collect();
        let waits =
            |status: &CmcStatusInfo| [CmcStatus::PENDING, CmcStatus::PARTIAL].contains(&status.status);
        let refused: Vec<CmcStatusInfo> = statuses
            .iter()
            .filter(|status| status.status != CmcStatus::SUCCESS && !waits(status))
            .map(|status| (*status).clone())
            .collect();
        if !refused.is_empty() {
            return Err(CmcAnswerError::Refused { statuses: refused });
        }
        match statuses.iter().find(|status| waits(status)) {
            Some(status) => Err(CmcAnswerError::Pending {
                pend_info: status.pend_info().cloned(),
                text: status.text.clone(),
            }),
            None => Ok(()),
        }
    }
}

pub(super) fn read(
    request: &CmcRequest,
    message: &[u8],
    check: &AnswerCheck<'_>,
) -> Result<CmcAnswer, CmcAnswerError> {
    let (answer, response) = read_message(message, check)?;
    if let Some(response) = response {
        match response.control(oid::TRANSACTION_ID)? {
            Some(Control::TransactionId(found)) if found == request.transaction => {}
            // A server that could not read the request cannot say which it was. It says no, and nothing is taken
            // from its answer.
            None if !answer.statuses.is_empty() && answer.statuses.iter().all(is_about_the_whole) => {
                return Ok(answer);
            }
            _ => return Err(CmcAnswerError::OtherExchange("transaction identifier")),
        }
        match response.control(oid::RECIPIENT_NONCE)? {
            Some(Control::RecipientNonce(found)) if found == request.nonce => {}
            _ => return Err(CmcAnswerError::OtherExchange("nonce")),
        }
    }
    Ok(answer)
}

/// A certificate without any extended key usage may be used for all of them (RFC 5280 section 4.2.1.12), but that
/// makes nobody the voice of an authority: every device could be one.
fn check_authorized(signer: &Certificate) -> Result<(), CmcAnswerError> {
    let extensions = issued::extensions(signer)?;
    let value = |oid| extensions.iter().find(|extension| extension.oid == oid);
    let is_authority = value(BasicConstraints::OID)
        .and_then(|extension| BasicConstraints::from_der(&extension.value).ok())
        .is_some_and(|constraints| constraints.ca);
    // What the usages are has been checked with the path.
    if is_authority || value(ExtendedKeyUsage::OID).is_some() {
        return Ok(());
    }
    Err(CmcAnswerError::NotAuthorized {
        subject: signer.subject().to_owned(),
    })
}

fn is_about_the_whole(status: &CmcStatusInfo) -> bool {
    status.status == CmcStatus::FAILED && status.is_about(BodyPartId::WHOLE)
}

/// Reads the answer to a Simple PKI Request: the certificates alone, or a Full PKI Response that says why not.
///
/// # Errors
/// As [`CmcRequest::read`].
pub fn read_simple(message: &[u8], check: &AnswerCheck<'_>) -> Result<CmcAnswer, CmcAnswerError> {
    read_message(message, check).map(|(answer, _)| answer)
}

/// The answer, and the PKIResponse in it when it is a Full PKI Response.
fn read_message(
    message: &[u8],
    check: &AnswerCheck<'_>,
) -> Result<(CmcAnswer, Option<PkiResponse>), CmcAnswerError> {
    let signed = SignedData::parse(message, &check.message_limits)?;
    let mut answer = CmcAnswer {
        statuses: Vec::new(),
        certificates: signed.certificates().to_vec(),
        signer: None,
        nonce: None,
    };
    // RFC 5272 section 4.1: no content and no signer.
    if signed.content_type() == ID_DATA && signed.content().is_none() && signed.signers().is_empty() {
        return Ok((answer, None));
    }
    if signed.content_type() != ID_CCT_PKI_RESPONSE {
        return Err(CmcAnswerError::Message(CmsError::ContentType {
            expected: "a PKIResponse",
            found: signed.content_type(),
        }));
    }
    let anchors: Vec<CertificateDer<'_>> = check
        .anchors
        .anchors()
        .iter()
        .map(|anchor| anchor.der().clone())
        .collect();
    let signers = signed.verify(&anchors, check.policy)?;
    for signer in &signers {
        check
            .anchors
            .validate(
                &signer.certificate,
                signed.certificates(),
                Usage::CmcResponder,
                check.now,
            )
            .map_err(CmcAnswerError::Signer)?;
        check_authorized(&signer.certificate)?;
    }
    answer.signer = signers.into_iter().next().map(|signer| signer.certificate);
    let content = signed.content().ok_or(CmsError::NoContent)?;
    let response = PkiResponse::from_der(content, &check.limits)?;
    answer.statuses = response.statuses()?;
    if let Some(Control::SenderNonce(nonce)) = response.control(oid::SENDER_NONCE)? {
        answer.nonce = Some(nonce);
    }
    Ok((answer, Some(response)))
}
