//! Bytes without meaning to every port, and within TLS. Nothing of it is answered as if it were a request.

use std::sync::Arc;
use std::time::Instant;

use pki_common::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::lab::{Door, Doors, Lab, Load, Manners, PATIENCE, Settings, Size, attacker};
use super::slow_nmsp_frame::frame_header;
use super::{Options, Outcome, count};

/// The longest piece, in bytes.
const LONGEST: usize = 8192;

/// Connections at a time: fewer than one address may have.
const AT_A_TIME: usize = 16;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let pieces: u64 = options.scale.pick(10, 100);
    let settings = Settings {
        est_limits: "handshake-time = 3.0\nheader-time = 3.0\nbody-time = 3.0".to_owned(),
        nmsp_limits: "handshake-timeout-seconds = 3\nidle-timeout-seconds = 3".to_owned(),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut tasks = JoinSet::new();
    for (number, door) in Door::ALL.into_iter().enumerate() {
        for seed in 0..pieces {
            let (doors, places) = (load.doors().clone(), Arc::clone(&places));
            let from = u8::try_from(number + 1).unwrap_or(1);
            tasks.spawn(async move {
                let _place = places.acquire_owned().await;
                let problem = throw(&doors, door, from, &piece(door, seed)).await.err();
                problem.map(|problem| format!("{door:?}, piece {seed}: {problem}"))
            });
        }
    }
    let problems = tasks.join_all().await;
    let injected = count(problems.len());
    for problem in problems.into_iter().flatten() {
        load.tally().wrong(problem);
    }
    load.served(2).await;
    lab.finish("garbage", injected, load).await
}

/// The same for the same seed: chance alone, or after a beginning that is meant to be believed.
fn piece(door: Door, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let length = random.usize(1..LONGEST);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    let beginning: &[u8] = match (door, seed % 3) {
        (_, 0) => b"",
        (Door::Est | Door::Nmsp, 1) => &[22, 3, 1, 31, 0, 1, 0, 30, 252, 3, 3],
        (Door::Est | Door::Nmsp, _) => b"GET / HTTP/1.1\r\n\r\n",
        (Door::NmspTls, which) => {
            &if which == 1 {
                frame_header(2, 100)
            } else {
                frame_header(64, 20_000)
            }
        }
        (_, 1) => b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nX: ",
        (_, _) => {
            b"GET /../../%00 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n"
        }
    };
    [beginning, &bytes].concat()
}

/// The server must end the connection, and say nothing that a right request would have been answered with.
async fn throw(doors: &Doors, door: Door, from: u8, bytes: &[u8]) -> Result<(), String> {
    let mut stream = doors
        .dial(door, attacker(from))
        .await
        .map_err(|error| error.to_string())?;
    let begun = Instant::now();
    // It may be refused before it has been read to its end.
    let sent = stream.write_all(bytes).await.and(stream.flush().await);
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match timeout(PATIENCE, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(length)) => answer.extend(buffer.iter().take(length)),
            Err(_) => return Err(format!("still open after {:?}, sent: {sent:?}", begun.elapsed())),
        }
    }
    if answer.starts_with(b"HTTP/1.1 2") {
        return Err(format!("answered with {}", answer.escape_ascii()));
    }
    Ok(())
}
