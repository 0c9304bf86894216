//! The private key of an authority at rest: PKCS#8, in the clear or under a passphrase (PBES2 of RFC 8018, which
//! `openssl pkcs8` reads and writes, too).

use pki_common::identity::{IdentityError, Passphrase, parse_private_key};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

/// The label of an encrypted key in PEM (RFC 7468 section 11).
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Whether a PEM file holds an encrypted key.
pub(super) fn is_encrypted(pem: &[u8]) -> bool {
    let begin = format!("-----BEGIN {ENCRYPTED}-----");
    pem.windows(begin.len()).any(|window| window == begin.as_bytes())
}

/// Reads a key. The error says what is wrong, without the file's name.
pub(super) fn decode(
    content: &[u8],
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let passphrase = passphrase.map(Passphrase::as_bytes);
    parse_private_key(content, passphrase, "this file")
}

/// Writes a key in PEM, encrypted when there is a passphrase.
pub(super) fn encode(
    key: &PrivateKeyDer<'_>,
    passphrase: Option<&Passphrase>,
) -> Result<Zeroizing<String>, String> {
    let Some(passphrase) = passphrase else {
        return Ok(pki_common::identity::private_key_pem(key));
    };
    pki_common::identity::encrypted_private_key_pem(key, passphrase.as_bytes())
        .map(Zeroizing::new)
        .map_err(|error| error.to_string())
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
        assert_eq!(decode(encrypted.as_bytes(), Some(&passphrase)).unwrap(), key);
        let wrong = Passphrase::new("wrong").unwrap();
        let error = decode(encrypted.as_bytes(), Some(&wrong))
            .unwrap_err()
            .to_string();
        assert!(error.contains("passphrase does not decrypt"), "{error}");
        assert!(decode(encrypted.as_bytes(), None).is_err());
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        assert!(Passphrase::new("").is_none());
    }
}
