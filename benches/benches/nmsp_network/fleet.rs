//! A location server that brings up hundreds of controllers, against their handshakes alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use benches::process::Process;
use nmsp::client::ClientConfig;
use nmsp::client::fleet::{ControllerEvent, Fleet, FleetConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{credentials, median, servers, stream};

/// Controllers, each with a listener of its own in one process.
pub(crate) const CONTROLLERS: usize = 500;
const ROUNDS: usize = 3;

#[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
pub(crate) async fn compare(folder: &Path) {
    let ours = Process::start(servers::CONTROLLERS, folder);
    let bare = Process::start(servers::BARE_ECHOES, folder);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((
            bring_up(ours.line(), folder).await,
            shake_hands(bare.line(), folder).await,
        ));
    }
    ours.stop();
    bare.stop();
    println!(
        "ratio  {CONTROLLERS} controllers up and subscribed          {:.2} × the time of the handshakes alone ({:.2} s against {:.2} s)",
        median(rounds.iter().map(|(ours, bare)| ours / bare)),
        median(rounds.iter().map(|(ours, _)| *ours)),
        median(rounds.iter().map(|(_, bare)| *bare)),
    );
}

/// Seconds until every controller has answered the subscription.
async fn bring_up(addresses: &str, folder: &Path) -> f64 {
    let started = Instant::now();
    let client = ClientConfig::new(credentials::location_server(folder));
    let mut fleet = Fleet::new(FleetConfig::new(client));
    for address in addresses.split(' ') {
        fleet.add(address).expect("a host and a port");
    }
    let mut left = CONTROLLERS;
    while left > 0 {
        let happened = fleet.next().await.expect("the fleet is open");
        match happened.event {
            ControllerEvent::Subscribed(_) => left -= 1,
            ControllerEvent::Disconnected(why) => panic!("{}", why.failure),
            _ => {}
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    fleet.close().await;
    seconds
}

/// Seconds until every listener has sent back a few bytes over TLS, with as many handshakes in flight.
async fn shake_hands(addresses: &str, folder: &Path) -> f64 {
    let started = Instant::now();
    let in_flight = Arc::new(Semaphore::new(nmsp::client::fleet::DEFAULT_HANDSHAKE_LIMIT));
    let tls = credentials::location_server(folder)
        .rustls_config()
        .expect("a crypto provider");
    let mut handshakes = JoinSet::new();
    for address in addresses.split(' ') {
        let address = address.parse().expect("an address");
        let (in_flight, tls) = (Arc::clone(&in_flight), Arc::clone(&tls));
        handshakes.spawn(async move {
            let _turn = in_flight.acquire_owned().await.expect("never closed");
            let mut connection = stream::connect_with(tls, address).await;
            let mut bytes = [7; 12];
            connection.write_all(&bytes).await.expect("it reads");
            connection.flush().await.expect("it reads");
            connection.read_exact(&mut bytes).await.expect("it answers");
            connection
        });
    }
    let held = handshakes.join_all().await;
    let seconds = started.elapsed().as_secs_f64();
    drop(held);
    seconds
}
