//! What became of a body part: CMCStatusInfo and CMCStatusInfoV2 (RFC 5272 section 6.1).

use std::fmt;

use const_oid::ObjectIdentifier;
use pki_common::Escaped;
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

use super::{
    BodyPartId, CmcLimits, at_most, encode_list, encode_oid, encode_unsigned, integer, unsigned, wrong_tag,
};
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::csr::name_with_oid;

const UTF8_STRING: u8 = 0x0c;
const GENERALIZED_TIME: u8 = 0x18;

/// A CMCStatus (RFC 5272 section 6.1.3). `Display` gives the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CmcStatus(pub u32);

impl CmcStatus {
    /// Granted.
    pub const SUCCESS: Self = Self(0);
    /// Not granted.
    pub const FAILED: Self = Self(2);
    /// Not decided yet; the client asks again.
    pub const PENDING: Self = Self(3);
    /// The server does not do that.
    pub const NO_SUPPORT: Self = Self(4);
    /// The client has to confirm that it accepts the certificate.
    pub const CONFIRM_REQUIRED: Self = Self(5);
    /// A proof of possession in a further exchange is needed.
    pub const POP_REQUIRED: Self = Self(6);
    /// Some requests are granted; the client asks again for the others.
    pub const PARTIAL: Self = Self(7);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::SUCCESS, "success"),
        (Self::FAILED, "failed"),
        (Self::PENDING, "pending"),
        (Self::NO_SUPPORT, "noSupport"),
        (Self::CONFIRM_REQUIRED, "confirmRequired"),
        (Self::POP_REQUIRED, "popRequired"),
        (Self::PARTIAL, "partial"),
    ];
}

impl fmt::Display for CmcStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "status {}", self.0),
        }
    }
}

/// A CMCFailInfo (RFC 5272 section 6.1.4). `Display` gives the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CmcFailInfo(pub u32);

impl CmcFailInfo {
    /// An algorithm is unknown or unsupported.
    pub const BAD_ALG: Self = Self(0);
    /// A signature or another integrity check failed.
    pub const BAD_MESSAGE_CHECK: Self = Self(1);
    /// The transaction is not permitted or not supported.
    pub const BAD_REQUEST: Self = Self(2);
    /// The message's time is too far from the server's.
    pub const BAD_TIME: Self = Self(3);
    /// There is no certificate as described.
    pub const BAD_CERT_ID: Self = Self(4);
    /// The authority does not support a requested extension.
    pub const UNSUPPORTED_EXT: Self = Self(5);
    /// The private key must be supplied.
    pub const MUST_ARCHIVE_KEYS: Self = Self(6);
    /// The identity was not proven.
    pub const BAD_IDENTITY: Self = Self(7);
    /// Proof of possession is demanded.
    pub const POP_REQUIRED: Self = Self(8);
    /// The proof of possession is wrong.
    pub const POP_FAILED: Self = Self(9);
    /// The key must be a new one.
    pub const NO_KEY_REUSE: Self = Self(10);
    /// The authority failed.
    pub const INTERNAL_CA_ERROR: Self = Self(11);
    /// Not now.
    pub const TRY_LATER: Self = Self(12);
    /// Authenticated data could not be processed.
    pub const AUTH_DATA_FAIL: Self = Self(13);

    const NAMES: [(Self, &'static str); 14] = [
        (Self::BAD_ALG, "badAlg"),
        (Self::BAD_MESSAGE_CHECK, "badMessageCheck"),
        (Self::BAD_REQUEST, "badRequest"),
        (Self::BAD_TIME, "badTime"),
        (Self::BAD_CERT_ID, "badCertId"),
        (Self::UNSUPPORTED_EXT, "unsupportedExt"),
        (Self::MUST_ARCHIVE_KEYS, "mustArchiveKeys"),
        (Self::BAD_IDENTITY, "badIdentity"),
        (Self::POP_REQUIRED, "popRequired"),
        (Self::POP_FAILED, "popFailed"),
        (Self::NO_KEY_REUSE, "noKeyReuse"),
        (Self::INTERNAL_CA_ERROR, "internalCAError"),
        (Self::TRY_LATER, "tryLater"),
        (Self::AUTH_DATA_FAIL, "authDataFail"),
    ];
}

impl fmt::Display for CmcFailInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "failure code {}", self.0),
        }
    }
}

/// A body part, or one inside of others (`BodyPartReference`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyPartReference {
    /// A part of the message.
    Id(BodyPartId),
    /// A part of a message within the message: the numbers from the outside in.
    Path(Vec<BodyPartId>),
}

impl BodyPartReference {
    pub(super) fn parse(element: &Element<'_>, limits: &CmcLimits) -> Result<Self, WireError> {
        match element.tag {
            tag::INTEGER => BodyPartId::parse(element).map(Self::Id),
            tag::SEQUENCE => {
                let mut reader = element.reader(Rules::Ber);
                let mut path = Vec::new();
                while !reader.is_empty() {
                    at_most(path.len(), limits.body_parts, "steps of a bodyPartPath")?;
                    path.push(BodyPartId::parse(&integer(&mut reader, "bodyPartPath")?)?);
                }
                Ok(Self::Path(path))
            }
            _ => Err(wrong_tag(element, "an INTEGER or a SEQUENCE", "bodyList")),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Id(id) => id.to_der(),
            Self::Path(path) => {
                let path: Vec<Vec<u8>> = path.iter().map(|id| id.to_der()).collect();
                encode_list(tag::SEQUENCE, &path)
            }
        }
    }
}

impl fmt::Display for BodyPartReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Path(path) => {
                let steps: Vec<String> = path.iter().map(BodyPartId::to_string).collect();
                f.write_str(&steps.join("."))
            }
        }
    }
}

/// When and how to ask again (`PendInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendInfo {
    /// What to put into the `queryPending` control.
    pub token: Vec<u8>,
    /// When to ask, in seconds since the Unix epoch.
    pub time: u64,
}

/// What a status says beyond its number (`OtherStatusInfo`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherStatusInfo {
    /// Why it failed.
    Fail(CmcFailInfo),
    /// When to ask again.
    Pend(PendInfo),
    /// Why it failed, by a code that others have defined.
    ExtendedFail {
        /// The set of codes.
        oid: ObjectIdentifier,
        /// The code, a complete element.
        value: Vec<u8>,
    },
}

/// What became of some body parts: CMCStatusInfoV2, or CMCStatusInfo, which has less room. `Display` says it in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmcStatusInfo {
    /// The status.
    pub status: CmcStatus,
    /// The body parts that it is about.
    pub body_list: Vec<BodyPartReference>,
    /// The status in words.
    pub text: Option<String>,
    /// More about it.
    pub other: Option<OtherStatusInfo>,
}

impl CmcStatusInfo {
    /// These body parts are done.
    pub fn success(parts: &[BodyPartId]) -> Self {
        Self {
            status: CmcStatus::SUCCESS,
            body_list: parts.iter().copied().map(BodyPartReference::Id).collect(),
            text: None,
            other: None,
        }
    }

    /// These body parts failed.
    pub fn failed(parts: &[BodyPartId], reason: CmcFailInfo, text: impl Into<String>) -> Self {
        Self {
            status: CmcStatus::FAILED,
            body_list: parts.iter().copied().map(BodyPartReference::Id).collect(),
            text: Some(text.into()),
            other: Some(OtherStatusInfo::Fail(reason)),
        }
    }

    /// The server does not do what these body parts ask for.
    pub fn no_support(parts: &[BodyPartId], text: impl Into<String>) -> Self {
        Self {
            status: CmcStatus::NO_SUPPORT,
            text: Some(text.into()),
            ..Self::success(parts)
        }
    }

    /// These body parts wait for a decision.
    pub fn pending(parts: &[BodyPartId], pend_info: PendInfo, text: impl Into<String>) -> Self {
        Self {
            status: CmcStatus::PENDING,
            text: Some(text.into()),
            other: Some(OtherStatusInfo::Pend(pend_info)),
            ..Self::success(parts)
        }
    }

    /// The failure code, when there is one.
    pub fn fail_info(&self) -> Option<CmcFailInfo> {
        match self.other {
            Some(OtherStatusInfo::Fail(reason)) => Some(reason),
            _ => None,
        }
    }

    /// When and how to ask again, when the status says so.
    pub fn pend_info(&self) -> Option<&PendInfo> {
        match &self.other {
            Some(OtherStatusInfo::Pend(pend_info)) => Some(pend_info),
            _ => None,
        }
    }

    /// Whether it is about this body part.
    pub fn is_about(&self, part: BodyPartId) -> bool {
        self.body_list.contains(&BodyPartReference::Id(part))
    }

    pub(super) fn parse(element: &Element<'_>, limits: &CmcLimits) -> Result<Self, WireError> {
        const FIELD: &str = "CMCStatusInfo";
        if element.tag != tag::SEQUENCE {
            return Err(wrong_tag(element, "a SEQUENCE", FIELD));
        }
        let mut reader = element.reader(Rules::Ber);
        let status = CmcStatus(unsigned(&integer(&mut reader, "cMCStatus")?, "cMCStatus")?);
        let mut list = reader.sequence("bodyList")?.reader(Rules::Ber);
        let mut body_list = Vec::new();
        while !list.is_empty() {
            at_most(body_list.len(), limits.body_parts, "body parts of a status")?;
            body_list.push(BodyPartReference::parse(&list.any("bodyList")?, limits)?);
        }
        let text = reader
            .optional(UTF8_STRING, "statusString")?
            .map(|text| utf8(&text, "statusString"))
            .transpose()?;
        let other = match reader.is_empty() {
            true => None,
            false => Some(parse_other(&reader.any("otherInfo")?)?),
        };
        reader.finish(FIELD)?;
        Ok(Self {
            status,
            body_list,
            text,
            other,
        })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let status = encode_unsigned(tag::INTEGER, self.status.0);
        let parts: Vec<Vec<u8>> = self.body_list.iter().map(BodyPartReference::encode).collect();
        let text = self
            .text
            .as_ref()
            .map(|text| asn1::encode(UTF8_STRING, &[text.as_bytes()]))
            .unwrap_or_default();
        let other = self.other.as_ref().map(encode_other).unwrap_or_default();
        asn1::encode(
            tag::SEQUENCE,
            &[&status, &encode_list(tag::SEQUENCE, &parts), &text, &other],
        )
    }
}

impl fmt::Display for CmcStatusInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)?;
        match &self.other {
            Some(OtherStatusInfo::Fail(reason)) => write!(f, " ({reason})")?,
            Some(OtherStatusInfo::ExtendedFail { oid, .. }) => write!(f, " ({})", name_with_oid(oid))?,
            Some(OtherStatusInfo::Pend(_)) | None => {}
        }
        if let Some(text) = &self.text {
            write!(f, ": {}", Escaped::new(text))?;
        }
        Ok(())
    }
}

/// ```text
/// OtherStatusInfo ::= CHOICE {
///     failInfo         CMCFailInfo,
///     pendInfo         PendInfo,
///     extendedFailInfo [1] ExtendedFailInfo }
/// ```
fn parse_other(element: &Element<'_>) -> Result<OtherStatusInfo, WireError> {
    match element.tag {
        tag::INTEGER => {
            unsigned(element, "failInfo").map(|number| OtherStatusInfo::Fail(CmcFailInfo(number)))
        }
        tag::SEQUENCE => {
            let mut reader = element.reader(Rules::Ber);
            let token = reader
                .expect(tag::OCTET_STRING, "an OCTET STRING", "pendToken")?
                .content
                .to_vec();
            let time = reader.expect(GENERALIZED_TIME, "a GeneralizedTime", "pendTime")?;
            reader.finish("pendInfo")?;
            Ok(OtherStatusInfo::Pend(PendInfo {
                token,
                time: generalized_time(&time, "pendTime")?,
            }))
        }
        tag::CONTEXT_1 => {
            let mut reader = element.reader(Rules::Ber);
            let oid = reader
                .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "failInfoOID")?
                .object_identifier("failInfoOID")?;
            let value = reader.any("failInfoValue")?.raw.to_vec();
            reader.finish("extendedFailInfo")?;
            Ok(OtherStatusInfo::ExtendedFail { oid, value })
        }
        _ => Err(wrong_tag(
            element,
            "failInfo, pendInfo or extendedFailInfo",
            "otherInfo",
        )),
    }
}

fn encode_other(other: &OtherStatusInfo) -> Vec<u8> {
    match other {
        OtherStatusInfo::Fail(reason) => encode_unsigned(tag::INTEGER, reason.0),
        OtherStatusInfo::Pend(pend_info) => {
            let token = asn1::encode(tag::OCTET_STRING, &[&pend_info.token]);
            asn1::encode(tag::SEQUENCE, &[&token, &encode_generalized_time(pend_info.time)])
        }
        OtherStatusInfo::ExtendedFail { oid, value } => {
            asn1::encode(tag::CONTEXT_1, &[&encode_oid(oid), value])
        }
    }
}

pub(super) fn utf8(element: &Element<'_>, field: &'static str) -> Result<String, WireError> {
    String::from_utf8(element.content.to_vec())
        .map_err(|_| element.problem(field, DerProblem::Value("the text is not UTF-8".to_owned())))
}

/// A GeneralizedTime in the form of RFC 5280 section 4.1.2.5.2, in seconds since the Unix epoch.
pub(super) fn generalized_time(element: &Element<'_>, field: &'static str) -> Result<u64, WireError> {
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    let wrong = || {
        let text = "not a time of the form YYYYMMDDHHMMSSZ since 1970";
        element.problem(field, DerProblem::Value(text.to_owned()))
    };
    let text = core::str::from_utf8(element.content).map_err(|_| wrong())?;
    let time = PrimitiveDateTime::parse(text, format).map_err(|_| wrong())?;
    u64::try_from(time.assume_utc().unix_timestamp()).map_err(|_| wrong())
}

pub(super) fn encode_generalized_time(seconds: u64) -> Vec<u8> {
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    // Times behind the year 9999 have no GeneralizedTime; that year stands for them, as in RFC 5280 section 4.1.2.5.
    let text = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| "99991231235959Z".to_owned());
    asn1::encode(GENERALIZED_TIME, &[text.as_bytes()])
}

/// Reads a status out of the value of a control.
pub(super) fn from_value(value: &[u8], limits: &CmcLimits) -> Result<CmcStatusInfo, WireError> {
    let mut reader = Reader::new(value, Rules::Ber);
    let element = reader.any("CMCStatusInfo")?;
    reader.finish("CMCStatusInfo")?;
    CmcStatusInfo::parse(&element, limits)
}
