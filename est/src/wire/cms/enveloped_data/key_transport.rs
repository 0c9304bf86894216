//! The content-encryption key under an RSA public key (RFC 5652 section 6.2.1).

use const_oid::ObjectIdentifier;
use rand_core::OsRng;
use rsa::pkcs1::RsaPublicKey as RsaPublicKeyFields;
use rsa::{BigUint, Oaep, Pkcs1v15Encrypt, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::cms::algorithm::algorithm_identifier;
use crate::wire::cms::identifier::CONTEXT_0_PRIMITIVE;
use crate::wire::cms::{CertificateIdentifier, CmsError, DigestAlgorithm, read_algorithm, read_oid};
use crate::wire::csr::name_with_oid;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

const NULL: &[u8] = &[tag::NULL, 0];

/// The largest modulus that is worked with, in bits; the cost of a private-key operation grows with its cube.
const MAX_BITS: usize = 8192;

/// How a content-encryption key is encrypted for an RSA key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyTransport {
    /// RSAES-OAEP with SHA-256 (RFC 3560).
    #[default]
    RsaesOaep,
    /// RSAES-PKCS1-v1_5 (RFC 3370 section 4.2.1), for recipients that know nothing else.
    RsaesPkcs1V15,
}

/// The KeyTransRecipientInfo.
pub(super) fn recipient_info(
    identifier: &CertificateIdentifier,
    public_key: &[u8],
    transport: KeyTransport,
    content_key: &[u8],
) -> Result<Vec<u8>, CmsError> {
    let unusable = |error: &dyn core::fmt::Display| {
        CmsError::CannotEncrypt(format!("the recipient's RSA key cannot be used: {error}"))
    };
    let fields = RsaPublicKeyFields::try_from(public_key).map_err(|error| unusable(&error))?;
    let key = RsaPublicKey::new_with_max_size(
        BigUint::from_bytes_be(fields.modulus.as_bytes()),
        BigUint::from_bytes_be(fields.public_exponent.as_bytes()),
        MAX_BITS,
    )
    .map_err(|error| unusable(&error))?;
    let (algorithm, encrypted) = match transport {
        KeyTransport::RsaesOaep => (
            algorithm_identifier(RSAES_OAEP, &oaep_parameters()),
            key.encrypt(&mut OsRng, Oaep::new::<Sha256>(), content_key),
        ),
        KeyTransport::RsaesPkcs1V15 => (
            algorithm_identifier(RSA_ENCRYPTION, NULL),
            key.encrypt(&mut OsRng, Pkcs1v15Encrypt, content_key),
        ),
    };
    let encrypted = encrypted.map_err(|error| unusable(&error))?;
    let version = match identifier {
        CertificateIdentifier::IssuerAndSerialNumber { .. } => 0,
        CertificateIdentifier::SubjectKeyIdentifier(_) => 2,
    };
    Ok(asn1::encode(
        tag::SEQUENCE,
        &[
            &[tag::INTEGER, 1, version],
            &identifier.to_der(CONTEXT_0_PRIMITIVE),
            &algorithm,
            &asn1::encode(tag::OCTET_STRING, &[&encrypted]),
        ],
    ))
}

/// Decrypts the content-encryption key.
pub(super) fn decrypt(
    key: &RsaPrivateKey,
    algorithm: &ObjectIdentifier,
    parameters: &[u8],
    encrypted_key: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CmsError> {
    let decrypted = match *algorithm {
        RSA_ENCRYPTION => key.decrypt_blinded(&mut OsRng, Pkcs1v15Encrypt, encrypted_key),
        RSAES_OAEP => key.decrypt_blinded(&mut OsRng, read_oaep(parameters)?, encrypted_key),
        _ => {
            return Err(CmsError::UnsupportedAlgorithm {
                what: "the key transport",
                algorithm: name_with_oid(algorithm),
            });
        }
    };
    decrypted.map(Zeroizing::new).map_err(|_| CmsError::Decryption)
}

/// RSAES-OAEP-params for SHA-256 in both places (RFC 4055 section 4.1).
fn oaep_parameters() -> Vec<u8> {
    let hash = algorithm_identifier(SHA256, NULL);
    let mask = algorithm_identifier(MGF1, &hash);
    asn1::encode(
        tag::SEQUENCE,
        &[
            &asn1::encode(tag::CONTEXT_0, &[&hash]),
            &asn1::encode(tag::CONTEXT_1, &[&mask]),
        ],
    )
}

/// Every part defaults to SHA-1; a label is used by nobody.
fn read_oaep(parameters: &[u8]) -> Result<Oaep, CmsError> {
    const FIELD: &str = "RSAES-OAEP-params";
    let mut outer = Reader::new(parameters, Rules::Ber);
    let mut reader = outer.sequence(FIELD)?.reader(Rules::Ber);
    let mut digest = DigestAlgorithm::Sha1;
    if let Some(explicit) = reader.optional(tag::CONTEXT_0, FIELD)? {
        let hash = explicit.reader(Rules::Ber).sequence(FIELD)?;
        digest = DigestAlgorithm::from_oid(&read_algorithm(&hash, FIELD)?.0)?;
    }
    let mut mask_digest = DigestAlgorithm::Sha1;
    if let Some(explicit) = reader.optional(tag::CONTEXT_1, FIELD)? {
        let mask = explicit.reader(Rules::Ber).sequence(FIELD)?;
        let (generator, hash) = read_algorithm(&mask, FIELD)?;
        let mut hash = Reader::new(hash, Rules::Ber);
        let hash = read_oid(&mut hash.sequence(FIELD)?.reader(Rules::Ber), FIELD)?;
        if generator != MGF1 {
            return Err(unsupported_oaep(&name_with_oid(&generator)));
        }
        mask_digest = DigestAlgorithm::from_oid(&hash)?;
    }
    if !reader.is_empty() {
        return Err(unsupported_oaep("with a label"));
    }
    Ok(match (digest, mask_digest) {
        (DigestAlgorithm::Sha1, DigestAlgorithm::Sha1) => Oaep::new::<Sha1>(),
        (DigestAlgorithm::Sha256, DigestAlgorithm::Sha256) => Oaep::new::<Sha256>(),
        (DigestAlgorithm::Sha384, DigestAlgorithm::Sha384) => Oaep::new::<Sha384>(),
        (DigestAlgorithm::Sha512, DigestAlgorithm::Sha512) => Oaep::new::<Sha512>(),
        (DigestAlgorithm::Sha256, DigestAlgorithm::Sha1) => Oaep::new_with_mgf_hash::<Sha256, Sha1>(),
        (DigestAlgorithm::Sha384, DigestAlgorithm::Sha1) => Oaep::new_with_mgf_hash::<Sha384, Sha1>(),
        (DigestAlgorithm::Sha512, DigestAlgorithm::Sha1) => Oaep::new_with_mgf_hash::<Sha512, Sha1>(),
        (digest, mask) => return Err(unsupported_oaep(&format!("with {digest} and MGF1 with {mask}"))),
    })
}

fn unsupported_oaep(how: &str) -> CmsError {
    CmsError::UnsupportedAlgorithm {
        what: "the key transport",
        algorithm: format!("RSAES-OAEP {how}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4055 section 6 lists the bytes of rSAES-OAEP-SHA256-Params.
    #[test]
    fn writes_the_parameters_that_rfc_4055_lists() {
        let identifier = crate::wire::cms::oid(SHA256);
        let parameters = oaep_parameters();
        assert_eq!(parameters[..4], [0x30, 0x2f, 0xa0, 0x0f]);
        assert_eq!(parameters[6..6 + identifier.len()], identifier);
        assert!(read_oaep(&parameters).is_ok());
        assert!(read_oaep(&[0x30, 0]).is_ok());
        let label = [0x30, 2, 0xa2, 0];
        let Err(error) = read_oaep(&label) else {
            panic!("a label is accepted");
        };
        assert!(error.to_string().contains("label"), "{error}");
    }
}
