//! Private keys in an AsymmetricKeyPackage (RFC 5958), signed by who made them and encrypted for who asked
//! (RFC 7030 section 4.4.2).
//!
//! ```text
//! EnvelopedData { contentType id-signedData,
//!   SignedData { eContentType id-ct-KP-aKeyPackage,
//!     AsymmetricKeyPackage { OneAsymmetricKey } } }
//! ```

use core::fmt;

use const_oid::ObjectIdentifier;
use pki_common::Certificate;
use pki_common::signature::SignaturePolicy;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::error::WireError;
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::cms::enveloped_data::{ContentEncryption, DecryptionKey, EnvelopedData, Recipient, encrypt};
use crate::wire::cms::signed_data::{SignedData, Signer, sign};
use crate::wire::cms::{CmsError, CmsLimits, ID_SIGNED_DATA};

/// `id-ct-KP-aKeyPackage` (RFC 5958 section 2).
pub const ID_ASYMMETRIC_KEY_PACKAGE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.16.840.1.101.2.1.2.78.5");

/// An AsymmetricKeyPackage with one key. A key in PKCS#8 is a OneAsymmetricKey of version 1.
#[must_use]
pub fn encode_key_package(key: &PrivatePkcs8KeyDer<'_>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(asn1::encode(tag::SEQUENCE, &[key.secret_pkcs8_der()]))
}

/// Signs a package with the key and encrypts it.
///
/// The encrypted content is the SignedData itself, without a ContentInfo around it: its type stands in the
/// EnvelopedData (RFC 5652 section 6.1).
///
/// # Errors
/// [`CmsError::CannotSign`], [`CmsError::CannotEncrypt`].
pub fn encrypt_key_package(
    key: &PrivatePkcs8KeyDer<'_>,
    signer: &Signer,
    certificates: &[CertificateDer<'_>],
    recipients: &[Recipient],
    encryption: ContentEncryption,
) -> Result<Vec<u8>, CmsError> {
    let package = encode_key_package(key);
    let signed = Zeroizing::new(sign(ID_ASYMMETRIC_KEY_PACKAGE, &package, signer, certificates)?);
    encrypt(
        ID_SIGNED_DATA,
        without_content_info(&signed)?,
        recipients,
        encryption,
    )
}

fn without_content_info(message: &[u8]) -> Result<&[u8], WireError> {
    let content_info = Reader::new(message, Rules::Der).sequence("ContentInfo")?;
    let mut reader = content_info.reader(Rules::Der);
    reader.any("contentType")?;
    Ok(reader.any("content")?.content)
}

/// A key that came out of its package. `Debug` hides it.
pub struct KeyPackage {
    /// The private key.
    pub key: PrivatePkcs8KeyDer<'static>,
    /// Who signed the package, signatures verified; empty when nobody did. Whether they are trusted is for the caller.
    pub signers: Vec<Certificate>,
}

impl fmt::Debug for KeyPackage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyPackage")
            .field("signers", &self.signers)
            .finish_non_exhaustive()
    }
}

/// Decrypts a message of content type `id-envelopedData` and takes the key out.
///
/// Accepted inside: signed data with or without a ContentInfo around it, and, because servers differ, a key package or
/// a PKCS#8 key that nobody signed ([`KeyPackage::signers`] is empty then).
///
/// # Errors
/// [`CmsError`]; a signature that is there must be right.
pub fn open_key_package(
    message: &[u8],
    key: &DecryptionKey,
    policy: SignaturePolicy,
    limits: &CmsLimits,
) -> Result<KeyPackage, CmsError> {
    let content = EnvelopedData::parse(message, limits)?.decrypt(key)?;
    let mut outer = Reader::new(&content, Rules::Ber);
    let element = outer.sequence("key package")?;
    outer.finish("key package")?;
    let mut inner = element.reader(Rules::Ber);
    match inner.peek() {
        // ContentInfo begins with its type.
        Some(tag::OBJECT_IDENTIFIER) => open_signed(&content, policy, limits),
        // AsymmetricKeyPackage begins with a key.
        Some(tag::SEQUENCE) => Ok(KeyPackage {
            key: read_package(&content)?,
            signers: Vec::new(),
        }),
        _ => {
            inner.expect(tag::INTEGER, "an INTEGER", "version")?;
            // SignedData goes on with the set of digests, a PKCS#8 key with its algorithm.
            if inner.peek() == Some(tag::SET) {
                let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[ID_SIGNED_DATA.as_bytes()]);
                let explicit = Zeroizing::new(asn1::encode(tag::CONTEXT_0, &[&content]));
                let message = Zeroizing::new(asn1::encode(tag::SEQUENCE, &[&oid, &explicit]));
                open_signed(&message, policy, limits)
            } else {
                Ok(KeyPackage {
                    key: PrivatePkcs8KeyDer::from(content.to_vec()),
                    signers: Vec::new(),
                })
            }
        }
    }
}

fn open_signed(message: &[u8], policy: SignaturePolicy, limits: &CmsLimits) -> Result<KeyPackage, CmsError> {
    let signed = SignedData::parse(message, limits)?;
    if signed.content_type() != ID_ASYMMETRIC_KEY_PACKAGE {
        return Err(CmsError::ContentType {
            expected: "an asymmetric key package",
            found: signed.content_type(),
        });
    }
    let signers = signed
        .verify(&[], policy)?
        .into_iter()
        .map(|signer| signer.certificate)
        .collect();
    let key = read_package(signed.content().ok_or(CmsError::NoContent)?)?;
    Ok(KeyPackage { key, signers })
}

/// The one key of a package.
fn read_package(package: &[u8]) -> Result<PrivatePkcs8KeyDer<'static>, WireError> {
    const FIELD: &str = "AsymmetricKeyPackage";
    let mut outer = Reader::new(package, Rules::Ber);
    let keys = outer.sequence(FIELD)?;
    outer.finish(FIELD)?;
    let mut reader = keys.reader(Rules::Ber);
    let first = reader.sequence("OneAsymmetricKey")?;
    if !reader.is_empty() {
        return Err(WireError::TooMany {
            what: "keys in a package",
            limit: 1,
        });
    }
    Ok(PrivatePkcs8KeyDer::from(first.raw.to_vec()))
}
