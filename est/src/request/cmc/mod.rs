//! Full PKI Requests of our own and the responses to them (RFC 5272), without I/O.
//!
//! ```text
//! CmcRequestBuilder --sign--> CmcRequest --der--> server --> response --CmcRequest::read--> CmcAnswer
//! ```
//!
//! A Simple PKI Request is the PKCS #10 request itself; the answer to it is read by [`read_simple`].

mod response;

use core::fmt;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

pub use response::{AnswerCheck, CmcAnswer, CmcAnswerError, read_simple};

use super::{RequestError, RequestKey, RequestTemplate};
use crate::error::WireError;
use crate::wire::asn1::{self, tag};
use crate::wire::cmc::{
    BodyPartId, CertificateRequestMessage, Control, ID_CCT_PKI_DATA, PkiData, TaggedAttribute, TaggedRequest,
    identity_proof,
};
use crate::wire::cms::CmsError;
use crate::wire::cms::signed_data::{Signer, sign, sign_by_all};

/// Puts a Full PKI Request together. `Debug` hides the secret.
pub struct CmcRequestBuilder {
    transaction: Vec<u8>,
    nonce: Vec<u8>,
    controls: Vec<Control>,
    requests: Vec<TaggedRequest>,
    proof: Option<(String, Zeroizing<Vec<u8>>)>,
}

impl fmt::Debug for CmcRequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CmcRequestBuilder")
            .field("controls", &self.controls)
            .field("requests", &self.requests.len())
            .field("identification", &self.proof.as_ref().map(|(name, _)| name))
            .finish_non_exhaustive()
    }
}

/// Octets of a transaction identifier and of a nonce that are random enough.
pub const RANDOM_OCTETS: usize = 16;

impl CmcRequestBuilder {
    /// Starts a request. `random` is used for the transaction identifier and the nonce, by which the answer is known;
    /// the same octets must not be used for two requests.
    #[must_use]
    pub fn new(random: [u8; 2 * RANDOM_OCTETS]) -> Self {
        let (transaction, nonce) = random.split_at(RANDOM_OCTETS);
        let mut transaction = transaction.to_vec();
        // A positive INTEGER in its shortest form.
        if let Some(first) = transaction.first_mut() {
            *first = (*first & 0x7f) | 0x40;
        }
        Self {
            transaction,
            nonce: nonce.to_vec(),
            controls: Vec::new(),
            requests: Vec::new(),
            proof: None,
        }
    }

    /// The number of the next request: the first is 1.
    #[must_use]
    pub fn next_id(&self) -> BodyPartId {
        BodyPartId(u32::try_from(self.requests.len() + 1).unwrap_or(u32::MAX))
    }

    /// Adds a PKCS #10 request in DER.
    #[must_use]
    pub fn pkcs10(mut self, request: Vec<u8>) -> Self {
        let id = self.next_id();
        self.requests.push(TaggedRequest::Pkcs10 { id, request });
        self
    }

    /// Adds a request in the syntax of RFC 4211 for `key`, which proves by its signature that it is there.
    ///
    /// # Errors
    /// [`RequestError`] when the key cannot sign.
    pub fn crmf(mut self, template: &RequestTemplate, key: &RequestKey) -> Result<Self, RequestError> {
        let message = crmf_message(self.next_id(), template, key)?;
        self.requests.push(TaggedRequest::Crmf(message));
        Ok(self)
    }

    /// Adds a control, for instance a revocation or a query for a pending request.
    #[must_use]
    pub fn control(mut self, control: Control) -> Self {
        self.controls.push(control);
        self
    }

    /// Proves the identity by a secret that the server knows under `identification` (RFC 5272 section 6.2).
    #[must_use]
    pub fn identity_proof(mut self, identification: impl Into<String>, secret: &[u8]) -> Self {
        self.proof = Some((identification.into(), Zeroizing::new(secret.to_vec())));
        self
    }

    /// The request, signed: by the holder of a certificate, or by the key of one of the requests
    /// ([`Signer::without_certificate`]). `certificates` go along; the signer's belongs to them.
    ///
    /// # Errors
    /// [`CmsError::CannotSign`].
    pub fn sign(self, signer: &Signer, certificates: &[CertificateDer<'_>]) -> Result<CmcRequest, CmsError> {
        self.finish(|content| sign(ID_CCT_PKI_DATA, content, signer, certificates))
    }

    /// The request without any signature: who asks is shown by the identity proof.
    ///
    /// # Errors
    /// [`CmsError`].
    pub fn unsigned(self) -> Result<CmcRequest, CmsError> {
        self.finish(|content| sign_by_all(ID_CCT_PKI_DATA, content, &[], &[]))
    }

    fn finish(self, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, CmsError>) -> Result<CmcRequest, CmsError> {
        let mut controls = vec![
            Control::TransactionId(self.transaction.clone()),
            Control::SenderNonce(self.nonce.clone()),
        ];
        controls.extend(self.controls);
        if let Some((identification, secret)) = &self.proof {
            // The proof is over the requests alone, so it can be made before the controls are numbered.
            let requests = PkiData::new(Vec::new(), self.requests.clone());
            let proof = identity_proof::prove(requests.requests_der(), secret, Some(identification));
            controls.push(Control::Identification(identification.clone()));
            controls.push(Control::IdentityProofV2(proof));
        }
        let ids: Vec<BodyPartId> = self.requests.iter().map(TaggedRequest::id).collect();
        let first = u32::try_from(ids.len() + 1).unwrap_or(u32::MAX);
        let controls: Vec<TaggedAttribute> = controls
            .iter()
            .zip(first..)
            .map(|(control, number)| TaggedAttribute::new(BodyPartId(number), control))
            .collect();
        let parts = controls.iter().map(|control| (control.id, control.oid)).collect();
        let data = PkiData::new(controls, self.requests);
        Ok(CmcRequest {
            message: sign(&data.to_der())?,
            transaction: self.transaction,
            nonce: self.nonce,
            requests: ids,
            controls: parts,
        })
    }
}

/// A Full PKI Request, ready to be sent, with what its answer must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmcRequest {
    message: Vec<u8>,
    transaction: Vec<u8>,
    nonce: Vec<u8>,
    requests: Vec<BodyPartId>,
    controls: Vec<(BodyPartId, const_oid::ObjectIdentifier)>,
}

impl CmcRequest {
    /// The message in DER; EST sends it as base64 with the media type
    /// [`PKCS7_MIME_CMC_REQUEST`](crate::wire::media_type::PKCS7_MIME_CMC_REQUEST).
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.message
    }

    /// The numbers of the certification requests in it, in their order.
    #[must_use]
    pub fn requests(&self) -> &[BodyPartId] {
        &self.requests
    }

    /// The number of the first control of a kind.
    #[must_use]
    pub fn control(&self, oid: const_oid::ObjectIdentifier) -> Option<BodyPartId> {
        self.controls
            .iter()
            .find(|(_, kind)| *kind == oid)
            .map(|(id, _)| *id)
    }

    /// Reads and checks the answer: a Full PKI Response, or the certificates alone.
    ///
    /// # Errors
    /// [`CmcAnswerError`]: not a CMC message, not signed by whom it must be, or the answer to another request. What
    /// the server refuses is no error here; see [`CmcAnswer::granted`].
    pub fn read(&self, message: &[u8], check: &AnswerCheck<'_>) -> Result<CmcAnswer, CmcAnswerError> {
        response::read(self, message, check)
    }
}

/// A CertReqMsg for a key that signs, with subject, key and extensions of the template (RFC 5272 section
/// 3.2.1.2.2); its attributes become controls.
fn crmf_message(
    id: BodyPartId,
    template: &RequestTemplate,
    key: &RequestKey,
) -> Result<CertificateRequestMessage, RequestError> {
    let wire = |error: WireError| RequestError::encoding(error);
    let spki = asn1::Reader::new(key.spki_der(), asn1::Rules::Der)
        .sequence("subjectPublicKeyInfo")
        .map_err(wire)?;
    let extensions = match template.extensions.as_slice() {
        [] => Vec::new(),
        extensions => {
            let encoded: Vec<Vec<u8>> = extensions.iter().map(super::template::extension_der).collect();
            let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
            asn1::encode(0xa9, &encoded)
        }
    };
    // [5] is EXPLICIT, because a Name is a CHOICE; [6] and [9] are IMPLICIT.
    let subject = asn1::encode(0xa5, &[&template.subject.to_der()]);
    let public_key = asn1::encode(0xa6, &[spki.content]);
    let fields = asn1::encode(tag::SEQUENCE, &[&subject, &public_key, &extensions]);
    let request = asn1::encode(tag::SEQUENCE, &[&id.to_der(), &fields, &controls(template)]);
    let (algorithm, signature) = key.sign(&request)?;
    let signature = asn1::encode(tag::BIT_STRING, &[&[0], &signature]);
    let proof = asn1::encode(tag::CONTEXT_1, &[&algorithm, &signature]);
    CertificateRequestMessage::from_der(&asn1::encode(tag::SEQUENCE, &[&request, &proof])).map_err(wire)
}

/// `Controls ::= SEQUENCE SIZE (1..MAX) OF AttributeTypeAndValue`; nothing at all when there are none.
fn controls(template: &RequestTemplate) -> Vec<u8> {
    let mut encoded = Vec::new();
    for attribute in &template.attributes {
        for value in &attribute.values {
            let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[attribute.oid.as_bytes()]);
            encoded.extend(asn1::encode(tag::SEQUENCE, &[&oid, value]));
        }
    }
    if encoded.is_empty() {
        return encoded;
    }
    asn1::encode(tag::SEQUENCE, &[&encoded])
}
