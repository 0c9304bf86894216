//! TLS records: their boundaries, and records that are broken after a good handshake.

use super::super::bench::{Bench, Made, open, read, records};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Tls, Needs::Nothing, "record boundaries", record_boundaries),
    rule(
        Layer::Tls,
        Needs::Enrolment,
        "record boundaries of a body",
        record_boundaries_of_a_body,
    ),
    rule(Layer::Tls, Needs::Nothing, "broken record", broken_record),
    rule(
        Layer::Tls,
        Needs::Nothing,
        "broken record within a request",
        broken_record_within_a_request,
    ),
];

fn record_boundaries(bench: &mut Bench<'_>) -> Made {
    let bytes = bench.cacerts().bytes();
    in_records(bench, "a head", &bytes)
}

fn record_boundaries_of_a_body(bench: &mut Bench<'_>) -> Made {
    let bytes = bench.enrol().bytes();
    in_records(bench, "a request with a body", &bytes)
}

fn in_records(bench: &mut Bench<'_>, what: &str, bytes: &[u8]) -> Made {
    let largest = bench.turn(&[1, 3, 64, 1000]).copied().unwrap_or(1);
    let mut parts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = (1 + bench.rng.usize(..largest)).min(rest.len());
        let (part, behind) = rest.split_at(size);
        parts.push(part.to_vec());
        rest = behind;
    }
    let segments = if bench.rng.bool() {
        let count = parts.len().min(200);
        (0..count).map(|_| 1 + bench.rng.usize(..60)).collect()
    } else {
        Vec::new()
    };
    let name = format!("{what} in TLS records of at most {largest} bytes");
    Made::new(name, vec![open(), records(parts, segments)])
}

/// A record in the clear, or one that nobody encrypted.
fn record(kind: u8, version: u16, length: u16, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(version.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The broken record whose turn it is.
fn broken(bench: &mut Bench<'_>) -> (&'static str, Vec<u8>) {
    const TLS_1_2: u16 = 0x0303;
    let noise = bench.octets(64);
    let table = [
        ("that does not decrypt", record(23, TLS_1_2, 64, &noise)),
        ("without content", record(23, TLS_1_2, 0, &[])),
        ("longer than TLS allows", record(23, TLS_1_2, 0xffff, &noise)),
        ("of 16,641 bytes", record(23, TLS_1_2, 16_641, &[0; 16_641])),
        ("that does not come to its end", record(23, TLS_1_2, 2000, &noise)),
        ("of an unknown kind", record(99, TLS_1_2, 64, &noise)),
        ("of another version", record(23, 0x0901, 64, &noise)),
        (
            "with a heartbeat longer than it is",
            record(24, TLS_1_2, 3, &[1, 0x40, 0]),
        ),
        (
            "with a change of cipher in the clear",
            record(20, TLS_1_2, 1, &[1]),
        ),
        ("with an alert in the clear", record(21, TLS_1_2, 2, &[2, 40])),
        (
            "with a close_notify in the clear",
            record(21, TLS_1_2, 2, &[1, 0]),
        ),
        ("with a hello in the clear", record(22, TLS_1_2, 4, &[1, 0, 0, 0])),
        (
            "with a HelloRequest in the clear",
            record(22, TLS_1_2, 4, &[0; 4]),
        ),
        ("that is HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("of 3 bytes in all", vec![23, 3, 3]),
    ];
    bench.turn(&table).cloned().unwrap_or_default()
}

fn broken_record(bench: &mut Bench<'_>) -> Made {
    let (what, bytes) = broken(bench);
    let mut script = vec![open()];
    if bench.rng.bool() {
        script.push(Step::send(bench.cacerts().bytes()));
        script.push(read());
    }
    script.push(Step::send_raw(bytes));
    Made::new(format!("a TLS record {what}"), script)
}

fn broken_record_within_a_request(bench: &mut Bench<'_>) -> Made {
    let (what, broken) = broken(bench);
    let bytes = bench.any().bytes();
    let (first, rest) = bytes.split_at(bench.rng.usize(..bytes.len()));
    let script = vec![
        open(),
        Step::send(first),
        Step::send_raw(broken),
        Step::send(rest),
    ];
    Made::new(format!("a TLS record {what}, within a request"), script)
}
