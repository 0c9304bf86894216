//! Signatures that are wrong.

use super::made;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::assemble;
use crate::device_fuzz::grammar::est::der::{element, integer, octet_string, sequence, tag};
use crate::device_fuzz::grammar::est::key::Key as _;

pub(super) fn bad_signature(bench: &mut Bench<'_>) -> Made {
    let (key, other) = (bench.key(), bench.key());
    let parts = bench.parts(&key);
    let renamed = bench.parts(&key);
    let (info, algorithm) = (parts.info(), key.algorithm());
    let good = key.sign(&info);
    let mut flipped = good.clone();
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    let pair = |r: &[u8], s: &[u8]| sequence(&[&integer(r), &integer(s)]);
    // The order of P-256 (FIPS 186-4, D.1.2.3).
    let order =
        hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap_or_default();
    let table: [(&str, Vec<u8>); 15] = [
        ("with one bit of it changed", flipped),
        ("by another key", other.sign(&info)),
        ("over another request", key.sign(&renamed.info())),
        ("that is empty", Vec::new()),
        ("of zeros", vec![0; 70]),
        ("that is no SEQUENCE", octet_string(&good)),
        ("with an octet behind it", [good.as_slice(), &[0]].concat()),
        ("cut off", good.get(..good.len() / 2).unwrap_or_default().to_vec()),
        ("of 0 and 0", pair(&[0], &[0])),
        ("of 1 and 1", pair(&[1], &[1])),
        ("of the order and 1", pair(&order, &[1])),
        ("of 1 and the order", pair(&[1], &order)),
        ("of negative numbers", sequence(&[&[2, 1, 0xff], &[2, 1, 0xff]])),
        ("of numbers of 1000 octets", pair(&[0x7f; 1000], &[0x7f; 1000])),
        ("of 10,000 octets", vec![0xaa; 10_000]),
    ];
    let (what, signature) = bench.turn(&table).cloned().unwrap_or_default();
    let (what, request) = match bench.lap(table.len()) % 4 {
        3 => (
            "that is no whole number of octets",
            sequence(&[&info, &algorithm, &element(tag::BIT_STRING, &[&[3], &good])]),
        ),
        _ => (what, assemble(&info, &algorithm, &signature)),
    };
    made(bench, &format!("whose signature is wrong: {what}"), &request)
}
