//! As much as the budget allows: connections, requests, bytes, work. The look for life comes while all of it is held.

use super::super::bench::{Bench, Made, open, open_tcp, records};
use super::super::request::{Field, Framing};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Hex, Layer, Step};
use crate::device_fuzz::grammar::tls::RECORD;
use crate::device_fuzz::grammar::tls::client_hello::ClientHello;

pub(super) const RULES: &[Rule] = &[
    rule(
        Layer::Exhaustion,
        Needs::Nothing,
        "idle connections",
        idle_connections,
    ),
    rule(
        Layer::Exhaustion,
        Needs::Enrolment,
        "half requests",
        half_requests,
    ),
    rule(
        Layer::Exhaustion,
        Needs::Nothing,
        "requests without reading",
        requests_without_reading,
    ),
    rule(Layer::Exhaustion, Needs::Enrolment, "endless body", endless_body),
    rule(Layer::Exhaustion, Needs::Nothing, "endless head", endless_head),
    rule(Layer::Exhaustion, Needs::Enrolment, "large bodies", large_bodies),
    rule(Layer::Exhaustion, Needs::Enrolment, "much work", much_work),
    rule(Layer::Exhaustion, Needs::Nothing, "tiny records", tiny_records),
];

fn idle_connections(bench: &mut Bench<'_>) -> Made {
    let count = bench.connections();
    let hello = ClientHello::new(&bench.octets(64)).records(RECORD);
    let half = hello.get(..hello.len() / 2).unwrap_or_default().to_vec();
    let (what, each): (&str, Vec<Step>) = match bench.number(4) {
        0 => ("TCP connections that say nothing", vec![open_tcp()]),
        1 => ("TLS connections that say nothing", vec![open()]),
        2 => (
            "connections with half a hello",
            vec![open_tcp(), Step::send_raw(half)],
        ),
        _ => (
            "connections with a hello and no more",
            vec![open_tcp(), Step::send_raw(hello)],
        ),
    };
    let script = each.iter().cycle().take(each.len() * count).cloned().collect();
    Made::new(format!("{count} {what}"), script)
}

fn half_requests(bench: &mut Bench<'_>) -> Made {
    let count = bench.connections();
    let bytes = bench.enrol().bytes();
    let head = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap_or_default()
        + 4;
    let (what, end) = match bench.number(3) {
        0 => ("half a head", head / 2),
        1 => ("a head and no body", head),
        _ => ("half a body", head + (bytes.len() - head) / 2),
    };
    let part = bytes.get(..end).unwrap_or_default();
    let script = (0..count).flat_map(|_| [open(), Step::send(part)]).collect();
    Made::new(format!("{count} connections with {what}"), script)
}

fn requests_without_reading(bench: &mut Bench<'_>) -> Made {
    let requests = bench.requests();
    let one = bench.cacerts().bytes();
    let fits = bench.room() / one.len().max(1);
    let times = u32::try_from(requests.min(fits)).unwrap_or(u32::MAX);
    let script = vec![
        open(),
        Step::SendRepeated {
            bytes: Hex(one),
            times,
        },
    ];
    Made::new(format!("{times} requests in one piece"), script)
}

/// How often `piece` fits into half of the budget.
fn fitting(bench: &Bench<'_>, piece: &[u8]) -> u32 {
    u32::try_from(bench.room() / piece.len().max(1)).unwrap_or(u32::MAX)
}

fn endless_body(bench: &mut Bench<'_>) -> Made {
    let mut draft = bench.enrol();
    draft.framing = Framing::AsIs;
    draft.body.clear();
    let (what, field, piece): (&str, Field, Vec<u8>) = match bench.number(4) {
        0 => (
            "a body in chunks that does not end",
            Field::new("Transfer-Encoding", "chunked"),
            [b"400\r\n".as_slice(), &[b'A'; 0x400], b"\r\n"].concat(),
        ),
        1 => (
            "a body in chunks of one byte that does not end",
            Field::new("Transfer-Encoding", "chunked"),
            b"1\r\nA\r\n".to_vec(),
        ),
        2 => (
            "a body of white space that does not end",
            Field::new("Content-Length", "9999999999"),
            b" \n".repeat(500),
        ),
        _ => (
            "extensions of a chunk that do not end",
            Field::new("Transfer-Encoding", "chunked"),
            b"1;a=b;c=d;e=f".to_vec(),
        ),
    };
    draft.fields.push(field);
    let times = fitting(bench, &piece);
    let script = vec![
        open(),
        Step::send(draft.bytes()),
        Step::SendRepeated {
            bytes: Hex(piece),
            times,
        },
    ];
    Made::new(what, script)
}

fn endless_head(bench: &mut Bench<'_>) -> Made {
    let start = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\n",
        String::from_utf8_lossy(&bench.cacerts().target)
    );
    let table: [(&str, &str, &[u8]); 4] = [
        ("headers that do not end", start.as_str(), b"X-A: b\r\n"),
        (
            "a header that does not end",
            start.as_str(),
            b"X-A: bbbbbbbbbbbbbbbb, ",
        ),
        ("a target that does not end", "GET /", b"aaaaaaaaaaaaaaaa"),
        ("a method that does not end", "", b"GGGGGGGGGGGGGGGG"),
    ];
    let (what, start, piece) = bench.turn(&table).copied().unwrap_or_default();
    let script = vec![
        open(),
        Step::send(start),
        Step::SendRepeated {
            bytes: Hex(piece.to_vec()),
            times: fitting(bench, piece),
        },
    ];
    Made::new(what, script)
}

fn large_bodies(bench: &mut Bench<'_>) -> Made {
    const SIZES: &[usize] = &[8192, 8193, 65_536, 65_537, 131_072, 500_000];
    let size = bench.turn(SIZES).copied().unwrap_or(8192).min(bench.room());
    let filler = match bench.lap(SIZES.len()) % 3 {
        0 => b'A',
        1 => b'\n',
        _ => b'=',
    };
    let mut draft = bench.enrol();
    // The valid request comes first, so that a server that stops reading there shows itself.
    draft.body.resize(size.max(draft.body.len()), filler);
    let length = draft.body.len();
    Made::sent(
        format!("a body of {length} bytes, filled with {:?}", char::from(filler)),
        draft.bytes(),
    )
}

/// Requests that cost the server more than the client.
fn much_work(bench: &mut Bench<'_>) -> Made {
    let count = bench.connections();
    let bytes = match bench.number(2) {
        // Each checks a password, if there are any.
        0 => bench
            .enrol()
            .replaced("Authorization", "Basic bm9ib2R5Om5vdGhpbmc=")
            .bytes(),
        _ => bench.enrol().bytes(),
    };
    let script = (0..count)
        .flat_map(|_| [open(), Step::send(bytes.clone())])
        .collect();
    Made::new(format!("the same request on {count} connections at once"), script)
}

fn tiny_records(bench: &mut Bench<'_>) -> Made {
    let count = (bench.room() / 30).min(4000);
    let mut parts: Vec<Vec<u8>> = vec![b"GET /".to_vec()];
    parts.resize(count, b"a".to_vec());
    Made::new(
        format!("{count} TLS records of one byte"),
        vec![open(), records(parts, Vec::new())],
    )
}
