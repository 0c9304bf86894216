//! Which structure some DER is, by the tags of its first elements.

use rustls_pki_types::UnixTime;

use super::{Report, beginning, certificate, cmc, message, private_key, request, revocation_list};
use crate::error::WireError;
use crate::wire::asn1::{Reader, Rules, tag};
use crate::wire::csr_attributes::{CsrAttributes, CsrAttributesLimits};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

pub(super) fn der(bytes: &[u8], encoding: &str, now: UnixTime) -> Report {
    // BER, because a message of an old server is to be recognised, too.
    let shape = match shape(bytes) {
        Ok(shape) => shape,
        Err(error) => {
            return Report::new("unknown", encoding)
                .with("bytes", bytes.len().to_string())
                .with("begins with", beginning(bytes))
                .with_problem(format!("it cannot be read as ASN.1: {error}"));
        }
    };
    let mut report = match Kind::of(&shape) {
        Kind::Certificate => certificate::inspect(bytes, now),
        Kind::Request => request::inspect(bytes),
        Kind::RevocationList => revocation_list::inspect(bytes, now),
        Kind::Message => message::inspect(bytes, now),
        Kind::CsrAttributes => csr_attributes(bytes),
        Kind::CmcRequest => cmc::request(bytes),
        Kind::CmcResponse => cmc::response(bytes),
        Kind::Crmf => cmc::crmf_message(bytes),
        Kind::CrmfList => cmc::crmf_messages(bytes),
        Kind::Pkcs8 => private_key::pkcs8(bytes),
        Kind::Pkcs1 => private_key::other(bytes, "RSA private key", "PKCS #1 (RFC 8017)"),
        Kind::Sec1 => private_key::other(bytes, "EC private key", "SEC 1 (RFC 5915)"),
        Kind::EncryptedPkcs8 => private_key::encrypted(bytes),
        Kind::PublicKey => private_key::public(bytes),
        Kind::Unknown => Report::new("unknown ASN.1", encoding)
            .with("bytes", bytes.len().to_string())
            .with(
                "tags",
                shape
                    .iter()
                    .map(|tag| format!("{tag:02x}"))
                    .collect::<Vec<_>>()
                    .join(" "),
            )
            .with_problem("it is ASN.1, but nothing that EST uses"),
    };
    report.encoding = encoding.to_owned();
    report
}

enum Kind {
    Certificate,
    Request,
    RevocationList,
    Message,
    CsrAttributes,
    CmcRequest,
    CmcResponse,
    /// A CertReqMsg, and a list of them.
    Crmf,
    CrmfList,
    Pkcs8,
    Pkcs1,
    Sec1,
    EncryptedPkcs8,
    PublicKey,
    Unknown,
}

/// The tags of the elements of the outermost sequence; behind its first one, if that is a sequence, the tags in it and
/// then 0, which is no tag.
fn shape(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut reader = Reader::new(bytes, Rules::Ber);
    let outer = reader.sequence("outermost element")?;
    let mut tags = Vec::new();
    let mut inner = outer.reader(Rules::Ber);
    // Sixteen are more than the longest pattern below.
    while !inner.is_empty() && tags.len() < 16 {
        let element = inner.any("element of the outermost sequence")?;
        if tags.is_empty() && element.tag == tag::SEQUENCE {
            tags.push(element.tag);
            let mut first = element.reader(Rules::Ber);
            while !first.is_empty() && tags.len() < 12 {
                tags.push(first.any("element of the first sequence")?.tag);
            }
            tags.push(0);
        } else {
            tags.push(element.tag);
        }
    }
    Ok(tags)
}

impl Kind {
    fn of(shape: &[u8]) -> Self {
        use tag::{BIT_STRING, CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, SET};
        match shape {
            [] => Self::CsrAttributes,
            [OBJECT_IDENTIFIER, CONTEXT_0] => Self::Message,
            [OBJECT_IDENTIFIER, ..] | [SEQUENCE, OBJECT_IDENTIFIER, SET, 0, ..] => Self::CsrAttributes,
            [INTEGER, SEQUENCE, OCTET_STRING, ..] => Self::Pkcs8,
            [INTEGER, OCTET_STRING, ..] => Self::Sec1,
            [INTEGER, INTEGER, INTEGER, INTEGER, ..] => Self::Pkcs1,
            [SEQUENCE, OBJECT_IDENTIFIER, .., 0, OCTET_STRING] => Self::EncryptedPkcs8,
            [SEQUENCE, OBJECT_IDENTIFIER, .., 0, BIT_STRING] => Self::PublicKey,
            [SEQUENCE, inner @ .., 0, SEQUENCE, BIT_STRING] => Self::signed(inner),
            // certReq, popo and regInfo.
            [SEQUENCE, INTEGER, SEQUENCE, .., 0, 0x80 | 0xa1..=0xa3] | [SEQUENCE, INTEGER, SEQUENCE, 0] => {
                Self::Crmf
            }
            [SEQUENCE, SEQUENCE, 0x80 | 0xa1..=0xa3, 0] => Self::CrmfList,
            // Three or four lists, of which the first holds the controls, each a SEQUENCE.
            [SEQUENCE, controls @ .., 0, SEQUENCE, SEQUENCE, SEQUENCE] if Self::are_controls(controls) => {
                Self::CmcRequest
            }
            [SEQUENCE, controls @ .., 0, SEQUENCE, SEQUENCE] if Self::are_controls(controls) => {
                Self::CmcResponse
            }
            _ => Self::Unknown,
        }
    }

    fn are_controls(tags: &[u8]) -> bool {
        tags.iter().all(|found| *found == tag::SEQUENCE)
    }

    fn signed(inner: &[u8]) -> Self {
        use tag::{CONTEXT_0, INTEGER, SEQUENCE};
        match inner {
            [INTEGER, SEQUENCE, SEQUENCE] | [INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0] => Self::Request,
            [INTEGER, SEQUENCE, SEQUENCE, UTC_TIME | GENERALIZED_TIME, ..]
            | [SEQUENCE, SEQUENCE, UTC_TIME | GENERALIZED_TIME, ..] => Self::RevocationList,
            [CONTEXT_0, INTEGER, ..] | [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, ..] => Self::Certificate,
            _ => Self::Unknown,
        }
    }
}

fn csr_attributes(bytes: &[u8]) -> Report {
    let report = Report::new("CSR attributes", "DER").with("bytes", bytes.len().to_string());
    match CsrAttributes::from_der(bytes, &CsrAttributesLimits::default()) {
        Ok(attributes) => {
            let demands = attributes.requirements().lines();
            report
                .with("entries", attributes.entries().len().to_string())
                .with_list("asked for", attributes.describe())
                .with_list("what a request must have", demands)
        }
        Err(error) => report.with_problem(format!("they cannot be read: {error}")),
    }
}
