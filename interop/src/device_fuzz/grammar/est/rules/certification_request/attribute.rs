//! Attributes, and how many there are.

use super::signed;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{
    CHALLENGE_PASSWORD, EXTENSION_REQUEST, Parts, UNKNOWN, attribute, challenge_password, dns_names,
};
use crate::device_fuzz::grammar::est::der::{context, integer, octet_string, sequence, utf8};

pub(super) fn attributes(bench: &mut Bench<'_>) -> Made {
    let password = challenge_password(&utf8("secret"));
    let names = dns_names(["a.example"]);
    let requested = attribute(EXTENSION_REQUEST, &[&sequence(&[&names])]);
    let unknown = attribute(UNKNOWN, &[&utf8("x")]);
    let many: Vec<Vec<u8>> = (0..400)
        .map(|number| attribute(&[2, 999, 2, number], &[&integer(&[1])]))
        .collect();
    let values: Vec<&[u8]> = vec![&[5, 0]; 3000];
    let deep = (0..200).fold(utf8("x"), |inner, _| sequence(&[&inner]));
    let table: [(&str, Vec<Vec<u8>>); 13] = [
        ("one that nobody knows", vec![unknown.clone()]),
        ("one without values", vec![attribute(CHALLENGE_PASSWORD, &[])]),
        (
            "one that nobody knows, without values",
            vec![attribute(UNKNOWN, &[])],
        ),
        ("the same one twice", vec![password.clone(), password.clone()]),
        ("the extensions twice", vec![requested.clone(), requested.clone()]),
        (
            "extensions and none",
            vec![requested, attribute(EXTENSION_REQUEST, &[&sequence(&[])])],
        ),
        (
            "extensions that are none",
            vec![attribute(EXTENSION_REQUEST, &[&utf8("x")])],
        ),
        (
            "two values where one is allowed",
            vec![attribute(
                EXTENSION_REQUEST,
                &[&sequence(&[]), &sequence(&[&names])],
            )],
        ),
        ("400 different ones", many),
        ("one with 3000 values", vec![attribute(UNKNOWN, &values)]),
        (
            "one of 20,000 octets",
            vec![attribute(UNKNOWN, &[&octet_string(&[0; 20_000])])],
        ),
        ("one nested 200 times", vec![attribute(UNKNOWN, &[&deep])]),
        ("one that is no SEQUENCE", vec![unknown, integer(&[5])]),
    ];
    let (what, list) = bench.turn(&table).cloned().unwrap_or_default();
    match bench.lap(table.len()) % 4 {
        2 => signed(bench, "without attributes", |parts| Parts {
            attributes: Vec::new(),
            ..parts
        }),
        3 => signed(bench, "with two sets of attributes", |parts| Parts {
            attributes: [context(0, &[]), context(0, &[])].concat(),
            ..parts
        }),
        _ => signed(bench, &format!("with attributes: {what}"), |parts| {
            parts.with(&list)
        }),
    }
}
