//! Signing with the key of an authority.

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::crypto::CryptoProvider;
use rustls::sign::{Signer, SigningKey};
use rustls_pki_types::PrivateKeyDer;

use super::IssuerError;
use crate::wire::asn1::{self, tag};

/// Algorithms an issuer signs with, by preference. Which one applies follows from the key.
const SIGNATURE_SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PKCS1_SHA256,
];

pub(super) fn load_key(
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<dyn SigningKey>, IssuerError> {
    provider
        .key_provider
        .load_private_key(key)
        .map_err(|error| IssuerError::Key(error.to_string()))
}

pub(super) fn key_spki(key: &dyn SigningKey) -> Result<Vec<u8>, IssuerError> {
    key.public_key()
        .map(|spki| spki.as_ref().to_vec())
        .ok_or_else(|| {
            IssuerError::Key("the provider does not tell the public key of the private key".to_owned())
        })
}

pub(super) fn signer(key: &dyn SigningKey) -> Result<Box<dyn Signer>, IssuerError> {
    key.choose_scheme(&SIGNATURE_SCHEMES)
        .ok_or_else(|| IssuerError::Key("there is no signature algorithm for this kind of key".to_owned()))
}

/// Signs what `contents` makes of the signature's AlgorithmIdentifier. Certificates, revocation lists and
/// certification requests all have this form:
///
/// ```text
/// SEQUENCE { contents, AlgorithmIdentifier, BIT STRING }
/// ```
pub(super) fn signed(
    key: &dyn SigningKey,
    contents: impl FnOnce(&[u8]) -> der::Result<Vec<u8>>,
) -> Result<Vec<u8>, IssuerError> {
    let signer = signer(key)?;
    let algorithm = algorithm_identifier(signer.scheme())?;
    let contents = contents(algorithm).map_err(|error| IssuerError::Signing(error.to_string()))?;
    let signature = signer
        .sign(&contents)
        .map_err(|error| IssuerError::Signing(error.to_string()))?;
    let signature = asn1::encode(tag::BIT_STRING, &[&[0], &signature]);
    Ok(asn1::encode(tag::SEQUENCE, &[&contents, algorithm, &signature]))
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
