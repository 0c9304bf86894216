//! A CA certificate with its private key, and how a root comes to be.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use der::asn1::{Any, BitString, OctetString};
use der::{self, Decode as _, Encode as _};
use pki_common::{Diagnose, Failure, Rung};
use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::sign::{Signer, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::RdnSequence;
use x509_cert::time::Validity;

use super::serial::SerialNumber;
use super::x509::{self, CaFields, Extension, SignedCertificate, TbsCertificate};
use crate::wire::csr::PublicKey;

/// A CA certificate with its private key.
///
/// The key works through the crypto provider of rustls, so that a hardware key behind a
/// [`SigningKey`] serves as well.
pub struct Issuer {
    certificate: CertificateDer<'static>,
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
            Self::Signing(_) => "Check the CA's key and the crypto provider.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

/// Algorithms an issuer signs with, by preference. Which one applies follows from the key.
const SIGNATURE_SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PKCS1_SHA256,
];

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
        let signing_key = load_key(key.clone_key(), &provider)?;
        let subject_der = encode_subject(subject)?;
        let spki_der = key_spki(signing_key.as_ref())?;
        let public_key =
            PublicKey::from_spki_der(&spki_der).map_err(|error| IssuerError::Key(error.to_string()))?;
        let not_before = x509::seconds(now).saturating_sub(ROOT_BACKDATE.as_secs());
        let not_after = x509::seconds(now).saturating_add(validity.as_secs());
        let encoded_time =
            |seconds| x509::time(seconds).map_err(|error| IssuerError::Validity(error.to_string()));
        let validity = Validity {
            not_before: encoded_time(not_before)?,
            not_after: encoded_time(not_after)?,
        };
        let certificate = signed_certificate(signing_key.as_ref(), |signature| {
            Ok(TbsCertificate {
                version: x509::V3,
                serial_number: random_serial(&provider)?.to_x509()?,
                signature,
                issuer: Any::from_der(&subject_der)?,
                validity,
                subject: Any::from_der(&subject_der)?,
                subject_public_key_info: Any::from_der(&spki_der)?,
                extensions: root_extensions(&public_key)?,
            })
        })?;
        Self::new(certificate, key, provider)
    }

    /// The CA certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The CA's subject as RFC 4514 writes it.
    pub fn subject_text(&self) -> &str {
        &self.fields.subject_text
    }

    /// Start and end of the CA certificate's validity, in seconds since the Unix epoch.
    pub fn validity(&self) -> (u64, u64) {
        (self.fields.not_before, self.fields.not_after)
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
        signed_certificate(self.key.as_ref(), |signature| {
            let mut extensions = contents.extensions;
            if let Some(identifier) = &self.fields.key_identifier {
                let value = AuthorityKeyIdentifier {
                    key_identifier: Some(OctetString::new(identifier.as_slice())?),
                    authority_cert_issuer: None,
                    authority_cert_serial_number: None,
                };
                extensions.push(Extension::new(x509::AUTHORITY_KEY_IDENTIFIER, false, &value)?);
            }
            Ok(TbsCertificate {
                version: x509::V3,
                serial_number: contents.serial.to_x509()?,
                signature,
                issuer: Any::from_der(&self.fields.subject_der)?,
                validity: Validity {
                    not_before: x509::time(contents.not_before)?,
                    not_after: x509::time(contents.not_after)?,
                },
                subject: Any::from_der(contents.subject_der)?,
                subject_public_key_info: Any::from_der(contents.spki_der)?,
                extensions,
            })
        })
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

fn load_key(
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, IssuerError> {
    provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| IssuerError::Key(error.to_string()))
}

fn key_spki(key: &dyn SigningKey) -> Result<Vec<u8>, IssuerError> {
    key.public_key()
        .map(|spki| spki.as_ref().to_vec())
        .ok_or_else(|| {
            IssuerError::Key("the provider does not tell the public key of the private key".to_owned())
        })
}

fn signer(key: &dyn SigningKey) -> Result<Box<dyn Signer>, IssuerError> {
    key.choose_scheme(&SIGNATURE_SCHEMES)
        .ok_or_else(|| IssuerError::Key("there is no signature algorithm for this kind of key".to_owned()))
}

/// Encodes what `contents` makes of the signature's AlgorithmIdentifier, and signs it.
fn signed_certificate(
    key: &dyn SigningKey,
    contents: impl FnOnce(Any) -> der::Result<TbsCertificate>,
) -> Result<CertificateDer<'static>, IssuerError> {
    let failed = |error: der::Error| IssuerError::Signing(error.to_string());
    let signer = signer(key)?;
    let algorithm = Any::from_der(algorithm_identifier(signer.scheme())?).map_err(failed)?;
    let tbs = contents(algorithm.clone())
        .and_then(|tbs| tbs.to_der())
        .map_err(failed)?;
    let signature = signer
        .sign(&tbs)
        .map_err(|error| IssuerError::Signing(error.to_string()))?;
    let certificate = Any::from_der(&tbs)
        .and_then(|tbs_certificate| {
            SignedCertificate {
                tbs_certificate,
                signature_algorithm: algorithm,
                signature: BitString::from_bytes(&signature)?,
            }
            .to_der()
        })
        .map_err(failed)?;
    Ok(CertificateDer::from(certificate))
}

/// The AlgorithmIdentifier in DER: RFC 5758 section 3.2 (ECDSA, no parameters), RFC 4055 section 5 (RSA, NULL),
/// RFC 8410 section 3 (Ed25519, no parameters).
fn algorithm_identifier(scheme: SignatureScheme) -> Result<&'static [u8], IssuerError> {
    Ok(match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
        SignatureScheme::ECDSA_NISTP384_SHA384 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
        SignatureScheme::ECDSA_NISTP521_SHA512 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04",
        SignatureScheme::ED25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
        SignatureScheme::RSA_PKCS1_SHA256 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
        other => return Err(IssuerError::Key(format!("the key signs with {other:?} only"))),
    })
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

fn root_extensions(key: &PublicKey) -> der::Result<Vec<Extension>> {
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
