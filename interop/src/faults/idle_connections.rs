//! Ten thousand connections that say nothing, or stop within the ClientHello: first at the EST server, then at the
//! controller. Both are configured for so many; clients are served among them, and every descriptor comes back.

use core::time::Duration;
use std::net::SocketAddr;
use std::time::Instant;

use pki_common::Failure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::lab::{Lab, Load, Manners, PATIENCE, Process, Settings, Size, attacker, connect};
use super::{Options, Outcome, count};

/// How many are asked for.
const CONNECTIONS: usize = 10_000;

/// In the short form: a machine that runs other tests beside this one has 1024 descriptors for each of them.
const FEW: usize = 400;

/// Connections from one address.
const PER_ADDRESS: usize = 250;

/// Descriptors that the lab and a server need for everything else.
const RESERVE: usize = 300;

/// What a server must give back when they are gone, but for what honest clients have open.
const LEFT: u64 = 100;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let wanted = options.scale.pick(FEW, CONNECTIONS);
    let possible = descriptors().saturating_sub(RESERVE);
    let number = wanted.min(possible);
    let most = number + RESERVE;
    let settings = Settings {
        est_limits: format!(
            "connections = {most}\nhandshakes = {most}\nhandshakes-per-address = {most}\nhandshake-time = 300.0"
        ),
        nmsp_limits: format!(
            "max-connections = {most}\nmax-handshakes = {most}\nmax-handshakes-per-address = {most}\n\
             max-connections-per-address = 500\n\
             max-new-connections-per-second = 100000\nhandshake-timeout-seconds = 300"
        ),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let mut notes = Vec::new();
    if number < wanted {
        notes.push(format!(
            "{number} of {wanted} connections: this process may have no more descriptors"
        ));
    }
    let mut injected = 0;
    for (name, process, address) in [
        ("EST server", lab.est.process(), load.doors().est),
        ("controller", lab.controller.process(), load.doors().nmsp),
    ] {
        let (opened, note) = hold(&load, process, address, number).await;
        injected += count(opened);
        notes.push(format!("at the {name}, {note}"));
    }
    let mut outcome = lab.finish("idle-connections", injected, load).await?;
    outcome.notes = notes;
    Ok(outcome)
}

/// Opens them, has clients served among them, and lets them go: how many there were, and what they took.
async fn hold(load: &Load, process: &Process, address: SocketAddr, number: usize) -> (usize, String) {
    let before = process.usage();
    load.tally().take_longest_wait();
    let held = open(address, number).await;
    let opened = held.len();
    let problem = |what: String| load.tally().wrong(format!("{address}: {what}"));
    if opened < number {
        problem(format!("only {opened} of {number} connections could be opened"));
    }
    let wanted = count(opened);
    if !becomes(process, |descriptors| descriptors >= wanted).await {
        let now = process.usage().descriptors;
        problem(format!(
            "{now} descriptors, {wanted} connections: it has not taken them all"
        ));
    }
    load.served(10).await;
    let during = process.usage();
    drop(held);
    if !becomes(process, |descriptors| descriptors <= before.descriptors + LEFT).await {
        let now = process.usage().descriptors;
        problem(format!(
            "{now} descriptors after the end, {} before",
            before.descriptors
        ));
    }
    let wait = load.tally().take_longest_wait();
    let memory = during.memory.saturating_sub(before.memory) / 1024;
    (
        opened,
        format!(
            "{opened} connections took {memory} MiB of memory; the longest that a tunnel waited meanwhile for a measurement, \
             published every 20 ms, was {} ms",
            wait.as_millis()
        ),
    )
}

/// How many descriptors this process may have, raised as far as that goes; its servers inherit it.
fn descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| limit.maximum);
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Every second one sends the beginning of a ClientHello.
async fn open(address: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut tasks = JoinSet::new();
    for first in (0..number).step_by(PER_ADDRESS) {
        let from = attacker(u8::try_from(first / PER_ADDRESS + 1).unwrap_or(u8::MAX));
        let many = PER_ADDRESS.min(number - first);
        tasks.spawn(async move {
            let mut opened = Vec::with_capacity(many);
            for place in 0..many {
                let Ok(mut stream) = connect(from, address).await else {
                    break;
                };
                if place % 2 == 0 && stream.write_all(&[22, 3, 1, 2, 0, 1]).await.is_err() {
                    break;
                }
                opened.push(stream);
            }
            opened
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

async fn becomes(process: &Process, enough: impl Fn(u64) -> bool) -> bool {
    let begun = Instant::now();
    while !enough(process.usage().descriptors) {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}
