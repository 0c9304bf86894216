//! Extensions that are asked for.

use super::signed;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{
    BASIC_CONSTRAINTS, KEY_USAGE, UNKNOWN, extension,
};
use crate::device_fuzz::grammar::est::der::{
    context, element, integer, object_identifier, octet_string, sequence, tag,
};

/// What it is about, and the extensions.
type Entry = (&'static str, Vec<Vec<u8>>);

pub(super) fn extensions(bench: &mut Bench<'_>) -> Made {
    let table = [constraints_and_usages(), others()].concat();
    let (what, list) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("with extensions: {what}"), |parts| {
        parts.with_extensions(&list)
    })
}

/// Unknown ones, and those that say what the key may be used for.
fn constraints_and_usages() -> Vec<Entry> {
    let ca = sequence(&[&[tag::BOOLEAN, 1, 0xff]]);
    let usage = |octets: &[u8]| extension(KEY_USAGE, true, &element(tag::BIT_STRING, &[octets]));
    let own_constraint = extension(BASIC_CONSTRAINTS, true, &ca);
    let path = sequence(&[&[tag::BOOLEAN, 1, 0xff], &integer(&[0xff; 8])]);
    vec![
        (
            "an unknown one, critical",
            vec![extension(UNKNOWN, true, &[5, 0])],
        ),
        ("an unknown one", vec![extension(UNKNOWN, false, &[5, 0])]),
        (
            "one twice",
            vec![
                extension(UNKNOWN, false, &[5, 0]),
                extension(UNKNOWN, false, &[5, 0]),
            ],
        ),
        ("basicConstraints of an authority", vec![own_constraint.clone()]),
        (
            "basicConstraints twice",
            vec![extension(BASIC_CONSTRAINTS, true, &sequence(&[])), own_constraint],
        ),
        (
            "a path length of 64 bits",
            vec![extension(BASIC_CONSTRAINTS, true, &path)],
        ),
        (
            "basicConstraints that are none",
            vec![extension(BASIC_CONSTRAINTS, true, &[5, 0])],
        ),
        ("a keyUsage of everything", vec![usage(&[7, 0xff, 0x80])]),
        ("a keyUsage of nothing", vec![usage(&[0])]),
        ("a keyUsage of 1000 octets", vec![usage(&[0xff; 1000])]),
        ("a keyUsage that is none", vec![extension(KEY_USAGE, true, b"x")]),
    ]
}

fn others() -> Vec<Entry> {
    let identifier = |last: u64, value: &[u8]| extension(&[2, 5, 29, last], false, value);
    let many: Vec<Vec<u8>> = (0..300)
        .map(|number| extension(&[2, 999, 3, number], false, &[5, 0]))
        .collect();
    vec![
        (
            "an extendedKeyUsage of nothing",
            vec![identifier(37, &sequence(&[]))],
        ),
        (
            "an extendedKeyUsage of everything",
            vec![identifier(
                37,
                &sequence(&[&object_identifier(&[2, 5, 29, 37, 0])]),
            )],
        ),
        (
            "nameConstraints",
            vec![extension(&[2, 5, 29, 30], true, &sequence(&[&context(0, &[])]))],
        ),
        (
            "policies",
            vec![identifier(
                32,
                &sequence(&[&sequence(&[&object_identifier(&[2, 5, 29, 32, 0])])]),
            )],
        ),
        (
            "a subjectKeyIdentifier of 5000 octets",
            vec![identifier(14, &octet_string(&[7; 5000]))],
        ),
        (
            "an authorityKeyIdentifier",
            vec![identifier(35, &sequence(&[&element(0x80, &[&[7; 20]])]))],
        ),
        ("an empty value", vec![extension(UNKNOWN, false, b"")]),
        ("300 different ones", many),
        ("none", Vec::new()),
    ]
}
