//! PKIData and PKIResponse (RFC 5272 sections 3.2.1 and 4.2.1).

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;

use super::control::Control;
use super::crmf::CertificateRequestMessage;
use super::{BodyPartId, CmcLimits, at_most, encode_list, encode_oid, integer, oid, wrong_tag};
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};

const CONTEXT_2: u8 = 0xa2;

/// A control.
///
/// ```text
/// TaggedAttribute ::= SEQUENCE { bodyPartID BodyPartID, attrType OBJECT IDENTIFIER, attrValues SET OF ANY }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedAttribute {
    /// Its number.
    pub id: BodyPartId,
    /// What it is.
    pub oid: ObjectIdentifier,
    /// Its values, each a complete element, in the order they were sent.
    pub values: Vec<Vec<u8>>,
}

impl TaggedAttribute {
    /// A control with one value.
    pub fn new(id: BodyPartId, control: &Control) -> Self {
        Self {
            id,
            oid: control.oid(),
            values: control.values(),
        }
    }

    /// The control's meaning.
    ///
    /// # Errors
    /// [`WireError::Der`]: the value of a known control is not of its type, or there is not exactly one.
    pub fn control(&self) -> Result<Control, WireError> {
        Control::parse(self)
    }

    fn parse(element: &Element<'_>, limits: &CmcLimits) -> Result<Self, WireError> {
        const FIELD: &str = "controlSequence";
        let mut reader = element.reader(Rules::Ber);
        let id = BodyPartId::parse(&integer(&mut reader, FIELD)?)?;
        let oid = reader
            .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "attrType")?
            .object_identifier("attrType")?;
        let mut set = reader.expect(tag::SET, "a SET", "attrValues")?.reader(Rules::Ber);
        reader.finish(FIELD)?;
        let mut values = Vec::new();
        while !set.is_empty() {
            at_most(values.len(), limits.body_parts, "values of one control")?;
            values.push(set.any("attrValues")?.raw.to_vec());
        }
        Ok(Self { id, oid, values })
    }

    fn to_der(&self) -> Vec<u8> {
        let values = encode_list(tag::SET, &self.values);
        asn1::encode(
            tag::SEQUENCE,
            &[&self.id.to_der(), &encode_oid(&self.oid), &values],
        )
    }
}

/// A request for a certificate.
///
/// ```text
/// TaggedRequest ::= CHOICE {
///     tcr [0] SEQUENCE { bodyPartID BodyPartID, certificationRequest CertificationRequest },
///     crm [1] CertReqMsg,
///     orm [2] SEQUENCE { bodyPartID BodyPartID, requestMessageType OBJECT IDENTIFIER, requestMessageValue ANY } }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaggedRequest {
    /// PKCS #10.
    Pkcs10 {
        /// Its number.
        id: BodyPartId,
        /// The CertificationRequest in DER, as it was sent.
        request: Vec<u8>,
    },
    /// CRMF (RFC 4211).
    Crmf(CertificateRequestMessage),
    /// Something else.
    Other(OtherRequest),
}

/// A request in a syntax defined elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherRequest {
    /// Its number.
    pub id: BodyPartId,
    /// What it is.
    pub oid: ObjectIdentifier,
    /// Its value, a complete element.
    pub value: Vec<u8>,
}

impl TaggedRequest {
    /// The request's number.
    pub fn id(&self) -> BodyPartId {
        match self {
            Self::Pkcs10 { id, .. } => *id,
            Self::Crmf(message) => message.id(),
            Self::Other(request) => request.id,
        }
    }

    /// Reads a request that stands alone, as in a token of [`super::PendInfo`].
    ///
    /// # Errors
    /// [`WireError::Der`].
    pub fn from_der(der: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(der, Rules::Ber);
        let element = reader.any("TaggedRequest")?;
        reader.finish("TaggedRequest")?;
        Self::parse(&element)
    }

    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "reqSequence";
        match element.tag {
            tag::CONTEXT_0 => {
                let mut reader = element.reader(Rules::Ber);
                let id = BodyPartId::parse(&integer(&mut reader, FIELD)?)?;
                let request = reader.sequence("certificationRequest")?.raw.to_vec();
                reader.finish(FIELD)?;
                Ok(Self::Pkcs10 { id, request })
            }
            tag::CONTEXT_1 => CertificateRequestMessage::parse(element).map(Self::Crmf),
            CONTEXT_2 => {
                let mut reader = element.reader(Rules::Ber);
                let id = BodyPartId::parse(&integer(&mut reader, FIELD)?)?;
                let oid = reader
                    .expect(
                        tag::OBJECT_IDENTIFIER,
                        "an OBJECT IDENTIFIER",
                        "requestMessageType",
                    )?
                    .object_identifier("requestMessageType")?;
                let value = reader.any("requestMessageValue")?.raw.to_vec();
                reader.finish(FIELD)?;
                Ok(Self::Other(OtherRequest { id, oid, value }))
            }
            _ => Err(wrong_tag(element, "[0], [1] or [2]", FIELD)),
        }
    }

    /// The request in DER.
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Pkcs10 { id, request } => asn1::encode(tag::CONTEXT_0, &[&id.to_der(), request]),
            Self::Crmf(message) => message.to_tagged(tag::CONTEXT_1),
            Self::Other(request) => asn1::encode(
                CONTEXT_2,
                &[&request.id.to_der(), &encode_oid(&request.oid), &request.value],
            ),
        }
    }
}

/// A CMS message within a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedContentInfo {
    /// Its number.
    pub id: BodyPartId,
    /// The ContentInfo, as it was sent.
    pub content_info: Vec<u8>,
}

/// Some other message within a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherMessage {
    /// Its number.
    pub id: BodyPartId,
    /// What it is.
    pub oid: ObjectIdentifier,
    /// Its value, a complete element.
    pub value: Vec<u8>,
}

/// The content of a Full PKI Request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PkiData {
    controls: Vec<TaggedAttribute>,
    requests: Vec<TaggedRequest>,
    /// The reqSequence as it was sent: an identity proof is made over these bytes.
    requests_der: Vec<u8>,
    messages: Vec<TaggedContentInfo>,
    others: Vec<OtherMessage>,
}

impl PkiData {
    /// Of these controls and requests.
    pub fn new(controls: Vec<TaggedAttribute>, requests: Vec<TaggedRequest>) -> Self {
        let encoded: Vec<Vec<u8>> = requests.iter().map(TaggedRequest::to_der).collect();
        Self {
            controls,
            requests,
            requests_der: encode_list(tag::SEQUENCE, &encoded),
            messages: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Adds messages of other kinds.
    #[must_use]
    pub fn with_messages(self, messages: Vec<TaggedContentInfo>, others: Vec<OtherMessage>) -> Self {
        Self {
            messages,
            others,
            ..self
        }
    }

    /// Reads a PKIData.
    ///
    /// # Errors
    /// [`WireError`]: too long, too many parts, not a PKIData, a number that stands there twice or is 0.
    pub fn from_der(der: &[u8], limits: &CmcLimits) -> Result<Self, WireError> {
        let mut parts = Parts::new(der, "PKIData", limits)?;
        let controls = parts.controls()?;
        let element = parts.reader.sequence("reqSequence")?;
        let requests_der = element.raw.to_vec();
        let requests = parts.list(&element, |element, _| {
            let request = TaggedRequest::parse(element)?;
            Ok((request.id(), request))
        })?;
        let messages = parts.messages()?;
        let others = parts.others()?;
        parts.reader.finish("PKIData")?;
        Ok(Self {
            controls,
            requests,
            requests_der,
            messages,
            others,
        })
    }

    /// The PKIData in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let [controls, messages, others] = encode_parts(&self.controls, &self.messages, &self.others);
        asn1::encode(
            tag::SEQUENCE,
            &[&controls, &self.requests_der, &messages, &others],
        )
    }

    /// The controls, in the order they were sent.
    pub fn controls(&self) -> &[TaggedAttribute] {
        &self.controls
    }

    /// The requests, in the order they were sent.
    pub fn requests(&self) -> &[TaggedRequest] {
        &self.requests
    }

    /// The reqSequence as it was sent, tag and length included: what an identity proof is made over
    /// (RFC 5272 section 6.2.1).
    pub fn requests_der(&self) -> &[u8] {
        &self.requests_der
    }

    /// CMS messages for controls to refer to.
    pub fn messages(&self) -> &[TaggedContentInfo] {
        &self.messages
    }

    /// Other messages for controls to refer to.
    pub fn others(&self) -> &[OtherMessage] {
        &self.others
    }

    /// The first control of this kind, read.
    ///
    /// # Errors
    /// As [`TaggedAttribute::control`].
    pub fn control(&self, oid: ObjectIdentifier) -> Result<Option<Control>, WireError> {
        first(&self.controls, oid)
    }
}

/// The content of a Full PKI Response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PkiResponse {
    /// The controls: status, nonces, transaction.
    pub controls: Vec<TaggedAttribute>,
    /// CMS messages for controls to refer to.
    pub messages: Vec<TaggedContentInfo>,
    /// Other messages for controls to refer to.
    pub others: Vec<OtherMessage>,
}

impl PkiResponse {
    /// Reads a PKIResponse.
    ///
    /// # Errors
    /// [`WireError`]: as [`PkiData::from_der`].
    pub fn from_der(der: &[u8], limits: &CmcLimits) -> Result<Self, WireError> {
        let mut parts = Parts::new(der, "PKIResponse", limits)?;
        let response = Self {
            controls: parts.controls()?,
            messages: parts.messages()?,
            others: parts.others()?,
        };
        parts.reader.finish("PKIResponse")?;
        Ok(response)
    }

    /// The PKIResponse in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let [controls, messages, others] = encode_parts(&self.controls, &self.messages, &self.others);
        asn1::encode(tag::SEQUENCE, &[&controls, &messages, &others])
    }

    /// The first control of this kind, read.
    ///
    /// # Errors
    /// As [`TaggedAttribute::control`].
    pub fn control(&self, oid: ObjectIdentifier) -> Result<Option<Control>, WireError> {
        first(&self.controls, oid)
    }

    /// Every status, in the order they were sent.
    ///
    /// # Errors
    /// As [`TaggedAttribute::control`].
    pub fn statuses(&self) -> Result<Vec<super::CmcStatusInfo>, WireError> {
        let mut found = Vec::new();
        for control in &self.controls {
            if [oid::STATUS_INFO, oid::STATUS_INFO_V2].contains(&control.oid)
                && let Control::StatusInfo(status) | Control::StatusInfoV2(status) = control.control()?
            {
                found.push(status);
            }
        }
        Ok(found)
    }
}

fn first(controls: &[TaggedAttribute], oid: ObjectIdentifier) -> Result<Option<Control>, WireError> {
    controls
        .iter()
        .find(|control| control.oid == oid)
        .map(TaggedAttribute::control)
        .transpose()
}

fn encode_parts(
    controls: &[TaggedAttribute],
    messages: &[TaggedContentInfo],
    others: &[OtherMessage],
) -> [Vec<u8>; 3] {
    let controls: Vec<Vec<u8>> = controls.iter().map(TaggedAttribute::to_der).collect();
    let messages: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| asn1::encode(tag::SEQUENCE, &[&message.id.to_der(), &message.content_info]))
        .collect();
    let others: Vec<Vec<u8>> = others
        .iter()
        .map(|other| {
            asn1::encode(
                tag::SEQUENCE,
                &[&other.id.to_der(), &encode_oid(&other.oid), &other.value],
            )
        })
        .collect();
    [controls, messages, others].map(|parts| encode_list(tag::SEQUENCE, &parts))
}

/// What PKIData and PKIResponse have in common: lists of parts with numbers that are unique over all lists.
struct Parts<'a> {
    reader: Reader<'a>,
    limits: CmcLimits,
    seen: BTreeSet<BodyPartId>,
}

impl<'a> Parts<'a> {
    fn new(der: &'a [u8], name: &'static str, limits: &CmcLimits) -> Result<Self, WireError> {
        if der.len() > limits.length {
            return Err(WireError::TooLong {
                what: name,
                limit: limits.length,
            });
        }
        let mut outer = Reader::new(der, Rules::Ber);
        let whole = outer.sequence(name)?;
        outer.finish(name)?;
        Ok(Self {
            reader: whole.reader(Rules::Ber),
            limits: *limits,
            seen: BTreeSet::new(),
        })
    }

    fn list<T>(
        &mut self,
        list: &Element<'a>,
        parse: impl Fn(&Element<'a>, &CmcLimits) -> Result<(BodyPartId, T), WireError>,
    ) -> Result<Vec<T>, WireError> {
        let mut reader = list.reader(Rules::Ber);
        let mut found = Vec::new();
        while !reader.is_empty() {
            at_most(self.seen.len(), self.limits.body_parts, "body parts")?;
            let element = reader.any("body part")?;
            let (id, part) = parse(&element, &self.limits)?;
            if id == BodyPartId::WHOLE {
                let problem = "0 is the number of the whole message, not of a part".to_owned();
                return Err(element.problem("bodyPartID", DerProblem::Value(problem)));
            }
            if !self.seen.insert(id) {
                let problem = DerProblem::Duplicate(format!("body part {id}"));
                return Err(element.problem("bodyPartID", problem));
            }
            found.push(part);
        }
        Ok(found)
    }

    fn controls(&mut self) -> Result<Vec<TaggedAttribute>, WireError> {
        let element = self.reader.sequence("controlSequence")?;
        self.list(&element, |element, limits| {
            expect_sequence(element, "controlSequence")?;
            let control = TaggedAttribute::parse(element, limits)?;
            Ok((control.id, control))
        })
    }

    fn messages(&mut self) -> Result<Vec<TaggedContentInfo>, WireError> {
        const FIELD: &str = "cmsSequence";
        let element = self.reader.sequence(FIELD)?;
        self.list(&element, |element, _| {
            expect_sequence(element, FIELD)?;
            let mut reader = element.reader(Rules::Ber);
            let id = BodyPartId::parse(&integer(&mut reader, FIELD)?)?;
            let content_info = reader.sequence("contentInfo")?.raw.to_vec();
            reader.finish(FIELD)?;
            Ok((id, TaggedContentInfo { id, content_info }))
        })
    }

    fn others(&mut self) -> Result<Vec<OtherMessage>, WireError> {
        const FIELD: &str = "otherMsgSequence";
        let element = self.reader.sequence(FIELD)?;
        self.list(&element, |element, _| {
            expect_sequence(element, FIELD)?;
            let mut reader = element.reader(Rules::Ber);
            let id = BodyPartId::parse(&integer(&mut reader, FIELD)?)?;
            let oid = reader
                .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "otherMsgType")?
                .object_identifier("otherMsgType")?;
            let value = reader.any("otherMsgValue")?.raw.to_vec();
            reader.finish(FIELD)?;
            Ok((id, OtherMessage { id, oid, value }))
        })
    }
}

fn expect_sequence(element: &Element<'_>, field: &'static str) -> Result<(), WireError> {
    if element.tag == tag::SEQUENCE {
        return Ok(());
    }
    Err(wrong_tag(element, "a SEQUENCE", field))
}
