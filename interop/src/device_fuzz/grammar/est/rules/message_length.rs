//! Where a body ends: `Content-Length`, `Transfer-Encoding`, both, neither (RFC 9112 sections 6 and 7).

use super::super::bench::{Bench, Made, open, read, sent};
use super::super::request::{Draft, Field, Framing, chunked};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Http, Needs::Enrolment, "content length", content_length),
    rule(
        Layer::Http,
        Needs::Enrolment,
        "two content lengths",
        two_content_lengths,
    ),
    rule(Layer::Http, Needs::Enrolment, "chunk sizes", chunk_sizes),
    rule(Layer::Http, Needs::Enrolment, "chunks", chunks),
    rule(
        Layer::Http,
        Needs::Enrolment,
        "transfer encoding",
        transfer_encoding,
    ),
    rule(Layer::Http, Needs::Enrolment, "both", both),
    rule(Layer::Http, Needs::Nothing, "framing of a get", framing_of_a_get),
    rule(Layer::Http, Needs::Enrolment, "expect continue", expect_continue),
];

/// Names and values.
type Fields<'a> = Vec<(&'a str, &'a str)>;

/// A body that is as it is, with a field before it.
fn framed_by(mut draft: Draft, fields: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Draft {
    draft.framing = Framing::AsIs;
    for (name, value) in fields {
        draft.fields.push(Field::new(name, value));
    }
    draft.with_body(body)
}

fn content_length(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol();
    let body = draft.body.clone();
    let length = body.len();
    let table: [String; 27] = [
        "-1".into(),
        format!("-{length}"),
        format!("+{length}"),
        format!("0x{length:x}"),
        format!("{length}, {length}"),
        format!("{length}, {}", length + 1),
        format!("{length} {length}"),
        format!("{length},"),
        format!(",{length}"),
        format!("{length}.0"),
        format!("{length}e0"),
        format!("{length};x"),
        format!("{length}\0"),
        format!("\x0b{length}"),
        format!("\u{661}{length}"),
        format!("\"{length}\""),
        String::new(),
        "0".into(),
        format!("{}", length / 2),
        format!("{}", length - 8),
        format!("{}", length + 10),
        format!("{:0>400}", length),
        format!("{}", u64::MAX),
        format!("{}", i64::MAX),
        // Right, if only the low 32 or 64 bits are kept.
        format!("{}", (1_u64 << 32) + u64::try_from(length).unwrap_or_default()),
        format!("{}", (1_u128 << 64) + u128::try_from(length).unwrap_or_default()),
        "9".repeat(5000),
    ];
    let value = bench.turn(&table).cloned().unwrap_or_default();
    let shown: String = value.chars().take(24).collect();
    let name = format!("a body of {length} bytes and Content-Length {shown:?}");
    let mut script = sent(framed_by(draft, &[("Content-Length", &value)], body).bytes());
    if bench.lap(table.len()) % 2 == 1 {
        script.push(Step::HalfClose);
    }
    Made::new(name, script)
}

fn two_content_lengths(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol();
    let body = draft.body.clone();
    let right = body.len().to_string();
    let (more, less) = ((body.len() + 7).to_string(), (body.len() / 2).to_string());
    let table: [(&str, Vec<&str>); 6] = [
        ("the right one, then one too long", vec![&right, &more]),
        ("one too long, then the right one", vec![&more, &right]),
        ("the right one, then one too short", vec![&right, &less]),
        ("one too short, then the right one", vec![&less, &right]),
        ("the right one, then 0", vec![&right, "0"]),
        ("the right one three times", vec![&right, &right, &right]),
    ];
    let (what, values) = bench.turn(&table).cloned().unwrap_or_default();
    let fields: Vec<(&str, &str)> = values.iter().map(|value| ("Content-Length", *value)).collect();
    let mut bytes = framed_by(draft, &fields, body).bytes();
    bytes.extend(bench.cacerts().bytes());
    Made::sent(format!("two Content-Length: {what}; then a request"), bytes)
}

/// A size line before one chunk that holds the whole body.
fn chunk_sizes(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol();
    let body = draft.body.clone();
    let length = body.len();
    let size = format!("{length:x}");
    let table: [String; 24] = [
        "zz".into(),
        String::new(),
        format!("-{size}"),
        format!("+{size}"),
        format!("0x{size}"),
        format!(" {size}"),
        format!("{size} "),
        format!("\t{size}"),
        format!("{size}\0"),
        format!("{size};ext"),
        format!("{size};ext=value;x=\"q;\\\"\""),
        format!("{size};{}", "x".repeat(20_000)),
        format!("{size};\n"),
        format!("{size} ;ext"),
        format!("{size}\nX"),
        size.to_uppercase(),
        format!("{size:0>2000}"),
        "ffffffffffffffff".into(),
        "7fffffffffffffff".into(),
        format!("1{length:08x}"),
        format!("1{length:016x}"),
        format!("{:x}", length + 5),
        format!("{:x}", length - 5),
        "f".repeat(5000),
    ];
    let value = bench.turn(&table).cloned().unwrap_or_default();
    let mut encoded = value.clone().into_bytes();
    encoded.extend(b"\r\n");
    encoded.extend(body);
    encoded.extend(b"\r\n0\r\n\r\n");
    let draft = framed_by(draft, &[("Transfer-Encoding", "chunked")], encoded);
    let mut script = sent(draft.bytes());
    if bench.lap(table.len()) % 2 == 1 {
        script.push(Step::HalfClose);
    }
    let shown: String = value.chars().take(24).collect();
    Made::new(
        format!("a chunk of {length} bytes whose size is {shown:?}"),
        script,
    )
}

fn chunks(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol();
    let table = [
        cut_chunks(&draft.body),
        trailers(&draft.body),
        last_chunks(&draft.body),
    ]
    .concat();
    let (what, bytes) = bench.turn(&table).cloned().unwrap_or_default();
    let draft = framed_by(draft, &[("Transfer-Encoding", "chunked")], bytes);
    let mut script = sent(draft.bytes());
    if bench.lap(table.len()) % 2 == 1 {
        script.push(Step::HalfClose);
    }
    Made::new(format!("chunks {what}"), script)
}

/// The body in one chunk without the last, which ends it.
fn unended(body: &[u8]) -> Vec<u8> {
    let whole = chunked(body, body.len());
    whole.get(..whole.len() - 5).unwrap_or_default().to_vec()
}

/// Chunks that are cut otherwise, or without their line ends.
fn cut_chunks(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let unended = unended(body);
    let text = String::from_utf8_lossy(&chunked(body, body.len())).into_owned();
    let first_line = text.find("\r\n").unwrap_or_default();
    vec![
        ("of one byte", chunked(body, 1)),
        ("without the last", unended.clone()),
        (
            "without the end of the last",
            [unended.as_slice(), b"0\r\n"].concat(),
        ),
        (
            "with the line ends of LF",
            text.replace("\r\n", "\n").into_bytes(),
        ),
        (
            "without a line end behind the data",
            [
                text.get(..first_line + 2 + body.len()).unwrap_or_default(),
                "0\r\n\r\n",
            ]
            .concat()
            .into_bytes(),
        ),
    ]
}

/// What stands behind the last chunk.
fn trailers(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let whole = chunked(body, body.len());
    let with_trailer = |trailer: &[u8]| {
        let start = whole.get(..whole.len() - 2).unwrap_or_default();
        [start, trailer, b"\r\n"].concat()
    };
    let many = with_trailer(&b"X: y\r\n".repeat(3000));
    vec![
        ("with a trailer", with_trailer(b"X: y\r\n")),
        (
            "with a trailer of framing",
            with_trailer(b"Content-Length: 5\r\nTransfer-Encoding: identity\r\n"),
        ),
        (
            "with a trailer of credentials",
            with_trailer(b"Authorization: Basic eDp5\r\nHost: other.example\r\n"),
        ),
        ("with a trailer that is none", with_trailer(b"no colon\r\n")),
        ("with 3000 trailers", many),
        (
            "with a trailer of 100,000 bytes",
            with_trailer(&[b"X: ".as_slice(), &[b'y'; 100_000], b"\r\n"].concat()),
        ),
    ]
}

/// The last chunk, in other places and forms.
fn last_chunks(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let whole = chunked(body, body.len());
    vec![
        (
            "with an empty one in the middle",
            [b"0\r\n\r\n".as_slice(), &whole].concat(),
        ),
        ("with zeros before the size of the last", {
            let mut bytes = unended(body);
            bytes.extend([b'0'; 5000]);
            bytes.extend(b"\r\n\r\n");
            bytes
        }),
        ("without any but the last", b"0\r\n\r\n".to_vec()),
    ]
}

fn transfer_encoding(bench: &mut Bench<'_>) -> Made {
    const VALUES: &[&str] = &[
        "identity",
        "gzip, chunked",
        "chunked, identity",
        "chunked, gzip",
        "chunked, chunked",
        "Chunked",
        "CHUNKED",
        "chunked;q=1",
        "chunked ",
        "\tchunked",
        "\x0bchunked",
        "xchunked",
        "chunkedx",
        "chunked\0",
        "\"chunked\"",
        "",
        ",chunked",
        "chunked,",
        "gzip",
        "nonsense",
    ];
    let value = bench.turn(VALUES).copied().unwrap_or("identity");
    let draft = bench.enrol();
    let body = chunked(&draft.body, 100);
    let mut draft = framed_by(draft, &[("Transfer-Encoding", value)], body);
    let mut name = format!("Transfer-Encoding {value:?}");
    match bench.lap(VALUES.len()) % 3 {
        1 => {
            draft.version = b"HTTP/1.0".to_vec();
            name.push_str(" in HTTP/1.0");
        }
        2 => {
            draft.fields.push(Field::new("Transfer-Encoding", "chunked"));
            name.push_str(", and another one");
        }
        _ => {}
    }
    let mut bytes = draft.bytes();
    bytes.extend(bench.cacerts().bytes());
    Made::sent(format!("{name}; then a request"), bytes)
}

/// Both ways to tell the length: a gateway in front may believe the one, the server the other.
fn both(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol();
    let (plain, whole) = (draft.body.clone(), chunked(&draft.body, 100));
    let (of_plain, of_whole) = (plain.len().to_string(), whole.len().to_string());
    let chunked_field = ("Transfer-Encoding", "chunked");
    let table: [(&str, Fields<'_>, &[u8]); 6] = [
        (
            "the length of what travels, then chunked",
            vec![("Content-Length", &of_whole), chunked_field],
            &whole,
        ),
        (
            "chunked, then the length of what travels",
            vec![chunked_field, ("Content-Length", &of_whole)],
            &whole,
        ),
        (
            "a length of 4, then chunked",
            vec![("Content-Length", "4"), chunked_field],
            &whole,
        ),
        (
            "chunked, then a length of 0",
            vec![chunked_field, ("Content-Length", "0")],
            &whole,
        ),
        (
            "chunked, then a length that is none",
            vec![chunked_field, ("Content-Length", "x")],
            &whole,
        ),
        (
            "a length of the body and chunked, but no chunks",
            vec![("Content-Length", &of_plain), chunked_field],
            &plain,
        ),
    ];
    let (what, fields, body) = bench.turn(&table).cloned().unwrap_or_default();
    let mut bytes = framed_by(draft, &fields, body).bytes();
    bytes.extend(bench.cacerts().bytes());
    Made::sent(format!("both framings: {what}; then a request"), bytes)
}

fn framing_of_a_get(bench: &mut Bench<'_>) -> Made {
    let draft = bench.cacerts();
    let table: [(&str, Fields<'_>, &[u8]); 8] = [
        ("a body", vec![("Content-Length", "5")], b"hello"),
        ("a body that does not come", vec![("Content-Length", "5")], b""),
        (
            "the largest length",
            vec![("Content-Length", "18446744073709551615")],
            b"",
        ),
        ("a negative length", vec![("Content-Length", "-1")], b""),
        (
            "two differing lengths",
            vec![("Content-Length", "0"), ("Content-Length", "5")],
            b"hello",
        ),
        (
            "an empty chunked body",
            vec![("Transfer-Encoding", "chunked")],
            b"0\r\n\r\n",
        ),
        (
            "a chunked body that does not end",
            vec![("Transfer-Encoding", "chunked")],
            b"5\r\nhello\r\n",
        ),
        (
            "both framings",
            vec![("Content-Length", "5"), ("Transfer-Encoding", "chunked")],
            b"0\r\n\r\n",
        ),
    ];
    let (what, fields, body) = bench.turn(&table).cloned().unwrap_or_default();
    let mut bytes = framed_by(draft, &fields, body).bytes();
    bytes.extend(bench.cacerts().bytes());
    Made::sent(format!("cacerts with {what}; then a request"), bytes)
}

fn expect_continue(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol().with("Expect", "100-continue").framed();
    let (head, body) = (draft.head(), draft.body.clone());
    match bench.number(4) {
        0 => Made::new(
            "Expect: 100-continue, and the body when it was asked for",
            vec![open(), Step::send(head), read(), Step::send(body)],
        ),
        1 => Made::new(
            "Expect: 100-continue, and no body",
            vec![
                open(),
                Step::send(head),
                read(),
                Step::Pause {
                    milliseconds: bench.stall(),
                },
            ],
        ),
        2 => Made::sent(
            "Expect: 100-continue, and the body at once",
            [head, body].concat(),
        ),
        _ => Made::new(
            "Expect: 100-continue, and another request instead of the body",
            vec![
                open(),
                Step::send(head),
                read(),
                Step::send(bench.cacerts().bytes()),
            ],
        ),
    }
}
