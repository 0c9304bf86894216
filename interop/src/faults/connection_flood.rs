//! More connections than the limits allow, from one address, as fast as they can be opened. What is over is ended at once;
//! clients of another address do not notice.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pki_common::Failure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::lab::{Lab, Load, Manners, PATIENCE, Settings, Size, attacker, connect};
use super::{Options, Outcome, count};

type Counter = Arc<AtomicU64>;

/// The type of a TLS record for a handshake: what a `ClientHello` begins with.
const BEGINNING: [u8; 1] = [22];

/// What one address may have, by default.
const EST_PER_ADDRESS: usize = 512;
const NMSP_PER_ADDRESS: usize = 32;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let rounds = options.scale.pick(2, 8);
    let lab = Lab::start(options, Settings::default())?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let mut injected = 0;
    for _ in 0..rounds {
        for (address, limit) in [
            (load.doors().est, EST_PER_ADDRESS),
            (load.doors().nmsp, NMSP_PER_ADDRESS),
        ] {
            let attempts = limit + limit / 2;
            let (kept, opened) = flood(address, attempts, count(limit)).await;
            injected += opened;
            if kept > count(limit) {
                load.tally()
                    .wrong(format!("{address}: one address keeps {kept} connections"));
            }
            if opened < count(attempts) {
                load.tally()
                    .wrong(format!("{address}: only {opened} connections could be begun"));
            }
        }
        load.served(2).await;
    }
    lab.finish("connection-flood", injected, load).await
}

/// Opens so many at once, and waits until the server has ended those over the limit; how many it keeps, and how many were
/// begun.
async fn flood(address: SocketAddr, attempts: usize, limit: u64) -> (u64, u64) {
    let (opened, ended, done) = (Counter::default(), Counter::default(), Counter::default());
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for _ in 0..attempts {
        let (opened, ended, done) = (Arc::clone(&opened), Arc::clone(&ended), Arc::clone(&done));
        let mut stopped = stopped.clone();
        tasks.spawn(async move {
            let stream = connect(attacker(1), address).await;
            done.fetch_add(1, Ordering::Relaxed);
            let Ok(mut stream) = stream else { return };
            opened.fetch_add(1, Ordering::Relaxed);
            // Where the backlog is full, the operating system drops the end of a TCP handshake. Only who has something to send
            // learns of it; a silent one would count as kept by a server that has never seen it.
            drop(stream.write_all(&BEGINNING).await);
            let mut byte = [0];
            tokio::select! {
                // A server that refuses says nothing and ends the connection.
                _ = stream.read(&mut byte) => {
                    ended.fetch_add(1, Ordering::Relaxed);
                }
                _ = stopped.changed() => {}
            }
        });
    }
    let begun = Instant::now();
    let kept = || {
        opened
            .load(Ordering::Relaxed)
            .saturating_sub(ended.load(Ordering::Relaxed))
    };
    while begun.elapsed() < PATIENCE / 2 && (done.load(Ordering::Relaxed) < count(attempts) || kept() > limit)
    {
        sleep(Duration::from_millis(20)).await;
    }
    let outcome = (kept(), opened.load(Ordering::Relaxed));
    stop.send_replace(true);
    tasks.join_all().await;
    outcome
}
