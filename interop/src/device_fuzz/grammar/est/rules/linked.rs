//! Requests that are linked to their connection (RFC 7030 section 3.5), rightly and wrongly.

use super::super::bench::{Bench, Made, open};
use super::super::certification_request::{CHALLENGE_PASSWORD, EST_IDENTITY_LINKING};
use super::super::der::{object_identifier, tag};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Hex, Layer, Step};
use crate::device_fuzz::live::{BindingForm, Part};

pub(super) const RULES: &[Rule] = &[rule(
    Layer::CertificateRequest,
    Needs::Linking,
    "linked requests",
    linked,
)];

/// What it is about, and the attributes of the request.
type Entry = (&'static str, Vec<Part>);

fn linked(bench: &mut Bench<'_>) -> Made {
    let table = [of_this_connection(), not_quite(), of_other_connections()].concat();
    let (what, attributes) = bench.turn(&table).cloned().unwrap_or_default();
    let key = bench.key();
    let parts = bench.parts(&key);
    let info = Part::element(
        tag::SEQUENCE,
        vec![
            Part::bytes(parts.version),
            Part::bytes(parts.subject),
            Part::bytes(parts.public_key_info),
            Part::element(0xa0, attributes),
        ],
    );
    let operation = bench.first_enrolment();
    let draft = bench.post(operation, "application/pkcs10", Vec::new());
    let request = Step::SendLinked {
        head: Hex(draft.open_head()),
        info,
        key: Hex(key.octets().to_vec()),
    };
    // The first one is the other connection; it stays open.
    Made::new(
        format!("the binding of the request: {what}"),
        vec![open(), open(), request],
    )
}

fn attribute(kind: &[u64], values: Vec<Part>) -> Part {
    let kind = Part::bytes(object_identifier(kind));
    Part::element(tag::SEQUENCE, vec![kind, Part::element(tag::SET, values)])
}

fn utf8(parts: Vec<Part>) -> Part {
    Part::element(tag::UTF8_STRING, parts)
}

/// A challenge password of these parts.
fn password(parts: Vec<Part>) -> Vec<Part> {
    vec![attribute(CHALLENGE_PASSWORD, vec![utf8(parts)])]
}

fn in_form(form: BindingForm) -> Part {
    Part::Binding {
        connection: None,
        form,
        skip: 0,
        take: None,
    }
}

/// The binding of this connection.
fn own() -> Part {
    in_form(BindingForm::Base64)
}

/// So many characters of it, from this one on.
fn own_from(skip: usize, take: usize) -> Part {
    Part::Binding {
        connection: None,
        form: BindingForm::Base64,
        skip,
        take: Some(take),
    }
}

/// The binding of the other connection.
fn other() -> Part {
    Part::Binding {
        connection: Some(0),
        form: BindingForm::Base64,
        skip: 0,
        take: None,
    }
}

fn of_this_connection() -> Vec<Entry> {
    vec![
        ("the right one", password(vec![own()])),
        (
            "the right one as a PrintableString",
            vec![attribute(
                CHALLENGE_PASSWORD,
                vec![Part::element(tag::PRINTABLE_STRING, vec![own()])],
            )],
        ),
        (
            "the right one in estIdentityLinking",
            vec![attribute(EST_IDENTITY_LINKING, vec![utf8(vec![own()])])],
        ),
        (
            "the right one in estIdentityLinking, and a password",
            [
                vec![attribute(EST_IDENTITY_LINKING, vec![utf8(vec![own()])])],
                password(vec![Part::bytes(*b"secret")]),
            ]
            .concat(),
        ),
        ("none", Vec::new()),
    ]
}

fn not_quite() -> Vec<Entry> {
    let octets = Part::element(tag::OCTET_STRING, vec![in_form(BindingForm::Octets)]);
    vec![
        (
            "all but its first character",
            password(vec![own_from(1, usize::MAX)]),
        ),
        ("its first eight characters", password(vec![own_from(0, 8)])),
        (
            "its first character last",
            password(vec![own_from(1, usize::MAX), own_from(0, 1)]),
        ),
        ("twice", password(vec![own(), own()])),
        (
            "with a newline behind",
            password(vec![own(), Part::bytes(*b"\n")]),
        ),
        (
            "with a newline within",
            password(vec![
                own_from(0, 8),
                Part::bytes(*b"\r\n"),
                own_from(8, usize::MAX),
            ]),
        ),
        ("with a NUL behind", password(vec![own(), Part::bytes(*b"\0x")])),
        (
            "with 20,000 characters behind",
            password(vec![own(), Part::bytes(vec![b'A'; 20_000])]),
        ),
        (
            "with 20,000 characters before",
            password(vec![Part::bytes(vec![b'A'; 20_000]), own()]),
        ),
        ("padded once more", password(vec![own(), Part::bytes(*b"====")])),
        (
            "in the alphabet of URLs",
            password(vec![in_form(BindingForm::Base64Url)]),
        ),
        (
            "in hexadecimal digits",
            password(vec![in_form(BindingForm::Hexadecimal)]),
        ),
        (
            "as octets in a text",
            password(vec![in_form(BindingForm::Octets)]),
        ),
        (
            "as an OCTET STRING",
            vec![attribute(CHALLENGE_PASSWORD, vec![octets])],
        ),
        (
            "what is no base64",
            password(vec![Part::bytes(*b"*** no base64 ***")]),
        ),
        ("an empty one", password(Vec::new())),
    ]
}

fn of_other_connections() -> Vec<Entry> {
    vec![
        ("that of another connection", password(vec![other()])),
        (
            "that of another connection in estIdentityLinking",
            vec![attribute(EST_IDENTITY_LINKING, vec![utf8(vec![other()])])],
        ),
        (
            "two values, the right one last",
            vec![attribute(
                CHALLENGE_PASSWORD,
                vec![utf8(vec![other()]), utf8(vec![own()])],
            )],
        ),
        (
            "two attributes, the right one first",
            [password(vec![own()]), password(vec![other()])].concat(),
        ),
        (
            "the right one, and another in estIdentityLinking",
            [
                password(vec![own()]),
                vec![attribute(EST_IDENTITY_LINKING, vec![utf8(vec![other()])])],
            ]
            .concat(),
        ),
        (
            "that of another connection and its own in one text",
            password(vec![other(), own()]),
        ),
    ]
}
