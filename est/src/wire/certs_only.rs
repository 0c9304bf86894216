//! Certs-only messages: a degenerate CMS SignedData that carries certificates and no signature (RFC 5652
//! section 5, RFC 8551 section 3.8).
//!
//! [`encode`] writes DER. [`decode`] is lenient, because old servers are not careful; what it tolerates stands there.

use const_oid::ObjectIdentifier;
use rustls_pki_types::CertificateDer;

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Reader, Rules, tag};

const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");

/// Bounds of what is accepted as a certs-only message.
///
/// # Defaults
/// [`DEFAULT_MAX_LENGTH`], [`DEFAULT_MAX_CERTIFICATES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertsOnlyLimits {
    /// Longest message, in bytes.
    pub length: usize,
    /// Most certificates, duplicates counted.
    pub certificates: usize,
}

/// A chain of ten certificates with RSA-4096 keys is about 20 kB; some servers add every root they know.
pub const DEFAULT_MAX_LENGTH: usize = 512 * 1024;

/// A root rollover of a three-level authority has eight; system bundles have about 150.
pub const DEFAULT_MAX_CERTIFICATES: usize = 256;

impl Default for CertsOnlyLimits {
    fn default() -> Self {
        Self {
            length: DEFAULT_MAX_LENGTH,
            certificates: DEFAULT_MAX_CERTIFICATES,
        }
    }
}

/// RFC 5652 section 5.1: 1 when there are only X.509 certificates and the content is id-data.
const VERSION: [u8; 3] = [tag::INTEGER, 1, 1];

/// Encodes certificates as a certs-only message in DER. A certificate that occurs twice is sent once.
///
/// ```text
/// SignedData ::= SEQUENCE {
///     version          CMSVersion,
///     digestAlgorithms DigestAlgorithmIdentifiers,
///     encapContentInfo EncapsulatedContentInfo,
///     certificates [0] IMPLICIT CertificateSet OPTIONAL,
///     crls         [1] IMPLICIT RevocationInfoChoices OPTIONAL,
///     signerInfos      SignerInfos }
/// ```
///
/// A SET OF is sorted in DER (X.690 section 11.6): the order of the certificates does not survive, and a receiver
/// must find the one it wants by its key.
///
/// # Errors
/// [`WireError::Der`] when one of the certificates is not a DER SEQUENCE.
pub fn encode(certificates: &[CertificateDer<'_>]) -> Result<Vec<u8>, WireError> {
    for certificate in certificates {
        let mut reader = Reader::new(certificate, Rules::Der);
        reader.sequence("certificate")?;
        reader.finish("certificate")?;
    }
    // X.690 section 11.6: ascending, as octet strings; a shorter one that is the start of another cannot occur here.
    let mut set: Vec<&[u8]> = certificates.iter().map(AsRef::as_ref).collect();
    set.sort_unstable();
    set.dedup();
    let content_type = asn1::encode(tag::OBJECT_IDENTIFIER, &[ID_DATA.as_bytes()]);
    let signed_data = asn1::encode(
        tag::SEQUENCE,
        &[
            &VERSION,
            // No digest algorithms.
            &asn1::encode(tag::SET, &[]),
            &asn1::encode(tag::SEQUENCE, &[&content_type]),
            &asn1::encode(tag::CONTEXT_0, &set),
            // No signer infos.
            &asn1::encode(tag::SET, &[]),
        ],
    );
    let content_type = asn1::encode(tag::OBJECT_IDENTIFIER, &[ID_SIGNED_DATA.as_bytes()]);
    let content = asn1::encode(tag::CONTEXT_0, &[&signed_data]);
    Ok(asn1::encode(tag::SEQUENCE, &[&content_type, &content]))
}

/// The certificates of a certs-only message, in the order they stand there, each once.
///
/// Tolerated, because servers in the field send it: BER lengths (indefinite, or longer than needed) around the
/// certificates, duplicates, any order, a missing `certificates` field, attribute certificates and other choices
/// (skipped), encapsulated content, CRLs and signer infos (ignored: nothing here is trusted because of a
/// signature around it).
///
/// Not tolerated: bytes behind the message, another content type than signed data, a certificate that is itself not
/// in definite-length form (its signature could not be right), anything over the limits.
///
/// # Errors
/// [`WireError::TooLong`], [`WireError::TooMany`], [`WireError::Der`] with the position.
pub fn decode(message: &[u8], limits: &CertsOnlyLimits) -> Result<Vec<CertificateDer<'static>>, WireError> {
    if message.len() > limits.length {
        return Err(WireError::TooLong {
            what: "certs-only message",
            limit: limits.length,
        });
    }
    let mut reader = Reader::new(message, Rules::Ber);
    let content_info = reader.sequence("ContentInfo")?;
    reader.finish("ContentInfo")?;
    let mut reader = content_info.reader(Rules::Ber);
    let content_type = reader.expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "contentType")?;
    let oid = content_type.object_identifier("contentType")?;
    if oid != ID_SIGNED_DATA {
        let problem = DerProblem::Value(format!("expected signed data ({ID_SIGNED_DATA}), found {oid}"));
        return Err(content_type.problem("contentType", problem));
    }
    let content = reader.expect(tag::CONTEXT_0, "[0]", "content")?;
    reader.finish("ContentInfo")?;
    let mut reader = content.reader(Rules::Ber);
    let signed_data = reader.sequence("SignedData")?;
    reader.finish("content")?;
    let mut reader = signed_data.reader(Rules::Ber);
    reader.expect(tag::INTEGER, "an INTEGER", "SignedData.version")?;
    reader.expect(tag::SET, "a SET", "digestAlgorithms")?;
    reader.sequence("encapContentInfo")?;
    let certificates = match reader.optional(tag::CONTEXT_0, "certificates")? {
        Some(set) => read_certificates(set.reader(Rules::Ber), limits.certificates)?,
        None => Vec::new(),
    };
    reader.optional(tag::CONTEXT_1, "crls")?;
    reader.expect(tag::SET, "a SET", "signerInfos")?;
    reader.finish("SignedData")?;
    Ok(certificates)
}

/// The X.509 certificates of a CertificateSet (RFC 5652 section 10.2.3), in the order they stand there, each once;
/// `limit` counts duplicates and other kinds, which are skipped.
pub(super) fn read_certificates(
    mut reader: Reader<'_>,
    limit: usize,
) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
    let mut count = 0_usize;
    while !reader.is_empty() {
        count += 1;
        if count > limit {
            let what = "certificates";
            return Err(WireError::TooMany { what, limit });
        }
        let element = reader.any("certificate")?;
        if element.tag != tag::SEQUENCE {
            continue;
        }
        if element.indefinite {
            return Err(element.problem("certificate", DerProblem::Length));
        }
        if !certificates.iter().any(|earlier| earlier.as_ref() == element.raw) {
            certificates.push(CertificateDer::from(element.raw.to_vec()));
        }
    }
    Ok(certificates)
}
