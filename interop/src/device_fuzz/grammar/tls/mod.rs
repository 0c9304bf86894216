//! Broken TLS, for every protocol above it.

pub(crate) mod client_hello;

use fastrand::Rng;

use self::client_hello::{
    ClientHello, EXTENDED_MASTER_SECRET, KEY_SHARE, SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS,
    SUPPORTED_VERSIONS, key_share, prefixed,
};

/// A ClientHello as a client of TLS 1.2 and 1.3 writes it, in one record. Its key share is chance: enough for a server to
/// answer, not to finish.
#[must_use]
pub fn client_hello(random: &mut Rng) -> Vec<u8> {
    let hello = ClientHello {
        version: 0x0303,
        random: noise(random, 32),
        session_id: noise(random, 32),
        // TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, and two of TLS 1.2.
        cipher_suites: vec![0x13, 1, 0x13, 2, 0xc0, 0x2b, 0xc0, 0x2f],
        compression_methods: vec![0],
        extensions: vec![
            (SUPPORTED_VERSIONS, prefixed(1, &[3, 4, 3, 3])),
            (SUPPORTED_GROUPS, prefixed(2, &[0, 0x1d, 0, 0x17])),
            (SIGNATURE_ALGORITHMS, prefixed(2, &[4, 3, 8, 4, 4, 1, 8, 5])),
            (EXTENDED_MASTER_SECRET, Vec::new()),
            (KEY_SHARE, key_share(0x1d, &noise(random, 32))),
        ],
    };
    hello.records(RECORD)
}

/// As many bytes as a record holds.
pub(crate) const RECORD: usize = 16_384;

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1], prefixed(2, body).as_slice()].concat()
}

fn noise(random: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

/// A hello in which something is wrong, and what.
#[must_use]
pub fn broken_hello(random: &mut Rng) -> (Vec<u8>, String) {
    let mut hello = client_hello(random);
    let detail = match random.u8(0..7) {
        0 => {
            let place = random.usize(5..hello.len());
            let bit = random.u8(0..8);
            if let Some(byte) = hello.get_mut(place) {
                *byte ^= 1 << bit;
            }
            format!("bit {bit} of byte {place} flipped")
        }
        1 => {
            let said = random.choice([0, 1, 0x4001, 0x7fff, 0xffff]).unwrap_or(0_u16);
            put(&mut hello, 3, said);
            format!("the record announces {said} bytes")
        }
        2 => {
            let said = random.choice([0, 1, 0x0fff, 0xffff]).unwrap_or(0_u16);
            put(&mut hello, 7, said);
            format!("the message announces {said} bytes")
        }
        3 => {
            if let Some(byte) = hello.get_mut(5) {
                *byte = random.choice([0, 2, 11, 20, 24, 255]).unwrap_or(0);
            }
            "another kind of message".to_owned()
        }
        4 => {
            // Each fragment of a handshake message may be one byte (RFC 8446 section 5.1), and none may be empty.
            let body = hello.split_off(5);
            hello = body.iter().flat_map(|byte| record(22, &[*byte])).collect();
            "a record for each byte".to_owned()
        }
        5 => {
            hello = record(22, &[]).repeat(200);
            "empty records".to_owned()
        }
        _ => {
            let length = random.usize(1..400);
            hello = record(22, &noise(random, length));
            format!("{length} bytes of chance in a record")
        }
    };
    (hello, detail)
}

fn put(bytes: &mut [u8], place: usize, value: u16) {
    if let Some(place) = bytes.get_mut(place..place + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// A record that does not fit a connection that is up, and what is wrong with it.
#[must_use]
pub fn broken_record(random: &mut Rng) -> (Vec<u8>, String) {
    let length = random.choice([0, 1, 17, 300]).unwrap_or(17);
    let body = noise(random, length);
    let kind = random.choice([20, 21, 22, 23, 24, 0, 255]).unwrap_or(23);
    let mut bytes = record(kind, &body);
    put(
        &mut bytes,
        1,
        random
            .choice([0x0303, 0x0303, 0x0300, 0x0301, 0xffff])
            .unwrap_or(0x0303),
    );
    let mut detail = format!("kind {kind}, {length} bytes of chance");
    match random.u8(0..4) {
        0 => {
            let said = random.choice([0x4000, 0x4101, 0xffff]).unwrap_or(0xffff_u16);
            put(&mut bytes, 3, said);
            detail = format!("kind {kind}, announces {said} bytes");
        }
        1 => {
            bytes = record(21, &[2, random.u8(..)]);
            "an alert in the clear".clone_into(&mut detail);
        }
        2 => {
            bytes = record(20, &[1]).repeat(random.usize(1..100));
            "change_cipher_spec again and again".clone_into(&mut detail);
        }
        _ => {}
    }
    (bytes, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_takes_the_hello_for_one() {
        let mut acceptor = rustls::server::Acceptor::default();
        let hello = client_hello(&mut Rng::with_seed(1));
        acceptor.read_tls(&mut hello.as_slice()).unwrap();
        let accepted = acceptor.accept().unwrap().expect("a whole hello");
        assert_eq!(accepted.client_hello().server_name(), None);
        assert_eq!(accepted.client_hello().cipher_suites().len(), 4);
    }

    #[test]
    fn broken_ones_are_the_same_for_the_same_seed() {
        for seed in 0..50 {
            assert_eq!(
                broken_hello(&mut Rng::with_seed(seed)),
                broken_hello(&mut Rng::with_seed(seed))
            );
            assert_eq!(
                broken_record(&mut Rng::with_seed(seed)),
                broken_record(&mut Rng::with_seed(seed))
            );
        }
    }
}
