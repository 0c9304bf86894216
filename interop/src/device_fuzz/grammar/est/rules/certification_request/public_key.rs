//! Public keys that are none, or of unusual kinds.

use super::{made, signed};
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{Parts, assemble};
use crate::device_fuzz::grammar::est::der::{bit_string, element, integer, object_identifier, sequence, tag};
use crate::device_fuzz::grammar::est::key::{
    EC_PUBLIC_KEY, EcKey, ExponentOne, RSA_ENCRYPTION, RsaKey, RsaKeys, SHA256_WITH_RSA,
};

pub(super) fn ec_keys(bench: &mut Bench<'_>) -> Made {
    let key = bench.key();
    let table = [points(&key), curves(&key)].concat();
    let (what, info) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("for a key {what}"), |parts| Parts {
        public_key_info: info,
        ..parts
    })
}

/// Points that are none, or written in another way.
fn points(key: &EcKey) -> Vec<(&'static str, Vec<u8>)> {
    let (whole, short) = (key.point(false), key.point(true));
    let mut off = whole.clone();
    if let Some(last) = off.last_mut() {
        *last ^= 1;
    }
    let mut hybrid = whole.clone();
    if let Some(first) = hybrid.first_mut() {
        *first = 6 | whole.last().copied().unwrap_or_default() & 1;
    }
    vec![
        ("whose point is not on the curve", EcKey::info_of(&off)),
        ("whose point is at infinity", EcKey::info_of(&[0])),
        (
            "whose point is zero",
            EcKey::info_of(&[&[4], [0; 64].as_slice()].concat()),
        ),
        (
            "whose point is larger than the field",
            EcKey::info_of(&[&[4], [0xff; 64].as_slice()].concat()),
        ),
        ("whose point is compressed", EcKey::info_of(&short)),
        ("whose point is in the hybrid form", EcKey::info_of(&hybrid)),
        (
            "whose point is cut off",
            EcKey::info_of(whole.get(..40).unwrap_or_default()),
        ),
        (
            "whose point is too long",
            EcKey::info_of(&[whole.as_slice(), &[0; 40]].concat()),
        ),
        ("whose point is empty", EcKey::info_of(&[])),
        (
            "whose point has an unknown form",
            EcKey::info_of(&[&[9], whole.get(1..).unwrap_or_default()].concat()),
        ),
    ]
}

/// Curves that do not belong to the point.
fn curves(key: &EcKey) -> Vec<(&'static str, Vec<u8>)> {
    let whole = key.point(false);
    let on = |curve: &[u64], point: &[u8]| {
        let algorithm = sequence(&[&object_identifier(EC_PUBLIC_KEY), &object_identifier(curve)]);
        sequence(&[&algorithm, &bit_string(point)])
    };
    let explicit = {
        let algorithm = sequence(&[&object_identifier(EC_PUBLIC_KEY), &sequence(&[&integer(&[1])])]);
        sequence(&[&algorithm, &bit_string(&whole)])
    };
    let no_curve = {
        let algorithm = sequence(&[&object_identifier(EC_PUBLIC_KEY)]);
        sequence(&[&algorithm, &bit_string(&whole)])
    };
    let implicit = {
        let algorithm = sequence(&[&object_identifier(EC_PUBLIC_KEY), &[5, 0]]);
        sequence(&[&algorithm, &bit_string(&whole)])
    };
    vec![
        ("with the point of another curve", on(&[1, 3, 132, 0, 34], &whole)),
        ("of secp256k1", on(&[1, 3, 132, 0, 10], &whole)),
        ("of an unknown curve", on(&[1, 3, 132, 0, 999], &whole)),
        ("with parameters instead of a curve", explicit),
        ("without a curve", no_curve),
        ("with the curve of the issuer", implicit),
    ]
}

/// RSA keys that are right, of sizes that are not always.
pub(super) fn rsa_keys(bench: &mut Bench<'_>) -> Made {
    let number = bench.number(RsaKeys::SIZES.len());
    let bits = RsaKeys::SIZES.get(number).copied().unwrap_or_default();
    let Some(key) = bench.rsa().of(number) else {
        return signed(bench, "as it is", |parts| parts);
    };
    let parts = Parts::new(&bench.common_name(), key);
    made(bench, &format!("for an RSA key of {bits} bits"), &parts.sign(key))
}

/// RSA keys whose numbers make no sense, or much work.
pub(super) fn rsa_numbers(bench: &mut Bench<'_>) -> Made {
    let mut modulus = bench.octets(256);
    if let Some(first) = modulus.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = modulus.last_mut() {
        *last |= 1;
    }
    if bench.number(12) == 0 {
        let key = ExponentOne { modulus };
        let parts = Parts::new(&bench.common_name(), &key);
        return made(bench, "for an RSA key with exponent 1", &parts.sign(&key));
    }
    let table = numbers(&modulus);
    let (what, info) = bench.turn(&table).cloned().unwrap_or_default();
    let parts = Parts {
        public_key_info: info,
        algorithm: sequence(&[&object_identifier(SHA256_WITH_RSA), &[5, 0]]),
        ..Parts::new(&bench.common_name(), &bench.key())
    };
    let request = assemble(&parts.info(), &parts.algorithm, &bench.octets(256));
    made(bench, &format!("for an RSA key with {what}"), &request)
}

/// Keys around this modulus, or around none.
fn numbers(modulus: &[u8]) -> [(&'static str, Vec<u8>); 12] {
    let even = {
        let mut even = modulus.to_vec();
        if let Some(last) = even.last_mut() {
            *last &= 0xfe;
        }
        even
    };
    let raw = |modulus: &[u8], exponent: &[u8]| {
        let key = sequence(&[
            &element(tag::INTEGER, &[modulus]),
            &element(tag::INTEGER, &[exponent]),
        ]);
        let algorithm = sequence(&[&object_identifier(RSA_ENCRYPTION), &[5, 0]]);
        sequence(&[&algorithm, &bit_string(&key)])
    };
    let huge: Vec<u8> = core::iter::once(0x80).chain(vec![0xff; 2047]).collect();
    let f4: &[u8] = &[1, 0, 1];
    [
        ("exponent 0", RsaKey::info_of(modulus, &[0])),
        ("exponent 2", RsaKey::info_of(modulus, &[2])),
        ("an even exponent", RsaKey::info_of(modulus, &[1, 0, 0])),
        ("a negative exponent", raw(&[&[0], modulus].concat(), &[0xff])),
        (
            "an exponent as large as its modulus",
            RsaKey::info_of(modulus, modulus),
        ),
        ("an even modulus", RsaKey::info_of(&even, f4)),
        ("a negative modulus", raw(modulus, f4)),
        ("modulus 0", RsaKey::info_of(&[0], f4)),
        ("modulus 1", RsaKey::info_of(&[1], f4)),
        (
            "a modulus of 16,384 bits and an exponent of as many",
            RsaKey::info_of(&huge, &huge),
        ),
        ("an empty modulus", raw(&[], f4)),
        ("zeros before its modulus", raw(&[&[0; 20], modulus].concat(), f4)),
    ]
}
