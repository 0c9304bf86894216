//! A CA certificate with its private key: how one comes to be, and what is signed with it.

mod crl;
mod request;
mod rollover;
mod signing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use der::asn1::OctetString;
use der::{self, Encode as _};
use pki_common::{Diagnose, Failure, Rung};
use rustls::crypto::CryptoProvider;
use rustls::sign::SigningKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::name::RdnSequence;

use super::serial::SerialNumber;
use super::x509::{self, CaFields, Extension, TbsCertificate};
use crate::wire::asn1::{self, tag};
use crate::wire::csr::PublicKey;
use signing::{key_spki, load_key, signed, signer};

pub use crl::CrlSettings;
pub use request::{MAX_CHAIN_LENGTH, authority_request};
pub use rollover::Rollover;

/// A CA certificate with its private key.
///
/// The key works through the crypto provider of rustls, so that a hardware key behind a
/// [`SigningKey`] serves as well.
pub struct Issuer {
    certificate: CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    fields: CaFields,
    key: Arc<dyn SigningKey>,
    provider: Arc<CryptoProvider>,
}

/// A set-up that cannot issue. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The CA certificate cannot be read.
    #[error("the CA certificate cannot be read: {0}")]
    Certificate(String),
    /// The certificate is not one of a CA.
    #[error("the certificate of {subject} is not a CA certificate: {missing}")]
    NotACa {
        /// The certificate's subject.
        subject: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// The private key cannot be used.
    #[error("the CA's private key cannot be used: {0}")]
    Key(String),
    /// Certificate and key do not belong together.
    #[error("the CA's private key does not belong to the certificate of {subject}")]
    KeyMismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// The subject asked for is not a distinguished name.
    #[error("{text:?} is not a distinguished name as RFC 4514 writes it: {problem}")]
    Subject {
        /// The text.
        text: String,
        /// What is wrong.
        problem: String,
    },
    /// The time asked for cannot be written into a certificate.
    #[error("the validity cannot be encoded: {0}")]
    Validity(String),
    /// The certificates above an intermediate authority do not lead from it upwards.
    #[error("certificate {position} of the chain does not fit: {problem}")]
    Chain {
        /// Its place, counted from 1; 1 is the one that signed the authority's own.
        position: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Something that only a root can do was asked of an intermediate authority.
    #[error("{subject} is no root but has its certificate from another authority")]
    NotARoot {
        /// Its subject.
        subject: String,
    },
    /// Encoding or signing failed.
    #[error("a certificate could not be made: {0}")]
    Signing(String),
}

impl Diagnose for IssuerError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Certificate(_) => "Give the CA certificate as a v3 certificate in PEM or DER.",
            Self::NotACa { .. } => "Give a certificate with CA:TRUE and keyCertSign.",
            Self::Key(_) => "Use an EC P-256 or P-384, RSA (2048 bits or more) or Ed25519 key in PKCS#8.",
            Self::KeyMismatch { .. } => "Give the private key that belongs to the CA certificate.",
            Self::Subject { .. } => "Write the subject like CN=Lab Root,DC=example,DC=com.",
            Self::Validity(_) => "Choose an end of validity before the year 10000.",
            Self::Chain { .. } => {
                "Give the certificates from the one that signed this authority up to the root, in this order."
            }
            Self::NotARoot { .. } => "Ask the authority above for a new certificate.",
            Self::Signing(_) => "Check the CA's key and the crypto provider.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl Issuer {
    /// Puts a CA certificate and its private key together.
    ///
    /// # Errors
    /// The certificate must be readable and say `CA:TRUE` and `keyCertSign`, the key must be usable with the
    /// provider and belong to the certificate.
    pub fn new(
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, IssuerError> {
        let key = load_key(key, &provider)?;
        let fields = CaFields::parse(&certificate).map_err(IssuerError::Certificate)?;
        let subject = fields.subject_text.clone();
        if !fields.is_ca {
            return Err(IssuerError::NotACa {
                subject,
                missing: "basicConstraints CA:TRUE",
            });
        }
        if !fields.may_sign_certificates {
            return Err(IssuerError::NotACa {
                subject,
                missing: "keyUsage keyCertSign",
            });
        }
        if key_spki(key.as_ref())? != fields.spki_der {
            return Err(IssuerError::KeyMismatch { subject });
        }
        signer(key.as_ref())?;
        Ok(Self {
            certificate,
            chain: Vec::new(),
            fields,
            key,
            provider,
        })
    }

    /// Makes a self-signed root: `CA:TRUE`, `keyCertSign` and `cRLSign`, a subject key identifier, valid from
    /// `now` (less [`ROOT_BACKDATE`]) for `validity`.
    ///
    /// `subject` is a distinguished name as RFC 4514 writes it, the most specific attribute first:
    /// `CN=Lab Root,O=Example,DC=example,DC=com`.
    ///
    /// # Errors
    /// [`IssuerError`]: a subject that cannot be read, a key that the provider does not take, a time after 9999.
    pub fn self_signed(
        subject: &str,
        key: PrivateKeyDer<'static>,
        validity: Duration,
        now: UnixTime,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, IssuerError> {
        Self::self_signed_as(&encode_subject(subject)?, key, validity, now, provider)
    }

    /// As [`Self::self_signed`], with the subject as a Name in DER, which is used byte for byte.
    ///
    /// # Errors
    /// As [`Self::self_signed`].
    pub fn self_signed_as(
        subject_der: &[u8],
        key: PrivateKeyDer<'static>,
        validity: Duration,
        now: UnixTime,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, IssuerError> {
        let signing_key = load_key(key.clone_key(), &provider)?;
        let spki_der = key_spki(signing_key.as_ref())?;
        let public_key =
            PublicKey::from_spki_der(&spki_der).map_err(|error| IssuerError::Key(error.to_string()))?;
        let not_before = x509::seconds(now).saturating_sub(ROOT_BACKDATE.as_secs());
        let not_after = x509::seconds(now).saturating_add(validity.as_secs());
        for seconds in [not_before, not_after] {
            x509::time(seconds).map_err(|error| IssuerError::Validity(error.to_string()))?;
        }
        let certificate = signed(signing_key.as_ref(), |algorithm| {
            TbsCertificate {
                serial_number: random_serial(&provider)?,
                signature: algorithm,
                issuer: subject_der,
                not_before,
                not_after,
                subject: subject_der,
                subject_public_key_info: &spki_der,
                extensions: &authority_extensions(&public_key)?,
            }
            .to_der()
        })?;
        Self::new(CertificateDer::from(certificate), key, provider)
    }

    /// The CA certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificates above it, the one that signed it first; empty for a root.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The CA's subject as RFC 4514 writes it.
    pub fn subject_text(&self) -> &str {
        &self.fields.subject_text
    }

    /// Start and end of the CA certificate's validity, in seconds since the Unix epoch.
    pub fn validity(&self) -> (u64, u64) {
        (self.fields.not_before, self.fields.not_after)
    }

    /// The `subjectKeyIdentifier` of the CA certificate; empty when it has none.
    pub fn key_identifier(&self) -> &[u8] {
        self.fields.key_identifier.as_deref().unwrap_or_default()
    }

    /// The crypto provider the key works through.
    pub fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// A random serial number.
    ///
    /// # Errors
    /// [`IssuerError::Signing`] when the provider has no randomness to give.
    pub fn random_serial(&self) -> Result<SerialNumber, IssuerError> {
        random_serial(&self.provider).map_err(|error| IssuerError::Signing(error.to_string()))
    }

    /// Signs a certificate that names this authority as its issuer.
    pub(crate) fn sign(
        &self,
        contents: CertificateContents<'_>,
    ) -> Result<CertificateDer<'static>, IssuerError> {
        let certificate = signed(self.key.as_ref(), |algorithm| {
            let mut extensions = contents.extensions;
            extensions.extend(self.authority_key_identifier()?);
            TbsCertificate {
                serial_number: contents.serial,
                signature: algorithm,
                issuer: &self.fields.subject_der,
                not_before: contents.not_before,
                not_after: contents.not_after,
                subject: contents.subject_der,
                subject_public_key_info: contents.spki_der,
                extensions: &extensions,
            }
            .to_der()
        })?;
        Ok(CertificateDer::from(certificate))
    }

    /// The extension that tells which key signed (RFC 5280 sections 4.2.1.1 and 5.2.1).
    fn authority_key_identifier(&self) -> der::Result<Option<Extension>> {
        let Some(identifier) = &self.fields.key_identifier else {
            return Ok(None);
        };
        // keyIdentifier [0] IMPLICIT KeyIdentifier, and neither of the other two fields.
        let key_identifier = asn1::encode(tag::IMPLICIT_0, &[identifier]);
        let value = asn1::encode(tag::SEQUENCE, &[&key_identifier]);
        Extension::from_value(x509::AUTHORITY_KEY_IDENTIFIER, false, value).map(Some)
    }
}

/// The private key never shows.
impl fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Issuer")
            .field("subject", &self.fields.subject_text)
            .finish_non_exhaustive()
    }
}

/// How far a new root's validity starts in the past: devices' clocks are late more often than not.
pub const ROOT_BACKDATE: Duration = Duration::from_secs(60 * 60);

/// What a certificate is to contain, besides what the issuer adds.
pub(crate) struct CertificateContents<'a> {
    pub(crate) serial: SerialNumber,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) subject_der: &'a [u8],
    pub(crate) spki_der: &'a [u8],
    pub(crate) extensions: Vec<Extension>,
}

impl SerialNumber {
    fn to_x509(self) -> der::Result<x509_cert::serial_number::SerialNumber> {
        x509_cert::serial_number::SerialNumber::new(self.as_bytes())
    }
}

fn random_serial(provider: &CryptoProvider) -> der::Result<SerialNumber> {
    let mut octets = [0; SerialNumber::LENGTH];
    provider
        .secure_random
        .fill(&mut octets)
        .map_err(|_| der::Error::from(der::ErrorKind::Failed))?;
    Ok(SerialNumber::from_random(octets))
}

fn encode_subject(text: &str) -> Result<Vec<u8>, IssuerError> {
    let wrong = |problem: String| IssuerError::Subject {
        text: text.to_owned(),
        problem,
    };
    let name: RdnSequence = text
        .parse()
        .map_err(|error: der::Error| wrong(error.to_string()))?;
    if name.0.is_empty() {
        return Err(wrong(
            "it is empty, and a CA must have a subject (RFC 5280 section 4.1.2.6)".to_owned(),
        ));
    }
    name.to_der().map_err(|error| wrong(error.to_string()))
}

fn authority_extensions(key: &PublicKey) -> der::Result<Vec<Extension>> {
    let identifier = SubjectKeyIdentifier(OctetString::new(key.key_identifier().as_slice())?);
    let constraints = BasicConstraints {
        ca: true,
        path_len_constraint: None,
    };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    Ok(vec![
        Extension::new(x509::BASIC_CONSTRAINTS, true, &constraints)?,
        Extension::new(x509::KEY_USAGE, true, &usage)?,
        Extension::new(x509::SUBJECT_KEY_IDENTIFIER, false, &identifier)?,
    ])
}
