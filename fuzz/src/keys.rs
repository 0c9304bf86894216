//! Keys and certificates that the oracles work with. `make-corpus.sh` makes them; they protect nothing.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use est::wire::cms::enveloped_data::{DecryptionKey, KeyEncryptionKey};
use pki_common::Certificate;
use pki_common::identity::Identity;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use zeroize::Zeroizing;

/// A time within all of the certificates and lists: what comes out must not depend on the day of the run.
pub(crate) const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_900_000_000));

/// `rsa.der`, self-signed, and its key: a recipient and signer.
const RSA: (&[u8], &[u8]) = (
    include_bytes!("../keys/rsa.der"),
    include_bytes!("../keys/rsa.key.der"),
);
/// The same on P-256.
const EC: (&[u8], &[u8]) = (
    include_bytes!("../keys/ec.der"),
    include_bytes!("../keys/ec.key.der"),
);

/// An authority and what it issued, and the list of what it revoked.
pub(crate) const ROOT: &[u8] = include_bytes!("../keys/root.der");
pub(crate) const INTERMEDIATE: &[u8] = include_bytes!("../keys/intermediate.der");
/// Issued by the intermediate authority.
pub(crate) const LEAF: &[u8] = include_bytes!("../keys/leaf.der");
/// Issued by the root.
pub(crate) const DIRECT: &[u8] = include_bytes!("../keys/direct.der");
/// Issued by the root and signed with SHA-1.
pub(crate) const OLD: &[u8] = include_bytes!("../keys/old.der");
/// Issued by the root and on its list.
pub(crate) const REVOKED: &[u8] = include_bytes!("../keys/revoked.der");
/// The lists that the root signed, and whether `REVOKED` is on them.
pub(crate) const LISTS: [(&[u8], bool); 5] = [
    (include_bytes!("../keys/list.crl"), true),
    (include_bytes!("../keys/list-version-1.crl"), true),
    (include_bytes!("../keys/list-partition.crl"), true),
    (include_bytes!("../keys/list-sha384.crl"), true),
    (include_bytes!("../keys/list-empty.crl"), false),
];

/// The one who signs in the oracles.
pub(crate) fn signer() -> &'static Arc<Identity> {
    static SIGNER: OnceLock<Arc<Identity>> = OnceLock::new();
    SIGNER.get_or_init(|| {
        let key = PrivatePkcs8KeyDer::from(EC.1).clone_key();
        let identity = Identity::from_parts(vec![CertificateDer::from(EC.0)], key.into());
        Arc::new(identity.expect("openssl made a pair"))
    })
}

/// The shared key of the corpus.
pub(crate) fn shared_key() -> KeyEncryptionKey {
    KeyEncryptionKey::new(vec![1, 2, 3, 4], Zeroizing::new(vec![0x42; 32])).expect("32 bytes are a key")
}

/// Who receives keys.
pub(crate) fn recipient() -> Certificate {
    Certificate::from_der(RSA.0).expect("openssl made a certificate")
}

/// What the enveloped data of the corpus is decrypted with: RSA, EC, shared; each with and without its certificate.
pub(crate) fn decryption_keys() -> &'static [DecryptionKey] {
    static KEYS: OnceLock<Vec<DecryptionKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = vec![DecryptionKey::key_encryption_key(shared_key())];
        for (certificate, key) in [RSA, EC] {
            let certificate = Certificate::from_der(certificate).expect("openssl made a certificate");
            for certificate in [Some(certificate), None] {
                let key = PrivatePkcs8KeyDer::from(key);
                keys.push(
                    DecryptionKey::private_key(&key, certificate).expect("RSA and P-256 are supported"),
                );
            }
        }
        keys
    })
}

/// What was signed in a certificate or list: the first element in the outermost one.
pub(crate) fn signed_part(der: &[u8]) -> &[u8] {
    let inner = der.get(header_length(der)..).unwrap_or_default();
    let header = header_length(inner);
    let length = match inner.get(1..header) {
        Some([short]) => usize::from(*short),
        Some([_, octets @ ..]) => octets
            .iter()
            .fold(0, |length, octet| length << 8 | usize::from(*octet)),
        _ => 0,
    };
    inner.get(..header + length).unwrap_or_default()
}

/// Octets of tag and length.
fn header_length(der: &[u8]) -> usize {
    match der.get(1) {
        // A length of four octets is more than any of the files here has.
        Some(first @ 0x81..=0x83) => 2 + usize::from(first & 0x7f),
        _ => 2,
    }
}
