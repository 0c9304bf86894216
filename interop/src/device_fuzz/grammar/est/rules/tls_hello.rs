//! The first message of TLS, in the clear, and what comes instead of the others.

use super::super::bench::{Bench, Made, open_tcp};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};
use crate::device_fuzz::grammar::tls::RECORD;
use crate::device_fuzz::grammar::tls::client_hello::{
    ALPN, COOKIE, ClientHello, EARLY_DATA, KEY_SHARE, PRE_SHARED_KEY, SERVER_NAME, SESSION_TICKET,
    SIGNATURE_ALGORITHMS, SUPPORTED_GROUPS, SUPPORTED_VERSIONS, in_records, key_share, prefixed, server_name,
};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Tls, Needs::Nothing, "odd hello", odd_hello),
    rule(Layer::Tls, Needs::Nothing, "odd extension", odd_extension),
    rule(Layer::Tls, Needs::Nothing, "cut hello", cut_hello),
    rule(Layer::Tls, Needs::Nothing, "changed hello", changed_hello),
    rule(Layer::Tls, Needs::Nothing, "other messages", other_messages),
    rule(Layer::Tls, Needs::Nothing, "stalled handshake", stalled_handshake),
];

fn hello(bench: &mut Bench<'_>) -> ClientHello {
    ClientHello::new(&bench.octets(64))
}

fn sent_raw(name: impl Into<String>, bytes: Vec<u8>) -> Made {
    Made::new(name, vec![open_tcp(), Step::send_raw(bytes)])
}

/// A change of a hello, by name.
type Change = (&'static str, fn(&mut ClientHello));

const CHANGES: &[Change] = &[
    ("without cipher suites", |hello| hello.cipher_suites.clear()),
    ("with half a cipher suite", |hello| hello.cipher_suites.push(0x13)),
    ("with 32,000 cipher suites", |hello| {
        hello.cipher_suites = [0x0a, 0x0a].repeat(32_000);
    }),
    ("without compression methods", |hello| {
        hello.compression_methods.clear();
    }),
    ("with compression", |hello| {
        hello.compression_methods = vec![1, 64];
    }),
    ("with 255 compression methods", |hello| {
        hello.compression_methods = (0..255).collect();
    }),
    ("with a session identifier of 255 bytes", |hello| {
        hello.session_id = vec![7; 255];
    }),
    ("without a session identifier", |hello| hello.session_id.clear()),
    ("without extensions", |hello| hello.extensions.clear()),
    ("with each extension twice", |hello| {
        hello.extensions.extend(hello.extensions.clone());
    }),
    ("with 5000 unknown extensions", |hello| {
        let unknown = (0..5000).map(|number| (0x5000 + number, Vec::new()));
        hello.extensions.extend(unknown);
    }),
    ("with an unknown extension of 40,000 bytes", |hello| {
        hello.extensions.push((0xfafa, vec![0; 40_000]));
    }),
    ("of SSL 3.0", |hello| {
        hello.version = 0x0300;
        hello.extensions.clear();
    }),
    ("of version 0", |hello| hello.version = 0),
    ("of version 255.255", |hello| hello.version = 0xffff),
    ("with a short random", |hello| hello.random.truncate(5)),
];

fn odd_hello(bench: &mut Bench<'_>) -> Made {
    let mut made = hello(bench);
    let Some((what, change)) = bench.turn(CHANGES) else {
        return sent_raw("a hello", made.records(RECORD));
    };
    change(&mut made);
    sent_raw(format!("a hello {what}"), made.records(RECORD))
}

/// With one key share of zeros.
fn share(group: u16, length: usize) -> Vec<u8> {
    key_share(group, &vec![0; length])
}

/// Extensions that are odd, by name.
fn odd_extensions() -> Vec<(&'static str, u16, Vec<u8>)> {
    let identity = [prefixed(2, &[7; 200]), vec![0; 4]].concat();
    let binders = prefixed(2, &prefixed(1, &[0; 32]));
    let ticket = [prefixed(2, &identity), binders].concat();
    let names = |name: &[u8]| prefixed(2, &prefixed(1, name));
    vec![
        (
            "a name with a NUL",
            SERVER_NAME,
            server_name(b"localhost\0.example"),
        ),
        ("an empty name", SERVER_NAME, server_name(b"")),
        (
            "a name of 20,000 bytes",
            SERVER_NAME,
            server_name(&[b'a'; 20_000]),
        ),
        ("an empty list of names", SERVER_NAME, prefixed(2, &[])),
        (
            "a name longer than its extension",
            SERVER_NAME,
            vec![0, 9, 0, 0xff, 0xff, b'a'],
        ),
        ("an empty list of groups", SUPPORTED_GROUPS, prefixed(2, &[])),
        (
            "unknown groups only",
            SUPPORTED_GROUPS,
            prefixed(2, &[0xfe, 0xfe]),
        ),
        ("no signature algorithms", SIGNATURE_ALGORITHMS, prefixed(2, &[])),
        (
            "unknown signature algorithms",
            SIGNATURE_ALGORITHMS,
            prefixed(2, &[0xfe; 200]),
        ),
        ("an empty protocol name", ALPN, names(b"")),
        ("no protocol names", ALPN, prefixed(2, &[])),
        ("HTTP/2 only", ALPN, names(b"h2")),
        (
            "10,000 protocol names",
            ALPN,
            prefixed(2, &[1, b'x'].repeat(10_000)),
        ),
        ("no versions", SUPPORTED_VERSIONS, prefixed(1, &[])),
        (
            "unknown versions only",
            SUPPORTED_VERSIONS,
            prefixed(1, &[0x7f, 0x1c]),
        ),
        ("half a version", SUPPORTED_VERSIONS, prefixed(1, &[3])),
        ("an empty key share", KEY_SHARE, share(0x1d, 0)),
        ("a key share of 30,000 bytes", KEY_SHARE, share(0x1d, 30_000)),
        ("a key share of zeros", KEY_SHARE, share(0x1d, 32)),
        ("a point that is not on P-256", KEY_SHARE, share(0x17, 65)),
        ("a key share of an unknown group", KEY_SHARE, share(0xfefe, 32)),
        ("no key shares", KEY_SHARE, prefixed(2, &[])),
        ("an unknown ticket of TLS 1.2", SESSION_TICKET, vec![7; 300]),
        ("an unknown ticket of TLS 1.3", PRE_SHARED_KEY, ticket),
        ("early data without a ticket", EARLY_DATA, Vec::new()),
        ("a cookie that nobody gave", COOKIE, prefixed(2, &[7; 100])),
    ]
}

fn odd_extension(bench: &mut Bench<'_>) -> Made {
    let made = hello(bench);
    match bench.turn(&odd_extensions()) {
        Some((what, extension, body)) => {
            let bytes = made.with(*extension, body.clone()).records(RECORD);
            sent_raw(format!("a hello with {what}"), bytes)
        }
        None => sent_raw("a hello", made.records(RECORD)),
    }
}

fn cut_hello(bench: &mut Bench<'_>) -> Made {
    let made = hello(bench);
    let bytes = made.records(RECORD);
    match bench.number(4) {
        0 => sent_raw("a hello in records of one byte", made.records(1)),
        1 => {
            let size = 2 + bench.rng.usize(..40);
            sent_raw(format!("a hello in records of {size} bytes"), made.records(size))
        }
        2 => {
            let place = bench.rng.usize(..bytes.len());
            let part = bytes.get(..place).unwrap_or_default();
            Made::new(
                format!("a hello cut off after {place} bytes"),
                vec![open_tcp(), Step::send_raw(part), Step::HalfClose],
            )
        }
        _ => {
            let mut script = vec![open_tcp()];
            let size = 1 + bench.rng.usize(..30);
            script.extend(bytes.chunks(size).map(Step::send_raw));
            Made::new(format!("a hello in TCP segments of {size} bytes"), script)
        }
    }
}

fn changed_hello(bench: &mut Bench<'_>) -> Made {
    let mut bytes = hello(bench).records(RECORD);
    let mut places = Vec::new();
    for _ in 0..=bench.number(4) {
        let place = bench.rng.usize(..bytes.len());
        if let Some(byte) = bytes.get_mut(place) {
            *byte = bench.rng.u8(..);
        }
        places.push(place.to_string());
    }
    sent_raw(format!("a hello changed at {}", places.join(", ")), bytes)
}

fn other_messages(bench: &mut Bench<'_>) -> Made {
    let hello = hello(bench).records(RECORD);
    let behind = |more: &[u8]| [hello.as_slice(), more].concat();
    let message = |kind: u8, length: u32, content: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend(length.to_be_bytes().get(1..).unwrap_or_default());
        bytes.extend_from_slice(content);
        in_records(&bytes, RECORD)
    };
    let alert: &[u8] = &[21, 3, 3, 0, 2, 1, 0];
    let data: &[u8] = b"\x17\x03\x03\x00\x04GET ";
    let table: [(&str, Vec<u8>); 15] = [
        (
            "the end of a handshake that has not begun",
            message(20, 12, &[0; 12]),
        ),
        (
            "a certificate instead of a hello",
            message(11, 7, &[0, 0, 4, 0, 0, 1, 7]),
        ),
        ("a handshake message of 16 MiB", message(1, 0x00ff_ffff, &[3, 3])),
        ("an unknown handshake message", message(99, 4, &[0; 4])),
        ("a handshake message without content", message(1, 0, &[])),
        ("application data instead of a hello", data.to_vec()),
        ("an alert instead of a hello", alert.to_vec()),
        ("thousands of warnings", alert.repeat(3000)),
        (
            "thousands of empty handshake records",
            [22, 3, 3, 0, 0].repeat(2000),
        ),
        ("thousands of changes of cipher", [20, 3, 3, 0, 1, 1].repeat(2000)),
        ("two hellos", behind(&hello)),
        ("a hello, then application data", behind(data)),
        ("a hello, then an alert", behind(alert)),
        ("a hello, then HTTP", behind(b"GET / HTTP/1.1\r\n\r\n")),
        ("a hello, then zeros", behind(&[0; 4000])),
    ];
    let (what, bytes) = bench.turn(&table).cloned().unwrap_or_default();
    sent_raw(what, bytes)
}

/// Says hello, or a part of it, and then nothing.
fn stalled_handshake(bench: &mut Bench<'_>) -> Made {
    let bytes = hello(bench).records(RECORD);
    let places = [bytes.len(), 1, 5, 6, bytes.len() / 2, bytes.len() - 1];
    let place = bench.turn(&places).copied().unwrap_or(bytes.len());
    let script = vec![
        open_tcp(),
        Step::send_raw(bytes.get(..place).unwrap_or_default()),
        Step::Pause {
            milliseconds: bench.stall(),
        },
    ];
    let name = format!("a handshake that stops after {place} bytes of the hello");
    Made::new(name, script)
}
