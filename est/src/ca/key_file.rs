//! The private key of an authority at rest: PKCS#8, in the clear or under a passphrase (PBES2 of RFC 8018 with scrypt
//! and AES-256-CBC, which `openssl pkcs8` reads and writes, too).

use std::fmt;

use der::pem::LineEnding;
use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo};
use rand_core::OsRng;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::{Zeroize as _, Zeroizing};

/// The label of an encrypted key in PEM (RFC 7468 section 11).
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A passphrase. `Debug` does not show it.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase; `None` for an empty one, which protects nothing.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = Zeroizing::new(text.into());
        (!text.is_empty()).then_some(Self(text))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passphrase(..)")
    }
}

/// Whether a PEM file holds an encrypted key.
pub(super) fn is_encrypted(pem: &[u8]) -> bool {
    let begin = format!("-----BEGIN {ENCRYPTED}-----");
    pem.windows(begin.len()).any(|window| window == begin.as_bytes())
}

/// Reads a key in PEM. The error says what is wrong, without the file's name.
pub(super) fn decode(pem: &[u8], passphrase: Option<&Passphrase>) -> Result<PrivateKeyDer<'static>, String> {
    if !is_encrypted(pem) {
        return PrivateKeyDer::from_pem_slice(pem).map_err(|error| format!("no private key in PEM: {error}"));
    }
    let passphrase = passphrase.ok_or("the private key is encrypted, and there is no passphrase for it")?;
    let unreadable = |error: &dyn fmt::Display| format!("the encrypted private key cannot be read: {error}");
    let text = core::str::from_utf8(pem).map_err(|error| unreadable(&error))?;
    let (_label, document) =
        der::Document::from_pem(text.trim_start()).map_err(|error| unreadable(&error))?;
    let encrypted =
        EncryptedPrivateKeyInfo::try_from(document.as_bytes()).map_err(|error| unreadable(&error))?;
    let key = encrypted
        .decrypt(passphrase.0.as_bytes())
        .map_err(|_| "the passphrase does not decrypt the private key".to_owned())?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// Writes a key in PEM, encrypted when there is a passphrase.
pub(super) fn encode(
    key: &PrivateKeyDer<'_>,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, String> {
    let Some(passphrase) = passphrase else {
        return Ok(pki_common::identity::private_key_pem(key));
    };
    let PrivateKeyDer::Pkcs8(pkcs8) = key else {
        return Err("only a key in PKCS#8 can be encrypted".to_owned());
    };
    let failed = |error: pkcs8::Error| format!("the private key cannot be encrypted: {error}");
    let encrypted = PrivateKeyInfo::try_from(pkcs8.secret_pkcs8_der())
        .map_err(failed)?
        .encrypt(OsRng, passphrase.0.as_bytes())
        .map_err(failed)?;
    let mut pem = encrypted
        .to_pem(ENCRYPTED, LineEnding::LF)
        .map_err(|error| format!("the private key cannot be written: {error}"))?;
    let text = Zeroizing::new(pem.to_string());
    pem.zeroize();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_only() {
        let pem = include_bytes!("../../testdata/ca/p256.key.pem");
        let key = decode(pem, None).unwrap();
        let passphrase = Passphrase::new("correct horse").unwrap();
        let encrypted = encode(&key, Some(&passphrase)).unwrap();
        assert!(is_encrypted(encrypted.as_bytes()) && !is_encrypted(pem));
        assert_eq!(decode(encrypted.as_bytes(), Some(&passphrase)), Ok(key));
        let wrong = Passphrase::new("wrong").unwrap();
        let error = decode(encrypted.as_bytes(), Some(&wrong)).unwrap_err();
        assert!(error.contains("passphrase does not decrypt"), "{error}");
        assert!(decode(encrypted.as_bytes(), None).is_err());
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        assert!(Passphrase::new("").is_none());
    }
}
