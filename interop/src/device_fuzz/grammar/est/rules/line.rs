//! The request line, line ends, and several requests at once.

use est::operation::Operation;

use super::super::bench::{Bench, Made, open, read, sent};
use super::super::request::Draft;
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Http, Needs::Nothing, "request line", request_line),
    rule(Layer::Http, Needs::Nothing, "version", version),
    rule(Layer::Http, Needs::Nothing, "method", method),
    rule(
        Layer::Http,
        Needs::Enrolment,
        "method of an enrolment",
        method_of_an_enrolment,
    ),
    rule(Layer::Http, Needs::Nothing, "line ends", line_ends),
    rule(Layer::Http, Needs::Nothing, "pipelined", pipelined),
    rule(Layer::Http, Needs::Nothing, "not http", not_http),
    rule(Layer::Http, Needs::Nothing, "other protocols", other_protocols),
];

fn request_line(bench: &mut Bench<'_>) -> Made {
    let path = bench.settings().path(Operation::CaCerts);
    let rest = format!("\r\nHost: {}\r\n\r\n", bench.settings().host);
    let table: [(&str, String); 18] = [
        ("with two blanks", format!("GET  {path}  HTTP/1.1")),
        ("with tabs", format!("GET\t{path}\tHTTP/1.1")),
        ("with a blank before it", format!(" GET {path} HTTP/1.1")),
        ("with a blank behind it", format!("GET {path} HTTP/1.1 ")),
        ("with a word behind it", format!("GET {path} HTTP/1.1 x")),
        ("with a blank in the target", format!("GET {path} x HTTP/1.1")),
        ("without a target", "GET HTTP/1.1".to_owned()),
        ("with an empty target", "GET  HTTP/1.1".to_owned()),
        ("without a version", format!("GET {path}")),
        ("of a method alone", "GET".to_owned()),
        ("with a NUL", format!("GET {path}\0 HTTP/1.1")),
        ("with a NUL in the method", format!("G\0ET {path} HTTP/1.1")),
        ("with a carriage return", format!("GET {path}\r HTTP/1.1")),
        ("with a vertical tab", format!("GET\x0b{path}\x0bHTTP/1.1")),
        (
            "with empty lines before it",
            format!("\r\n\r\nGET {path} HTTP/1.1"),
        ),
        (
            "with a thousand empty lines before it",
            format!("{}GET {path} HTTP/1.1", "\r\n".repeat(1000)),
        ),
        (
            "with a mark of UTF-8 before it",
            format!("\u{feff}GET {path} HTTP/1.1"),
        ),
        ("of a response", "HTTP/1.1 200 OK".to_owned()),
    ];
    let (what, line) = bench.turn(&table).cloned().unwrap_or_default();
    Made::sent(format!("a request line {what}"), line + &rest)
}

fn version(bench: &mut Bench<'_>) -> Made {
    const VERSIONS: &[&str] = &[
        "HTTP/1.0",
        "HTTP/1.2",
        "HTTP/1.9",
        "HTTP/0.9",
        "HTTP/2.0",
        "HTTP/2",
        "HTTP/3.0",
        "HTTP/9.9",
        "HTTP/1.11",
        "HTTP/01.1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1",
        "HTTP/-1.1",
        "HTTP/1.1\0",
        "HTTP/4294967297.1",
        "http/1.1",
        "HTTPS/1.1",
        "HTTP\\1.1",
        "FTP/1.1",
        "1.1",
        "\u{ff28}TTP/1.1",
    ];
    let version = bench.turn(VERSIONS).copied().unwrap_or("HTTP/1.0");
    let mut draft = bench.cacerts();
    draft.version = version.as_bytes().to_vec();
    if bench.lap(VERSIONS.len()) % 2 == 1 {
        draft = draft.without("Host");
    }
    Made::sent(format!("the version {version:?}"), draft.bytes())
}

const METHODS: &[&str] = &[
    "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "GETT", "G", "GET\0",
    "G=T", "(GET)", "PRI", "PROPFIND", "M-SEARCH",
];

fn method(bench: &mut Bench<'_>) -> Made {
    let method = bench.turn(METHODS).copied().unwrap_or("HEAD");
    let mut draft = bench.cacerts();
    draft.method = match bench.lap(METHODS.len()) % 3 {
        2 => method.repeat(2000).into_bytes(),
        _ => method.as_bytes().to_vec(),
    };
    let name = match draft.method.len() {
        0..100 => format!("{method:?} for cacerts"),
        length => format!("a method of {length} bytes"),
    };
    Made::sent(name, draft.bytes())
}

/// A request for a certificate by another method than POST.
fn method_of_an_enrolment(bench: &mut Bench<'_>) -> Made {
    const OTHERS: &[&str] = &[
        "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "post", "POSTX",
    ];
    let method = bench.turn(OTHERS).copied().unwrap_or("GET");
    let mut draft = bench.enrol();
    draft.method = method.as_bytes().to_vec();
    Made::sent(
        format!("a request for a certificate by {method:?}"),
        draft.bytes(),
    )
}

fn line_ends(bench: &mut Bench<'_>) -> Made {
    const ENDS: &[(&str, &[u8])] = &[
        ("LF alone", b"\n"),
        ("CR alone", b"\r"),
        ("LF CR", b"\n\r"),
        ("CR CR LF", b"\r\r\n"),
        ("CR NUL LF", b"\r\0\n"),
        ("NUL", b"\0"),
        ("blank CR LF", b" \r\n"),
        ("the line separator of Unicode", "\u{2028}".as_bytes()),
        ("the next line of C1", "\u{85}".as_bytes()),
    ];
    let (what, end) = bench.turn(ENDS).copied().unwrap_or(("LF alone", b"\n"));
    let mut draft = bench.any().framed();
    let place = match bench.lap(ENDS.len()) % 3 {
        0 => {
            draft.end = end.to_vec();
            for field in &mut draft.fields {
                field.end = end.to_vec();
            }
            "everywhere"
        }
        1 => {
            if let Some(field) = draft.fields.last_mut() {
                field.end = end.to_vec();
            }
            "behind the last header"
        }
        _ => {
            if let Some(field) = draft.fields.first_mut() {
                field.end = end.to_vec();
            }
            "behind the first header"
        }
    };
    Made::sent(format!("line ends of {what} {place}"), draft.bytes())
}

fn pipelined(bench: &mut Bench<'_>) -> Made {
    let close = |draft: Draft| draft.with("Connection", "close").bytes();
    let count = 2 + bench.rng.usize(..8);
    let many: Vec<u8> = (0..count).flat_map(|_| bench.any().bytes()).collect();
    let cacerts = bench.cacerts().bytes();
    let with = |more: &[u8]| [cacerts.as_slice(), more].concat();
    let inner = cacerts.len().to_string();
    let hidden = bench.cacerts().with("Content-Length", inner).bytes();
    let head = Draft {
        method: b"HEAD".to_vec(),
        ..bench.cacerts()
    };
    let table: [(&str, Vec<u8>); 8] = [
        ("several requests", many),
        ("a request, then no HTTP", with(b"\x16\x03\x01 nonsense\r\n\r\n")),
        ("a request, then half of one", with(b"GET /.well-known/e")),
        ("a request, then empty lines", with(&b"\r\n".repeat(500))),
        (
            "a request that wants the connection closed, then another",
            [close(bench.cacerts()), cacerts.clone()].concat(),
        ),
        (
            "a GET whose body looks like a request",
            [hidden, cacerts.clone()].concat(),
        ),
        ("HEAD, then GET", [head.bytes(), cacerts.clone()].concat()),
        (
            "an unknown path, then a request",
            [
                Draft::new("GET", "/nothing", &bench.settings().host).bytes(),
                cacerts.clone(),
            ]
            .concat(),
        ),
    ];
    let (what, bytes) = bench.turn(&table).cloned().unwrap_or_default();
    Made::sent(format!("{what}, in one piece"), bytes)
}

fn not_http(bench: &mut Bench<'_>) -> Made {
    let noise = bench.octets(400);
    let words = bench.octets(8000).iter().map(|octet| b'a' + octet % 26).collect();
    let table: [(&str, Vec<u8>); 9] = [
        ("random octets", noise),
        ("zeros", vec![0; 1000]),
        ("letters without a line end", words),
        ("line ends", b"\r\n".repeat(2000)),
        ("line feeds", vec![b'\n'; 4000]),
        ("blanks", vec![b' '; 4000]),
        ("nothing and half a close", Vec::new()),
        ("a DER SEQUENCE", vec![0x30, 0x82, 0xff, 0xff, 0x02]),
        ("a format string", b"%s%s%s%n%n%n %x HTTP/1.1\r\n\r\n".to_vec()),
    ];
    let (what, bytes) = bench.turn(&table).cloned().unwrap_or_default();
    let mut script = sent(bytes);
    script.push(Step::HalfClose);
    Made::new(format!("{what} instead of HTTP"), script)
}

fn other_protocols(bench: &mut Bench<'_>) -> Made {
    let settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), settings].concat();
    let upgrade = bench
        .cacerts()
        .with("Connection", "Upgrade, HTTP2-Settings")
        .with("Upgrade", "h2c")
        .with("HTTP2-Settings", "AAMAAABkAAQAAP__");
    let websocket = bench
        .cacerts()
        .with("Connection", "Upgrade")
        .with("Upgrade", "websocket")
        .with("Sec-WebSocket-Version", "13")
        .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let tls = bench
        .cacerts()
        .with("Connection", "Upgrade")
        .with("Upgrade", "TLS/1.2");
    let expect = |value: &str| bench.cacerts().with("Expect", value).bytes();
    let table: [(&str, Vec<u8>); 6] = [
        ("the preface of HTTP/2", preface),
        ("an upgrade to HTTP/2", upgrade.bytes()),
        ("an upgrade to WebSocket", websocket.bytes()),
        ("an upgrade to TLS", tls.bytes()),
        ("an unknown expectation", expect("200-ok")),
        ("an expectation of 8000 bytes", expect(&"1".repeat(8000))),
    ];
    let (what, bytes) = bench.turn(&table).cloned().unwrap_or_default();
    let mut script = vec![open(), Step::send(bytes), read()];
    if bench.lap(table.len()) % 2 == 1 {
        // What the other protocol would say next.
        let more = bench.octets(50);
        script.push(Step::send(more));
    }
    Made::new(what, script)
}
