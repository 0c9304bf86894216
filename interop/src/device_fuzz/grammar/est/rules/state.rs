//! What is said at the wrong time, or by the wrong side.

use est::operation::Operation;

use super::super::bench::{Bench, Made, base64, open, read, sent};
use super::super::certification_request::{COMMON_NAME, Parts, attribute_value, name};
use super::super::der::utf8;
use super::super::request::{Draft, Framing};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Layer, Step};

pub(super) const RULES: &[Rule] = &[
    rule(Layer::State, Needs::Nothing, "after an error", after_an_error),
    rule(Layer::State, Needs::Enrolment, "body alone", body_alone),
    rule(Layer::State, Needs::Enrolment, "renewal", renewal),
    rule(Layer::State, Needs::Enrolment, "the same again", the_same_again),
    rule(Layer::State, Needs::Nothing, "wrong side", wrong_side),
    rule(Layer::State, Needs::Nothing, "after the end", after_the_end),
    rule(Layer::State, Needs::Enrolment, "two connections", two_connections),
    rule(Layer::State, Needs::Enrolment, "unread answers", unread_answers),
    rule(Layer::State, Needs::Enrolment, "without a body", without_a_body),
];

/// A good request behind one that is refused, on the same connection.
fn after_an_error(bench: &mut Bench<'_>) -> Made {
    let host = bench.settings().host.clone();
    let path = bench.settings().path(Operation::CaCerts);
    let bad: [(&str, Vec<u8>); 7] = [
        ("an unknown path", Draft::new("GET", "/nothing", &host).bytes()),
        ("a wrong method", Draft::new("DELETE", &path, &host).bytes()),
        (
            "an unknown label",
            Draft::new("GET", "/.well-known/est/nowhere/cacerts", &host).bytes(),
        ),
        ("no Host", bench.cacerts().without("Host").bytes()),
        ("no HTTP", b"nonsense\r\n\r\n".to_vec()),
        (
            "an unknown version",
            format!("GET {path} HTTP/7.3\r\nHost: {host}\r\n\r\n").into_bytes(),
        ),
        (
            "a broken header",
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX : y\r\n\r\n").into_bytes(),
        ),
    ];
    let (what, bytes) = bench.turn(&bad).cloned().unwrap_or_default();
    let mut script = sent(bytes);
    script.push(read());
    script.push(Step::send(bench.any().bytes()));
    Made::new(format!("a request after one with {what}"), script)
}

/// A body without its request, or before it.
fn body_alone(bench: &mut Bench<'_>) -> Made {
    let draft = bench.enrol().framed();
    let (head, body) = (draft.head(), draft.body.clone());
    match bench.number(3) {
        0 => Made::sent("a body without a request", body),
        1 => Made::sent("a body before its head", [body, head].concat()),
        _ => Made::sent(
            "a head twice before its body",
            [head.clone(), head, body].concat(),
        ),
    }
}

/// `simplereenroll` by somebody who has no certificate, or for another subject than that of the certificate.
fn renewal(bench: &mut Bench<'_>) -> Made {
    let key = bench.key();
    let other = name(&[&attribute_value(COMMON_NAME, &utf8("another-subject"))]);
    let mut parts = bench.parts(&key);
    let what = match bench.number(3) {
        0 => "for a fresh name",
        1 => {
            parts.subject = other;
            "for another subject"
        }
        _ => {
            parts = Parts {
                subject: own_subject(bench).unwrap_or(parts.subject),
                ..Parts::new("", &key)
            };
            "without the alternative names"
        }
    };
    let body = base64(&parts.sign(&key));
    let draft = bench.post(Operation::SimpleReenroll, "application/pkcs10", body);
    let draft = match bench.lap(3) % 2 {
        1 => draft.without("Authorization"),
        _ => draft,
    };
    Made::sent(format!("a renewal {what}"), draft.bytes())
}

/// The subject of our certificate, in DER.
fn own_subject(bench: &Bench<'_>) -> Option<Vec<u8>> {
    let der = bench.settings().certificate.as_ref()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.subject().as_raw().to_vec())
}

fn the_same_again(bench: &mut Bench<'_>) -> Made {
    let bytes = bench.enrol().bytes();
    let times = 2 + bench.number(3);
    let mut script = vec![open()];
    for _ in 0..times {
        script.push(Step::send(bytes.clone()));
        script.push(read());
    }
    Made::new(format!("the same request {times} times"), script)
}

/// What a server says, said to a server.
fn wrong_side(bench: &mut Bench<'_>) -> Made {
    let table: [(&str, &[u8]); 6] = [
        ("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("an interim answer", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (
            "a refusal",
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "a redirect",
            b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "an answer that ends with the connection",
            b"HTTP/1.0 200 OK\r\n\r\nhello",
        ),
        (
            "switching protocols",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        ),
    ];
    let (what, bytes) = bench.turn(&table).copied().unwrap_or_default();
    let mut script = sent(bytes);
    if bench.lap(table.len()) % 2 == 1 {
        script.insert(1, Step::send(bench.cacerts().bytes()));
        script.insert(2, read());
    }
    Made::new(format!("{what}, from us"), script)
}

fn after_the_end(bench: &mut Bench<'_>) -> Made {
    let last = bench.any().with("Connection", "close").bytes();
    let more = bench.cacerts().bytes();
    let old = Draft {
        version: b"HTTP/1.0".to_vec(),
        ..bench.cacerts()
    };
    match bench.number(3) {
        0 => Made::new(
            "a request after one that wanted the connection closed",
            vec![open(), Step::send(last), read(), Step::send(more)],
        ),
        1 => Made::new(
            "a request after one of HTTP/1.0",
            vec![open(), Step::send(old.bytes()), read(), Step::send(more)],
        ),
        _ => Made::new(
            "two requests, and half a close between answer and answer",
            vec![open(), Step::send([last, more].concat()), Step::HalfClose, read()],
        ),
    }
}

/// Halves of requests on two connections.
fn two_connections(bench: &mut Bench<'_>) -> Made {
    let first = bench.enrol().bytes();
    let second = match bench.number(2) {
        0 => first.clone(),
        _ => bench.enrol().bytes(),
    };
    let what = if first == second {
        "the same request"
    } else {
        "two requests"
    };
    let (first_start, first_rest) = first.split_at(bench.rng.usize(..first.len()));
    let (second_start, second_rest) = second.split_at(bench.rng.usize(..second.len()));
    let script = vec![
        open(),
        Step::send(first_start),
        open(),
        Step::send(second_start),
        Step::Use { connection: 0 },
        Step::send(first_rest),
        Step::Use { connection: 1 },
        Step::send(second_rest),
        read(),
    ];
    Made::new(format!("{what} on two connections, in turns"), script)
}

/// A client that goes before it has read what it asked for.
fn unread_answers(bench: &mut Bench<'_>) -> Made {
    let bytes = bench.enrol().bytes();
    match bench.number(3) {
        0 => Made::new(
            "a connection that is reset before the answer",
            vec![open(), Step::send(bytes), Step::Reset],
        ),
        1 => Made::new(
            "a connection that is closed before the answer",
            vec![open(), Step::send(bytes), Step::Close],
        ),
        _ => {
            let many: Vec<u8> = (0..10).flat_map(|_| bench.cacerts().bytes()).collect();
            Made::new(
                "a connection that is reset before ten answers",
                vec![open(), Step::send(many), Step::Reset],
            )
        }
    }
}

/// A POST that ends with its head, then another request.
fn without_a_body(bench: &mut Bench<'_>) -> Made {
    let mut draft = bench.enrol();
    draft.body.clear();
    let framing = [Framing::AsIs, Framing::Length, Framing::Chunked(1)];
    draft.framing = bench.turn(&framing).cloned().unwrap_or_default();
    let mut script = sent(draft.bytes());
    script.push(read());
    script.push(Step::send(bench.enrol().bytes()));
    Made::new("a request without a body, then one with it", script)
}
