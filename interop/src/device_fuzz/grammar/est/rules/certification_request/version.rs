//! Versions.

use super::signed;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::Parts;
use crate::device_fuzz::grammar::est::der::{integer, utf8};

pub(super) fn versions(bench: &mut Bench<'_>) -> Made {
    let table: [(&str, Vec<u8>); 8] = [
        ("1", integer(&[1])),
        ("2", integer(&[2])),
        ("-1", vec![2, 1, 0xff]),
        ("2^64", integer(&[1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("a text", utf8("v1")),
        ("nothing", Vec::new()),
        ("a NULL", vec![5, 0]),
        ("zeros", vec![2, 4, 0, 0, 0, 0]),
    ];
    let (what, version) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("of the version {what}"), |parts| Parts {
        version,
        ..parts
    })
}
