//! Bodies, headers and frames that are too long or never end. They are refused when the bound is reached, and the server
//! holds no more of them than that.

use std::collections::HashSet;

use pki_common::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::time::timeout;

use super::lab::{Door, Doors, Lab, Load, Manners, PATIENCE, Settings, Size, attacker};
use super::slow_nmsp_frame::frame_header;
use super::{Options, Outcome};

/// What is sent of a thing that never ends, at most, in pieces: 64 MiB.
const PIECES: usize = 1024;
const PIECE: usize = 65_536;

/// What the memory of a server may grow by, in KiB: less than one of the endless things has.
const GROWTH: u64 = 32 * 1024;

/// What is sent, and what must come back.
#[derive(Clone)]
struct Excess {
    name: &'static str,
    door: Door,
    opening: Vec<u8>,
    piece: Vec<u8>,
    /// What the answer begins with; nothing where the connection just ends.
    answer: String,
}

/// Rounds more, for the refusals that were lost: a client that goes on sending after the connection has been closed may not
/// see why. One that is never seen is not sent.
const MORE_ROUNDS: usize = 20;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let rounds = options.scale.pick(1, 10);
    let lab = Lab::start(options, Settings::default())?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    load.served(5).await;
    let before = lab.memory();
    let injected = send_all(rounds, &load).await;
    lab.compare_memory(before, GROWTH, &load);
    load.served(2).await;
    lab.finish("oversized-bodies", injected, load).await
}

/// Sends everything so many times, and what never saw its refusal some times more; how much was sent.
async fn send_all(rounds: usize, load: &Load) -> u64 {
    let (doors, tally) = (load.doors(), load.tally());
    let mut unanswered: HashSet<&str> = all(doors)
        .iter()
        .filter(|excess| !excess.answer.is_empty())
        .map(|excess| excess.name)
        .collect();
    let mut injected = 0;
    for round in 0..rounds + MORE_ROUNDS {
        for excess in all(doors) {
            if round >= rounds && !unanswered.contains(excess.name) {
                continue;
            }
            injected += 1;
            match send(doors, &excess).await {
                Ok(true) => {
                    unanswered.remove(excess.name);
                }
                Ok(false) => {}
                Err(problem) => tally.wrong(format!("{}: {problem}", excess.name)),
            }
        }
    }
    for name in unanswered {
        tally.wrong(format!("{name}: no refusal was ever seen"));
    }
    injected
}

fn all(doors: &Doors) -> Vec<Excess> {
    let letters = vec![b'A'; PIECE];
    [over_http(doors, &letters), frames(&letters)].concat()
}

fn over_http(doors: &Doors, letters: &[u8]) -> Vec<Excess> {
    use Door::{Admin, EstTls, RevocationLists};

    const HEADER: &str = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n";
    let chunk = [b"10000\r\n", letters, b"\r\n"].concat();
    let many = b"X-Many: 1\r\n".repeat(PIECE / 10);
    let announced = doors.est_client.head("Content-Length: 1073741824\r\n");
    let chunked = doors.est_client.head("Transfer-Encoding: chunked\r\n");
    let (long_header, size) = (format!("{HEADER}X-Long: "), format!("{chunked}1;"));
    let table: [(_, _, &str, &[u8], _); 8] = [
        ("a body of 1 GiB, announced", EstTls, &announced, letters, "413"),
        ("an endless body in chunks", EstTls, &chunked, &chunk, "413"),
        ("an endless size of a chunk", EstTls, &size, letters, "4"),
        ("an endless header", EstTls, &long_header, letters, "431"),
        ("headers without end", EstTls, HEADER, &many, "431"),
        ("an endless target", EstTls, "GET /", letters, "4"),
        (
            "an endless header for a list",
            RevocationLists,
            &long_header,
            letters,
            "431",
        ),
        (
            "an endless header for the admin",
            Admin,
            &long_header,
            letters,
            "431",
        ),
    ];
    let excess = |(name, door, opening, piece, status): (_, _, &str, &[u8], &str)| Excess {
        name,
        door,
        opening: opening.as_bytes().to_vec(),
        piece: piece.to_vec(),
        answer: format!("HTTP/1.1 {status}"),
    };
    table.into_iter().map(excess).collect()
}

fn frames(letters: &[u8]) -> Vec<Excess> {
    let lengths = [
        ("a frame of 4 GiB", u32::MAX),
        ("a frame a byte too long", 65_537),
        ("a frame of no length", 0),
    ];
    let excess = |(name, length)| Excess {
        name,
        door: Door::NmspTls,
        opening: frame_header(2, length).to_vec(),
        piece: letters.to_vec(),
        answer: String::new(),
    };
    lengths.into_iter().map(excess).collect()
}

/// Whether the refusal came; it may be lost.
async fn send(doors: &Doors, excess: &Excess) -> Result<bool, String> {
    let stream = doors
        .dial(excess.door, attacker(1))
        .await
        .map_err(|error| error.to_string())?;
    let (mut reader, mut writer) = split(stream);
    let write = async {
        let mut sent = writer.write_all(&excess.opening).await.and(writer.flush().await);
        for _ in 0..PIECES {
            if sent.is_err() {
                return false;
            }
            sent = writer.write_all(&excess.piece).await;
        }
        sent.and(writer.flush().await).is_ok()
    };
    let mut answer = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(length) = reader.read(&mut buffer).await {
            if length == 0 {
                break;
            }
            answer.extend(buffer.iter().take(length));
        }
    };
    let both = async { tokio::join!(write, read) };
    let (all_taken, ()) = timeout(PATIENCE, both)
        .await
        .map_err(|_| format!("neither refused nor ended after {PATIENCE:?}"))?;
    if all_taken {
        return Err(format!("{} bytes were taken", PIECES * excess.piece.len()));
    }
    if answer.is_empty() || excess.answer.is_empty() {
        Ok(false)
    } else if answer.starts_with(excess.answer.as_bytes()) {
        Ok(true)
    } else {
        Err(format!("answered with {}", answer.escape_ascii()))
    }
}
