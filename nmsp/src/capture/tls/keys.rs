//! From the secrets of a key log to the keys of records.

use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::suite::{Hash, Mac, Suite};
use crate::capture::error::TlsVersion;

/// The keys of one direction.
#[derive(Clone, Default)]
pub(super) struct Keys {
    /// Of the HMAC; empty unless the suite is a CBC suite.
    pub(super) mac: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// The initialisation vector, or the part of the nonce that does not change.
    pub(super) iv: Vec<u8>,
}

/// HKDF-Expand-Label with an empty context (RFC 8446 section 7.1). `length` is at most 64, which HKDF always gives.
pub(super) fn expand_label(hash: Hash, secret: &[u8], label: &str, length: u8) -> Option<Vec<u8>> {
    let name_length = u8::try_from("tls13 ".len() + label.len()).ok()?;
    let mut info = vec![0, length, name_length];
    info.extend(b"tls13 ");
    info.extend(label.as_bytes());
    info.push(0);
    let mut out = vec![0; usize::from(length)];
    match hash {
        Hash::Sha256 => Hkdf::<Sha256>::from_prk(secret)
            .ok()?
            .expand(&info, &mut out)
            .ok()?,
        Hash::Sha384 => Hkdf::<Sha384>::from_prk(secret)
            .ok()?
            .expand(&info, &mut out)
            .ok()?,
    }
    Some(out)
}

/// The keys of one direction of TLS 1.3 (RFC 8446 section 7.3). `None` if the secret is shorter than the hash.
pub(super) fn traffic_keys(suite: Suite, secret: &[u8]) -> Option<Keys> {
    let key_length = u8::try_from(suite.bulk.key_length()).ok()?;
    Some(Keys {
        mac: Vec::new(),
        key: expand_label(suite.hash, secret, "key", key_length)?,
        iv: expand_label(suite.hash, secret, "iv", 12)?,
    })
}

/// The secret after a key update (RFC 8446 section 7.2).
pub(super) fn next_traffic_secret(hash: Hash, secret: &[u8]) -> Option<Vec<u8>> {
    let length = match hash {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
    };
    expand_label(hash, secret, "traffic upd", length)
}

/// The keys of both directions before TLS 1.3, the client's first (RFC 5246 section 6.3).
pub(super) fn key_block(
    version: TlsVersion,
    suite: Suite,
    master_secret: &[u8],
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> Option<[Keys; 2]> {
    let (mac, iv) = match (suite.bulk.mac(), version) {
        // Only TLS 1.0 takes the first initialisation vector from here.
        (Some(mac), TlsVersion::Tls10) => (mac.length(), 16),
        (Some(mac), _) => (mac.length(), 0),
        (None, _) if suite.bulk == super::suite::Bulk::ChaCha20Poly1305 => (0, 12),
        (None, _) => (0, 4),
    };
    let key = suite.bulk.key_length();
    let seed = [&b"key expansion"[..], server_random, client_random].concat();
    let length = 2 * (mac + key + iv);
    let block = match (version, suite.hash) {
        (TlsVersion::Tls10 | TlsVersion::Tls11, _) => prf_with_md5_and_sha1(master_secret, &seed, length)?,
        (_, Hash::Sha256) => expand(master_secret, &seed, length, Digest::Sha256)?,
        (_, Hash::Sha384) => expand(master_secret, &seed, length, Digest::Sha384)?,
    };
    let mut rest = block.as_slice();
    let mut cut = |length| {
        let (first, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(first.to_vec())
    };
    let mut keys = [Keys::default(), Keys::default()];
    for keys in &mut keys {
        keys.mac = cut(mac)?;
    }
    for keys in &mut keys {
        keys.key = cut(key)?;
    }
    for keys in &mut keys {
        keys.iv = cut(iv)?;
    }
    Some(keys)
}

#[derive(Clone, Copy)]
enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
}

/// An HMAC. `None` never happens: HMAC takes keys of every length.
fn hmac(digest: Digest, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    macro_rules! compute {
        ($hash:ty) => {{
            let mut hmac = <Hmac<$hash>>::new_from_slice(key).ok()?;
            parts.iter().for_each(|part| hmac.update(part));
            Some(hmac.finalize().into_bytes().to_vec())
        }};
    }
    match digest {
        Digest::Md5 => compute!(Md5),
        Digest::Sha1 => compute!(Sha1),
        Digest::Sha256 => compute!(Sha256),
        Digest::Sha384 => compute!(Sha384),
    }
}

/// The HMAC of a record in a CBC suite.
pub(super) fn record_mac(mac: Mac, key: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
    let digest = match mac {
        Mac::Sha1 => Digest::Sha1,
        Mac::Sha256 => Digest::Sha256,
        Mac::Sha384 => Digest::Sha384,
    };
    hmac(digest, key, parts)
}

/// P_hash (RFC 5246 section 5). `seed` begins with the label.
fn expand(secret: &[u8], seed: &[u8], length: usize, digest: Digest) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(length + 64);
    let mut a = hmac(digest, secret, &[seed])?;
    while out.len() < length {
        out.extend(hmac(digest, secret, &[&a, seed])?);
        a = hmac(digest, secret, &[&a])?;
    }
    out.truncate(length);
    Some(out)
}

/// The pseudorandom function of TLS 1.0 and 1.1 (RFC 2246 section 5): the two halves of the secret share the middle byte
/// if their length is odd.
fn prf_with_md5_and_sha1(secret: &[u8], seed: &[u8], length: usize) -> Option<Vec<u8>> {
    let half = secret.len().div_ceil(2);
    let md5 = expand(secret.get(..half)?, seed, length, Digest::Md5)?;
    let sha1 = expand(secret.get(secret.len() - half..)?, seed, length, Digest::Sha1)?;
    Some(md5.iter().zip(&sha1).map(|(a, b)| a ^ b).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    /// RFC 8448 section 3.
    #[test]
    fn derives_the_keys_of_rfc_8448() {
        let suite = crate::capture::tls::suite::suite(0x1301).unwrap();
        for (secret, key, iv) in [
            (
                "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
                "3fce516009c21727d0f2e4e86ee403bc",
                "5d313eb2671276ee13000b30",
            ),
            (
                "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
                "9f02283b6c9c07efc26bb9f2ac92e356",
                "cf782b88dd83549aadf1e984",
            ),
        ] {
            let keys = traffic_keys(suite, &bytes(secret)).unwrap();
            assert_eq!((keys.key, keys.iv), (bytes(key), bytes(iv)));
        }
    }

    /// The vector for P_SHA256 that the TLS working group's mailing list published and TLS libraries test with.
    #[test]
    fn expands_as_tls_1_2_does() {
        let secret = bytes("9bbe436ba940f017b17652849a71db35");
        let seed = [&b"test label"[..], &bytes("a0ba9f936cda311827a6f796ffd5198c")].concat();
        let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af\
                        0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
                        87347b66";
        assert_eq!(expand(&secret, &seed, 100, Digest::Sha256), Some(bytes(expected)));
    }
}
