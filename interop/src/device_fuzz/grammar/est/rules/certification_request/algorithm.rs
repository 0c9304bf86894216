//! Algorithms of the key and of the signature.

use super::made;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{Parts, UNKNOWN};
use crate::device_fuzz::grammar::est::der::{bit_string, integer, object_identifier, octet_string, sequence};
use crate::device_fuzz::grammar::est::key::{
    EC_PUBLIC_KEY, ECDSA_WITH_SHA256, Key as _, PRIME256V1, SHA256_WITH_RSA,
};

/// What it is about, the `SubjectPublicKeyInfo`, and the algorithm of the signature.
type Entry = (&'static str, Vec<u8>, Vec<u8>);

pub(super) fn algorithms(bench: &mut Bench<'_>) -> Made {
    let key = bench.key();
    let table = [of_keys(), of_signatures(&key.public_key_info())].concat();
    let Some((what, public_key_info, algorithm)) = bench.turn(&table).cloned() else {
        return Made::new("nothing", Vec::new());
    };
    let parts = Parts {
        public_key_info,
        algorithm,
        ..bench.parts(&key)
    };
    let request = parts.sign(&key);
    made(bench, what, &request)
}

/// An `AlgorithmIdentifier` without parameters.
fn of(arcs: &[u64]) -> Vec<u8> {
    sequence(&[&object_identifier(arcs)])
}

/// Keys of other algorithms.
fn of_keys() -> Vec<Entry> {
    let public_key = |algorithm: &[u8], bits: &[u8]| sequence(&[algorithm, &bit_string(bits)]);
    let unknown_key = public_key(&of(UNKNOWN), &[7; 100]);
    let ed25519_zero = public_key(&of(&[1, 3, 101, 112]), &[0; 32]);
    let ed25519_one = public_key(&of(&[1, 3, 101, 112]), &{
        let mut identity = [0; 32];
        identity[0] = 1;
        identity
    });
    let x25519 = public_key(&of(&[1, 3, 101, 110]), &[9; 32]);
    let dsa = public_key(&of(&[1, 2, 840, 10040, 4, 1]), &integer(&[7; 64]));
    let ecdsa = of(ECDSA_WITH_SHA256);
    vec![
        ("for a key of an unknown algorithm", unknown_key, ecdsa),
        (
            "for a key of Ed25519 of zeros",
            ed25519_zero,
            of(&[1, 3, 101, 112]),
        ),
        (
            "for a key of Ed25519 that is the identity",
            ed25519_one,
            of(&[1, 3, 101, 112]),
        ),
        ("for a key that cannot sign", x25519, of(&[1, 3, 101, 112])),
        (
            "for a key of DSA without parameters",
            dsa,
            of(&[1, 2, 840, 10040, 4, 3]),
        ),
    ]
}

/// Signatures of other algorithms, as they say, for a key of ours.
fn of_signatures(own: &[u8]) -> Vec<Entry> {
    let pss = sequence(&[
        &object_identifier(&[1, 2, 840, 113_549, 1, 1, 10]),
        &sequence(&[]),
    ]);
    let with_null = sequence(&[&object_identifier(ECDSA_WITH_SHA256), &[5, 0]]);
    let long = sequence(&[&object_identifier(ECDSA_WITH_SHA256), &octet_string(&[0; 10_000])]);
    let curve = sequence(&[
        &object_identifier(ECDSA_WITH_SHA256),
        &object_identifier(PRIME256V1),
    ]);
    let table = [
        ("signed by an unknown algorithm", of(UNKNOWN)),
        ("signed by the algorithm of the key", of(EC_PUBLIC_KEY)),
        ("signed by RSA, for a key of ECDSA", of(SHA256_WITH_RSA)),
        ("signed by RSASSA-PSS, for a key of ECDSA", pss),
        ("signed with SHA-1, as it says", of(&[1, 2, 840, 10045, 4, 1])),
        ("signed with MD5, as it says", of(&[1, 2, 840, 113_549, 1, 1, 4])),
        ("signed with no algorithm", sequence(&[])),
        ("signed by a MAC", of(&[1, 2, 840, 113_549, 1, 5, 13])),
        ("signed with a NULL too many", with_null),
        ("signed with parameters of 10,000 octets", long),
        ("signed with parameters of the curve", curve),
    ];
    let entry = |(what, algorithm)| (what, own.to_vec(), algorithm);
    table.into_iter().map(entry).collect()
}
