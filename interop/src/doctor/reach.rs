//! TCP, to each address by itself.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use pki_common::{Failure, KnownCause, Side};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::walk::Findings;

/// What an address did with a SYN.
struct Attempt {
    address: SocketAddr,
    took: Duration,
    outcome: Result<(), io::Error>,
}

/// The addresses that accept a connection, in the order given.
///
/// One that does not is a warning as long as another does: a client that tries this one first waits.
pub(super) async fn reach(
    addresses: &[SocketAddr],
    limit: Duration,
    findings: &mut Findings,
) -> Result<Vec<SocketAddr>, Failure> {
    let mut attempts = JoinSet::new();
    for (place, address) in addresses.iter().copied().enumerate() {
        attempts.spawn(async move { (place, attempt(address, limit).await) });
    }
    let mut attempts = attempts.join_all().await;
    attempts.sort_by_key(|(place, _)| *place);
    let (mut open, mut failures, mut facts) = (Vec::new(), Vec::new(), Vec::new());
    for (
        _,
        Attempt {
            address,
            took,
            outcome,
        },
    ) in attempts
    {
        let word = match &outcome {
            Ok(()) => "connected",
            Err(error) => word(error.kind()),
        };
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        findings.note(format!("{address} {word} ({milliseconds} ms)"));
        facts.push(json!({ "address": address.to_string(), "result": word, "milliseconds": milliseconds }));
        match outcome {
            Ok(()) => open.push(address),
            Err(error) => failures.push(failure(address, &error, limit)),
        }
    }
    findings.fact("addresses", facts);
    if open.is_empty() {
        return Err(failures
            .into_iter()
            .next()
            .unwrap_or_else(|| KnownCause::NameNotResolved.failure("There is no address to connect to.")));
    }
    for failure in failures {
        findings.warn(failure);
    }
    Ok(open)
}

async fn attempt(address: SocketAddr, limit: Duration) -> Attempt {
    let began = Instant::now();
    let outcome = match timeout(limit, TcpStream::connect(address)).await {
        Ok(outcome) => outcome.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    Attempt {
        address,
        took: began.elapsed(),
        outcome,
    }
}

const fn word(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "reset",
        io::ErrorKind::TimedOut => "silent",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            "unreachable"
        }
        _ => "failed",
    }
}

/// Why a connection to this address did not come up.
pub(super) fn failure(address: SocketAddr, error: &io::Error, limit: Duration) -> Failure {
    match KnownCause::of_io(error.kind()) {
        Some(KnownCause::ConnectionRefused) => KnownCause::ConnectionRefused
            .failure(format!(
                "{address} refused the connection: nothing listens on the port."
            ))
            .refused_by(Side::Peer),
        Some(KnownCause::ConnectionLost) => KnownCause::ConnectionLost
            .failure(format!(
                "{address} reset the connection as soon as it was asked for."
            ))
            .refused_by(Side::Peer),
        Some(_) if error.kind() == io::ErrorKind::TimedOut => {
            KnownCause::ConnectionTimedOut.failure(format!(
                "{address} is silent: no answer to a SYN within {} s.",
                limit.as_secs_f32()
            ))
        }
        Some(known_cause) => known_cause.failure(format!("{address} is not reachable: {error}.")),
        None => pki_common::tls::diagnose_io(&io::Error::new(error.kind(), error.to_string())),
    }
}
