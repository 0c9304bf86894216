//! The client's side of `serverkeygen` (RFC 7030 section 4.4.2): from the answer to a private key and its certificate.
//!
//! ```text
//! body --read_answer--> ServerKeyAnswer --open--> ServerGeneratedKey
//! ```

use core::fmt;

use const_oid::ObjectIdentifier;
use pki_common::signature::SignaturePolicy;
use pki_common::tls::crypto_provider;
use pki_common::{Certificate, Diagnose, Failure, Rung};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::WireError;
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::base64;
use crate::wire::certs_only::{self, CertsOnlyLimits};
use crate::wire::cms::enveloped_data::DecryptionKey;
use crate::wire::cms::{CmsError, CmsLimits, ID_ENVELOPED_DATA, content_type};
use crate::wire::media_type::{MediaType, PKCS8};
use crate::wire::multipart::{self, Part};
use crate::wire::server_key::{KeyPackage, open_key_package};

/// `rsaEncryption` (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Why an answer does not yield a key with its certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerKeyError {
    /// The body cannot be read.
    #[error("the answer cannot be read: {0}")]
    Wire(#[from] WireError),
    /// The body is cut off: the closing boundary is missing and the last part cannot be read.
    #[error(
        "the answer is cut off: it ends without the closing boundary, within the part at byte {position}. libest \
         announces a Content-Length that is too short; the server must send the whole body"
    )]
    CutOff {
        /// Where the part begins.
        position: usize,
    },
    /// A part that must be there is missing.
    #[error("the answer has no part with {0}")]
    Missing(&'static str),
    /// The encrypted key cannot be had.
    #[error("the private key in the answer: {0}")]
    Cms(#[from] CmsError),
    /// The key is encrypted, and there is nothing to decrypt it with.
    #[error("the private key in the answer is encrypted, and no key to decrypt it with is given")]
    Encrypted,
    /// The private key cannot be used.
    #[error("the private key in the answer cannot be used: {0}")]
    Key(String),
    /// No certificate in the answer belongs to the private key.
    #[error("none of the {certificates} certificates in the answer belongs to the private key in it")]
    Mismatch {
        /// How many certificates there are.
        certificates: usize,
    },
}

impl Diagnose for ServerKeyError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Wire(error) => error.diagnose().remedy,
            Self::Cms(error) => error.diagnose().remedy,
            Self::CutOff { .. } => "Ask again; if it lasts, have the server corrected.".to_owned(),
            Self::Encrypted => {
                "Give the private key or the shared key that the request named for the encryption.".to_owned()
            }
            Self::Missing(_) | Self::Key(_) | Self::Mismatch { .. } => {
                "Do not use the answer; ask again and tell the operator of the server.".to_owned()
            }
        };
        Failure::new(Rung::Body, self.to_string(), remedy)
    }
}

/// Bounds of what is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerKeyLimits {
    /// On the encrypted key.
    pub cms: CmsLimits,
    /// On the certificates.
    pub certificates: CertsOnlyLimits,
}

/// An answer in its parts. `Debug` hides the key.
pub struct ServerKeyAnswer {
    key: KeyPart,
    certificates: Vec<CertificateDer<'static>>,
    limits: ServerKeyLimits,
}

enum KeyPart {
    Clear(PrivatePkcs8KeyDer<'static>),
    Encrypted(Vec<u8>),
}

impl fmt::Debug for ServerKeyAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerKeyAnswer")
            .field("encrypted", &self.is_encrypted())
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}

/// A private key that a server made, with its certificate. Wiped when dropped; `Debug` hides the key.
pub struct ServerGeneratedKey {
    key: PrivatePkcs8KeyDer<'static>,
    certificate: CertificateDer<'static>,
    others: Vec<CertificateDer<'static>>,
    package_signers: Vec<Certificate>,
    was_encrypted: bool,
}

impl Drop for ServerGeneratedKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for ServerGeneratedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerGeneratedKey")
            .field("was_encrypted", &self.was_encrypted)
            .field("package_signers", &self.package_signers)
            .finish_non_exhaustive()
    }
}

impl ServerGeneratedKey {
    /// The private key in PKCS#8.
    #[must_use]
    pub const fn private_key(&self) -> &PrivatePkcs8KeyDer<'static> {
        &self.key
    }

    /// The certificate that belongs to it. Not validated.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Other certificates that came along.
    #[must_use]
    pub fn other_certificates(&self) -> &[CertificateDer<'static>] {
        &self.others
    }

    /// Who signed the key package; the signatures are right, trust is for the caller to decide. Empty for a key in the
    /// clear and for one whose package nobody signed.
    #[must_use]
    pub fn package_signers(&self) -> &[Certificate] {
        &self.package_signers
    }

    /// Whether the key was encrypted beyond TLS. A client that asked for it should demand it.
    #[must_use]
    pub const fn was_encrypted(&self) -> bool {
        self.was_encrypted
    }
}

/// Splits an answer of Content-Type `content_type` into key and certificates, in whichever order they come.
///
/// Tolerated: what [`multipart::decode`] tolerates, parts without a type (told apart by what is in them), PEM armour.
///
/// # Errors
/// [`ServerKeyError`]; [`ServerKeyError::CutOff`] when the end is missing and what there is does not suffice.
pub fn read_answer(
    content_type: &str,
    body: &[u8],
    limits: ServerKeyLimits,
) -> Result<ServerKeyAnswer, ServerKeyError> {
    let parts = multipart::decode(&MediaType::parse(content_type)?, body)?;
    let (mut key, mut certificates) = (None, None);
    for part in &parts {
        let read = read_part(part, &limits).map_err(|error| {
            if part.complete {
                ServerKeyError::from(error)
            } else {
                ServerKeyError::CutOff {
                    position: part.position,
                }
            }
        })?;
        match read {
            Content::Key(found) if key.is_none() => key = Some(found),
            Content::Certificates(found) if certificates.is_none() => certificates = Some(found),
            Content::Key(_) | Content::Certificates(_) | Content::Other => {}
        }
    }
    Ok(ServerKeyAnswer {
        key: key.ok_or(ServerKeyError::Missing("a private key"))?,
        certificates: certificates.ok_or(ServerKeyError::Missing("certificates"))?,
        limits,
    })
}

enum Content {
    Key(KeyPart),
    Certificates(Vec<CertificateDer<'static>>),
    Other,
}

fn read_part(part: &Part<'_>, limits: &ServerKeyLimits) -> Result<Content, WireError> {
    let essence = part.content_type.as_ref().map_or("", MediaType::essence);
    let known = ["", PKCS8, "application/pkcs7-mime", "application/x-pkcs7-mime"].contains(&essence);
    if !known {
        return Ok(Content::Other);
    }
    if let Some(certificates) = pem_certificates(part.body) {
        return Ok(Content::Certificates(certificates));
    }
    let body = Zeroizing::new(der_of(part, limits)?);
    let mut reader = Reader::new(&body, Rules::Ber);
    let element = reader.sequence("part")?;
    reader.finish("part")?;
    // PKCS#8 begins with a version, a CMS message with its content type.
    if element.reader(Rules::Ber).peek() == Some(tag::INTEGER) {
        return Ok(Content::Key(KeyPart::Clear(PrivatePkcs8KeyDer::from(as_pkcs8(
            &body, &element,
        )))));
    }
    if content_type(&body, &limits.cms)? == ID_ENVELOPED_DATA {
        return Ok(Content::Key(KeyPart::Encrypted(body.to_vec())));
    }
    certs_only::decode(&body, &limits.certificates).map(Content::Certificates)
}

/// The key in PKCS#8. libest labels the RSAPrivateKey of PKCS#1 (RFC 8017 appendix A.1.2) as `application/pkcs8`: there
/// the modulus follows the version, where PKCS#8 has the algorithm.
fn as_pkcs8(body: &[u8], key: &Element<'_>) -> Vec<u8> {
    let mut reader = key.reader(Rules::Ber);
    let is_pkcs1 = reader.any("version").is_ok() && reader.peek() == Some(tag::INTEGER);
    if !is_pkcs1 {
        return body.to_vec();
    }
    let algorithm = asn1::encode(
        tag::SEQUENCE,
        &[
            &asn1::encode(tag::OBJECT_IDENTIFIER, &[RSA_ENCRYPTION.as_bytes()]),
            &asn1::encode(tag::NULL, &[]),
        ],
    );
    let version = asn1::encode(tag::INTEGER, &[&[0]]);
    let inner = Zeroizing::new(asn1::encode(tag::OCTET_STRING, &[body]));
    asn1::encode(tag::SEQUENCE, &[&version, &algorithm, &inner])
}

/// The certificates of a part in PEM; `None` when it is something else.
fn pem_certificates(body: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(body)
        .filter_map(Result::ok)
        .collect();
    (!all.is_empty()).then_some(all)
}

/// Base64 with or without PEM armour, or plain DER.
fn der_of(part: &Part<'_>, limits: &ServerKeyLimits) -> Result<Vec<u8>, WireError> {
    let limit = limits.cms.length.max(limits.certificates.length);
    if part.body.first() == Some(&tag::SEQUENCE) && Reader::new(part.body, Rules::Ber).any("part").is_ok() {
        return Ok(part.body.to_vec());
    }
    let mut inside = Vec::new();
    let mut armoured = false;
    for line in part.body.split(|byte| *byte == b'\n') {
        let text = line.trim_ascii();
        if text.starts_with(b"-----BEGIN ") {
            armoured = true;
            inside.clear();
        } else if text.starts_with(b"-----END ") {
            break;
        } else {
            inside.extend_from_slice(line);
            inside.push(b'\n');
        }
    }
    let inside = Zeroizing::new(inside);
    let text = if armoured { inside.as_slice() } else { part.body };
    base64::decode(text, limit).map_err(|error| match error {
        WireError::Base64 { position, problem } if !armoured => WireError::Base64 {
            position: part.position + position,
            problem,
        },
        other => other,
    })
}

impl ServerKeyAnswer {
    /// Whether the key is encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.key, KeyPart::Encrypted(_))
    }

    /// Decrypts the key with the first of `keys` that it is for, and finds the certificate that belongs to it.
    ///
    /// # Errors
    /// [`ServerKeyError::Encrypted`] without a key to decrypt with, [`ServerKeyError::Cms`] when none fits or the
    /// package's signature is wrong, [`ServerKeyError::Mismatch`] when no certificate belongs to the private key.
    pub fn open(
        self,
        keys: &[DecryptionKey],
        policy: SignaturePolicy,
    ) -> Result<ServerGeneratedKey, ServerKeyError> {
        let was_encrypted = self.is_encrypted();
        let KeyPackage { key, signers } = match self.key {
            KeyPart::Clear(key) => KeyPackage {
                key,
                signers: Vec::new(),
            },
            KeyPart::Encrypted(message) => decrypt(&message, keys, policy, &self.limits.cms)?,
        };
        let public_key = public_key_of(&key)?;
        let count = self.certificates.len();
        let (mut own, others): (Vec<_>, Vec<_>) = self.certificates.into_iter().partition(|der| {
            Certificate::from_der(der).is_ok_and(|found| same_key(found.spki_der(), &public_key))
        });
        let certificate = own
            .pop()
            .ok_or(ServerKeyError::Mismatch { certificates: count })?;
        Ok(ServerGeneratedKey {
            key,
            certificate,
            others,
            package_signers: signers,
            was_encrypted,
        })
    }
}

fn decrypt(
    message: &[u8],
    keys: &[DecryptionKey],
    policy: SignaturePolicy,
    limits: &CmsLimits,
) -> Result<KeyPackage, ServerKeyError> {
    let mut outcome = Err(ServerKeyError::Encrypted);
    for key in keys {
        outcome = open_key_package(message, key, policy, limits).map_err(ServerKeyError::from);
        let not_this_one = matches!(
            outcome,
            Err(ServerKeyError::Cms(
                CmsError::NotARecipient { .. } | CmsError::Decryption
            ))
        );
        if !not_this_one {
            break;
        }
    }
    outcome
}

fn public_key_of(key: &PrivatePkcs8KeyDer<'static>) -> Result<Vec<u8>, ServerKeyError> {
    let unusable = |error: &dyn fmt::Display| ServerKeyError::Key(error.to_string());
    let provider = crypto_provider().map_err(|error| unusable(&error))?;
    let signing_key = provider
        .key_provider
        .load_private_key(PrivateKeyDer::Pkcs8(key.clone_key()))
        .map_err(|error| unusable(&error))?;
    let public_key = signing_key.public_key();
    let public_key =
        public_key.ok_or_else(|| unusable(&"the crypto provider does not tell its public key"))?;
    Ok(public_key.to_vec())
}

/// Compares the key bits; the parameters of an RSA key are written with NULL or without.
fn same_key(one: &[u8], other: &[u8]) -> bool {
    let bits = |spki| {
        let mut reader = Reader::new(spki, Rules::Der)
            .sequence("key")
            .ok()?
            .reader(Rules::Der);
        reader.sequence("algorithm").ok()?;
        Some(reader.any("bits").ok()?.content)
    };
    bits(one).is_some() && bits(one) == bits(other)
}
