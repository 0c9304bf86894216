//! The `challengePassword`, where the proof of possession stands (RFC 7030 section 3.5): bindings of no connection here, and
//! passwords.

use super::signed;
use crate::device_fuzz::grammar::est::bench::{Bench, Made};
use crate::device_fuzz::grammar::est::certification_request::{
    CHALLENGE_PASSWORD, EST_IDENTITY_LINKING, attribute, challenge_password,
};
use crate::device_fuzz::grammar::est::der::{element, integer, octet_string, sequence, tag, utf8};

/// Where the proof of possession stands (RFC 7030 section 3.5), or a password.
pub(super) fn challenge_passwords(bench: &mut Bench<'_>) -> Made {
    let of_13 = est::wire::base64::encode(&bench.octets(32), est::wire::base64::Base64Layout::SingleLine);
    let of_12 = est::wire::base64::encode(&bench.octets(12), est::wire::base64::Base64Layout::SingleLine);
    let (of_13, of_12) = (of_13.trim_end(), of_12.trim_end());
    let text = |text: &str| challenge_password(&utf8(text));
    let printable = |text: &[u8]| challenge_password(&element(tag::PRINTABLE_STRING, &[text]));
    let linking = |text: &str| attribute(EST_IDENTITY_LINKING, &[&utf8(text)]);
    let table: [(&str, Vec<Vec<u8>>); 21] = [
        ("the binding of another connection of TLS 1.3", vec![text(of_13)]),
        (
            "the binding of another connection of TLS 1.2",
            vec![printable(of_12.as_bytes())],
        ),
        ("a binding with a newline", vec![text(&format!("{of_13}\n"))]),
        (
            "a binding with a newline within",
            vec![text(&of_13.replacen('A', "\n", 1))],
        ),
        (
            "a binding without padding",
            vec![text(of_13.trim_end_matches('='))],
        ),
        (
            "two bindings",
            vec![attribute(CHALLENGE_PASSWORD, &[&utf8(of_13), &utf8(of_12)])],
        ),
        ("an empty one", vec![text("")]),
        ("a word", vec![text("secret")]),
        ("255 characters", vec![text(&"p".repeat(255))]),
        ("256 characters", vec![text(&"p".repeat(256))]),
        ("20,000 characters", vec![text(&"p".repeat(20_000))]),
        ("a NUL", vec![text("secret\0more")]),
        ("an INTEGER", vec![challenge_password(&integer(&[7]))]),
        (
            "an OCTET STRING",
            vec![challenge_password(&octet_string(&[7; 32]))],
        ),
        ("a SEQUENCE", vec![challenge_password(&sequence(&[&utf8("x")]))]),
        (
            "a BMPString",
            vec![challenge_password(&element(0x1e, &[&[0, b'a']]))],
        ),
        (
            "text that is not UTF-8",
            vec![challenge_password(&element(tag::UTF8_STRING, &[&[0xff]]))],
        ),
        ("a link of another connection", vec![linking(of_13)]),
        ("a link that is empty", vec![linking("")]),
        ("a link and a password", vec![linking(of_13), text("secret")]),
        (
            "a link without a value",
            vec![attribute(EST_IDENTITY_LINKING, &[])],
        ),
    ];
    let (what, list) = bench.turn(&table).cloned().unwrap_or_default();
    signed(bench, &format!("with a challenge password: {what}"), |parts| {
        parts.with(&list)
    })
}
