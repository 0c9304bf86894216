//! Cryptographic Message Syntax (RFC 5652): signed data and enveloped data as EST needs them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`signed_data`] | content with signatures over it: made, read, verified |
//! | [`enveloped_data`] | content encrypted for recipients: made, read, decrypted |
//!
//! Certificates without any signature around them are in [`certs_only`](crate::wire::certs_only).
//!
//! What is written is DER. What is read may be BER with indefinite lengths and octet strings in pieces, as
//! `openssl cms -stream` and old servers write it; every count and size is bounded by [`CmsLimits`].

pub mod enveloped_data;
pub mod signed_data;

mod algorithm;
mod error;
mod identifier;
mod octets;

use const_oid::ObjectIdentifier;

pub use algorithm::DigestAlgorithm;
pub(crate) use algorithm::sign_as_in_certificates;
pub use error::CmsError;
pub use identifier::CertificateIdentifier;
#[cfg(feature = "cli")]
pub(crate) use identifier::subject_key_identifier;

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};

/// `id-data` (RFC 5652 section 4): octets of any meaning.
pub const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// `id-signedData` (RFC 5652 section 5).
pub const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// `id-envelopedData` (RFC 5652 section 6).
pub const ID_ENVELOPED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.3");

/// Bounds of what is accepted as a CMS message.
///
/// # Defaults
/// [`DEFAULT_MAX_MESSAGE_LENGTH`], [`DEFAULT_MAX_CERTIFICATES`], [`DEFAULT_MAX_SIGNERS`],
/// [`DEFAULT_MAX_RECIPIENTS`], [`DEFAULT_MAX_ATTRIBUTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CmsLimits {
    /// Longest message, in bytes of BER.
    pub length: usize,
    /// Most certificates, duplicates counted.
    pub certificates: usize,
    /// Most signer infos. Each costs up to two signature verifications per candidate certificate.
    pub signers: usize,
    /// Most recipient infos.
    pub recipients: usize,
    /// Most signed attributes of one signer.
    pub attributes: usize,
}

/// A CMC response of a whole root rollover with RSA-4096 keys is about 20 kB; some servers add every root they know.
pub const DEFAULT_MAX_MESSAGE_LENGTH: usize = 512 * 1024;

/// As for certs-only messages: system bundles have about 150.
pub const DEFAULT_MAX_CERTIFICATES: usize = 256;

/// A CMC request has one signature, with an identity proof by another key two (RFC 5272 section 3.2).
pub const DEFAULT_MAX_SIGNERS: usize = 8;

/// A generated key is for one recipient; people encrypt a copy for the archive.
pub const DEFAULT_MAX_RECIPIENTS: usize = 16;

/// Signers in the field write four.
pub const DEFAULT_MAX_ATTRIBUTES: usize = 32;

impl Default for CmsLimits {
    fn default() -> Self {
        Self {
            length: DEFAULT_MAX_MESSAGE_LENGTH,
            certificates: DEFAULT_MAX_CERTIFICATES,
            signers: DEFAULT_MAX_SIGNERS,
            recipients: DEFAULT_MAX_RECIPIENTS,
            attributes: DEFAULT_MAX_ATTRIBUTES,
        }
    }
}

/// Reads a ContentInfo: its content type and the element that is its content.
fn read_content_info<'a>(
    message: &'a [u8],
    limits: &CmsLimits,
) -> Result<(ObjectIdentifier, Element<'a>), WireError> {
    if message.len() > limits.length {
        return Err(WireError::TooLong {
            what: "CMS message",
            limit: limits.length,
        });
    }
    let mut reader = Reader::new(message, Rules::Ber);
    let content_info = reader.sequence("ContentInfo")?;
    reader.finish("ContentInfo")?;
    let mut reader = content_info.reader(Rules::Ber);
    let content_type = read_oid(&mut reader, "contentType")?;
    let content = reader.expect(tag::CONTEXT_0, "[0]", "content")?;
    reader.finish("ContentInfo")?;
    let mut reader = content.reader(Rules::Ber);
    let inner = reader.any("content")?;
    reader.finish("content")?;
    Ok((content_type, inner))
}

/// Reads a ContentInfo that must have this content type; its content is a SEQUENCE.
fn read_content_of<'a>(
    message: &'a [u8],
    wanted: ObjectIdentifier,
    name: &'static str,
    limits: &CmsLimits,
) -> Result<Element<'a>, CmsError> {
    let (found, content) = read_content_info(message, limits)?;
    if found != wanted {
        return Err(CmsError::ContentType {
            expected: name,
            found,
        });
    }
    if content.tag != tag::SEQUENCE {
        let problem = DerProblem::WrongTag {
            expected: "a SEQUENCE",
            found: content.tag,
        };
        return Err(content.problem("content", problem).into());
    }
    Ok(content)
}

/// The content type of a message, to tell signed from enveloped data before reading either.
///
/// # Errors
/// [`WireError`] when the message is not a ContentInfo or is longer than the limit.
pub fn content_type(message: &[u8], limits: &CmsLimits) -> Result<ObjectIdentifier, WireError> {
    read_content_info(message, limits).map(|(content_type, _)| content_type)
}

/// Encodes a ContentInfo around content that is already encoded.
fn content_info(content_type: ObjectIdentifier, content: &[u8]) -> Vec<u8> {
    let content = asn1::encode(tag::CONTEXT_0, &[content]);
    asn1::encode(tag::SEQUENCE, &[&oid(content_type), &content])
}

fn oid(identifier: ObjectIdentifier) -> Vec<u8> {
    asn1::encode(tag::OBJECT_IDENTIFIER, &[identifier.as_bytes()])
}

fn read_oid(reader: &mut Reader<'_>, field: &'static str) -> Result<ObjectIdentifier, WireError> {
    reader
        .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", field)?
        .object_identifier(field)
}

/// The identifier of an AlgorithmIdentifier, and its parameters as they stand there.
fn read_algorithm<'a>(
    algorithm: &Element<'a>,
    field: &'static str,
) -> Result<(ObjectIdentifier, &'a [u8]), WireError> {
    let mut reader = algorithm.reader(Rules::Ber);
    let identifier = read_oid(&mut reader, field)?;
    let parameters = if reader.is_empty() {
        &[][..]
    } else {
        reader.any(field)?.raw
    };
    reader.finish(field)?;
    Ok((identifier, parameters))
}

/// Encodes a SET OF in DER: sorted, each element once (X.690 section 11.6).
fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    elements.dedup();
    let parts: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    asn1::encode(tag, &parts)
}
