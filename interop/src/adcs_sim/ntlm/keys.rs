//! The hashes and keys of NTLMv2 (MS-NLMP section 3.3.2).

use hmac::{Hmac, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;
use rc4::{KeyInit as _, Rc4, StreamCipher as _};

use super::message::{MIC_PLACE, utf16};

/// `NTOWFv2`: the key that a password, a user name and a domain make. The user name counts in upper case, the domain
/// as the client wrote it.
pub(super) fn response_key(password: &str, user: &str, domain: &str) -> [u8; 16] {
    let password_hash = Md4::digest(utf16(password));
    let upper: String = user.chars().map(upper_case).collect();
    hmac_md5(&password_hash, &[&utf16(&upper), &utf16(domain)])
}

/// Windows keeps the number of characters: ß stays ß.
fn upper_case(character: char) -> char {
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => character,
    }
}

/// `NTProofStr`: what the client proves its key with.
pub(super) fn proof(response_key: &[u8; 16], server_challenge: &[u8; 8], blob: &[u8]) -> [u8; 16] {
    hmac_md5(response_key, &[server_challenge, blob])
}

/// The session key: derived from the proof, or chosen by the client and encrypted with that.
pub(super) fn session_key(response_key: &[u8; 16], proof: &[u8; 16], encrypted: Option<&[u8]>) -> [u8; 16] {
    let base = hmac_md5(response_key, &[proof]);
    let Some(Ok(mut key)) = encrypted.map(<[u8; 16]>::try_from) else {
        return base;
    };
    Rc4::new(&base.into()).apply_keystream(&mut key);
    key
}

/// The message integrity code over the three messages, that of the last with zeros in its own place.
pub(super) fn mic(
    session_key: &[u8; 16],
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[u8],
) -> [u8; 16] {
    let mut authenticate = authenticate.to_vec();
    if let Some(place) = authenticate.get_mut(MIC_PLACE) {
        place.fill(0);
    }
    hmac_md5(session_key, &[negotiate, challenge, &authenticate])
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Hmac<Md5> as hmac::Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The vectors of MS-NLMP section 4.2: password `Password`, user `User`, domain `Domain`.
#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> [u8; 16] {
        response_key("Password", "User", "Domain")
    }

    /// MS-NLMP section 4.2.4.1.3: time 0, client challenge aa…, target info of domain and server.
    fn blob() -> Vec<u8> {
        let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        blob.extend([0xaa; 8]);
        blob.extend([0; 4]);
        for (id, name) in [(2_u16, "Domain"), (1, "Server")] {
            super::super::message::push_av_pair(&mut blob, id, &utf16(name));
        }
        blob.extend([0; 8]);
        blob
    }

    #[test]
    fn computes_the_published_response_key() {
        assert_eq!(hex::encode(key()), "0c868a403bfd7a93a3001ef22ef02e3f");
        assert_eq!(response_key("Password", "uSER", "Domain"), key());
        assert_ne!(response_key("Password", "User", "DOMAIN"), key());
    }

    #[test]
    fn computes_the_published_proof_and_session_keys() {
        let challenge = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let proof = proof(&key(), &challenge, &blob());
        assert_eq!(hex::encode(proof), "68cd0ab851e51c96aabc927bebef6a1c");
        let base = session_key(&key(), &proof, None);
        assert_eq!(hex::encode(base), "8de40ccadbc14a82f15cb0ad0de95ca3");
        let encrypted = hex::decode("c5dad2544fc9799094ce1ce90bc9d03e").unwrap();
        assert_eq!(session_key(&key(), &proof, Some(&encrypted)), [0x55; 16]);
    }

    #[test]
    fn a_letter_whose_upper_case_is_two_letters_stays() {
        assert_eq!(response_key("p", "straße", "D"), response_key("p", "STRAßE", "D"));
    }
}
