//! Certificate Management over CMS (CMC, RFC 5272 with RFC 6402): the contents of Full PKI Requests and Responses.
//!
//! | module | what it does |
//! |---|---|
//! | `pki_data` | [`PkiData`] and [`PkiResponse`]: controls, requests and messages, each with its body part number |
//! | `control` | the controls whose meaning is known; others survive as bytes |
//! | `oid` | the numbers of the controls, with their names |
//! | `status` | what became of each body part: status and failure code |
//! | `identity_proof` | proofs by a shared secret |
//! | `crmf` | requests in the syntax of RFC 4211 with their proof of possession |
//!
//! A Full PKI Request is a [`PkiData`] inside a CMS SignedData, the response a [`PkiResponse`] inside another.
//!
//! ```
//! use est::wire::cmc::{BodyPartId, Control, PkiData, TaggedAttribute};
//!
//! let nonce = TaggedAttribute::new(BodyPartId(1), &Control::SenderNonce(vec![7; 16]));
//! let data = PkiData::new(vec![nonce], Vec::new());
//! let read = PkiData::from_der(&data.to_der(), &Default::default())?;
//! assert_eq!(read.controls()[0].control()?, Control::SenderNonce(vec![7; 16]));
//! # Ok::<(), est::WireError>(())
//! ```

mod control;
mod crmf;
pub mod identity_proof;
pub mod oid;
pub mod oracle;
mod pki_data;
mod status;

use std::fmt;

use const_oid::ObjectIdentifier;

pub use control::{Control, IssuerAndSerialNumber, LraPopWitness, MacProof, RevokeRequestControl};
pub use crmf::{CertificateRequestMessage, ProofOfPossession};
pub use pki_data::{
    OtherMessage, OtherRequest, PkiData, PkiResponse, TaggedAttribute, TaggedContentInfo, TaggedRequest,
};
pub use status::{BodyPartReference, CmcFailInfo, CmcStatus, CmcStatusInfo, OtherStatusInfo, PendInfo};

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, tag};

/// `id-cct-PKIData`: the content type of a Full PKI Request (RFC 5272 section 3.2.1).
pub const ID_CCT_PKI_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.12.2");
/// `id-cct-PKIResponse`: the content type of a Full PKI Response (RFC 5272 section 4.2.1).
pub const ID_CCT_PKI_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.12.3");

/// Bounds of what is accepted as a PKIData or PKIResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CmcLimits {
    /// Longest encoding, in bytes of DER.
    pub length: usize,
    /// Most body parts (controls, requests, messages together), most values of one control, most body parts that
    /// one status names.
    pub body_parts: usize,
}

/// Sixteen requests of 8 kB each.
pub const DEFAULT_MAX_CMC_LENGTH: usize = 128 * 1024;

/// Clients in the field send one request and up to ten controls.
pub const DEFAULT_MAX_BODY_PARTS: usize = 64;

impl Default for CmcLimits {
    fn default() -> Self {
        Self {
            length: DEFAULT_MAX_CMC_LENGTH,
            body_parts: DEFAULT_MAX_BODY_PARTS,
        }
    }
}

/// The number of a part of a PKIData or PKIResponse (RFC 5272 section 3.2.2). Unique within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyPartId(pub u32);

impl BodyPartId {
    /// The PKIData or PKIResponse as a whole; no part of it has this number.
    pub const WHOLE: Self = Self(0);
    /// The number that a status gives a Simple PKI Request (RFC 5272 section 6.1.1).
    pub const SIMPLE_REQUEST: Self = Self(1);

    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        unsigned(element, "bodyPartID").map(Self)
    }

    /// The number as an INTEGER in DER.
    pub fn to_der(self) -> Vec<u8> {
        encode_unsigned(tag::INTEGER, self.0)
    }
}

impl fmt::Display for BodyPartId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A non-negative INTEGER or ENUMERATED of at most 32 bits.
fn unsigned(element: &Element<'_>, field: &'static str) -> Result<u32, WireError> {
    let wrong = |text: &str| element.problem(field, DerProblem::Value(text.to_owned()));
    let magnitude = match element.content {
        [] => return Err(wrong("a number without content")),
        [first, ..] if first & 0x80 != 0 => return Err(wrong("the number is negative")),
        [0, magnitude @ ..] | magnitude => magnitude,
    };
    if magnitude.len() > 4 {
        return Err(wrong("the number is above 4294967295"));
    }
    Ok(magnitude
        .iter()
        .fold(0, |number, octet| (number << 8) | u32::from(*octet)))
}

fn encode_unsigned(tag: u8, number: u32) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(3);
    let significant = octets.get(zeros..).unwrap_or(&octets);
    let sign: &[u8] = match significant.first() {
        Some(first) if first & 0x80 != 0 => &[0],
        _ => &[],
    };
    asn1::encode(tag, &[sign, significant])
}

/// Takes an INTEGER.
fn integer<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<Element<'a>, WireError> {
    reader.expect(tag::INTEGER, "an INTEGER", field)
}

fn wrong_tag(element: &Element<'_>, expected: &'static str, field: &'static str) -> WireError {
    let found = element.tag;
    element.problem(field, DerProblem::WrongTag { expected, found })
}

/// A SEQUENCE or SET of parts that are encoded already.
fn encode_list(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    asn1::encode(tag, &parts)
}

fn encode_oid(oid: &ObjectIdentifier) -> Vec<u8> {
    asn1::encode(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}

fn at_most(count: usize, limit: usize, what: &'static str) -> Result<(), WireError> {
    if count >= limit {
        return Err(WireError::TooMany { what, limit });
    }
    Ok(())
}
