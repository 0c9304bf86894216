//! Makes signed messages.

use core::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use pki_common::Certificate;
use pki_common::identity::Identity;
use rustls::sign::SigningKey;
use rustls_pki_types::CertificateDer;

use super::{CONTENT_TYPE, MESSAGE_DIGEST};
use crate::error::WireError;
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::cms::algorithm::{SIGNATURE_SCHEMES, algorithms_of};
use crate::wire::cms::identifier::CONTEXT_0_PRIMITIVE;
use crate::wire::cms::{CertificateIdentifier, CmsError, ID_DATA, ID_SIGNED_DATA, content_info, oid, set_of};

/// A key that signs, and how the message names its holder. `Debug` shows the name only.
#[derive(Clone)]
pub struct Signer {
    key: Arc<dyn SigningKey>,
    identifier: CertificateIdentifier,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A key and how it is named. That the two belong together is the caller's care.
    #[must_use]
    pub const fn new(key: Arc<dyn SigningKey>, identifier: CertificateIdentifier) -> Self {
        Self { key, identifier }
    }

    /// The holder of a certificate, named by issuer and serial number.
    #[must_use]
    pub fn with_certificate(key: Arc<dyn SigningKey>, certificate: &Certificate) -> Self {
        Self::new(key, CertificateIdentifier::issuer_and_serial_number(certificate))
    }

    /// Our own certificate and key, named by issuer and serial number.
    #[must_use]
    pub fn with_identity(identity: &Identity) -> Self {
        Self::with_certificate(Arc::clone(&identity.certified_key().key), identity.certificate())
    }

    /// A key that has no certificate yet, named by its key identifier (RFC 5272 section 4.2 for requests that are
    /// signed with the key they are for).
    ///
    /// # Errors
    /// [`CmsError::CannotSign`] when the provider does not tell the public key.
    pub fn without_certificate(key: Arc<dyn SigningKey>) -> Result<Self, CmsError> {
        let public_key = key.public_key().ok_or_else(|| {
            CmsError::CannotSign("the provider does not tell the public key of the private key".to_owned())
        })?;
        let identifier = CertificateIdentifier::of_public_key(&public_key)?;
        Ok(Self::new(key, identifier))
    }

    /// How the message will name the signer.
    #[must_use]
    pub const fn identifier(&self) -> &CertificateIdentifier {
        &self.identifier
    }
}

/// Signs `content`, with the signed attributes that RFC 5652 section 11 demands, and puts certificates along.
///
/// # Errors
/// [`CmsError::CannotSign`] when the key has no supported algorithm, [`CmsError::Wire`] when one of the certificates
/// is not a DER SEQUENCE.
pub fn sign(
    content_type: ObjectIdentifier,
    content: &[u8],
    signer: &Signer,
    certificates: &[CertificateDer<'_>],
) -> Result<Vec<u8>, CmsError> {
    sign_by_all(content_type, content, &[signer], certificates)
}

/// Signs `content` with several keys, or with none: a message without signatures still carries content and
/// certificates (RFC 5272 section 4.2 for responses that nobody could sign).
///
/// # Errors
/// As [`sign`].
pub fn sign_by_all(
    content_type: ObjectIdentifier,
    content: &[u8],
    signers: &[&Signer],
    certificates: &[CertificateDer<'_>],
) -> Result<Vec<u8>, CmsError> {
    let mut digest_algorithms = Vec::with_capacity(signers.len());
    let mut infos = Vec::with_capacity(signers.len());
    for signer in signers {
        let (digest_algorithm, info) = signer_info(content_type, content, signer)?;
        digest_algorithms.push(digest_algorithm);
        infos.push(info);
    }
    // RFC 5652 section 5.1.
    let by_key_identifier = signers
        .iter()
        .any(|signer| matches!(signer.identifier, CertificateIdentifier::SubjectKeyIdentifier(_)));
    let version = if content_type == ID_DATA && !by_key_identifier {
        1
    } else {
        3
    };
    let encapsulated = asn1::encode(tag::CONTEXT_0, &[&asn1::encode(tag::OCTET_STRING, &[content])]);
    let certificates = certificate_set(certificates)?;
    let signed_data = asn1::encode(
        tag::SEQUENCE,
        &[
            &[tag::INTEGER, 1, version],
            &set_of(tag::SET, digest_algorithms),
            &asn1::encode(tag::SEQUENCE, &[&oid(content_type), &encapsulated]),
            &certificates,
            &set_of(tag::SET, infos),
        ],
    );
    Ok(content_info(ID_SIGNED_DATA, &signed_data))
}

/// The digest's AlgorithmIdentifier and the SignerInfo.
fn signer_info(
    content_type: ObjectIdentifier,
    content: &[u8],
    signer: &Signer,
) -> Result<(Vec<u8>, Vec<u8>), CmsError> {
    let key = signer.key.choose_scheme(&SIGNATURE_SCHEMES).ok_or_else(|| {
        CmsError::CannotSign("there is no signature algorithm for this kind of key".to_owned())
    })?;
    let (digest, signature_algorithm) = algorithms_of(key.scheme())?;
    let message_digest = asn1::encode(tag::OCTET_STRING, &[&digest.digest(content)]);
    let attributes = vec![
        attribute(CONTENT_TYPE, &oid(content_type)),
        attribute(MESSAGE_DIGEST, &message_digest),
    ];
    // The signature is over the SET OF, whatever tag stands in the message (RFC 5652 section 5.4).
    let signature = key
        .sign(&set_of(tag::SET, attributes.clone()))
        .map_err(|error| CmsError::CannotSign(error.to_string()))?;
    let version = match signer.identifier {
        CertificateIdentifier::IssuerAndSerialNumber { .. } => 1,
        CertificateIdentifier::SubjectKeyIdentifier(_) => 3,
    };
    let info = asn1::encode(
        tag::SEQUENCE,
        &[
            &[tag::INTEGER, 1, version],
            &signer.identifier.to_der(CONTEXT_0_PRIMITIVE),
            &digest.identifier_der(),
            &set_of(tag::CONTEXT_0, attributes),
            &signature_algorithm,
            &asn1::encode(tag::OCTET_STRING, &[&signature]),
        ],
    );
    Ok((digest.identifier_der(), info))
}

fn attribute(identifier: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    let values = asn1::encode(tag::SET, &[value]);
    asn1::encode(tag::SEQUENCE, &[&oid(identifier), &values])
}

/// The `certificates` field; nothing at all when there are none.
fn certificate_set(certificates: &[CertificateDer<'_>]) -> Result<Vec<u8>, WireError> {
    for certificate in certificates {
        let mut reader = Reader::new(certificate, Rules::Der);
        reader.sequence("certificate")?;
        reader.finish("certificate")?;
    }
    if certificates.is_empty() {
        return Ok(Vec::new());
    }
    let all = certificates.iter().map(|der| der.to_vec()).collect();
    Ok(set_of(tag::CONTEXT_0, all))
}
