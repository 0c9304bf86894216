//! Signed data (RFC 5652 section 5).
//!
//! ```text
//! content + Signer --sign--> message --SignedData::parse--> SignedData --verify--> VerifiedSigner
//! ```
//!
//! A verified signature says that the holder of a certificate signed this content. Whether that certificate is to be
//! trusted is for the caller to decide.

mod sign;
mod verify;

use const_oid::ObjectIdentifier;
use rustls_pki_types::CertificateDer;

pub use sign::{Signer, sign, sign_by_all};
pub use verify::VerifiedSigner;

use super::octets::octets;
use super::{
    CertificateIdentifier, CmsError, CmsLimits, DigestAlgorithm, ID_SIGNED_DATA, read_algorithm,
    read_content_of, read_oid,
};
use crate::error::WireError;
use crate::wire::asn1::{Element, Reader, Rules, tag};
use crate::wire::certs_only::read_certificates;

/// `id-contentType` (RFC 5652 section 11.1).
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// `id-messageDigest` (RFC 5652 section 11.2).
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// A signed message whose structure is sound. Nothing in it is verified until [`SignedData::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData {
    content_type: ObjectIdentifier,
    content: Option<Vec<u8>>,
    certificates: Vec<CertificateDer<'static>>,
    revocation_lists: Vec<Vec<u8>>,
    signers: Vec<SignerInfo>,
}

/// One signature of a [`SignedData`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerInfo {
    identifier: CertificateIdentifier,
    digest_algorithm: ObjectIdentifier,
    signed_attributes: Option<SignedAttributes>,
    signature_algorithm: ObjectIdentifier,
    signature_algorithm_der: Vec<u8>,
    signature: Vec<u8>,
}

/// The attributes under a signature, with the bytes the signature may be over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SignedAttributes {
    attributes: Vec<SignedAttribute>,
    /// The content octets of the SET as sent.
    as_sent: Vec<u8>,
}

/// An attribute under a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttribute {
    /// What it is.
    pub oid: ObjectIdentifier,
    /// Its values, each a DER element.
    pub values: Vec<Vec<u8>>,
    der: Vec<u8>,
}

impl SignedData {
    /// Reads a message of content type `id-signedData`.
    ///
    /// Tolerated, because it occurs in the field: BER lengths, content in pieces, duplicate certificates, any order,
    /// certificates and revocation lists of other kinds (skipped). Not tolerated: bytes behind the message, a
    /// certificate in indefinite-length form, anything over the limits.
    ///
    /// # Errors
    /// [`CmsError::ContentType`] for another kind of message, [`CmsError::Wire`] with the position for the rest.
    pub fn parse(message: &[u8], limits: &CmsLimits) -> Result<Self, CmsError> {
        let content = read_content_of(message, ID_SIGNED_DATA, "signed data", limits)?;
        let mut reader = content.reader(Rules::Ber);
        reader.expect(tag::INTEGER, "an INTEGER", "SignedData.version")?;
        // What the signers use stands with each of them; this set only announces it.
        reader.expect(tag::SET, "a SET", "digestAlgorithms")?;
        let (content_type, content) = read_encapsulated(&reader.sequence("encapContentInfo")?)?;
        let certificates = match reader.optional(tag::CONTEXT_0, "certificates")? {
            Some(set) => read_certificates(set.reader(Rules::Ber), limits.certificates)?,
            None => Vec::new(),
        };
        let revocation_lists = match reader.optional(tag::CONTEXT_1, "crls")? {
            Some(set) => read_revocation_lists(set.reader(Rules::Ber), limits)?,
            None => Vec::new(),
        };
        let infos = reader.expect(tag::SET, "a SET", "signerInfos")?;
        reader.finish("SignedData")?;
        let mut infos = infos.reader(Rules::Ber);
        let mut signers = Vec::new();
        while !infos.is_empty() {
            if signers.len() >= limits.signers {
                return Err(too_many("signers", limits.signers).into());
            }
            signers.push(SignerInfo::read(&infos.sequence("signerInfo")?, limits)?);
        }
        Ok(Self {
            content_type,
            content,
            certificates,
            revocation_lists,
            signers,
        })
    }

    /// What the content is.
    #[must_use]
    pub const fn content_type(&self) -> ObjectIdentifier {
        self.content_type
    }

    /// The content, `None` when it is not in the message (a detached signature).
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// The certificates, in the order they stand there, each once. They are whatever the sender put there.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// The revocation lists (CertificateList, DER) that came along.
    #[must_use]
    pub fn revocation_lists(&self) -> &[Vec<u8>] {
        &self.revocation_lists
    }

    /// The signatures.
    #[must_use]
    pub fn signers(&self) -> &[SignerInfo] {
        &self.signers
    }
}

impl SignerInfo {
    /// How the message names the signer.
    #[must_use]
    pub const fn identifier(&self) -> &CertificateIdentifier {
        &self.identifier
    }

    /// The attributes under the signature; empty when there are none.
    #[must_use]
    pub fn signed_attributes(&self) -> &[SignedAttribute] {
        self.signed_attributes
            .as_ref()
            .map_or(&[], |signed| &signed.attributes)
    }

    /// The signature value, which a countersignature or a receipt refers to.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The digest over the content.
    ///
    /// # Errors
    /// [`CmsError::UnsupportedAlgorithm`].
    pub fn digest_algorithm(&self) -> Result<DigestAlgorithm, CmsError> {
        DigestAlgorithm::from_oid(&self.digest_algorithm)
    }

    fn read(info: &Element<'_>, limits: &CmsLimits) -> Result<Self, WireError> {
        let mut reader = info.reader(Rules::Ber);
        reader.expect(tag::INTEGER, "an INTEGER", "SignerInfo.version")?;
        let identifier = CertificateIdentifier::read(&reader.any("sid")?, "sid")?;
        let (digest_algorithm, _) = read_algorithm(&reader.sequence("digestAlgorithm")?, "digestAlgorithm")?;
        let signed_attributes = match reader.optional(tag::CONTEXT_0, "signedAttrs")? {
            Some(set) => Some(SignedAttributes::read(&set, limits)?),
            None => None,
        };
        let algorithm = reader.sequence("signatureAlgorithm")?;
        let (signature_algorithm, _) = read_algorithm(&algorithm, "signatureAlgorithm")?;
        let signature = octets(&reader.any("signature")?, tag::OCTET_STRING, "signature")?;
        // Nothing is decided by what nobody signed.
        reader.optional(tag::CONTEXT_1, "unsignedAttrs")?;
        reader.finish("SignerInfo")?;
        Ok(Self {
            identifier,
            digest_algorithm,
            signed_attributes,
            signature_algorithm,
            signature_algorithm_der: algorithm.raw.to_vec(),
            signature,
        })
    }
}

impl SignedAttributes {
    fn read(set: &Element<'_>, limits: &CmsLimits) -> Result<Self, WireError> {
        let mut attributes: Vec<SignedAttribute> = Vec::new();
        let mut reader = set.reader(Rules::Ber);
        while !reader.is_empty() {
            if attributes.len() >= limits.attributes {
                return Err(too_many("signed attributes", limits.attributes));
            }
            let element = reader.sequence("signed attribute")?;
            let mut parts = element.reader(Rules::Ber);
            let oid = read_oid(&mut parts, "attrType")?;
            let values = parts.expect(tag::SET, "a SET", "attrValues")?;
            parts.finish("signed attribute")?;
            let mut values_reader = values.reader(Rules::Ber);
            let mut values = Vec::new();
            while !values_reader.is_empty() {
                if values.len() >= limits.attributes {
                    return Err(too_many("values of a signed attribute", limits.attributes));
                }
                values.push(values_reader.any("attrValue")?.raw.to_vec());
            }
            attributes.push(SignedAttribute {
                oid,
                values,
                der: element.raw.to_vec(),
            });
        }
        Ok(Self {
            attributes,
            as_sent: set.content.to_vec(),
        })
    }
}

fn read_encapsulated(info: &Element<'_>) -> Result<(ObjectIdentifier, Option<Vec<u8>>), WireError> {
    let mut reader = info.reader(Rules::Ber);
    let content_type = read_oid(&mut reader, "eContentType")?;
    let Some(explicit) = reader.optional(tag::CONTEXT_0, "eContent")? else {
        reader.finish("encapContentInfo")?;
        return Ok((content_type, None));
    };
    reader.finish("encapContentInfo")?;
    let mut reader = explicit.reader(Rules::Ber);
    let content = octets(&reader.any("eContent")?, tag::OCTET_STRING, "eContent")?;
    reader.finish("eContent")?;
    Ok((content_type, Some(content)))
}

fn read_revocation_lists(mut reader: Reader<'_>, limits: &CmsLimits) -> Result<Vec<Vec<u8>>, WireError> {
    let mut lists = Vec::new();
    while !reader.is_empty() {
        if lists.len() >= limits.certificates {
            return Err(too_many("revocation lists", limits.certificates));
        }
        let element = reader.any("crl")?;
        if element.tag == tag::SEQUENCE {
            lists.push(element.raw.to_vec());
        }
    }
    Ok(lists)
}

const fn too_many(what: &'static str, limit: usize) -> WireError {
    WireError::TooMany { what, limit }
}
