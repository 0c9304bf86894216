//! TCP: segments, stalls, and connections that end in the middle.

use super::super::bench::{Bench, Made, open, open_tcp, records};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Tcp, Needs::Nothing, "small segments", small_segments),
    rule(Layer::Tcp, Needs::Nothing, "slow", slow),
    rule(Layer::Tcp, Needs::Nothing, "stall in the head", stall_in_the_head),
    rule(
        Layer::Tcp,
        Needs::Enrolment,
        "stall in the body",
        stall_in_the_body,
    ),
    rule(
        Layer::Tcp,
        Needs::Nothing,
        "ends in the middle",
        ends_in_the_middle,
    ),
    rule(Layer::Tcp, Needs::Nothing, "without tls", without_tls),
];

/// The whole request in segments of a few bytes, which cut TLS records anywhere.
fn small_segments(bench: &mut Bench<'_>) -> Made {
    let bytes = bench.any().bytes();
    let largest = bench.turn(&[1, 2, 5, 20, 100]).copied().unwrap_or(1);
    // More writes cost time and show nothing new.
    let count = (bytes.len() / largest + 40).min(1000);
    let segments = (0..count).map(|_| 1 + bench.rng.usize(..largest)).collect();
    let name = format!("a request in TCP segments of at most {largest} bytes");
    Made::new(name, vec![open(), records(vec![bytes], segments)])
}

/// A request that comes in drops, and comes to its end.
fn slow(bench: &mut Bench<'_>) -> Made {
    const DROPS: usize = 8;
    let bytes = bench.any().bytes();
    let pause = bench.stall() / 8;
    let mut script = vec![open()];
    for part in bytes.chunks(bytes.len().div_ceil(DROPS).max(1)) {
        script.push(Step::send(part));
        script.push(Step::Pause { milliseconds: pause });
    }
    Made::new("a request that comes slowly", script)
}

fn stall_in_the_head(bench: &mut Bench<'_>) -> Made {
    let bytes = bench.cacerts().bytes();
    let places = [0, 1, 3, 4, 20, bytes.len() - 3, bytes.len() - 2, bytes.len() - 1];
    let place = bench.turn(&places).copied().unwrap_or_default();
    let name = format!("a head that stops after {place} bytes, and goes on after a while");
    Made::new(name, stalled(bench, &bytes, place))
}

fn stall_in_the_body(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol().framed();
    let (head, body) = (draft.head().len(), draft.body.len());
    let places = [head, head + 1, head + body / 2, head + body - 1];
    let place = bench.turn(&places).copied().unwrap_or(head);
    let bytes = draft.bytes();
    let after = place - head;
    let name = format!("a body that stops after {after} bytes, and goes on after a while");
    Made::new(name, stalled(bench, &bytes, place))
}

fn stalled(bench: &Bench<'_>, bytes: &[u8], place: usize) -> Vec<Step> {
    let (first, rest) = bytes.split_at_checked(place).unwrap_or((bytes, &[]));
    vec![
        open(),
        Step::send(first),
        Step::Pause {
            milliseconds: bench.stall(),
        },
        Step::send(rest),
    ]
}

fn ends_in_the_middle(bench: &mut Bench<'_>) -> Made {
    const ENDS: [(&str, Step); 3] = [
        ("is half closed", Step::HalfClose),
        ("is reset", Step::Reset),
        ("is closed", Step::Close),
    ];
    let bytes = bench.any().bytes();
    let (what, end) = bench.turn(&ENDS).cloned().unwrap_or(("is reset", Step::Reset));
    let place = match bench.lap(ENDS.len()) % 4 {
        0 => bytes.len(),
        1 => 0,
        _ => bench.rng.usize(..bytes.len()),
    };
    let name = format!("a connection that {what} after {place} of {} bytes", bytes.len());
    let part = bytes.get(..place).unwrap_or_default();
    Made::new(name, vec![open(), Step::send(part), end])
}

/// What comes to a TLS port without TLS.
fn without_tls(bench: &mut Bench<'_>) -> Made {
    let plain = bench.cacerts().bytes();
    let noise = bench.octets(600);
    let proxy = "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n";
    let table: [(&str, &[u8]); 9] = [
        ("HTTP in the clear", &plain),
        ("random octets", &noise),
        ("nothing", b""),
        ("one zero", b"\0"),
        (
            "an SSL 2.0 hello",
            b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80",
        ),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a line end", b"\r\n"),
        ("the banner of SSH", b"SSH-2.0-OpenSSH_9.2\r\n"),
        ("the header of the PROXY protocol", proxy.as_bytes()),
    ];
    let (what, bytes) = bench.turn(&table).copied().unwrap_or(("nothing", b""));
    let mut script = vec![open_tcp(), Step::send(bytes)];
    if bench.lap(table.len()) % 2 == 1 {
        script.push(Step::HalfClose);
    }
    Made::new(format!("{what} without TLS"), script)
}
