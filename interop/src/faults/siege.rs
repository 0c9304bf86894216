//! Connections that are slow on purpose: many of them, opened again whenever the server ends one.

use core::time::Duration;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::lab::{Door, Doors, Load, PATIENCE, Stream, attacker};

/// Time between two bytes.
const DRIP: Duration = Duration::from_millis(200);

/// Time before a connection that was ended is opened again: the server, and not the speed of opening, is in question.
const AGAIN: Duration = Duration::from_millis(100);

/// How many enrolments and tunnels have to be served while a siege is in place.
const SERVED: u64 = 5;

/// Slow connections to one door.
#[derive(Clone, Debug)]
pub(super) struct Front {
    pub(super) door: Door,
    pub(super) connections: usize,
    /// What is sent at once.
    pub(super) opening: Vec<u8>,
    /// What is sent again and again.
    pub(super) drip: u8,
    /// After this time the server must have ended each, by its documentation.
    pub(super) limit: Duration,
}

/// What the connections of a front have come to.
#[derive(Debug, Default)]
struct Tide {
    opened: AtomicU64,
    ended: AtomicU64,
    outlasted: AtomicU64,
    stop: AtomicBool,
}

/// Lays siege until honest clients have been served in its midst and every slow connection has been ended once. Returns how
/// many slow connections there were.
pub(super) async fn lay(load: &Load, fronts: &[Front]) -> u64 {
    let mut sieges = Vec::new();
    for front in fronts {
        let (tide, mut tasks) = (Arc::<Tide>::default(), JoinSet::new());
        for _ in 0..front.connections {
            tasks.spawn(press(load.doors().clone(), front.clone(), Arc::clone(&tide)));
        }
        sieges.push((front, tide, tasks));
    }
    for (front, tide, _) in &sieges {
        let all = super::count(front.connections);
        if !reaches(&tide.opened, all, PATIENCE).await {
            load.tally().wrong(format!(
                "{:?}: not all slow connections could be opened",
                front.door
            ));
        }
    }
    load.served(SERVED).await;
    let mut injected = 0;
    for (front, tide, _) in &sieges {
        let all = super::count(front.connections);
        if !reaches(&tide.ended, all, front.limit + PATIENCE).await {
            load.tally().wrong(format!(
                "{:?}: of {all} slow connections only {} were ended within {:?} and {PATIENCE:?}",
                front.door,
                tide.ended.load(Ordering::Relaxed),
                front.limit
            ));
        }
    }
    for (front, tide, mut tasks) in sieges {
        tide.stop.store(true, Ordering::Relaxed);
        while tasks.join_next().await.is_some() {}
        let outlasted = tide.outlasted.load(Ordering::Relaxed);
        if outlasted > 0 {
            let problem = format!("{:?}: {outlasted} slow connections were not ended", front.door);
            load.tally().wrong(problem);
        }
        injected += tide.opened.load(Ordering::Relaxed);
    }
    injected
}

async fn reaches(counter: &AtomicU64, number: u64, within: Duration) -> bool {
    let begun = Instant::now();
    while counter.load(Ordering::Relaxed) < number {
        if begun.elapsed() > within {
            return false;
        }
        sleep(Duration::from_millis(5)).await;
    }
    true
}

/// One place of a front: a slow connection after the other.
async fn press(doors: Doors, front: Front, tide: Arc<Tide>) {
    const FROM: Ipv4Addr = attacker(1);
    while !tide.stop.load(Ordering::Relaxed) {
        let Ok(stream) = doors.dial(front.door, FROM).await else {
            // Over the bound for one address: that is an end, too.
            tide.opened.fetch_add(1, Ordering::Relaxed);
            tide.ended.fetch_add(1, Ordering::Relaxed);
            sleep(AGAIN).await;
            continue;
        };
        tide.opened.fetch_add(1, Ordering::Relaxed);
        match drip(stream, &front, &tide.stop).await {
            End::Stopped => return,
            End::Ended => tide.ended.fetch_add(1, Ordering::Relaxed),
            End::Outlasted => tide.outlasted.fetch_add(1, Ordering::Relaxed),
        };
        sleep(AGAIN).await;
    }
}

enum End {
    /// By the server.
    Ended,
    /// It went on for much longer than the server's limit.
    Outlasted,
    /// By us.
    Stopped,
}

async fn drip(mut stream: Stream, front: &Front, stop: &AtomicBool) -> End {
    let begun = Instant::now();
    let mut answer = [0; 1024];
    if stream.write_all(&front.opening).await.is_err() || stream.flush().await.is_err() {
        return End::Ended;
    }
    loop {
        match timeout(DRIP, stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => return End::Ended,
            // A refusal before the end.
            Ok(Ok(_)) => continue,
            Err(_) => {}
        }
        if stop.load(Ordering::Relaxed) {
            return End::Stopped;
        }
        if begun.elapsed() > front.limit + PATIENCE {
            return End::Outlasted;
        }
        if stream.write_all(&[front.drip]).await.is_err() || stream.flush().await.is_err() {
            return End::Ended;
        }
    }
}
