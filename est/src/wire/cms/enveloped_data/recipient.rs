//! Who a message can be encrypted for.

use der::Decode as _;
use pki_common::Certificate;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::key_agreement::{self, Curve};
use super::key_encryption_key::KeyEncryptionKey;
use super::key_transport::{self, KeyTransport};
use crate::wire::asn1::{Reader, Rules, tag};
use crate::wire::cms::{CertificateIdentifier, CmsError};
use crate::wire::csr::{PublicKey, PublicKeyKind};

/// A recipient of enveloped data.
#[derive(Clone, Debug)]
pub struct Recipient(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Rsa {
        identifier: CertificateIdentifier,
        public_key: Vec<u8>,
        transport: KeyTransport,
    },
    Ec {
        identifier: CertificateIdentifier,
        curve: Curve,
        public_key: Vec<u8>,
    },
    KeyEncryptionKey(KeyEncryptionKey),
}

impl Recipient {
    /// The holder of a certificate, named by issuer and serial number.
    ///
    /// # Errors
    /// [`CmsError::CannotEncrypt`] when the certificate's key cannot receive (Ed25519, RSA-PSS, other curves) or its
    /// key usage does not allow it: `keyEncipherment` for RSA, `keyAgreement` for EC (RFC 5280 section 4.2.1.3).
    pub fn certificate(certificate: &Certificate, transport: KeyTransport) -> Result<Self, CmsError> {
        let identifier = CertificateIdentifier::issuer_and_serial_number(certificate);
        let recipient = Self::public_key(certificate.spki_der(), identifier, transport)?;
        let (needed, name) = match &recipient.0 {
            Kind::Rsa { .. } => (KeyUsages::KeyEncipherment, "keyEncipherment"),
            _ => (KeyUsages::KeyAgreement, "keyAgreement"),
        };
        let unreadable = |error: der::Error| {
            CmsError::CannotEncrypt(format!("the recipient's certificate cannot be read: {error}"))
        };
        let parsed = x509_cert::Certificate::from_der(certificate.der()).map_err(unreadable)?;
        let usage = parsed.tbs_certificate.get::<KeyUsage>().map_err(unreadable)?;
        if usage.is_some_and(|(_, usage)| !usage.0.contains(needed)) {
            return Err(CmsError::CannotEncrypt(format!(
                "the key usage of the certificate of {} does not include {name}",
                certificate.subject()
            )));
        }
        Ok(recipient)
    }

    /// The holder of a public key that both sides know by this identifier.
    ///
    /// # Errors
    /// [`CmsError::CannotEncrypt`] when the key cannot receive, [`CmsError::Wire`] when it cannot be read.
    pub fn public_key(
        spki_der: &[u8],
        identifier: CertificateIdentifier,
        transport: KeyTransport,
    ) -> Result<Self, CmsError> {
        let kind = PublicKey::from_spki_der(spki_der)?.kind().clone();
        let mut outer = Reader::new(spki_der, Rules::Der);
        let mut reader = outer.sequence("subjectPublicKeyInfo")?.reader(Rules::Der);
        reader.sequence("algorithm")?;
        let public_key = reader
            .expect(tag::BIT_STRING, "a BIT STRING", "subjectPublicKey")?
            .octet_aligned_bits("subjectPublicKey")?
            .to_vec();
        if matches!(kind, PublicKeyKind::Rsa { .. }) {
            return Ok(Self(Kind::Rsa {
                identifier,
                public_key,
                transport,
            }));
        }
        let curve = Curve::of(&kind).ok_or_else(|| {
            CmsError::CannotEncrypt(format!(
                "a key of type {kind} cannot receive; use RSA, P-256, P-384 or P-521"
            ))
        })?;
        Ok(Self(Kind::Ec {
            identifier,
            curve,
            public_key,
        }))
    }

    /// The holder of a shared symmetric key.
    #[must_use]
    pub const fn key_encryption_key(key: KeyEncryptionKey) -> Self {
        Self(Kind::KeyEncryptionKey(key))
    }

    /// The RecipientInfo with the content-encryption key for this recipient.
    pub(super) fn info(&self, content_key: &[u8]) -> Result<Vec<u8>, CmsError> {
        match &self.0 {
            Kind::Rsa {
                identifier,
                public_key,
                transport,
            } => key_transport::recipient_info(identifier, public_key, *transport, content_key),
            Kind::Ec {
                identifier,
                curve,
                public_key,
            } => key_agreement::recipient_info(identifier, *curve, public_key, content_key),
            Kind::KeyEncryptionKey(key) => key.recipient_info(content_key),
        }
    }

    /// Whether RFC 5652 section 6.1 lets the whole message have version 0.
    pub(super) const fn is_version_0(&self) -> bool {
        matches!(
            self.0,
            Kind::Rsa {
                identifier: CertificateIdentifier::IssuerAndSerialNumber { .. },
                ..
            }
        )
    }
}
