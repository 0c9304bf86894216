//! X.509 certificates (RFC 5280) as a typed view: what an authlist, a trust store and a person ask of them.

mod algorithms;
mod error;
mod name;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::asn1_rs::{Any, Class, FromDer as _, Tag};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::time::ASN1Time;

use crate::Escaped;
use crate::key_hash::{HashAlgorithm, KeyHash};
use crate::mac::MacAddr;
use crate::signature::{SignatureError, SignaturePolicy, verify_signature};

pub use algorithms::{EcCurve, KeyType, SignatureAlgorithm, SignatureDigest};
pub use error::CertificateError;
pub(crate) use name::oneline;

/// Largest certificate that is read, in bytes of DER. Real ones have 1 to 4 kB; RFC 8446 lets a peer send
/// 16 MB. The limit bounds what parsing one costs.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

/// The kinds of certificates an authlist tells apart (Cisco document 70341).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateType {
    /// Manufacturer installed certificate.
    Mic,
    /// Self-signed certificate.
    Ssc,
    /// Locally significant certificate, issued by the network's own certificate authority.
    Lsc,
}

impl fmt::Display for CertificateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mic => "MIC",
            Self::Ssc => "SSC",
            Self::Lsc => "LSC",
        })
    }
}

/// A parsed certificate. It owns its DER; cloning shares it.
///
/// Parsing checks the form only. Nothing here says that a certificate may be trusted.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: CertificateDer<'static>,
    version: u8,
    serial_number: Vec<u8>,
    subject: String,
    subject_der: Vec<u8>,
    issuer: String,
    issuer_der: Vec<u8>,
    common_name: Option<String>,
    subject_mac: Option<MacAddr>,
    subject_alternative_names: Vec<SubjectAlternativeName>,
    not_before: UnixTime,
    not_after: UnixTime,
    key_type: KeyType,
    spki_der: Vec<u8>,
    signature_algorithm: SignatureAlgorithm,
    certificate_type: CertificateType,
    self_signed: OnceLock<bool>,
}

impl Certificate {
    /// Parses one DER certificate.
    ///
    /// # Errors
    /// [`CertificateError`] when it is too large, malformed, of an unknown version or followed by more bytes.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLarge { bytes: der.len() });
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(CertificateError::malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::TrailingBytes {
                offset: der.len() - rest.len(),
                count: rest.len(),
            });
        }
        if elements(der).is_none() {
            return Err(CertificateError::malformed(
                "its outermost elements have wrong tags",
            ));
        }
        let version = match parsed.version().0 {
            version @ 0..=2 => u8::try_from(version + 1).unwrap_or(u8::MAX),
            other => return Err(CertificateError::UnknownVersion { value: other }),
        };
        let subject = oneline(parsed.subject());
        Ok(Self(Arc::new(Inner {
            version,
            serial_number: parsed.raw_serial().to_vec(),
            subject_der: parsed.subject().as_raw().to_vec(),
            issuer: oneline(parsed.issuer()),
            issuer_der: parsed.issuer().as_raw().to_vec(),
            common_name: name::common_names(parsed.subject()).pop(),
            subject_mac: name::mac_address(parsed.subject()),
            subject_alternative_names: subject_alternative_names(&parsed)?,
            not_before: unix_time(parsed.validity().not_before),
            not_after: unix_time(parsed.validity().not_after),
            key_type: KeyType::of(parsed.public_key()),
            spki_der: parsed.public_key().raw.to_vec(),
            signature_algorithm: SignatureAlgorithm::of(&parsed.signature_algorithm),
            certificate_type: certificate_type(&parsed),
            self_signed: OnceLock::new(),
            subject,
            der: CertificateDer::from(der.to_vec()),
        })))
    }

    /// Parses the first certificate of a PEM text; other PEM sections are skipped.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificate`] when there is none, else as [`Certificate::from_der`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        match CertificateDer::pem_slice_iter(pem).next() {
            None => Err(CertificateError::NoCertificate),
            Some(Err(error)) => Err(CertificateError::BadPem {
                detail: error.to_string(),
            }),
            Some(Ok(der)) => Self::from_der(&der),
        }
    }

    /// Parses every certificate of a PEM text, in its order; other PEM sections are skipped.
    ///
    /// # Errors
    /// As [`Certificate::from_pem`], with the number of the certificate within the text.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let certificates = CertificateDer::pem_slice_iter(pem)
            .enumerate()
            .map(|(index, der)| {
                der.map_err(|error| CertificateError::BadPem {
                    detail: error.to_string(),
                })
                .and_then(|der| Self::from_der(&der))
                .map_err(|error| CertificateError::InPem {
                    number: index + 1,
                    error: Box::new(error),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        Ok(certificates)
    }

    /// The certificate's DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// The X.509 version: 1, 2 or 3.
    pub fn version(&self) -> u8 {
        self.0.version
    }

    /// The serial number's content octets, as encoded (big-endian, two's complement).
    pub fn serial_number(&self) -> &[u8] {
        &self.0.serial_number
    }

    /// The subject in OpenSSL's one-line form in certificate order, for instance `/DC=com/O=Example/CN=x`.
    /// Bytes outside printable ASCII are written as `\xHH`.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The issuer, in the form of [`Certificate::subject`].
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The subject's DER `Name`.
    pub fn subject_der(&self) -> &[u8] {
        &self.0.subject_der
    }

    /// The issuer's DER `Name`.
    pub fn issuer_der(&self) -> &[u8] {
        &self.0.issuer_der
    }

    /// The last common name of the subject, the most specific one.
    pub fn common_name(&self) -> Option<&str> {
        self.0.common_name.as_deref()
    }

    /// The MAC address in the subject: a common name that is one, or ends with one after a hyphen
    /// (`CN=C1130-00146a1b3744`, Cisco document 70341, D-02), in any of the four spellings.
    ///
    /// `None` when there is none, or when several common names carry different addresses: which of them an
    /// authlist means would be a guess.
    pub fn subject_mac(&self) -> Option<MacAddr> {
        self.0.subject_mac
    }

    /// The subject alternative names, in their order.
    pub fn subject_alternative_names(&self) -> &[SubjectAlternativeName] {
        &self.0.subject_alternative_names
    }

    /// Start of the validity, inclusive. A time before 1970 reads as 1970.
    pub fn not_before(&self) -> UnixTime {
        self.0.not_before
    }

    /// End of the validity, inclusive. A time before 1970 reads as 1970.
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after
    }

    /// Kind and size of the public key.
    pub fn key_type(&self) -> &KeyType {
        &self.0.key_type
    }

    /// The algorithm the issuer signed with.
    pub fn signature_algorithm(&self) -> &SignatureAlgorithm {
        &self.0.signature_algorithm
    }

    /// Whether subject and issuer are the same name. Only a claim: see [`Certificate::is_self_signed`].
    pub fn is_self_issued(&self) -> bool {
        self.0.subject_der == self.0.issuer_der
    }

    /// Whether subject and issuer are the same name and the signature verifies with the certificate's own key.
    ///
    /// SHA-1 and short RSA keys are verified too, because this states a fact and grants nothing; whether such a
    /// certificate is accepted is the trust store's decision. The signature is verified once, at the first call.
    pub fn is_self_signed(&self) -> bool {
        *self.0.self_signed.get_or_init(|| {
            self.is_self_issued()
                && self
                    .verify_signed_by(&self.0.spki_der, SignaturePolicy::fact_finding())
                    .is_ok()
        })
    }

    /// Verifies the certificate's signature with an issuer's DER SubjectPublicKeyInfo. Names, validity and
    /// extensions are not looked at.
    ///
    /// # Errors
    /// [`SignatureError`], also when the two signature algorithm fields differ (RFC 5280 section 4.1.1.2).
    pub fn verify_signed_by(
        &self,
        issuer_spki_der: &[u8],
        policy: SignaturePolicy,
    ) -> Result<(), SignatureError> {
        let (_, parsed) =
            X509Certificate::from_der(&self.0.der).map_err(|_| SignatureError::BadAlgorithm {
                what: "the certificate does not parse",
            })?;
        let algorithms =
            elements(&self.0.der).and_then(|[tbs, outer, _]| Some((signed_algorithm(tbs)?, outer)));
        let Some((signed, outer)) = algorithms else {
            return Err(SignatureError::BadAlgorithm {
                what: "the certificate has none",
            });
        };
        if signed != outer {
            return Err(SignatureError::BadAlgorithm {
                what: "the certificate's two algorithm fields differ",
            });
        }
        verify_signature(
            issuer_spki_der,
            signed,
            parsed.tbs_certificate.as_ref(),
            &parsed.signature_value.data,
            policy,
        )
    }

    /// MIC when the issuer has the name of a known manufacturing authority, SSC when the certificate is
    /// self-issued, else LSC.
    ///
    /// Names are claims: only after validation (own signature, or the chain to the right trust store) is the
    /// type a fact.
    pub fn certificate_type(&self) -> CertificateType {
        self.0.certificate_type
    }

    /// The DER SubjectPublicKeyInfo, the input of key hashes.
    pub fn spki_der(&self) -> &[u8] {
        &self.0.spki_der
    }

    /// The key hash an authlist would pin this certificate's key with.
    pub fn key_hash(&self, algorithm: HashAlgorithm) -> KeyHash {
        KeyHash::of_spki(algorithm, self.spki_der())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("type", &self.certificate_type())
            .field("key", self.key_type())
            .finish_non_exhaustive()
    }
}

/// A subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectAlternativeName {
    /// A host name.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
    /// Anything else, described for a reader.
    Other(String),
}

impl SubjectAlternativeName {
    fn from_general_name(name: &GeneralName<'_>) -> Self {
        let ip = |octets: &[u8]| {
            <[u8; 4]>::try_from(octets)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        };
        match name {
            GeneralName::DNSName(name) => Self::Dns((*name).to_owned()),
            GeneralName::RFC822Name(address) => Self::Email((*address).to_owned()),
            GeneralName::URI(uri) => Self::Uri((*uri).to_owned()),
            GeneralName::IPAddress(octets) => match ip(octets) {
                Ok(address) => Self::Ip(address),
                Err(_) => Self::Other(format!("an IP address of {} octets", octets.len())),
            },
            GeneralName::DirectoryName(name) => Self::Other(format!("directory name {}", oneline(name))),
            GeneralName::OtherName(oid, _) => Self::Other(format!("other name {}", oid.to_id_string())),
            GeneralName::RegisteredID(oid) => Self::Other(format!("registered id {}", oid.to_id_string())),
            GeneralName::X400Address(_) => Self::Other("an X.400 address".to_owned()),
            GeneralName::EDIPartyName(_) => Self::Other("an EDI party name".to_owned()),
            GeneralName::Invalid(tag, _) => Self::Other(format!("an unreadable name with tag {}", tag.0)),
        }
    }
}

impl fmt::Display for SubjectAlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{}", Escaped::new(name)),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Email(address) => write!(f, "email:{}", Escaped::new(address)),
            Self::Uri(uri) => write!(f, "URI:{}", Escaped::new(uri)),
            Self::Other(text) => write!(f, "{}", Escaped::new(text)),
        }
    }
}

fn subject_alternative_names(
    parsed: &X509Certificate<'_>,
) -> Result<Vec<SubjectAlternativeName>, CertificateError> {
    let extension = parsed
        .subject_alternative_name()
        .map_err(CertificateError::malformed)?;
    Ok(extension
        .map(|extension| {
            extension
                .value
                .general_names
                .iter()
                .map(SubjectAlternativeName::from_general_name)
                .collect()
        })
        .unwrap_or_default())
}

fn unix_time(time: ASN1Time) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or(0)))
}

/// The manufacturing authorities whose certificates are MICs: organisation and common name of the issuer.
/// The first, second and fourth stand in a shipped trust store (F002-12); the other two names are recalled.
const MANUFACTURING_AUTHORITIES: [(&str, &str); 5] = [
    ("Cisco Systems", "Cisco Manufacturing CA"),
    ("Cisco", "Cisco Manufacturing CA SHA2"),
    ("Cisco", "Cisco Manufacturing CA III"),
    ("Cisco", "ACT2 SUDI CA"),
    ("Cisco", "High Assurance SUDI CA"),
];

fn certificate_type(parsed: &X509Certificate<'_>) -> CertificateType {
    if parsed.subject().as_raw() == parsed.issuer().as_raw() {
        return CertificateType::Ssc;
    }
    let organizations = name::organizations(parsed.issuer());
    let common_names = name::common_names(parsed.issuer());
    // Exactly one of each: a name that also carries another organisation is another authority's.
    if let ([organization], [common_name]) = (organizations.as_slice(), common_names.as_slice())
        && MANUFACTURING_AUTHORITIES.contains(&(organization, common_name))
    {
        return CertificateType::Mic;
    }
    CertificateType::Lsc
}

/// The three elements of a certificate as they are encoded: TBSCertificate, AlgorithmIdentifier, signature.
///
/// Their tags are checked here, because the parser takes other tag classes too, and none of these bytes is
/// under the signature.
fn elements(certificate_der: &[u8]) -> Option<[&[u8]; 3]> {
    let universal = |any: &Any<'_>, tag| {
        any.class() == Class::Universal
            && any.tag() == tag
            && any.header.constructed() == (tag == Tag::Sequence)
    };
    let (_, certificate) = Any::from_der(certificate_der).ok()?;
    let (after_tbs, tbs) = Any::from_der(certificate.data).ok()?;
    let (after_algorithm, algorithm) = Any::from_der(after_tbs).ok()?;
    let (rest, signature) = Any::from_der(after_algorithm).ok()?;
    let sound = rest.is_empty()
        && [&certificate, &tbs, &algorithm].into_iter().all(|any| universal(any, Tag::Sequence))
        && universal(&signature, Tag::BitString)
        // RFC 5280 signatures are whole octets: no unused bits.
        && signature.data.first() == Some(&0);
    let encoded = |from: &'_ [u8], to: &[u8]| from.len() - to.len();
    sound.then_some([
        certificate.data.get(..encoded(certificate.data, after_tbs))?,
        after_tbs.get(..encoded(after_tbs, after_algorithm))?,
        after_algorithm,
    ])
}

/// The AlgorithmIdentifier inside a TBSCertificate: after the optional version and the serial number.
fn signed_algorithm(tbs_der: &[u8]) -> Option<&[u8]> {
    let (_, tbs) = Any::from_der(tbs_der).ok()?;
    let (after_first, first) = Any::from_der(tbs.data).ok()?;
    let algorithm_on = if first.class() == Class::ContextSpecific {
        let (after_serial, _) = Any::from_der(after_first).ok()?;
        after_serial
    } else {
        after_first
    };
    let (rest, _) = Any::from_der(algorithm_on).ok()?;
    algorithm_on.get(..algorithm_on.len() - rest.len())
}
