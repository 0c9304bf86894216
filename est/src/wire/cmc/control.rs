//! Controls whose meaning is known (RFC 5272 section 6).

use std::fmt;

use const_oid::ObjectIdentifier;

use super::status::{self, BodyPartReference, CmcStatusInfo};
use super::{
    BodyPartId, CmcLimits, TaggedAttribute, at_most, encode_list, encode_unsigned, integer, oid, unsigned,
    wrong_tag,
};
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};

const UTF8_STRING: u8 = 0x0c;
const ENUMERATED: u8 = 0x0a;
const GENERALIZED_TIME: u8 = 0x18;

/// A control, with its value read. What is not known here stays as it is in [`Control::Other`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// What became of body parts of the request, in the older form.
    StatusInfo(CmcStatusInfo),
    /// What became of body parts of the request.
    StatusInfoV2(CmcStatusInfo),
    /// The name under which the server finds the shared secret.
    Identification(String),
    /// Proof of knowing the shared secret, with SHA-1.
    IdentityProof(Vec<u8>),
    /// Proof of knowing the shared secret, with algorithms of the client's choice.
    IdentityProofV2(MacProof),
    /// Data that the server gives back.
    DataReturn(Vec<u8>),
    /// The number of the transaction: the content octets of the INTEGER.
    TransactionId(Vec<u8>),
    /// Random octets of the sender.
    SenderNonce(Vec<u8>),
    /// The `senderNonce` of the message that this one answers.
    RecipientNonce(Vec<u8>),
    /// Requests of which a registration authority has checked the proof of possession.
    LraPopWitness(LraPopWitness),
    /// Revoke a certificate.
    RevokeRequest(RevokeRequestControl),
    /// Information for the authority, by agreement of both sides.
    RegInfo(Vec<u8>),
    /// Information for the client, by agreement of both sides.
    ResponseInfo(Vec<u8>),
    /// The token of a request that was pending.
    QueryPending(Vec<u8>),
    /// The random octets that a `popLinkWitness` is made over.
    PopLinkRandom(Vec<u8>),
    /// Links a request to the shared secret, with SHA-1. Stands in a request, not among the controls.
    PopLinkWitness(Vec<u8>),
    /// Links a request to the shared secret. Stands in a request, not among the controls.
    PopLinkWitnessV2(MacProof),
    /// The client accepts a certificate.
    ConfirmCertAcceptance(IssuerAndSerialNumber),
    /// Requests in the cmsSequence that are to be processed.
    BatchRequests(Vec<BodyPartId>),
    /// Responses in the cmsSequence to such requests.
    BatchResponses(Vec<BodyPartId>),
    /// Controls that another server has processed already.
    ControlProcessed(Vec<BodyPartReference>),
    /// Anything else.
    Other {
        /// What it is.
        oid: ObjectIdentifier,
        /// Its values, each a complete element.
        values: Vec<Vec<u8>>,
    },
}

/// A message authentication code made with a key out of a shared secret (`IdentifyProofV2` and `PopLinkWitnessV2`,
/// which have the same form).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacProof {
    /// The AlgorithmIdentifier of the hash that makes the key out of the secret, a complete element.
    pub key_algorithm: Vec<u8>,
    /// The AlgorithmIdentifier of the code, a complete element.
    pub mac_algorithm: Vec<u8>,
    /// The code.
    pub witness: Vec<u8>,
}

/// A certificate by its issuer and serial number (`CMCCertId`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerAndSerialNumber {
    /// The issuer's Name, a complete element.
    pub issuer: Vec<u8>,
    /// The serial number: the content octets of the INTEGER.
    pub serial: Vec<u8>,
}

/// Requests of which a registration authority has checked the proof of possession (`LraPopWitness`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LraPopWitness {
    /// The message that holds the requests; 0 for this one.
    pub message: BodyPartId,
    /// The requests.
    pub requests: Vec<BodyPartId>,
}

/// A request to revoke a certificate. `Debug` hides the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RevokeRequestControl {
    /// The certificate's issuer: its Name, a complete element.
    pub issuer: Vec<u8>,
    /// The certificate's serial number: the content octets of the INTEGER.
    pub serial: Vec<u8>,
    /// The reason (CRLReason).
    pub reason: u32,
    /// Since when, in seconds since the Unix epoch.
    pub invalidity_date: Option<u64>,
    /// A secret agreed on when the certificate was issued.
    pub shared_secret: Option<Vec<u8>>,
    /// A remark.
    pub comment: Option<String>,
}

impl fmt::Debug for RevokeRequestControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeRequestControl")
            .field("issuer", &self.issuer)
            .field("serial", &self.serial)
            .field("reason", &self.reason)
            .field("invalidity_date", &self.invalidity_date)
            .field("shared_secret", &self.shared_secret.as_ref().map(|_| "hidden"))
            .field("comment", &self.comment)
            .finish()
    }
}

impl Control {
    /// What kind of control it is.
    pub fn oid(&self) -> ObjectIdentifier {
        match self {
            Self::StatusInfo(_) => oid::STATUS_INFO,
            Self::StatusInfoV2(_) => oid::STATUS_INFO_V2,
            Self::Identification(_) => oid::IDENTIFICATION,
            Self::IdentityProof(_) => oid::IDENTITY_PROOF,
            Self::IdentityProofV2(_) => oid::IDENTITY_PROOF_V2,
            Self::DataReturn(_) => oid::DATA_RETURN,
            Self::TransactionId(_) => oid::TRANSACTION_ID,
            Self::SenderNonce(_) => oid::SENDER_NONCE,
            Self::RecipientNonce(_) => oid::RECIPIENT_NONCE,
            Self::LraPopWitness(_) => oid::LRA_POP_WITNESS,
            Self::RevokeRequest(_) => oid::REVOKE_REQUEST,
            Self::RegInfo(_) => oid::REG_INFO,
            Self::ResponseInfo(_) => oid::RESPONSE_INFO,
            Self::QueryPending(_) => oid::QUERY_PENDING,
            Self::PopLinkRandom(_) => oid::POP_LINK_RANDOM,
            Self::PopLinkWitness(_) => oid::POP_LINK_WITNESS,
            Self::PopLinkWitnessV2(_) => oid::POP_LINK_WITNESS_V2,
            Self::ConfirmCertAcceptance(_) => oid::CONFIRM_CERT_ACCEPTANCE,
            Self::BatchRequests(_) => oid::BATCH_REQUESTS,
            Self::BatchResponses(_) => oid::BATCH_RESPONSES,
            Self::ControlProcessed(_) => oid::CONTROL_PROCESSED,
            Self::Other { oid, .. } => *oid,
        }
    }

    pub(super) fn parse(attribute: &TaggedAttribute) -> Result<Self, WireError> {
        let limits = CmcLimits::default();
        if !is_read_here(&attribute.oid) {
            return Ok(Self::Other {
                oid: attribute.oid,
                values: attribute.values.clone(),
            });
        }
        let [value] = attribute.values.as_slice() else {
            let problem = format!(
                "{} has {} values instead of one",
                oid::display(&attribute.oid),
                attribute.values.len()
            );
            return Err(WireError::Der {
                position: 0,
                field: "attrValues",
                problem: DerProblem::Value(problem),
            });
        };
        let mut reader = Reader::new(value, Rules::Ber);
        let element = reader.any("attrValues")?;
        reader.finish("attrValues")?;
        Self::parse_value(attribute.oid, &element, &limits)
    }

    fn parse_value(
        oid: ObjectIdentifier,
        element: &Element<'_>,
        limits: &CmcLimits,
    ) -> Result<Self, WireError> {
        let octets = |field| octet_string(element, field);
        Ok(match oid {
            oid::STATUS_INFO => Self::StatusInfo(status::from_value(element.raw, limits)?),
            oid::STATUS_INFO_V2 => Self::StatusInfoV2(status::from_value(element.raw, limits)?),
            oid::IDENTIFICATION => match element.tag {
                UTF8_STRING => Self::Identification(status::utf8(element, "identification")?),
                _ => return Err(wrong_tag(element, "a UTF8String", "identification")),
            },
            oid::IDENTITY_PROOF => Self::IdentityProof(octets("identityProof")?),
            oid::IDENTITY_PROOF_V2 => Self::IdentityProofV2(MacProof::parse(element)?),
            oid::DATA_RETURN => Self::DataReturn(octets("dataReturn")?),
            oid::TRANSACTION_ID => match element.tag {
                tag::INTEGER => Self::TransactionId(element.content.to_vec()),
                _ => return Err(wrong_tag(element, "an INTEGER", "transactionId")),
            },
            oid::SENDER_NONCE => Self::SenderNonce(octets("senderNonce")?),
            oid::RECIPIENT_NONCE => Self::RecipientNonce(octets("recipientNonce")?),
            oid::LRA_POP_WITNESS => Self::LraPopWitness(LraPopWitness::parse(element, limits)?),
            oid::REVOKE_REQUEST => Self::RevokeRequest(RevokeRequestControl::parse(element)?),
            oid::REG_INFO => Self::RegInfo(octets("regInfo")?),
            oid::RESPONSE_INFO => Self::ResponseInfo(octets("responseInfo")?),
            oid::QUERY_PENDING => Self::QueryPending(octets("queryPending")?),
            oid::POP_LINK_RANDOM => Self::PopLinkRandom(octets("popLinkRandom")?),
            oid::POP_LINK_WITNESS => Self::PopLinkWitness(octets("popLinkWitness")?),
            oid::POP_LINK_WITNESS_V2 => Self::PopLinkWitnessV2(MacProof::parse(element)?),
            oid::CONFIRM_CERT_ACCEPTANCE => {
                Self::ConfirmCertAcceptance(IssuerAndSerialNumber::parse(element)?)
            }
            oid::BATCH_REQUESTS => Self::BatchRequests(body_parts(element, limits)?),
            oid::BATCH_RESPONSES => Self::BatchResponses(body_parts(element, limits)?),
            oid::CONTROL_PROCESSED => Self::ControlProcessed(processed(element, limits)?),
            oid => Self::Other {
                oid,
                values: vec![element.raw.to_vec()],
            },
        })
    }

    pub(super) fn values(&self) -> Vec<Vec<u8>> {
        let octets = |octets: &Vec<u8>| asn1::encode(tag::OCTET_STRING, &[octets]);
        vec![match self {
            Self::StatusInfo(status) | Self::StatusInfoV2(status) => status.encode(),
            Self::Identification(name) => asn1::encode(UTF8_STRING, &[name.as_bytes()]),
            Self::IdentityProof(value)
            | Self::DataReturn(value)
            | Self::SenderNonce(value)
            | Self::RecipientNonce(value)
            | Self::RegInfo(value)
            | Self::ResponseInfo(value)
            | Self::QueryPending(value)
            | Self::PopLinkRandom(value)
            | Self::PopLinkWitness(value) => octets(value),
            Self::IdentityProofV2(proof) | Self::PopLinkWitnessV2(proof) => proof.encode(),
            Self::TransactionId(number) => asn1::encode(tag::INTEGER, &[number]),
            Self::LraPopWitness(witness) => {
                let requests = encode_body_parts(&witness.requests);
                asn1::encode(tag::SEQUENCE, &[&witness.message.to_der(), &requests])
            }
            Self::RevokeRequest(request) => request.encode(),
            Self::ConfirmCertAcceptance(certificate) => certificate.encode(),
            Self::BatchRequests(parts) | Self::BatchResponses(parts) => encode_body_parts(parts),
            Self::ControlProcessed(parts) => {
                let parts: Vec<Vec<u8>> = parts.iter().map(BodyPartReference::encode).collect();
                asn1::encode(tag::SEQUENCE, &[&encode_list(tag::SEQUENCE, &parts)])
            }
            Self::Other { values, .. } => return values.clone(),
        }]
    }
}

/// The controls that [`Control`] has a variant for.
fn is_read_here(oid: &ObjectIdentifier) -> bool {
    [
        oid::STATUS_INFO,
        oid::STATUS_INFO_V2,
        oid::IDENTIFICATION,
        oid::IDENTITY_PROOF,
        oid::IDENTITY_PROOF_V2,
        oid::DATA_RETURN,
        oid::TRANSACTION_ID,
        oid::SENDER_NONCE,
        oid::RECIPIENT_NONCE,
        oid::LRA_POP_WITNESS,
        oid::REVOKE_REQUEST,
        oid::REG_INFO,
        oid::RESPONSE_INFO,
        oid::QUERY_PENDING,
        oid::POP_LINK_RANDOM,
        oid::POP_LINK_WITNESS,
        oid::POP_LINK_WITNESS_V2,
        oid::CONFIRM_CERT_ACCEPTANCE,
        oid::BATCH_REQUESTS,
        oid::BATCH_RESPONSES,
        oid::CONTROL_PROCESSED,
    ]
    .contains(oid)
}

impl MacProof {
    /// Reads the value of a `popLinkWitnessV2` that stands in a request.
    ///
    /// # Errors
    /// [`WireError::Der`].
    pub fn from_der(der: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(der, Rules::Ber);
        let element = reader.any("witness")?;
        reader.finish("witness")?;
        Self::parse(&element)
    }

    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "witness";
        if element.tag != tag::SEQUENCE {
            return Err(wrong_tag(element, "a SEQUENCE", FIELD));
        }
        let mut reader = element.reader(Rules::Ber);
        let proof = Self {
            key_algorithm: reader.sequence("hashAlgID")?.raw.to_vec(),
            mac_algorithm: reader.sequence("macAlgID")?.raw.to_vec(),
            witness: reader
                .expect(tag::OCTET_STRING, "an OCTET STRING", FIELD)?
                .content
                .to_vec(),
        };
        reader.finish(FIELD)?;
        Ok(proof)
    }

    /// The proof in DER.
    pub fn encode(&self) -> Vec<u8> {
        let witness = asn1::encode(tag::OCTET_STRING, &[&self.witness]);
        asn1::encode(
            tag::SEQUENCE,
            &[&self.key_algorithm, &self.mac_algorithm, &witness],
        )
    }
}

impl IssuerAndSerialNumber {
    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "IssuerAndSerialNumber";
        if element.tag != tag::SEQUENCE {
            return Err(wrong_tag(element, "a SEQUENCE", FIELD));
        }
        let mut reader = element.reader(Rules::Ber);
        let found = Self {
            issuer: reader.sequence("issuer")?.raw.to_vec(),
            serial: integer(&mut reader, "serialNumber")?.content.to_vec(),
        };
        reader.finish(FIELD)?;
        Ok(found)
    }

    fn encode(&self) -> Vec<u8> {
        let serial = asn1::encode(tag::INTEGER, &[&self.serial]);
        asn1::encode(tag::SEQUENCE, &[&self.issuer, &serial])
    }
}

impl LraPopWitness {
    fn parse(element: &Element<'_>, limits: &CmcLimits) -> Result<Self, WireError> {
        const FIELD: &str = "LraPopWitness";
        if element.tag != tag::SEQUENCE {
            return Err(wrong_tag(element, "a SEQUENCE", FIELD));
        }
        let mut reader = element.reader(Rules::Ber);
        let message = BodyPartId::parse(&integer(&mut reader, "pkiDataBodyid")?)?;
        let requests = body_parts(&reader.any("bodyIds")?, limits)?;
        reader.finish(FIELD)?;
        Ok(Self { message, requests })
    }
}

impl RevokeRequestControl {
    /// ```text
    /// RevokeRequest ::= SEQUENCE {
    ///     issuerName Name, serialNumber INTEGER, reason CRLReason, invalidityDate GeneralizedTime OPTIONAL,
    ///     sharedSecret OCTET STRING OPTIONAL, comment UTF8String OPTIONAL }
    /// ```
    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "RevokeRequest";
        if element.tag != tag::SEQUENCE {
            return Err(wrong_tag(element, "a SEQUENCE", FIELD));
        }
        let mut reader = element.reader(Rules::Ber);
        let request = Self {
            issuer: reader.sequence("issuerName")?.raw.to_vec(),
            serial: integer(&mut reader, "serialNumber")?.content.to_vec(),
            reason: unsigned(&reader.expect(ENUMERATED, "an ENUMERATED", "reason")?, "reason")?,
            invalidity_date: reader
                .optional(GENERALIZED_TIME, "invalidityDate")?
                .map(|time| status::generalized_time(&time, "invalidityDate"))
                .transpose()?,
            shared_secret: reader
                .optional(tag::OCTET_STRING, "sharedSecret")?
                .map(|secret| secret.content.to_vec()),
            comment: reader
                .optional(UTF8_STRING, "comment")?
                .map(|text| status::utf8(&text, "comment"))
                .transpose()?,
        };
        reader.finish(FIELD)?;
        Ok(request)
    }

    fn encode(&self) -> Vec<u8> {
        let serial = asn1::encode(tag::INTEGER, &[&self.serial]);
        let reason = encode_unsigned(ENUMERATED, self.reason);
        let date = self
            .invalidity_date
            .map(status::encode_generalized_time)
            .unwrap_or_default();
        let secret = self
            .shared_secret
            .as_ref()
            .map(|secret| asn1::encode(tag::OCTET_STRING, &[secret]))
            .unwrap_or_default();
        let comment = self
            .comment
            .as_ref()
            .map(|text| asn1::encode(UTF8_STRING, &[text.as_bytes()]))
            .unwrap_or_default();
        asn1::encode(
            tag::SEQUENCE,
            &[&self.issuer, &serial, &reason, &date, &secret, &comment],
        )
    }
}

fn octet_string(element: &Element<'_>, field: &'static str) -> Result<Vec<u8>, WireError> {
    if element.tag != tag::OCTET_STRING {
        return Err(wrong_tag(element, "an OCTET STRING", field));
    }
    Ok(element.content.to_vec())
}

fn body_parts(element: &Element<'_>, limits: &CmcLimits) -> Result<Vec<BodyPartId>, WireError> {
    const FIELD: &str = "BodyPartList";
    if element.tag != tag::SEQUENCE {
        return Err(wrong_tag(element, "a SEQUENCE", FIELD));
    }
    let mut reader = element.reader(Rules::Ber);
    let mut parts = Vec::new();
    while !reader.is_empty() {
        at_most(parts.len(), limits.body_parts, "body parts of one control")?;
        parts.push(BodyPartId::parse(&integer(&mut reader, FIELD)?)?);
    }
    Ok(parts)
}

fn encode_body_parts(parts: &[BodyPartId]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_der()).collect();
    encode_list(tag::SEQUENCE, &parts)
}

/// `ControlsProcessed ::= SEQUENCE { bodyList SEQUENCE SIZE (1..MAX) OF BodyPartReference }`
fn processed(element: &Element<'_>, limits: &CmcLimits) -> Result<Vec<BodyPartReference>, WireError> {
    const FIELD: &str = "controlProcessed";
    if element.tag != tag::SEQUENCE {
        return Err(wrong_tag(element, "a SEQUENCE", FIELD));
    }
    let mut reader = element.reader(Rules::Ber);
    let mut list = reader.sequence(FIELD)?.reader(Rules::Ber);
    reader.finish(FIELD)?;
    let mut parts = Vec::new();
    while !list.is_empty() {
        at_most(parts.len(), limits.body_parts, "body parts of one control")?;
        parts.push(BodyPartReference::parse(&list.any(FIELD)?, limits)?);
    }
    Ok(parts)
}
