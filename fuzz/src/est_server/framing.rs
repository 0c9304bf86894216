//! HTTP as bytes on the router of an EST server.

use std::time::Duration;

use est::auth::BasicCredentials;
use est::operation::ConnectionFacts;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::allowed::{Allowed, Shown};
use super::world::{self, World, run};

/// As the server has it.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// Bytes as one connection to an EST server, which come in pieces of the length that the first byte says (0: all at
/// once). No bytes panic; nothing is issued for a client that shows no password and no token; what is answered is HTTP, with a length that
/// is right; and the connection ends.
pub fn est_http(data: &[u8]) {
    let Some((piece, request)) = data.split_first() else {
        return;
    };
    let piece = if *piece == 0 {
        request.len()
    } else {
        usize::from(*piece)
    };
    let answered = run(async {
        let world = World::new().await;
        let shown = shown(request);
        world.authority.allow(Allowed {
            label: None,
            operation: None,
            shown,
            shut: false,
            revokes: None,
        });
        let answered = exchange(&world, request, piece.max(1)).await;
        assert!(shown != Shown::default() || world.authority.issued().is_empty());
        answered
    });
    check(&answered);
}

/// What somewhere in the bytes is; more than what a request in them shows.
fn shown(request: &[u8]) -> Shown {
    let is_there = |text: &str| find(request, text.as_bytes()).is_some();
    Shown {
        basic: [world::USER, world::OTHER_USER].into_iter().any(|user| {
            let credentials = BasicCredentials::new(user, world::PASSWORD).expect("they can be sent");
            is_there(credentials.to_header().trim_start_matches("Basic "))
        }),
        bearer: is_there(world::TOKEN),
        ..Shown::default()
    }
}

async fn exchange(world: &World, request: &[u8], piece: usize) -> Vec<u8> {
    let service = world.service().for_connection(ConnectionFacts::default());
    let (client, server) = tokio::io::duplex(64 * 1024);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
    let (mut reading, mut writing) = tokio::io::split(client);
    let send = async {
        for piece in request.chunks(piece) {
            if writing.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        // A client that has closed its side may still read.
        drop(writing.shutdown().await);
    };
    let mut answered = Vec::new();
    let receive = async {
        drop(reading.read_to_end(&mut answered).await);
    };
    // An error of the connection is its end, too.
    let (served, (), ()) = tokio::join!(connection, send, receive);
    drop(served);
    answered
}

/// Answers, one behind the other.
fn check(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let end = find(bytes, b"\r\n\r\n").expect("a head has an end");
        let head = bytes.get(..end).unwrap_or_default();
        let head = core::str::from_utf8(head).expect("the head of an answer is text");
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap_or_default();
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5))
            .unwrap_or_else(|| panic!("{line:?} is no status line"));
        let status: u16 = status.parse().expect("a number");
        let length = lines
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(0, |(_, value)| value.parse().expect("a length"));
        bytes = bytes.get(end + 4..).unwrap_or_default();
        if status == 100 {
            continue;
        }
        // The answer to HEAD announces a body that it does not have. It is followed by another answer or by nothing.
        if bytes.is_empty() || bytes.starts_with(b"HTTP/1.") {
            continue;
        }
        bytes = bytes.get(length..).expect("a body as long as its length says");
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
