//! How CMS names the holder of a key: by issuer and serial number, or by key identifier.

use core::fmt;

use der::Decode as _;
use pki_common::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::name::Name;

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Rules, tag};
use crate::wire::csr::PublicKey;
use crate::wire::hexadecimal;

/// `[0]` with octets in it, as IMPLICIT OCTET STRINGs are written.
pub(super) const CONTEXT_0_PRIMITIVE: u8 = 0x80;

/// A SignerIdentifier or RecipientIdentifier (RFC 5652 sections 5.3 and 6.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateIdentifier {
    /// The certificate with this serial number of this issuer.
    IssuerAndSerialNumber {
        /// The issuer's DER Name, as it stands in the certificate.
        issuer_der: Vec<u8>,
        /// The content octets of the serial number.
        serial_number: Vec<u8>,
    },
    /// The key with this identifier (RFC 5280 section 4.2.1.2).
    SubjectKeyIdentifier(Vec<u8>),
}

impl CertificateIdentifier {
    /// Issuer and serial number of a certificate.
    #[must_use]
    pub fn issuer_and_serial_number(certificate: &Certificate) -> Self {
        Self::IssuerAndSerialNumber {
            issuer_der: certificate.issuer_der().to_vec(),
            serial_number: certificate.serial_number().to_vec(),
        }
    }

    /// The key identifier of a public key by RFC 5280 section 4.2.1.2 method (1), for a key without certificate.
    ///
    /// # Errors
    /// [`WireError::Der`] when the SubjectPublicKeyInfo cannot be read.
    pub fn of_public_key(spki_der: &[u8]) -> Result<Self, WireError> {
        let key = PublicKey::from_spki_der(spki_der)?;
        Ok(Self::SubjectKeyIdentifier(key.key_identifier().to_vec()))
    }

    /// Whether the certificate is the one named. A key identifier is compared with the certificate's own, and with
    /// that of method (1) when it has none.
    #[must_use]
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerialNumber {
                issuer_der,
                serial_number,
            } => {
                issuer_der == certificate.issuer_der()
                    && magnitude(serial_number) == magnitude(certificate.serial_number())
            }
            Self::SubjectKeyIdentifier(wanted) => {
                subject_key_identifier(certificate).is_some_and(|found| found == *wanted)
            }
        }
    }

    /// Whether a key is the one named. Only a key identifier names a key as such.
    #[must_use]
    pub fn names_key(&self, spki_der: &[u8]) -> bool {
        Self::of_public_key(spki_der).is_ok_and(|identifier| identifier == *self)
    }

    /// IssuerAndSerialNumber, or the key identifier under `key_identifier_tag`.
    pub(super) fn to_der(&self, key_identifier_tag: u8) -> Vec<u8> {
        match self {
            Self::IssuerAndSerialNumber {
                issuer_der,
                serial_number,
            } => {
                let serial_number = asn1::encode(tag::INTEGER, &[serial_number]);
                asn1::encode(tag::SEQUENCE, &[issuer_der, &serial_number])
            }
            Self::SubjectKeyIdentifier(identifier) => asn1::encode(key_identifier_tag, &[identifier]),
        }
    }

    /// Reads a SignerIdentifier or RecipientIdentifier.
    pub(super) fn read(element: &Element<'_>, field: &'static str) -> Result<Self, WireError> {
        match element.tag {
            tag::SEQUENCE => Self::read_issuer_and_serial_number(element, field),
            CONTEXT_0_PRIMITIVE | tag::CONTEXT_0 => {
                super::octets::octets(element, CONTEXT_0_PRIMITIVE, field).map(Self::SubjectKeyIdentifier)
            }
            found => {
                let expected = "issuer and serial number, or a key identifier";
                Err(element.problem(field, DerProblem::WrongTag { expected, found }))
            }
        }
    }

    pub(super) fn read_issuer_and_serial_number(
        element: &Element<'_>,
        field: &'static str,
    ) -> Result<Self, WireError> {
        let mut reader = element.reader(Rules::Ber);
        let issuer = reader.sequence(field)?;
        let serial_number = reader.expect(tag::INTEGER, "an INTEGER", field)?;
        reader.finish(field)?;
        Ok(Self::IssuerAndSerialNumber {
            issuer_der: issuer.raw.to_vec(),
            serial_number: serial_number.content.to_vec(),
        })
    }
}

impl fmt::Display for CertificateIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IssuerAndSerialNumber {
                issuer_der,
                serial_number,
            } => {
                let issuer = Name::from_der(issuer_der)
                    .map_or_else(|_| "an unreadable name".to_owned(), |name| name.to_string());
                write!(
                    formatter,
                    "serial number 0x{} of {issuer:?}",
                    hexadecimal::encode(serial_number)
                )
            }
            Self::SubjectKeyIdentifier(identifier) if identifier.is_empty() => {
                formatter.write_str("an empty key identifier")
            }
            Self::SubjectKeyIdentifier(identifier) => {
                write!(formatter, "key identifier {}", hexadecimal::encode(identifier))
            }
        }
    }
}

/// The certificate's subject key identifier, or the one of method (1) when it carries none.
pub(crate) fn subject_key_identifier(certificate: &Certificate) -> Option<Vec<u8>> {
    let own = x509_cert::Certificate::from_der(certificate.der())
        .ok()
        .and_then(|parsed| {
            parsed
                .tbs_certificate
                .get::<SubjectKeyIdentifier>()
                .ok()
                .flatten()
        })
        .map(|(_, identifier)| identifier.0.into_bytes());
    own.or_else(|| {
        PublicKey::from_spki_der(certificate.spki_der())
            .ok()
            .map(|key| key.key_identifier().to_vec())
    })
}

/// Some encoders add or drop the leading zero of a serial number.
fn magnitude(serial_number: &[u8]) -> &[u8] {
    let zeros = serial_number.iter().take_while(|octet| **octet == 0).count();
    serial_number.get(zeros..).unwrap_or_default()
}
