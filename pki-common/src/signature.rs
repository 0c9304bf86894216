//! Signature verification for certificates and certificate requests, with the weak cases by explicit policy.
//!
//! The crypto provider verifies what it offers. What it does not offer, but old devices and OpenSSL's defaults
//! produce, the `rsa` crate verifies: PKCS#1 v1.5 with SHA-1, keys under 2048 bits, and RSASSA-PSS with any
//! salt length. An ECDSA or Ed25519 signature needs a provider (feature `aws-lc-rs` or `ring`, or an installed
//! process default).

use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::{BigUint, Pss, RsaPublicKey};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::SignatureVerificationAlgorithm;
use sha1::{Digest, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use tracing::warn;
use x509_parser::asn1_rs::{Any, FromDer as _, Oid, Tag, oid};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::ladder::{Diagnose, Failure, Rung, TlsFault};

/// Largest RSA modulus that is worked with, in bits. The cost of one verification grows with its square; a peer
/// chooses the key, and no certificate authority issues larger ones.
pub const MAX_RSA_BITS: u32 = 8192;

/// Smallest RSA modulus accepted by default, in bits (NIST SP 800-131A disallows less).
pub const MIN_RSA_BITS: u32 = 2048;

/// Longest RSASSA-PSS salt: no modulus up to [`MAX_RSA_BITS`] has room for more.
const MAX_SALT_LENGTH: u32 = MAX_RSA_BITS / 8;

/// Which weak signatures are accepted. The default accepts none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignaturePolicy {
    sha1: bool,
    min_rsa_bits: u32,
}

impl SignaturePolicy {
    /// No SHA-1, RSA from [`MIN_RSA_BITS`] up.
    pub const fn strict() -> Self {
        Self {
            sha1: false,
            min_rsa_bits: MIN_RSA_BITS,
        }
    }

    /// Any digest and any key size up to [`MAX_RSA_BITS`]: to learn whether a signature is right, where nothing
    /// is trusted because of it.
    pub(crate) const fn fact_finding() -> Self {
        Self {
            sha1: true,
            min_rsa_bits: 0,
        }
    }

    /// Accepts SHA-1 signatures too, which can be forged by a collision. For old devices only; logs a warning.
    #[must_use]
    pub fn dangerous_accept_sha1(self) -> Self {
        warn!("SHA-1 signatures are accepted: a collision forges them");
        Self { sha1: true, ..self }
    }

    /// Accepts RSA keys from `bits` up, for instance 1024. For old devices only; logs a warning when that is
    /// less than [`MIN_RSA_BITS`].
    #[must_use]
    pub fn dangerous_min_rsa_bits(self, bits: u32) -> Self {
        if bits < MIN_RSA_BITS {
            warn!(bits, "short RSA keys are accepted: they can be factored");
        }
        Self {
            min_rsa_bits: bits,
            ..self
        }
    }

    /// Whether SHA-1 signatures are accepted.
    pub const fn accepts_sha1(&self) -> bool {
        self.sha1
    }

    /// The smallest accepted RSA modulus, in bits.
    pub const fn min_rsa_bits(&self) -> u32 {
        self.min_rsa_bits
    }
}

impl Default for SignaturePolicy {
    fn default() -> Self {
        Self::strict()
    }
}

/// Why a signature was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature does not fit the key and the message.
    #[error("the signature does not verify with this public key")]
    Invalid,
    /// The SubjectPublicKeyInfo is not one.
    #[error("the public key is malformed: {what}")]
    BadPublicKey {
        /// Which part.
        what: &'static str,
    },
    /// The signature's AlgorithmIdentifier is not one.
    #[error("the signature algorithm identifier is malformed: {what}")]
    BadAlgorithm {
        /// Which part.
        what: &'static str,
    },
    /// Neither the provider nor the `rsa` crate verifies this.
    #[error(
        "no verification for signature algorithm {signature_algorithm} with public key algorithm {key_algorithm}"
    )]
    Unsupported {
        /// Object identifier of the signature algorithm.
        signature_algorithm: String,
        /// Object identifier of the public key algorithm.
        key_algorithm: String,
    },
    /// The policy does not accept SHA-1.
    #[error("the signature uses SHA-1, which the policy does not accept")]
    Sha1Refused,
    /// The RSA key's size is outside the policy's bounds.
    #[error("the RSA key has {bits} bits, accepted are {min} to {max}")]
    RsaKeySize {
        /// Bits of the modulus.
        bits: u32,
        /// Least accepted.
        min: u32,
        /// Most accepted.
        max: u32,
    },
}

impl Diagnose for SignatureError {
    /// Rung TLS (chain): that is where signatures of certificates are checked. A caller that checks another
    /// signature, for instance of a certificate request, knows its own rung.
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Invalid => {
                "Check that the certificate is the one the signer issued and was not changed since."
            }
            Self::BadPublicKey { .. } | Self::BadAlgorithm { .. } => {
                "Have the certificate or request made anew; `openssl asn1parse` shows where it is malformed."
            }
            Self::Unsupported { .. } => "Use RSA from 2048 bits, ECDSA with P-256 or P-384, or Ed25519.",
            Self::Sha1Refused => {
                "Have it signed with SHA-256, or accept SHA-1 by the dangerous_ policy for old devices."
            }
            Self::RsaKeySize { .. } => {
                "Use an RSA key of 2048 to 8192 bits, or allow the size by the dangerous_ policy."
            }
        };
        Failure::new(Rung::Tls(TlsFault::Chain), format!("{self}."), remedy)
    }
}

const RSA_ENCRYPTION: Oid<'static> = oid!(1.2.840.113549.1.1.1);
const RSASSA_PSS: Oid<'static> = oid!(1.2.840.113549.1.1.10);
const MGF1: Oid<'static> = oid!(1.2.840.113549.1.1.8);
const ECDSA_WITH_SHA1: Oid<'static> = oid!(1.2.840.10045.4.1);

/// Verifies `signature` over `message`.
///
/// - `spki_der`: the signer's DER SubjectPublicKeyInfo,
/// - `signature_algorithm_der`: the DER AlgorithmIdentifier that stands beside the signature,
/// - `message`: what was signed (the DER of a TBSCertificate or CertificationRequestInfo),
/// - `signature`: the content of the signature BIT STRING.
///
/// # Errors
/// [`SignatureError`]; policy violations are found before any cryptography.
pub fn verify_signature(
    spki_der: &[u8],
    signature_algorithm_der: &[u8],
    message: &[u8],
    signature: &[u8],
    policy: SignaturePolicy,
) -> Result<(), SignatureError> {
    let (rest, spki) =
        SubjectPublicKeyInfo::from_der(spki_der).map_err(|_| SignatureError::BadPublicKey {
            what: "not a DER SubjectPublicKeyInfo",
        })?;
    if !rest.is_empty() {
        return Err(SignatureError::BadPublicKey {
            what: "bytes after its end",
        });
    }
    let (rest, algorithm) =
        AlgorithmIdentifier::from_der(signature_algorithm_der).map_err(|_| SignatureError::BadAlgorithm {
            what: "not a DER AlgorithmIdentifier",
        })?;
    if !rest.is_empty() {
        return Err(SignatureError::BadAlgorithm {
            what: "bytes after its end",
        });
    }
    let rsa_key = is_rsa(&spki).then(|| rsa_key(&spki, policy)).transpose()?;
    let scheme = RsaScheme::new(&algorithm)?;
    let uses_sha1 = scheme.as_ref().is_some_and(|s| s.digest() == RsaDigest::Sha1)
        || algorithm.algorithm == ECDSA_WITH_SHA1;
    if uses_sha1 && !policy.sha1 {
        return Err(SignatureError::Sha1Refused);
    }

    // RSA under 2048 bits is not for the provider; everything else it is asked first.
    let short_key = rsa_key.as_ref().is_some_and(|key| key.bits < MIN_RSA_BITS);
    if !short_key
        && let Some(verdict) = verify_by_provider(&spki, signature_algorithm_der, message, signature)
    {
        return verdict;
    }
    let (Some(key), Some(scheme)) = (rsa_key, scheme) else {
        return Err(unsupported(&spki, &algorithm));
    };
    // A key restricted to PSS must not verify PKCS#1 v1.5 (RFC 4055 section 1.2).
    if spki.algorithm.algorithm == RSASSA_PSS && !matches!(scheme, RsaScheme::Pss { .. }) {
        return Err(unsupported(&spki, &algorithm));
    }
    scheme.verify(&key.key, message, signature)
}

/// The provider's verdict, or `None` when it has no algorithm for this pair of identifiers.
fn verify_by_provider(
    spki: &SubjectPublicKeyInfo<'_>,
    signature_algorithm_der: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<Result<(), SignatureError>> {
    let signature_algorithm = sequence_content(signature_algorithm_der)?;
    let key_algorithm = sequence_content(spki.raw)?;
    // The SubjectPublicKeyInfo's first element is the AlgorithmIdentifier.
    let key_algorithm = sequence_content(key_algorithm)?;
    let mut verdict = None;
    for algorithm in provider_algorithms() {
        if algorithm.public_key_alg_id().as_ref() != key_algorithm
            || algorithm.signature_alg_id().as_ref() != signature_algorithm
        {
            continue;
        }
        if algorithm
            .verify_signature(&spki.subject_public_key.data, message, signature)
            .is_ok()
        {
            return Some(Ok(()));
        }
        // Several algorithms may share the identifiers and differ in the key sizes they take.
        verdict = Some(Err(SignatureError::Invalid));
    }
    verdict
}

/// The algorithms of the compiled-in provider, or else of the process default.
fn provider_algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    if !webpki::ALL_VERIFICATION_ALGS.is_empty() {
        return webpki::ALL_VERIFICATION_ALGS;
    }
    CryptoProvider::get_default().map_or(&[], |provider| provider.signature_verification_algorithms.all)
}

/// The content of the DER SEQUENCE that `der` begins with.
fn sequence_content(der: &[u8]) -> Option<&[u8]> {
    let (_, any) = Any::from_der(der).ok()?;
    (any.tag() == Tag::Sequence).then_some(any.data)
}

fn unsupported(spki: &SubjectPublicKeyInfo<'_>, algorithm: &AlgorithmIdentifier<'_>) -> SignatureError {
    SignatureError::Unsupported {
        signature_algorithm: algorithm.algorithm.to_id_string(),
        key_algorithm: spki.algorithm.algorithm.to_id_string(),
    }
}

fn is_rsa(spki: &SubjectPublicKeyInfo<'_>) -> bool {
    [RSA_ENCRYPTION, RSASSA_PSS].contains(&spki.algorithm.algorithm)
}

struct RsaKey {
    key: RsaPublicKey,
    bits: u32,
}

/// The RSA key, its size checked before it is worked with.
fn rsa_key(spki: &SubjectPublicKeyInfo<'_>, policy: SignaturePolicy) -> Result<RsaKey, SignatureError> {
    // A PSS-only key has the same RSAPublicKey inside, which `spki.parsed()` would not look into.
    let (_, RSAPublicKey { modulus, exponent }) = RSAPublicKey::from_der(&spki.subject_public_key.data)
        .map_err(|_| SignatureError::BadPublicKey {
            what: "not an RSAPublicKey",
        })?;
    let bits = bit_length(modulus);
    if bits < policy.min_rsa_bits || bits > MAX_RSA_BITS {
        return Err(SignatureError::RsaKeySize {
            bits,
            min: policy.min_rsa_bits,
            max: MAX_RSA_BITS,
        });
    }
    RsaPublicKey::new_with_max_size(
        BigUint::from_bytes_be(modulus),
        BigUint::from_bytes_be(exponent),
        usize::try_from(MAX_RSA_BITS).unwrap_or(usize::MAX),
    )
    .map(|key| RsaKey { key, bits })
    .map_err(|_| SignatureError::BadPublicKey {
        what: "RSA exponent or modulus out of range",
    })
}

/// The bits of a big-endian number, leading zeros not counted; `u32::MAX` when there are more than that.
pub(crate) fn bit_length(number: &[u8]) -> u32 {
    let significant = number.iter().skip_while(|byte| **byte == 0);
    let zeros = significant
        .clone()
        .next()
        .map_or(0, |first| first.leading_zeros());
    u32::try_from(significant.count())
        .ok()
        .and_then(|bytes| bytes.checked_mul(8))
        .map_or(u32::MAX, |bits| bits - zeros)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RsaDigest {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl RsaDigest {
    const BY_OID: [(Oid<'static>, Self); 5] = [
        (oid!(1.3.14.3.2.26), Self::Sha1),
        (oid!(2.16.840.1.101.3.4.2.4), Self::Sha224),
        (oid!(2.16.840.1.101.3.4.2.1), Self::Sha256),
        (oid!(2.16.840.1.101.3.4.2.2), Self::Sha384),
        (oid!(2.16.840.1.101.3.4.2.3), Self::Sha512),
    ];

    fn from_oid(oid: &Oid<'_>) -> Option<Self> {
        Self::BY_OID
            .into_iter()
            .find(|(known, _)| known == oid)
            .map(|(_, digest)| digest)
    }
}

/// An RSA signature scheme (RFC 8017 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RsaScheme {
    Pkcs1v15(RsaDigest),
    Pss { digest: RsaDigest, salt_length: usize },
}

impl RsaScheme {
    const PKCS1V15_BY_OID: [(Oid<'static>, RsaDigest); 5] = [
        (oid!(1.2.840.113549.1.1.5), RsaDigest::Sha1),
        (oid!(1.2.840.113549.1.1.14), RsaDigest::Sha224),
        (oid!(1.2.840.113549.1.1.11), RsaDigest::Sha256),
        (oid!(1.2.840.113549.1.1.12), RsaDigest::Sha384),
        (oid!(1.2.840.113549.1.1.13), RsaDigest::Sha512),
    ];

    /// `None` when the algorithm is no RSA scheme that is known here.
    fn new(algorithm: &AlgorithmIdentifier<'_>) -> Result<Option<Self>, SignatureError> {
        let by_oid = Self::PKCS1V15_BY_OID
            .into_iter()
            .find(|(oid, _)| *oid == algorithm.algorithm);
        if let Some((_, digest)) = by_oid {
            return Ok(Some(Self::Pkcs1v15(digest)));
        }
        if algorithm.algorithm != RSASSA_PSS {
            return Ok(None);
        }
        let bad = |what| SignatureError::BadAlgorithm { what };
        let parameters = algorithm
            .parameters
            .as_ref()
            .ok_or_else(|| bad("RSASSA-PSS without parameters"))?;
        let parameters = RsaSsaPssParams::try_from(parameters).map_err(|_| bad("RSASSA-PSS parameters"))?;
        let mask = parameters
            .mask_gen_algorithm()
            .map_err(|_| bad("RSASSA-PSS mask generation"))?;
        if parameters.salt_length() > MAX_SALT_LENGTH {
            return Err(bad("RSASSA-PSS salt longer than any accepted key"));
        }
        if parameters.trailer_field() != 1 {
            return Err(bad("RSASSA-PSS trailer field is not 1"));
        }
        let digest = RsaDigest::from_oid(parameters.hash_algorithm_oid());
        // RFC 8017 A.2.3 recommends one digest for both; nothing seen in the field uses two.
        let (Some(digest), true) = (
            digest,
            mask.mgf == MGF1 && mask.hash == *parameters.hash_algorithm_oid(),
        ) else {
            return Ok(None);
        };
        let salt_length =
            usize::try_from(parameters.salt_length()).map_err(|_| bad("RSASSA-PSS salt length"))?;
        Ok(Some(Self::Pss { digest, salt_length }))
    }

    const fn digest(self) -> RsaDigest {
        match self {
            Self::Pkcs1v15(digest) | Self::Pss { digest, .. } => digest,
        }
    }

    fn verify(self, key: &RsaPublicKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let hashed: Vec<u8> = match self.digest() {
            RsaDigest::Sha1 => Sha1::digest(message).to_vec(),
            RsaDigest::Sha224 => Sha224::digest(message).to_vec(),
            RsaDigest::Sha256 => Sha256::digest(message).to_vec(),
            RsaDigest::Sha384 => Sha384::digest(message).to_vec(),
            RsaDigest::Sha512 => Sha512::digest(message).to_vec(),
        };
        let verdict = match self {
            Self::Pkcs1v15(digest) => key.verify(pkcs1v15(digest), &hashed, signature),
            Self::Pss { digest, salt_length } => key.verify(pss(digest, salt_length), &hashed, signature),
        };
        verdict.map_err(|_| SignatureError::Invalid)
    }
}

fn pkcs1v15(digest: RsaDigest) -> Pkcs1v15Sign {
    match digest {
        RsaDigest::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
        RsaDigest::Sha224 => Pkcs1v15Sign::new::<Sha224>(),
        RsaDigest::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        RsaDigest::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        RsaDigest::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    }
}

fn pss(digest: RsaDigest, salt_length: usize) -> Pss {
    match digest {
        RsaDigest::Sha1 => Pss::new_with_salt::<Sha1>(salt_length),
        RsaDigest::Sha224 => Pss::new_with_salt::<Sha224>(salt_length),
        RsaDigest::Sha256 => Pss::new_with_salt::<Sha256>(salt_length),
        RsaDigest::Sha384 => Pss::new_with_salt::<Sha384>(salt_length),
        RsaDigest::Sha512 => Pss::new_with_salt::<Sha512>(salt_length),
    }
}
