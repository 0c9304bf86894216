//! Clients that ask and never read. What waits for them stays bounded, the EST server ends them after its write time, and
//! others are served meanwhile.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use pki_common::Failure;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::lab::{Door, Doors, Lab, Load, Manners, PATIENCE, Settings, Size, attacker};
use super::{Options, Outcome, SHORT_LIMIT, count};

/// Clients of the EST server that do not read: in the short form fewer, for each has megabytes made for it before the
/// operating system takes no more.
const EST: (usize, usize) = (8, 24);
/// Of the 32 places of the admin listener.
const ADMIN: usize = 16;
/// Location servers, of the 32 connections of one address.
const NMSP: usize = 8;

/// Bytes that the operating system may take for a client that does not read.
const BUFFER: u32 = 4096;

/// What the memory of a server may grow by, in KiB: for each of them a few pages and what its queue holds.
const GROWTH: u64 = 64 * 1024;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let (clients, limit) = (
        options.scale.pick(EST.0, EST.1),
        options.scale.pick(SHORT_LIMIT, 10),
    );
    let settings = Settings {
        est_limits: format!("write-time = {limit}.0\nrequests-per-connection = 1000000"),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    load.served(3).await;
    let before = lab.memory();
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        asking.spawn(ask(
            load.doors().clone(),
            Door::EstTls,
            Duration::from_secs(limit),
        ));
    }
    let mut holding = JoinSet::new();
    for _ in 0..ADMIN {
        // Its connections end after two minutes whatever they do; that is not waited for.
        holding.spawn(ask(load.doors().clone(), Door::Admin, PATIENCE));
    }
    let subscribers = subscribers(&load).await;
    load.served(5).await;
    let ends = asking.join_all().await;
    let kept = ends.iter().filter(|end| **end == End::Kept).count();
    if kept > 0 {
        load.tally()
            .wrong(format!("est: {kept} clients that read nothing were not ended"));
    }
    let ended = ends.iter().filter(|end| **end == End::Ended).count();
    if ended == 0 {
        load.tally()
            .wrong("est: no client has asked for more than fits into the network");
    }
    load.served(5).await;
    lab.compare_memory(before, GROWTH, &load);
    drop((holding, subscribers));
    lab.finish("silent-reader", count(ended + ADMIN + NMSP), load)
        .await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By the server.
    Ended,
    /// Nothing went on for much longer than the limit, and it was not ended.
    Kept,
    /// Answers were still taken by the operating system when it was time to stop.
    Taken,
}

/// Asks again and again until the server ends the connection, which it must when nothing has moved for this time.
async fn ask(doors: Doors, door: Door, limit: Duration) -> End {
    const REQUEST: &[u8] = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const STATE: &[u8] = b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let request = if door == Door::Admin { STATE } else { REQUEST };
    let Ok(mut stream) = doors.dial_with(door, attacker(1), Some(BUFFER)).await else {
        return End::Kept;
    };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE * 2 {
        let asked = async {
            stream.write_all(request).await?;
            stream.flush().await
        };
        match timeout(limit + PATIENCE, asked).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Ended,
            Err(_) => return End::Kept,
        }
    }
    End::Taken
}

/// Tunnels that subscribe everything and take nothing.
async fn subscribers(load: &Load) -> Vec<nmsp::client::Client> {
    let location_server = Arc::clone(&load.doors().location_server);
    let mut subscribed = Vec::new();
    for _ in 0..NMSP {
        let mut config = location_server.config();
        config.event_queue_length = 1;
        let client = location_server.connect(config).await;
        match client {
            Ok(client) => {
                if let Err(error) = client.subscribe(nmsp::wire::Services::MEASUREMENTS).await {
                    load.tally().wrong(format!("a tunnel: {error}"));
                }
                subscribed.push(client);
            }
            Err(error) => load.tally().wrong(format!("a tunnel: {error}")),
        }
    }
    subscribed
}
