//! Name resolution, each address family by itself.

use core::time::Duration;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind, SockType, getaddrinfo};
use pki_common::{Failure, KnownCause};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::walk::Findings;

/// Most addresses of a family that are tried: a name server decides how many there are.
const MAX_ADDRESSES: usize = 8;

/// `EAI_ADDRFAMILY` of glibc, which the crate has no name for.
const EAI_ADDRFAMILY: i32 = -9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    const fn record(self) -> &'static str {
        match self {
            Self::V4 => "A",
            Self::V6 => "AAAA",
        }
    }

    fn hints(self) -> AddrInfoHints {
        let family = match self {
            Self::V4 => AddrFamily::Inet,
            Self::V6 => AddrFamily::Inet6,
        };
        AddrInfoHints {
            flags: 0,
            address: family.into(),
            socktype: SockType::Stream.into(),
            protocol: 0,
        }
    }
}

/// What became of one family.
struct Answer {
    family: Family,
    outcome: Result<Vec<IpAddr>, String>,
    took: Duration,
    /// There are none, in contrast to: nobody could say.
    certain: bool,
}

/// The addresses of a host, as the programs on this machine see them (`getaddrinfo`: hosts file, search domains, DNS).
pub(super) async fn resolve(
    host: &str,
    port: u16,
    limit: Duration,
    findings: &mut Findings,
) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = host.parse::<IpAddr>() {
        findings.note(format!("{address} is an address, nothing to look up"));
        findings.fact("addresses", vec![address.to_string()]);
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (v4, v6) = tokio::join!(ask(host, Family::V4, limit), ask(host, Family::V6, limit));
    let mut addresses = Vec::new();
    let mut causes = Vec::new();
    let mut doubts = Vec::new();
    for answer in [v4, v6] {
        let (record, took) = (answer.family.record(), answer.took.as_millis());
        match answer.outcome {
            Ok(found) => {
                let shown: Vec<String> = found.iter().map(IpAddr::to_string).collect();
                findings.note(format!("{record:4} {} ({took} ms)", shown.join(", ")));
                findings.fact(record, shown);
                addresses.extend(found);
            }
            Err(cause) => {
                findings.note(format!("{record:4} none: {cause} ({took} ms)"));
                findings.fact(record, Vec::<String>::new());
                if !answer.certain {
                    let text = format!("whether {host} has {record} addresses is not known: {cause}.");
                    doubts.push(KnownCause::NameNotResolved.failure(text));
                }
                causes.push(format!("{record}: {cause}"));
            }
        }
    }
    if addresses.is_empty() {
        let text = format!("{host:?} has no address ({}).", causes.join("; "));
        return Err(KnownCause::NameNotResolved.failure(text));
    }
    for doubt in doubts {
        findings.warn(doubt);
    }
    Ok(addresses
        .into_iter()
        .map(|address| SocketAddr::new(address, port))
        .collect())
}

async fn ask(host: &str, family: Family, limit: Duration) -> Answer {
    let began = Instant::now();
    let (sender, receiver) = oneshot::channel();
    let name = host.to_owned();
    // A thread of its own, not one of the runtime: the resolver cannot be interrupted, and the end of the program must
    // not wait for it.
    let started = std::thread::Builder::new()
        .name(format!("resolve {}", family.record()))
        .spawn(move || {
            // Who asked may have gone.
            drop(sender.send(look_up(&name, family)));
        });
    let (outcome, certain) = match started {
        Err(error) => (Err(format!("no thread to ask in: {error}")), false),
        Ok(_) => match timeout(limit, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => (Err("the resolver failed".to_owned()), false),
            Err(_) => (
                Err(format!(
                    "the resolver did not answer within {} s",
                    limit.as_secs_f32()
                )),
                false,
            ),
        },
    };
    Answer {
        family,
        outcome,
        took: began.elapsed(),
        certain,
    }
}

fn look_up(host: &str, family: Family) -> (Result<Vec<IpAddr>, String>, bool) {
    match getaddrinfo(Some(host), None, Some(family.hints())) {
        Ok(found) => {
            let mut addresses = Vec::new();
            for info in found.flatten().take(MAX_ADDRESSES) {
                let address = info.sockaddr.ip();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            if addresses.is_empty() {
                (Err("no address of this family".to_owned()), true)
            } else {
                (Ok(addresses), true)
            }
        }
        Err(error) => {
            let (text, certain) = meaning(error);
            (Err(text), certain)
        }
    }
}

fn meaning(error: LookupError) -> (String, bool) {
    match error.kind() {
        LookupErrorKind::NoName => ("no such name, or no address of this family".to_owned(), true),
        LookupErrorKind::NoData => ("no address of this family".to_owned(), true),
        LookupErrorKind::Again => ("the name servers did not answer".to_owned(), false),
        LookupErrorKind::Fail => ("the name servers refused to answer".to_owned(), false),
        // "Address family for hostname not supported": the hosts file has the name with the other family.
        LookupErrorKind::Unknown if error.error_num() == EAI_ADDRFAMILY => {
            ("no address of this family".to_owned(), true)
        }
        _ => (io::Error::from(error).to_string(), false),
    }
}
