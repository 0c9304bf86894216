//! No file descriptor left. The servers wait, lose nothing, and go on when there are some again.

use core::time::Duration;
use std::net::SocketAddr;
use std::time::Instant;

use pki_common::Failure;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::lab::{Lab, Load, Manners, PATIENCE, Process, Settings, Size, attacker, connect};
use super::{Options, Outcome};

/// Descriptors left to a server beside those that it has.
const LEFT: u64 = 4;

/// Connections that then come.
const CONNECTIONS: usize = 24;

/// What a server says of it.
const SAID: &str = "cannot accept a connection";

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let (rounds, lasting) = options.scale.pick((2, 300), (5, 3000));
    let lab = Lab::start(options, Settings::default())?;
    let load = Load::start(&lab, Manners::Unanswered, Size::MODERATE)?;
    load.served(3).await;
    let mut injected = 0;
    for _ in 0..rounds {
        for (process, address) in [
            (lab.est.process(), load.doors().est),
            (lab.controller.process(), load.doors().nmsp),
        ] {
            let said = process.log().matches(SAID).count();
            process.limit_descriptors(process.usage().descriptors + LEFT)?;
            let held = come(address).await;
            if more_is_said(process, said).await {
                injected += 1;
            } else {
                load.tally().wrong(format!(
                    "{address}: {CONNECTIONS} connections did not use up {LEFT} descriptors"
                ));
            }
            sleep(Duration::from_millis(lasting)).await;
            drop(held);
            let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            process.limit_descriptors(before)?;
            load.served(2).await;
        }
    }
    lab.finish("descriptors-exhausted", injected, load).await
}

async fn come(address: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS {
        // The operating system takes it for the server.
        held.extend(connect(attacker(1), address).await);
    }
    held
}

async fn more_is_said(process: &Process, before: usize) -> bool {
    let begun = Instant::now();
    while process.log().matches(SAID).count() <= before {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}
