//! Base64 bodies (RFC 8951 section 3, RFC 4648) and PEM armour.

use est::wire::base64::{Base64Layout, encode};

use super::super::bench::{Bench, Made};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Base64, Needs::Enrolment, "layout", layout),
    rule(Layer::Base64, Needs::Enrolment, "broken", broken),
    rule(Layer::Base64, Needs::Enrolment, "armour", armour),
    rule(Layer::Base64, Needs::Enrolment, "not base64", not_base64),
];

fn made(bench: &mut Bench<'_>, what: &str, body: impl Into<Vec<u8>>) -> Made {
    let operation = bench.enrolment();
    let draft = bench.post(operation, "application/pkcs10", body);
    Made::sent(format!("a body: {what}"), draft.bytes())
}

/// The request in one line, without a line end.
fn line(bench: &mut Bench<'_>) -> (Vec<u8>, String) {
    let request = bench.certification_request();
    let text = encode(&request, Base64Layout::SingleLine);
    (request, text.trim_end().to_owned())
}

fn columns(line: &str, columns: usize, end: &str) -> String {
    let parts: Vec<&str> = line
        .as_bytes()
        .chunks(columns)
        .map(|part| core::str::from_utf8(part).unwrap_or_default())
        .collect();
    parts.join(end) + end
}

/// Layouts that a receiver must live with.
fn layout(bench: &mut Bench<'_>) -> Made {
    let (request, line) = line(bench);
    let table: [(&str, String); 14] = [
        ("one line without a line end", line.clone()),
        ("one line", format!("{line}\n")),
        ("lines of 64, LF", columns(&line, 64, "\n")),
        ("lines of 76, CR LF", columns(&line, 76, "\r\n")),
        ("lines of 1", columns(&line, 1, "\n")),
        ("lines of 3, CR", columns(&line, 3, "\r")),
        ("lines of 1000", columns(&line, 1000, "\n")),
        ("blanks and tabs", columns(&line, 5, " \t")),
        ("form feeds and vertical tabs", columns(&line, 50, "\x0c\x0b")),
        ("empty lines between", columns(&line, 64, "\n\n\n")),
        ("white space before it", format!("\r\n \t{line}")),
        ("white space behind it", format!("{line}{}", " \r\n".repeat(1000))),
        ("a pair of columns", encode(&request, Base64Layout::Columns76CrLf)),
        (
            "much white space before it",
            format!("{}{line}", "\n".repeat(20_000)),
        ),
    ];
    let (what, body) = bench.turn(&table).cloned().unwrap_or_default();
    made(bench, what, body)
}

fn broken(bench: &mut Bench<'_>) -> Made {
    let (_, line) = line(bench);
    let bare = line.trim_end_matches('=');
    let half = line.len() / 2;
    let (start, rest) = line.split_at_checked(half).unwrap_or_default();
    let place = bench.rng.usize(..line.len());
    let with = |what: &str| {
        let (start, rest) = line.split_at_checked(place).unwrap_or_default();
        format!("{start}{what}{rest}").into_bytes()
    };
    let table: [(&str, Vec<u8>); 24] = [
        ("without its padding", format!("{bare}\n").into()),
        ("with one = too many", format!("{line}=\n").into()),
        ("with a row of =", format!("{bare}{}\n", "=".repeat(5000)).into()),
        ("with padding in the middle", format!("{start}=={rest}\n").into()),
        ("with padding in front", format!("=={line}\n").into()),
        ("with another one behind", format!("{line}\n{line}\n").into()),
        (
            "cut off by one",
            line.get(..line.len() - 1).unwrap_or_default().into(),
        ),
        (
            "cut off by two",
            line.get(..line.len() - 2).unwrap_or_default().into(),
        ),
        ("cut off in the middle", start.into()),
        (
            "in the alphabet of URLs",
            line.replace('+', "-").replace('/', "_").into(),
        ),
        ("with a NUL in it", with("\0")),
        ("with a NUL behind it", format!("{line}\n\0").into()),
        ("with a NUL and more behind it", format!("{line}\0{line}").into()),
        ("with an asterisk in it", with("*")),
        ("with a hyphen in it", with("-")),
        ("with a colon in it", with(":")),
        ("with a letter above 127 in it", with("\u{e4}")),
        ("with a blank of Unicode in it", with("\u{a0}")),
        ("with a mark of UTF-8 before it", format!("\u{feff}{line}").into()),
        ("with text behind it", format!("{line}\nand more words").into()),
        ("with bits behind the end", {
            // The last symbol before the padding has bits that belong to no octet.
            let mut bytes = line.clone().into_bytes();
            if let Some(last) = bytes.iter_mut().rev().find(|byte| **byte != b'=') {
                *last = if *last == b'B' { b'C' } else { b'B' };
            }
            bytes
        }),
        ("in UTF-16", line.bytes().flat_map(|byte| [byte, 0]).collect()),
        ("in lower case", line.to_lowercase().into()),
        ("backwards", line.bytes().rev().collect()),
    ];
    let (what, body) = bench.turn(&table).cloned().unwrap_or_default();
    made(bench, &format!("base64 {what}"), body)
}

fn armour(bench: &mut Bench<'_>) -> Made {
    let (_, line) = line(bench);
    let content = columns(&line, 64, "\n");
    let begin = "-----BEGIN CERTIFICATE REQUEST-----\n";
    let end = "-----END CERTIFICATE REQUEST-----\n";
    let whole = format!("{begin}{content}{end}");
    let table: [(&str, String); 20] = [
        ("as it is", whole.clone()),
        ("of the old kind", whole.replace("CERTIFICATE", "NEW CERTIFICATE")),
        ("with CR LF", whole.replace('\n', "\r\n")),
        ("without line ends", whole.replace('\n', "")),
        ("of a certificate", whole.replace(" REQUEST", "")),
        (
            "of a private key",
            whole.replace("CERTIFICATE REQUEST", "PRIVATE KEY"),
        ),
        ("without an end", format!("{begin}{content}")),
        ("without a beginning", format!("{content}{end}")),
        ("without content", format!("{begin}{end}")),
        (
            "that is not closed",
            format!("-----BEGIN CERTIFICATE REQUEST\n{content}"),
        ),
        ("of dashes", "-".repeat(20_000)),
        ("of beginnings", begin.repeat(2000)),
        (
            "with another end",
            format!("{begin}{content}-----END CERTIFICATE-----\n"),
        ),
        (
            "with an end of four dashes",
            whole.replace("REQUEST-----\n", "REQUEST----\n"),
        ),
        (
            "with headers",
            format!("{begin}Proc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,00\n\n{content}{end}"),
        ),
        (
            "with text before it",
            format!("{}{whole}", "Certificate Request:\n".repeat(200)),
        ),
        ("with text behind it", format!("{whole}more\n")),
        ("twice", format!("{whole}{whole}")),
        ("with a NUL in its label", whole.replace(" REQUEST", "\0REQUEST")),
        ("in itself", format!("{begin}{whole}{end}")),
    ];
    let (what, body) = bench.turn(&table).cloned().unwrap_or_default();
    made(bench, &format!("PEM armour {what}"), body)
}

fn not_base64(bench: &mut Bench<'_>) -> Made {
    let (request, line) = line(bench);
    let twice = encode(line.as_bytes(), Base64Layout::SingleLine);
    let json = format!("{{\"csr\": \"{line}\"}}");
    let form = format!("csr={}", line.replace('+', "%2B"));
    let quoted = columns(&line, 60, "=\r\n");
    let xml = format!("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"{line}\">]><a>&b;</a>");
    let table: [(&str, Vec<u8>); 13] = [
        ("nothing", Vec::new()),
        ("white space", b" \r\n\t".repeat(4000)),
        ("one letter", b"A".to_vec()),
        ("two letters", b"AA".to_vec()),
        ("three letters", b"AAA".to_vec()),
        ("padding alone", b"====".to_vec()),
        ("the DER itself", request),
        ("base64 of base64", twice.into_bytes()),
        ("JSON", json.into_bytes()),
        ("a form", form.into_bytes()),
        ("quoted-printable", quoted.into_bytes()),
        ("XML with an entity", xml.into_bytes()),
        ("zeros", vec![0; 3000]),
    ];
    let (what, body) = bench.turn(&table).cloned().unwrap_or_default();
    made(bench, what, body)
}
