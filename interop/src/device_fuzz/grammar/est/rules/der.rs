//! DER: lengths, tags, nesting and values of a PKCS #10 request. Once with the signature that it had, once signed again, so
//! that what looks at the content after the signature gets to see it.

use super::super::bench::{Bench, Made};
use super::super::certification_request::assemble;
use super::super::der::{self, tag};
use super::super::der_change::{BYTE_CHANGES, CHANGES, change};
use super::super::der_tree::{Element, written};
use super::super::key::Key as _;
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Der, Needs::Enrolment, "changed", changed),
    rule(
        Layer::Der,
        Needs::Enrolment,
        "changed and signed",
        changed_and_signed,
    ),
    rule(
        Layer::Der,
        Needs::Enrolment,
        "changed twice and signed",
        changed_twice_and_signed,
    ),
    rule(Layer::Der, Needs::Enrolment, "other structures", other_structures),
];

/// Bytes that one element may take: the bodies that servers accept end at some ten thousand.
const ROOM: usize = 20_000;

fn changed(bench: &mut Bench<'_>) -> Made {
    let request = bench.certification_request();
    let number = bench.number(CHANGES.len() + BYTE_CHANGES.len());
    let (what, der) = change(&request, number, &mut bench.rng, ROOM);
    Made::sent(
        format!("a certificate request with {what}"),
        bench.enrol_with(&der).bytes(),
    )
}

fn changed_and_signed(bench: &mut Bench<'_>) -> Made {
    let number = bench.number(CHANGES.len());
    let (what, der) = signed(bench, &[number]);
    Made::sent(
        format!("a certificate request with {what}, signed as it is"),
        bench.enrol_with(&der).bytes(),
    )
}

fn changed_twice_and_signed(bench: &mut Bench<'_>) -> Made {
    let numbers = [
        bench.rng.usize(..CHANGES.len()),
        bench.rng.usize(..CHANGES.len() + BYTE_CHANGES.len()),
    ];
    let (what, der) = signed(bench, &numbers);
    Made::sent(
        format!("a certificate request with {what}, signed as it is"),
        bench.enrol_with(&der).bytes(),
    )
}

/// Changes what is signed, and signs it.
fn signed(bench: &mut Bench<'_>, numbers: &[usize]) -> (String, Vec<u8>) {
    let key = bench.key();
    let mut info = bench.parts(&key).info();
    let mut names = Vec::new();
    for number in numbers {
        let (name, changed) = change(&info, *number, &mut bench.rng, ROOM);
        names.push(name);
        info = changed;
    }
    let signature = key.sign(&info);
    (names.join(" and "), assemble(&info, &key.algorithm(), &signature))
}

/// DER, but no certificate request.
fn other_structures(bench: &mut Bench<'_>) -> Made {
    let levels = ROOM / 4;
    let mut deep = Vec::new();
    for level in (0..levels).rev() {
        // Each level has four octets: a length of two octets fits all of them.
        let inside = u16::try_from((levels - 1 - level) * 4).unwrap_or(u16::MAX);
        let mut header = vec![0x30, 0x82];
        header.extend(inside.to_be_bytes());
        deep.push(header);
    }
    deep.reverse();
    let empty = Element::octets(tag::SEQUENCE, []);
    let table: [(&str, Vec<u8>); 11] = [
        ("nothing but a tag", vec![0x30]),
        ("an empty SEQUENCE", vec![0x30, 0]),
        ("an empty SEQUENCE of indefinite length", vec![0x30, 0x80, 0, 0]),
        ("a thousand open SEQUENCEs", [0x30, 0x80].repeat(1000)),
        ("nested SEQUENCEs, thousands of them", deep.concat()),
        ("ends of contents", vec![0; 2000]),
        (
            "a SEQUENCE of empty SEQUENCEs",
            der::sequence(&[&written(&vec![empty; 8000])]),
        ),
        ("an INTEGER", der::integer(&[1])),
        ("a NULL", vec![5, 0]),
        (
            "an OCTET STRING in itself",
            der::octet_string(&der::octet_string(&der::octet_string(b"x"))),
        ),
        (
            "a constructed OCTET STRING",
            vec![0x24, 0x80, 0x24, 0x80, 4, 1, 0, 0, 0, 0, 0],
        ),
    ];
    let (what, bytes) = bench.turn(&table).cloned().unwrap_or_default();
    Made::sent(
        format!("instead of a certificate request {what}"),
        bench.enrol_with(&bytes).bytes(),
    )
}
