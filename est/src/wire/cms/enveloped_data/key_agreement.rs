//! The content-encryption key under a key that both sides agree on by ephemeral-static ECDH (RFC 5753).

use const_oid::ObjectIdentifier;
use rand_core::OsRng;
use zeroize::Zeroizing;

use super::CONTEXT_2;
use super::key_encryption_key::KeyWrap;
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::cms::algorithm::algorithm_identifier;
use crate::wire::cms::octets::octets;
use crate::wire::cms::{
    CertificateIdentifier, CmsError, CmsLimits, DigestAlgorithm, read_algorithm, read_oid,
};
use crate::wire::csr::{PublicKeyKind, name_with_oid};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// What RFC 5753 section 3.1.1 has as version of a KeyAgreeRecipientInfo.
const VERSION: u8 = 3;

/// Key agreement schemes and their digests (RFC 5753 section 7.1.4). With a cofactor or without is the same on the
/// NIST curves, whose cofactor is 1.
const SCHEMES: [(&str, DigestAlgorithm); 10] = [
    ("1.3.132.1.11.1", DigestAlgorithm::Sha256),
    ("1.3.132.1.11.2", DigestAlgorithm::Sha384),
    ("1.3.132.1.11.3", DigestAlgorithm::Sha512),
    ("1.3.132.1.11.0", DigestAlgorithm::Sha224),
    ("1.3.133.16.840.63.0.2", DigestAlgorithm::Sha1),
    ("1.3.132.1.14.1", DigestAlgorithm::Sha256),
    ("1.3.132.1.14.2", DigestAlgorithm::Sha384),
    ("1.3.132.1.14.3", DigestAlgorithm::Sha512),
    ("1.3.132.1.14.0", DigestAlgorithm::Sha224),
    ("1.3.133.16.840.63.0.3", DigestAlgorithm::Sha1),
];

/// A curve that keys are agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

/// A private key on one of the curves.
pub(super) enum EcPrivateKey {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

impl Curve {
    pub(super) const fn of(kind: &PublicKeyKind) -> Option<Self> {
        match kind {
            PublicKeyKind::EcP256 => Some(Self::P256),
            PublicKeyKind::EcP384 => Some(Self::P384),
            PublicKeyKind::EcP521 => Some(Self::P521),
            _ => None,
        }
    }

    fn generate(self) -> EcPrivateKey {
        match self {
            Self::P256 => EcPrivateKey::P256(p256::SecretKey::random(&mut OsRng)),
            Self::P384 => EcPrivateKey::P384(p384::SecretKey::random(&mut OsRng)),
            Self::P521 => EcPrivateKey::P521(p521::SecretKey::random(&mut OsRng)),
        }
    }

    /// As strong as the curve: RFC 5753 section 7.2 pairs them so.
    const fn scheme(self) -> (ObjectIdentifier, DigestAlgorithm, KeyWrap) {
        match self {
            Self::P256 => (
                ObjectIdentifier::new_unwrap("1.3.132.1.11.1"),
                DigestAlgorithm::Sha256,
                KeyWrap::Aes128,
            ),
            Self::P384 => (
                ObjectIdentifier::new_unwrap("1.3.132.1.11.2"),
                DigestAlgorithm::Sha384,
                KeyWrap::Aes256,
            ),
            Self::P521 => (
                ObjectIdentifier::new_unwrap("1.3.132.1.11.3"),
                DigestAlgorithm::Sha512,
                KeyWrap::Aes256,
            ),
        }
    }
}

/// The x coordinate that both sides arrive at; `None` when `public` is not a point on the curve.
macro_rules! agree {
    ($curve:ident, $secret:expr, $public:expr) => {{
        let public = $curve::PublicKey::from_sec1_bytes($public).ok()?;
        let shared = $curve::ecdh::diffie_hellman($secret.to_nonzero_scalar(), public.as_affine());
        Some(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }};
}

impl EcPrivateKey {
    fn public_key(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => p256::EncodedPoint::from(key.public_key()).as_bytes().to_vec(),
            Self::P384(key) => p384::EncodedPoint::from(key.public_key()).as_bytes().to_vec(),
            Self::P521(key) => p521::EncodedPoint::from(key.public_key()).as_bytes().to_vec(),
        }
    }

    fn agree(&self, public: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::P256(key) => agree!(p256, key, public),
            Self::P384(key) => agree!(p384, key, public),
            Self::P521(key) => agree!(p521, key, public),
        }
    }
}

/// The KeyAgreeRecipientInfo for one recipient.
pub(super) fn recipient_info(
    identifier: &CertificateIdentifier,
    curve: Curve,
    public_key: &[u8],
    content_key: &[u8],
) -> Result<Vec<u8>, CmsError> {
    let ephemeral = curve.generate();
    let shared = ephemeral.agree(public_key).ok_or_else(|| {
        CmsError::CannotEncrypt("the recipient's public key is not a point on its curve".to_owned())
    })?;
    let (scheme, digest, wrap) = curve.scheme();
    let key = derive(&shared, digest, wrap, &wrap.identifier_der(), None);
    let wrapped = wrap.wrap(&key, content_key)?;
    let point = asn1::encode(tag::BIT_STRING, &[&[0], &ephemeral.public_key()]);
    let originator = asn1::encode(
        tag::CONTEXT_1,
        &[&algorithm_identifier(EC_PUBLIC_KEY, &[]), &point],
    );
    let wrapped = asn1::encode(tag::OCTET_STRING, &[&wrapped]);
    let recipient = asn1::encode(tag::SEQUENCE, &[&recipient_identifier(identifier), &wrapped]);
    Ok(asn1::encode(
        tag::CONTEXT_1,
        &[
            &[tag::INTEGER, 1, VERSION],
            &asn1::encode(tag::CONTEXT_0, &[&originator]),
            &algorithm_identifier(scheme, &wrap.identifier_der()),
            &asn1::encode(tag::SEQUENCE, &[&recipient]),
        ],
    ))
}

/// KeyAgreeRecipientIdentifier: a key identifier stands in a RecipientKeyIdentifier.
fn recipient_identifier(identifier: &CertificateIdentifier) -> Vec<u8> {
    match identifier {
        CertificateIdentifier::IssuerAndSerialNumber { .. } => identifier.to_der(tag::OCTET_STRING),
        CertificateIdentifier::SubjectKeyIdentifier(_) => {
            asn1::encode(tag::CONTEXT_0, &[&identifier.to_der(tag::OCTET_STRING)])
        }
    }
}

/// The key-encryption key: X9.63 KDF (SEC 1 section 3.6.1) over the shared secret and ECC-CMS-SharedInfo
/// (RFC 5753 section 7.2).
fn derive(
    shared: &[u8],
    digest: DigestAlgorithm,
    wrap: KeyWrap,
    wrap_identifier_der: &[u8],
    user_keying_material: Option<&[u8]>,
) -> Zeroizing<Vec<u8>> {
    let entity = user_keying_material.map_or_else(Vec::new, |material| {
        asn1::encode(tag::CONTEXT_0, &[&asn1::encode(tag::OCTET_STRING, &[material])])
    });
    let bits = u32::from(wrap.key_length()) * 8;
    let length = asn1::encode(tag::OCTET_STRING, &[&bits.to_be_bytes()]);
    let info = asn1::encode(
        tag::SEQUENCE,
        &[wrap_identifier_der, &entity, &asn1::encode(CONTEXT_2, &[&length])],
    );
    let wanted = usize::from(wrap.key_length());
    let mut key = Zeroizing::new(Vec::with_capacity(wanted));
    let mut counter = 1_u32;
    while key.len() < wanted {
        let input = Zeroizing::new([shared, &counter.to_be_bytes(), &info].concat());
        let block = Zeroizing::new(digest.digest(&input));
        let missing = wanted - key.len();
        key.extend(block.iter().take(missing));
        counter += 1;
    }
    key
}

/// A KeyAgreeRecipientInfo that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyAgreementInfo {
    ephemeral_public_key: Vec<u8>,
    user_keying_material: Option<Vec<u8>>,
    scheme: ObjectIdentifier,
    wrap: ObjectIdentifier,
    wrap_der: Vec<u8>,
    recipients: Vec<(CertificateIdentifier, Vec<u8>)>,
}

impl KeyAgreementInfo {
    pub(super) fn read(reader: &mut Reader<'_>, limits: &CmsLimits) -> Result<Self, WireError> {
        reader.expect(tag::INTEGER, "an INTEGER", "KeyAgreeRecipientInfo.version")?;
        let originator = reader.expect(tag::CONTEXT_0, "[0]", "originator")?;
        // An originator with a certificate of its own (static-static) is not used by anybody.
        let key =
            originator
                .reader(Rules::Ber)
                .expect(tag::CONTEXT_1, "[1] (an ephemeral key)", "originator")?;
        let mut key = key.reader(Rules::Ber);
        key.sequence("originatorKey.algorithm")?;
        let point = key.expect(tag::BIT_STRING, "a BIT STRING", "originatorKey.publicKey")?;
        let user_keying_material = match reader.optional(tag::CONTEXT_1, "ukm")? {
            Some(explicit) => {
                let material = explicit.reader(Rules::Ber).any("ukm")?;
                Some(octets(&material, tag::OCTET_STRING, "ukm")?)
            }
            None => None,
        };
        let algorithm = reader.sequence("keyEncryptionAlgorithm")?;
        let mut parts = algorithm.reader(Rules::Ber);
        let scheme = read_oid(&mut parts, "keyEncryptionAlgorithm")?;
        let wrap_element = parts.sequence("KeyWrapAlgorithm")?;
        parts.finish("keyEncryptionAlgorithm")?;
        let (wrap, _) = read_algorithm(&wrap_element, "KeyWrapAlgorithm")?;
        let keys = reader.sequence("recipientEncryptedKeys")?;
        reader.finish("KeyAgreeRecipientInfo")?;
        Ok(Self {
            ephemeral_public_key: point.octet_aligned_bits("originatorKey.publicKey")?.to_vec(),
            user_keying_material,
            scheme,
            wrap,
            wrap_der: wrap_element.raw.to_vec(),
            recipients: read_encrypted_keys(&keys, limits)?,
        })
    }

    pub(super) fn text(&self) -> String {
        if self.recipients.is_empty() {
            return "EC key agreement with nobody".to_owned();
        }
        let names: Vec<String> = self
            .recipients
            .iter()
            .map(|(identifier, _)| format!("EC key agreement with {identifier}"))
            .collect();
        names.join("; ")
    }

    /// Key agreement and key wrap.
    pub(super) fn algorithms(&self) -> String {
        format!("{}, {}", name_with_oid(&self.scheme), name_with_oid(&self.wrap))
    }

    /// Whether one of the recipients is accepted by `wanted`.
    pub(super) fn is_for(&self, wanted: impl Fn(&CertificateIdentifier) -> bool) -> bool {
        self.recipients.iter().any(|(identifier, _)| wanted(identifier))
    }

    /// The content-encryption keys for the recipients that `wanted` accepts.
    pub(super) fn decrypt(
        &self,
        key: &EcPrivateKey,
        wanted: impl Fn(&CertificateIdentifier) -> bool,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, CmsError> {
        let wrapped: Vec<&Vec<u8>> = self
            .recipients
            .iter()
            .filter(|(identifier, _)| wanted(identifier))
            .map(|(_, wrapped)| wrapped)
            .collect();
        let digest = SCHEMES
            .iter()
            .find(|(number, _)| ObjectIdentifier::new(number).is_ok_and(|known| known == self.scheme))
            .map(|(_, digest)| *digest)
            .ok_or_else(|| CmsError::UnsupportedAlgorithm {
                what: "the key agreement",
                algorithm: name_with_oid(&self.scheme),
            })?;
        let wrap = KeyWrap::from_oid(&self.wrap)?;
        let shared = key
            .agree(&self.ephemeral_public_key)
            .ok_or(CmsError::Decryption)?;
        let material = self.user_keying_material.as_deref();
        let key = derive(&shared, digest, wrap, &self.wrap_der, material);
        Ok(wrapped
            .into_iter()
            .filter_map(|wrapped| wrap.unwrap(&key, wrapped).ok())
            .collect())
    }
}

fn read_encrypted_keys(
    keys: &Element<'_>,
    limits: &CmsLimits,
) -> Result<Vec<(CertificateIdentifier, Vec<u8>)>, WireError> {
    let mut keys = keys.reader(Rules::Ber);
    let mut all = Vec::new();
    while !keys.is_empty() {
        if all.len() >= limits.recipients {
            return Err(WireError::TooMany {
                what: "recipients of one key agreement",
                limit: limits.recipients,
            });
        }
        let entry = keys.sequence("RecipientEncryptedKey")?;
        let mut reader = entry.reader(Rules::Ber);
        let rid = reader.any("rid")?;
        let identifier = match rid.tag {
            tag::SEQUENCE => CertificateIdentifier::read_issuer_and_serial_number(&rid, "rid")?,
            tag::CONTEXT_0 => {
                let identifier = rid.reader(Rules::Ber).any("rKeyId")?;
                let identifier = octets(&identifier, tag::OCTET_STRING, "rKeyId")?;
                CertificateIdentifier::SubjectKeyIdentifier(identifier)
            }
            found => {
                let expected = "issuer and serial number, or a key identifier";
                return Err(rid.problem("rid", DerProblem::WrongTag { expected, found }));
            }
        };
        let wrapped = octets(&reader.any("encryptedKey")?, tag::OCTET_STRING, "encryptedKey")?;
        reader.finish("RecipientEncryptedKey")?;
        all.push((identifier, wrapped));
    }
    Ok(all)
}
