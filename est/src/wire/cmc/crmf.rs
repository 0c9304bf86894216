//! Certificate requests in the syntax of RFC 4211 (CRMF).
//!
//! ```text
//! CertReqMsg   ::= SEQUENCE { certReq CertRequest, popo ProofOfPossession OPTIONAL, regInfo SEQUENCE OPTIONAL }
//! CertRequest  ::= SEQUENCE { certReqId INTEGER, certTemplate CertTemplate, controls SEQUENCE OPTIONAL }
//! CertTemplate ::= SEQUENCE { ... subject [5] Name OPTIONAL, publicKey [6] SubjectPublicKeyInfo OPTIONAL, ...
//!                             extensions [9] Extensions OPTIONAL }
//! ProofOfPossession ::= CHOICE {
//!     raVerified [0] NULL, signature [1] POPOSigningKey, keyEncipherment [2] ..., keyAgreement [3] ... }
//! POPOSigningKey ::= SEQUENCE {
//!     poposkInput [0] POPOSigningKeyInput OPTIONAL, algorithmIdentifier AlgorithmIdentifier, signature BIT STRING }
//! ```

use super::{BodyPartId, integer, wrong_tag};
use crate::error::{CsrError, DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::csr::{Attribute, CsrLimits, PublicKey, RequestParts, UnverifiedCsr};

/// How a request proves that its maker has the private key (RFC 4211 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofOfPossession {
    /// Not at all.
    Absent,
    /// A registration authority says so.
    RaVerified,
    /// By a signature with the key.
    Signature,
    /// By decrypting something, or by handing over the key.
    KeyEncipherment,
    /// By agreeing on a key, or by handing over the key.
    KeyAgreement,
}

/// A CertReqMsg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequestMessage {
    id: BodyPartId,
    proof: ProofOfPossession,
    has_reg_info: bool,
    /// The message under the tag of a SEQUENCE.
    der: Vec<u8>,
}

/// The tags within a CertTemplate, in their order.
const TEMPLATE_TAGS: [u8; 10] = [
    0x80, 0x81, 0xa2, 0xa3, 0xa4, SUBJECT, PUBLIC_KEY, 0x87, 0x88, EXTENSIONS,
];
const SUBJECT: u8 = 0xa5;
const PUBLIC_KEY: u8 = 0xa6;
const EXTENSIONS: u8 = 0xa9;

impl CertificateRequestMessage {
    /// Reads a CertReqMsg.
    ///
    /// # Errors
    /// [`WireError::Der`].
    pub fn from_der(der: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(der, Rules::Ber);
        let element = reader.sequence("CertReqMsg")?;
        reader.finish("CertReqMsg")?;
        Self::parse(&element)
    }

    /// Reads the content of an element of any tag.
    pub(super) fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "CertReqMsg";
        let mut reader = element.reader(Rules::Ber);
        let mut request = reader.sequence("certReq")?.reader(Rules::Ber);
        let id = BodyPartId::parse(&integer(&mut request, "certReqId")?)?;
        let proof = match reader.peek() {
            None | Some(tag::SEQUENCE) => ProofOfPossession::Absent,
            Some(_) => {
                let proof = reader.any("popo")?;
                match proof.tag {
                    0x80 => ProofOfPossession::RaVerified,
                    tag::CONTEXT_1 => ProofOfPossession::Signature,
                    0xa2 => ProofOfPossession::KeyEncipherment,
                    0xa3 => ProofOfPossession::KeyAgreement,
                    _ => return Err(wrong_tag(&proof, "a ProofOfPossession", "popo")),
                }
            }
        };
        let has_reg_info = reader.optional(tag::SEQUENCE, "regInfo")?.is_some();
        reader.finish(FIELD)?;
        Ok(Self {
            id,
            proof,
            has_reg_info,
            der: asn1::encode(tag::SEQUENCE, &[element.content]),
        })
    }

    /// The request's number (certReqId).
    pub fn id(&self) -> BodyPartId {
        self.id
    }

    /// How the request proves that its maker has the private key.
    pub fn proof_of_possession(&self) -> ProofOfPossession {
        self.proof
    }

    /// Whether there is a regInfo, which RFC 5272 section 3.2.1.2.2 forbids.
    pub fn has_reg_info(&self) -> bool {
        self.has_reg_info
    }

    /// The CertReqMsg in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn to_tagged(&self, tag: u8) -> Vec<u8> {
        let content = Reader::new(&self.der, Rules::Ber)
            .any("CertReqMsg")
            .map(|element| element.content)
            .unwrap_or_default();
        asn1::encode(tag, &[content])
    }

    /// The request in terms of a certification request, whose signature is the proof of possession. Its attributes are
    /// the controls of the CertRequest.
    ///
    /// # Errors
    /// [`CsrError::Wire`]: the request has no subject or no key (RFC 5272 section 3.2.1.2.2 demands both), no
    /// signature, a `poposkInput` (which the same section forbids), or is not DER.
    pub fn to_request(&self, limits: &CsrLimits) -> Result<UnverifiedCsr, CsrError> {
        if self.der.len() > limits.length {
            return Err(WireError::TooLong {
                what: "certificate request message",
                limit: limits.length,
            }
            .into());
        }
        self.read(limits).map_err(CsrError::from)
    }

    fn read(&self, limits: &CsrLimits) -> Result<UnverifiedCsr, WireError> {
        let message = Reader::new(&self.der, Rules::Der).sequence("CertReqMsg")?;
        let mut reader = message.reader(Rules::Der);
        let request = reader.sequence("certReq")?;
        let (algorithm, signature) = signature(&mut reader)?;
        let mut fields = request.reader(Rules::Der);
        integer(&mut fields, "certReqId")?;
        let template = Template::parse(&fields.sequence("certTemplate")?)?;
        let controls = fields.optional(tag::SEQUENCE, "controls")?;
        fields.finish("certReq")?;
        let missing = |what: &str| {
            let problem = format!("the {what} is missing (RFC 5272 section 3.2.1.2.2)");
            request.problem("certTemplate", DerProblem::Value(problem))
        };
        let subject = template.subject.ok_or_else(|| missing("subject"))?;
        let key = template.public_key.ok_or_else(|| missing("publicKey"))?;
        // [6] IMPLICIT: the tag stands in place of that of the SEQUENCE.
        let spki = asn1::encode(tag::SEQUENCE, &[key.content]);
        UnverifiedCsr::from_parts(
            &RequestParts {
                der: &self.der,
                info: request.raw,
                subject,
                public_key: PublicKey::from_spki_der(&spki)?,
                attributes: attributes(controls.as_ref(), limits)?,
                extensions: template.extensions,
                signature_algorithm: algorithm.raw,
                signature,
            },
            limits,
        )
    }
}

/// The AlgorithmIdentifier and the octets of the signature of a POPOSigningKey.
fn signature<'a>(reader: &mut Reader<'a>) -> Result<(Element<'a>, &'a [u8]), WireError> {
    const FIELD: &str = "popo";
    let popo = reader.expect(tag::CONTEXT_1, "a signature", FIELD)?;
    let mut fields = popo.reader(Rules::Der);
    if let Some(input) = fields.optional(tag::CONTEXT_0, "poposkInput")? {
        let problem = "not allowed when the template has subject and key (RFC 4211 section 4.1)".to_owned();
        return Err(input.problem("poposkInput", DerProblem::Value(problem)));
    }
    let algorithm = fields.sequence("algorithmIdentifier")?;
    let signature = fields.expect(tag::BIT_STRING, "a BIT STRING", "signature")?;
    fields.finish(FIELD)?;
    Ok((algorithm, signature.octet_aligned_bits("signature")?))
}

/// The fields of a CertTemplate that decide what is certified. The others are wishes that an authority need not follow.
#[derive(Default)]
struct Template<'a> {
    subject: Option<Element<'a>>,
    public_key: Option<Element<'a>>,
    extensions: Option<Element<'a>>,
}

impl<'a> Template<'a> {
    fn parse(element: &Element<'a>) -> Result<Self, WireError> {
        const FIELD: &str = "certTemplate";
        let mut reader = element.reader(Rules::Der);
        let mut found = Self::default();
        let mut tags = TEMPLATE_TAGS.iter();
        while !reader.is_empty() {
            let field = reader.any(FIELD)?;
            // Each tag at most once and in its order.
            if !tags.any(|tag| *tag == field.tag) {
                return Err(wrong_tag(&field, "the next field of a CertTemplate", FIELD));
            }
            match field.tag {
                // Name is a CHOICE, so that its tag is EXPLICIT.
                SUBJECT => {
                    let mut name = field.reader(Rules::Der);
                    found.subject = Some(name.sequence("subject")?);
                    name.finish("subject")?;
                }
                PUBLIC_KEY => found.public_key = Some(field),
                EXTENSIONS => found.extensions = Some(field),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// `Controls ::= SEQUENCE OF AttributeTypeAndValue`
fn attributes(controls: Option<&Element<'_>>, limits: &CsrLimits) -> Result<Vec<Attribute>, WireError> {
    const FIELD: &str = "controls";
    let mut found: Vec<Attribute> = Vec::new();
    let Some(controls) = controls else {
        return Ok(found);
    };
    let mut reader = controls.reader(Rules::Der);
    while !reader.is_empty() {
        super::at_most(found.len(), limits.attributes, "controls of a request")?;
        let element = reader.sequence(FIELD)?;
        let mut control = element.reader(Rules::Der);
        let oid = control
            .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", FIELD)?
            .object_identifier(FIELD)?;
        let value = control.any(FIELD)?.raw.to_vec();
        control.finish(FIELD)?;
        if found.iter().any(|other| other.oid == oid) {
            return Err(element.problem(FIELD, DerProblem::Duplicate(super::oid::display(&oid))));
        }
        found.push(Attribute {
            oid,
            values: vec![value],
        });
    }
    Ok(found)
}
