//! The public key of a certification request (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7).

use std::fmt;

use const_oid::ObjectIdentifier;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::attribute::name_with_oid;
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{Element, Reader, Rules, tag};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const PARAMETERS: &str = "subjectPKInfo.algorithm.parameters";

/// What kind of key it is, as far as a policy has to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublicKeyKind {
    /// RSA (rsaEncryption, RFC 3279 section 2.3.1).
    Rsa {
        /// Length of the modulus, in bits.
        bits: usize,
    },
    /// RSA, for RSASSA-PSS signatures only (RFC 4055 section 1.2).
    RsaPss {
        /// Length of the modulus, in bits.
        bits: usize,
    },
    /// NIST P-256 (secp256r1).
    EcP256,
    /// NIST P-384 (secp384r1).
    EcP384,
    /// NIST P-521 (secp521r1).
    EcP521,
    /// An elliptic curve known by number only.
    EcOther {
        /// The curve; `None` when the curve is not named but spelled out.
        curve: Option<ObjectIdentifier>,
    },
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Anything else.
    Other {
        /// The algorithm.
        algorithm: ObjectIdentifier,
    },
}

impl fmt::Display for PublicKeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(formatter, "RSA-{bits}"),
            Self::RsaPss { bits } => write!(formatter, "RSA-PSS-{bits}"),
            Self::EcP256 => formatter.write_str("EC P-256"),
            Self::EcP384 => formatter.write_str("EC P-384"),
            Self::EcP521 => formatter.write_str("EC P-521"),
            Self::EcOther { curve: Some(curve) } => write!(formatter, "EC {}", name_with_oid(curve)),
            Self::EcOther { curve: None } => formatter.write_str("EC with explicit parameters"),
            Self::Ed25519 => formatter.write_str("Ed25519"),
            Self::Other { algorithm } => formatter.write_str(&name_with_oid(algorithm)),
        }
    }
}

/// A public key as a SubjectPublicKeyInfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    kind: PublicKeyKind,
    key_identifier: [u8; 20],
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// [`WireError::Der`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(der, Rules::Der);
        let element = reader.sequence("subjectPublicKeyInfo")?;
        reader.finish("subjectPublicKeyInfo")?;
        Self::parse(&element)
    }

    pub(crate) fn parse(spki: &Element<'_>) -> Result<Self, WireError> {
        let mut reader = spki.reader(Rules::Der);
        let algorithm = reader.sequence("subjectPKInfo.algorithm")?;
        let key = reader.expect(tag::BIT_STRING, "a BIT STRING", "subjectPublicKey")?;
        reader.finish("subjectPKInfo")?;
        let bits = key.octet_aligned_bits("subjectPublicKey")?;
        let mut algorithm = algorithm.reader(Rules::Der);
        let oid = algorithm
            .expect(
                tag::OBJECT_IDENTIFIER,
                "an OBJECT IDENTIFIER",
                "subjectPKInfo.algorithm",
            )?
            .object_identifier("subjectPKInfo.algorithm")?;
        let kind = match oid {
            RSA_ENCRYPTION => {
                null_or_nothing(&mut algorithm)?;
                PublicKeyKind::Rsa {
                    bits: modulus_bits(&key, bits)?,
                }
            }
            RSASSA_PSS => PublicKeyKind::RsaPss {
                bits: modulus_bits(&key, bits)?,
            },
            EC_PUBLIC_KEY => curve(&mut algorithm)?,
            ED25519 => PublicKeyKind::Ed25519,
            algorithm => PublicKeyKind::Other { algorithm },
        };
        Ok(Self {
            spki: spki.raw.to_vec(),
            kind,
            key_identifier: Sha1::digest(bits).into(),
        })
    }

    /// A key of this kind that does not exist yet: it has a kind and no octets.
    pub(crate) const fn yet_to_be_made(kind: PublicKeyKind) -> Self {
        Self {
            spki: Vec::new(),
            kind,
            key_identifier: [0; 20],
        }
    }

    /// The SubjectPublicKeyInfo, as it was sent.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// What kind of key it is.
    pub fn kind(&self) -> &PublicKeyKind {
        &self.kind
    }

    /// The key identifier of RFC 5280 section 4.2.1.2 method (1): SHA-1 over the key's bits. It is a name for the
    /// key, not a protection.
    pub fn key_identifier(&self) -> &[u8; 20] {
        &self.key_identifier
    }

    /// SHA-256 over the SubjectPublicKeyInfo.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.spki).into()
    }
}

/// The parameters of rsaEncryption: NULL (RFC 3279 section 2.3.1), or left out as some do. The key goes into the
/// certificate as it was sent, so nothing else may travel there.
fn null_or_nothing(parameters: &mut Reader<'_>) -> Result<(), WireError> {
    if let Some(null) = parameters.optional(tag::NULL, PARAMETERS)?
        && !null.content.is_empty()
    {
        return Err(null.problem(PARAMETERS, DerProblem::Value("the NULL has a value".to_owned())));
    }
    parameters.finish(PARAMETERS)
}

/// The length of the modulus in an RSAPublicKey (RFC 8017 appendix A.1.1).
fn modulus_bits(key: &Element<'_>, rsa_public_key: &[u8]) -> Result<usize, WireError> {
    const FIELD: &str = "RSAPublicKey";
    // Positions inside the BIT STRING are not tracked; the error names the BIT STRING.
    let wrong = |text: &str| key.problem(FIELD, DerProblem::Value(text.to_owned()));
    let not_a_key = |_| wrong("not a modulus and an exponent");
    let mut reader = Reader::new(rsa_public_key, Rules::Der);
    let numbers = reader.sequence(FIELD).map_err(not_a_key)?;
    reader.finish(FIELD).map_err(not_a_key)?;
    let mut numbers = numbers.reader(Rules::Der);
    let modulus = numbers
        .expect(tag::INTEGER, "an INTEGER", FIELD)
        .map_err(not_a_key)?
        .content;
    numbers
        .expect(tag::INTEGER, "an INTEGER", FIELD)
        .map_err(not_a_key)?;
    numbers.finish(FIELD).map_err(not_a_key)?;
    let magnitude = match modulus {
        [first, ..] if first & 0x80 != 0 => return Err(wrong("the modulus is negative")),
        [0, magnitude @ ..] | magnitude => magnitude,
    };
    match magnitude
        .first()
        .map(|first| first.leading_zeros())
        .map(usize::try_from)
    {
        Some(Ok(zeros)) if zeros < 8 => Ok(magnitude.len() * 8 - zeros),
        _ => Err(wrong("the modulus is zero or has leading zeros")),
    }
}

fn curve(parameters: &mut Reader<'_>) -> Result<PublicKeyKind, WireError> {
    let Some(oid) = parameters.optional(tag::OBJECT_IDENTIFIER, PARAMETERS)? else {
        return Ok(PublicKeyKind::EcOther { curve: None });
    };
    parameters.finish(PARAMETERS)?;
    Ok(match oid.object_identifier(PARAMETERS)? {
        P256 => PublicKeyKind::EcP256,
        P384 => PublicKeyKind::EcP384,
        P521 => PublicKeyKind::EcP521,
        curve => PublicKeyKind::EcOther { curve: Some(curve) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::asn1::encode;

    fn key(oid: ObjectIdentifier, parameters: &[u8], bits: &[u8]) -> Result<PublicKey, WireError> {
        let oid = encode(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
        let algorithm = encode(tag::SEQUENCE, &[&oid, parameters]);
        let bits = encode(tag::BIT_STRING, &[&[0], bits]);
        PublicKey::from_spki_der(&encode(tag::SEQUENCE, &[&algorithm, &bits]))
    }

    /// The key is copied into the certificate: whatever stood beside it would be certified with it.
    #[test]
    fn nothing_travels_in_the_parameters_of_a_key() {
        let modulus = encode(tag::INTEGER, &[&[0x40; 256]]);
        let rsa = encode(tag::SEQUENCE, &[&modulus, &[2, 1, 3]]);
        let null: &[u8] = &[5, 0];
        for parameters in [null, &[]] {
            let found = key(RSA_ENCRYPTION, parameters, &rsa).unwrap();
            assert_eq!(found.kind(), &PublicKeyKind::Rsa { bits: 2047 });
        }
        for parameters in [&[4, 2, b'h', b'i'][..], &[5, 1, 0], &[5, 0, 4, 1, b'x']] {
            assert!(key(RSA_ENCRYPTION, parameters, &rsa).is_err(), "{parameters:?}");
        }
        let curve = encode(tag::OBJECT_IDENTIFIER, &[P256.as_bytes()]);
        assert_eq!(
            key(EC_PUBLIC_KEY, &curve, &[4; 65]).unwrap().kind(),
            &PublicKeyKind::EcP256
        );
        assert!(key(EC_PUBLIC_KEY, &[&curve[..], null].concat(), &[4; 65]).is_err());
    }
}
