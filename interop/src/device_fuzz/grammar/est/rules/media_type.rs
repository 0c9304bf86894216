//! `Content-Type` and `Content-Transfer-Encoding` (RFC 8951 section 3.1).

use super::super::bench::{Bench, Made};
use super::super::request::Field;
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Header, Needs::Enrolment, "media type", media_type),
    rule(
        Layer::Header,
        Needs::Enrolment,
        "content transfer encoding",
        transfer_encoding,
    ),
];

fn media_type(bench: &mut Bench<'_>) -> Made {
    let long = format!("application/pkcs10; x={}", "a".repeat(6000));
    let many = format!("application/pkcs10{}", "; a=b".repeat(1500));
    let table: [&str; 30] = [
        "application/pkcs10",
        "APPLICATION/PKCS10",
        "application/pkcs10; charset=utf-8",
        "application/pkcs10;",
        "application/pkcs10 ; smime-type=x",
        "application/pkcs10; name=\"a;b\\\"c\"",
        "application/pkcs10; name=\"not closed",
        "application/pkcs10; name=\"\\",
        "application/pkcs10; =x",
        "application/pkcs10; charset",
        "application/pkcs10, text/plain",
        "application/pkcs10x",
        "application/pkcs7-mime",
        "application/pkcs7-mime; smime-type=certs-only",
        "application/pkcs7-mime; smime-type=CMC-request",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=x",
        "multipart/mixed; boundary=",
        "multipart/mixed",
        "text/plain",
        "application",
        "application/",
        "/pkcs10",
        "/",
        "",
        "application/pkcs10\0",
        "application\\pkcs10",
        "*/*",
        long.as_str(),
        many.as_str(),
    ];
    let value = bench.turn(&table).copied().unwrap_or("text/plain");
    let draft = bench.enrol();
    let shown: String = value.chars().take(50).collect();
    match bench.lap(table.len()) % 3 {
        1 => {
            let draft = draft.with("Content-Type", value);
            Made::sent(format!("a second Content-Type {shown:?}"), draft.bytes())
        }
        2 => Made::sent("no Content-Type", draft.without("Content-Type").bytes()),
        _ => {
            let draft = draft.replaced("Content-Type", value);
            Made::sent(format!("Content-Type {shown:?}"), draft.bytes())
        }
    }
}

/// It is to be ignored, whatever it says: bodies are base64.
fn transfer_encoding(bench: &mut Bench<'_>) -> Made {
    const VALUES: &[&str] = &[
        "base64",
        "BASE64",
        "binary",
        "7bit",
        "8bit",
        "quoted-printable",
        "x-uuencode",
        "nonsense",
        "",
        "base64, binary",
    ];
    let value = bench.turn(VALUES).copied().unwrap_or("base64");
    let mut draft = bench.enrol().with("Content-Transfer-Encoding", value);
    if bench.lap(VALUES.len()) % 2 == 1 {
        draft
            .fields
            .push(Field::new("Content-Transfer-Encoding", "binary"));
    }
    Made::sent(format!("Content-Transfer-Encoding {value:?}"), draft.bytes())
}
