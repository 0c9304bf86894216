//! Makes keys and self-signed certificates.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};

use super::IdentityError;
use crate::MacAddr;
use crate::ladder::{Diagnose, Failure, Rung};

/// Begin of the common name when the caller gives none; the MAC address follows after a hyphen.
pub const DEFAULT_COMMON_NAME_PREFIX: &str = "Device";

/// How long a self-signed certificate is valid by default: ten years. Peers know it by its key hash,
/// so its end is a planned exchange of keys on both sides, not a safeguard.
pub const DEFAULT_VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// How far the begin of the validity lies in the past by default: one day. A peer whose clock is behind
/// ours would otherwise refuse a new certificate as not yet valid (F001-41).
pub const DEFAULT_BACKDATE: Duration = Duration::from_secs(86_400);

/// Longest common name in characters (RFC 5280 appendix A, ub-common-name).
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
const MAX_COMMON_NAME: usize = 64;

/// The kind of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NewKey {
    /// EC on the curve P-256.
    #[default]
    EcP256,
    /// EC on the curve P-384.
    EcP384,
    /// EC on the curve P-521; only with the provider aws-lc-rs.
    EcP521,
    /// Ed25519 (RFC 8410); many old peers do not know it.
    Ed25519,
    /// RSA with 2048 bits, for old peers that know no elliptic curves.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits; making one takes seconds.
    Rsa4096,
}

impl NewKey {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::EcP256,
        Self::EcP384,
        Self::EcP521,
        Self::Ed25519,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The name in configurations and options, for example `ec-p256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcP256 => "ec-p256",
            Self::EcP384 => "ec-p384",
            Self::EcP521 => "ec-p521",
            Self::Ed25519 => "ed25519",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    /// Whether it is an RSA key, of any size.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096)
    }
}

impl fmt::Display for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no kind of key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} is no kind of key; there are ec-p256, ec-p384, ec-p521, ed25519, rsa-2048, rsa-3072 and rsa-4096",
    crate::Escaped::new(text).at_most(40)
)]
pub struct UnknownKeyKind {
    /// The text.
    pub text: String,
}

impl Diagnose for UnknownKeyKind {
    fn diagnose(&self) -> Failure {
        Failure::new(Rung::Local, format!("{self}."), "Name one of these kinds.")
    }
}

impl FromStr for NewKey {
    type Err = UnknownKeyKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownKeyKind {
                text: text.to_owned(),
            })
    }
}

/// What a self-signed certificate shall say.
///
/// ```
/// use pki_common::MacAddr;
/// use pki_common::identity::{Identity, NewKey, SelfSigned};
///
/// # if pki_common::tls::crypto_provider().is_err() { return Ok(()); } // a build without a provider
/// let mac: MacAddr = "00:50:56:9c:34:89".parse()?;
/// let identity = Identity::self_signed(SelfSigned {
///     organization: Some("Example".to_owned()),
///     key: NewKey::EcP256,
///     ..SelfSigned::new(mac)
/// })?;
/// assert_eq!(identity.certificate().subject(), "/O=Example/CN=Device-0050569c3489");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfSigned {
    /// The MAC address at the end of the common name, by which peers look us up.
    pub mac: MacAddr,
    /// Begin of the common name: `Device` makes `CN=Device-0050569c3489`. Vendors use the model,
    /// as in `C1130-00146a1b3744` (Cisco document 70341).
    pub common_name_prefix: String,
    /// Organisation, before the common name in the subject; none by default.
    pub organization: Option<String>,
    /// DNS names and IP addresses of the subject alternative names; none by default.
    pub subject_alternative_names: Vec<String>,
    /// The kind of key.
    pub key: NewKey,
    /// The time of issue; by default the clock of the system.
    pub now: UnixTime,
    /// How long before `now` the validity begins.
    pub backdate: Duration,
    /// How long after `now` the validity ends.
    pub validity: Duration,
}

impl SelfSigned {
    /// The defaults for `mac`, at the time of the system's clock.
    #[must_use]
    pub fn new(mac: MacAddr) -> Self {
        let now = crate::clock::system_clock().current_time();
        Self {
            mac,
            common_name_prefix: DEFAULT_COMMON_NAME_PREFIX.to_owned(),
            organization: None,
            subject_alternative_names: Vec::new(),
            key: NewKey::default(),
            now: now.unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO)),
            backdate: DEFAULT_BACKDATE,
            validity: DEFAULT_VALIDITY,
        }
    }
}

/// Makes a private key in PKCS#8.
///
/// # Errors
/// The crypto provider failed, or this build has neither the feature `aws-lc-rs` nor `ring`.
pub fn generate_key(kind: NewKey) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
    imp::generate_key(kind)
}

type Parts = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl SelfSigned {
    pub(super) fn generate(&self) -> Result<Parts, IdentityError> {
        imp::self_signed(self)
    }
}

#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod imp {
    use rcgen::{
        CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    };
    use time::OffsetDateTime;
    use zeroize::Zeroize as _;

    use super::{
        Duration, IdentityError, MAX_COMMON_NAME, NewKey, Parts, PrivateKeyDer, PrivatePkcs8KeyDer,
        SelfSigned, UnixTime,
    };
    use crate::MacFormat;

    pub(super) fn generate_key(kind: NewKey) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        match kind {
            NewKey::EcP256 => rcgen_key(&rcgen::PKCS_ECDSA_P256_SHA256),
            NewKey::EcP384 => rcgen_key(&rcgen::PKCS_ECDSA_P384_SHA384),
            NewKey::EcP521 => ec_p521(),
            NewKey::Ed25519 => ed25519(),
            NewKey::Rsa2048 => rsa(2048),
            NewKey::Rsa3072 => rsa(3072),
            NewKey::Rsa4096 => rsa(4096),
        }
    }

    fn rcgen_key(
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        pkcs8_of(KeyPair::generate_for(algorithm))
    }

    fn pkcs8_of(
        generated: Result<KeyPair, rcgen::Error>,
    ) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        let mut pair = generated.map_err(|error| IdentityError::CannotGenerate {
            reason: error.to_string(),
        })?;
        let key = PrivatePkcs8KeyDer::from(pair.serialize_der());
        pair.zeroize();
        Ok(key)
    }

    /// The providers write the public key beside it (version 2 of PKCS#8, RFC 5958), which OpenSSL 3.0 does not read.
    fn ed25519() -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        use ::pkcs8::der::Encode as _;
        let failed = |error: &dyn core::fmt::Display| IdentityError::CannotGenerate {
            reason: error.to_string(),
        };
        let mut made = rcgen_key(&rcgen::PKCS_ED25519)?;
        let plain = ::pkcs8::PrivateKeyInfo::try_from(made.secret_pkcs8_der())
            .map_err(|error| failed(&error))
            .and_then(|whole| {
                ::pkcs8::PrivateKeyInfo::new(whole.algorithm, whole.private_key)
                    .to_der()
                    .map_err(|error| failed(&error))
            });
        made.zeroize();
        plain.map(PrivatePkcs8KeyDer::from)
    }

    #[cfg(feature = "aws-lc-rs")]
    fn ec_p521() -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        rcgen_key(&rcgen::PKCS_ECDSA_P521_SHA512)
    }

    /// ring does not know the curve.
    #[cfg(not(feature = "aws-lc-rs"))]
    fn ec_p521() -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        Err(IdentityError::CannotGenerate {
            reason: "the crypto provider ring does not know the curve P-521".to_owned(),
        })
    }

    #[cfg(feature = "aws-lc-rs")]
    fn rsa(bits: usize) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        let size = match bits {
            3072 => rcgen::RsaKeySize::_3072,
            4096 => rcgen::RsaKeySize::_4096,
            _ => rcgen::RsaKeySize::_2048,
        };
        pkcs8_of(KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size))
    }

    /// ring makes no RSA keys.
    #[cfg(not(feature = "aws-lc-rs"))]
    fn rsa(bits: usize) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        use ::rsa::pkcs8::EncodePrivateKey as _;
        let failed = |reason: String| IdentityError::CannotGenerate { reason };
        let key = ::rsa::RsaPrivateKey::new(&mut ::rsa::rand_core::OsRng, bits)
            .map_err(|error| failed(error.to_string()))?;
        let document = key.to_pkcs8_der().map_err(|error| failed(error.to_string()))?;
        Ok(PrivatePkcs8KeyDer::from(document.as_bytes().to_vec()))
    }

    pub(super) fn self_signed(wanted: &SelfSigned) -> Result<Parts, IdentityError> {
        let bad = |reason: String| IdentityError::BadParameters { reason };
        let parameters = certificate_parameters(wanted)?;
        let key = generate_key(wanted.key)?;
        let mut key_pair = KeyPair::try_from(&key).map_err(|error| bad(error.to_string()))?;
        let certificate = parameters
            .self_signed(&key_pair)
            .map_err(|error| bad(error.to_string()));
        key_pair.zeroize();
        Ok((certificate?.into(), PrivateKeyDer::from(key)))
    }

    fn certificate_parameters(wanted: &SelfSigned) -> Result<CertificateParams, IdentityError> {
        let bad = |reason: String| IdentityError::BadParameters { reason };
        let mut parameters = CertificateParams::new(wanted.subject_alternative_names.clone())
            .map_err(|error| bad(format!("subject alternative names: {error}")))?;
        let common_name = format!(
            "{}-{}",
            wanted.common_name_prefix,
            wanted.mac.to_format(MacFormat::Bare)
        );
        if common_name.chars().count() > MAX_COMMON_NAME {
            return Err(bad(format!(
                "the common name {common_name:?} has {} characters, more than {MAX_COMMON_NAME} (RFC 5280)",
                common_name.chars().count()
            )));
        }
        parameters.distinguished_name = DistinguishedName::new();
        if let Some(organization) = &wanted.organization {
            parameters
                .distinguished_name
                .push(DnType::OrganizationName, organization);
        }
        parameters
            .distinguished_name
            .push(DnType::CommonName, common_name);
        parameters.not_before = moment(wanted.now, |now| now.checked_sub(wanted.backdate))?;
        parameters.not_after = moment(wanted.now, |now| now.checked_add(wanted.validity))?;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if wanted.key.is_rsa() {
            // Old peers send the session key encrypted to ours (F001-17).
            parameters.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        Ok(parameters)
    }

    fn moment(
        now: UnixTime,
        shift: impl Fn(Duration) -> Option<Duration>,
    ) -> Result<OffsetDateTime, IdentityError> {
        shift(Duration::from_secs(now.as_secs()))
            .and_then(|since_1970| i64::try_from(since_1970.as_secs()).ok())
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .ok_or_else(|| IdentityError::BadParameters {
                reason: format!(
                    "the validity around {} s after 1970 leaves the years 1970 to 9999",
                    now.as_secs()
                ),
            })
    }
}

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
mod imp {
    use super::{IdentityError, NewKey, Parts, PrivatePkcs8KeyDer, SelfSigned};

    fn unavailable() -> IdentityError {
        IdentityError::CannotGenerate {
            reason: "this build has neither the feature aws-lc-rs nor ring".to_owned(),
        }
    }

    pub(super) fn generate_key(_kind: NewKey) -> Result<PrivatePkcs8KeyDer<'static>, IdentityError> {
        Err(unavailable())
    }

    pub(super) fn self_signed(_wanted: &SelfSigned) -> Result<Parts, IdentityError> {
        Err(unavailable())
    }
}
