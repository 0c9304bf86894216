//! Clocks that step, forward and backward, by seconds to decades: the server's while a request waits or is issued, the
//! client's, and both while a client tries again.

use std::sync::OnceLock;
use std::time::Duration;

use est::client::ClientError;
use pki_common::{Diagnose as _, KnownCause, Rung, TlsFault};
use tokio::time::Instant;

use super::clock::{DAY, HOUR, YEAR};
use super::log::LogFault;
use super::table::Row;
use super::world::{Device, Got, Kind, World, simulate};

/// In seconds, both ways.
const STEPS: [u64; 8] = [1, 60, HOUR, DAY, 6 * DAY, 30 * DAY, 2 * YEAR, 20 * YEAR];

fn steps() -> impl Iterator<Item = i64> {
    let forward = STEPS.map(|step| i64::try_from(step).unwrap());
    forward.into_iter().flat_map(|step| [step, -step])
}

/// Whoever meets a wrong clock is told that it is about time: by the client's own check, by an alert, by the authority,
/// or by the queue. A server whose authority is not valid yet tells its operator why, and others that it cannot answer.
fn is_about_time(error: &ClientError) -> bool {
    let failure = error.diagnose();
    let known = matches!(
        failure.known_cause,
        Some(KnownCause::NotYetValid | KnownCause::Expired | KnownCause::ClockSkew)
    );
    let words = ["valid", "in time", "clock", "expired", "ended"];
    let said = words.iter().any(|word| failure.cause.contains(word));
    known || matches!(failure.rung, Rung::Tls(TlsFault::Time) | Rung::Upstream) || said
}

/// One attempt under a clock that is wrong: it succeeds, or fails because of the time.
async fn under_step(world: &World, device: &Device, row: &mut Row, what: &str) -> Option<Got> {
    row.injected += 1;
    let asked = world.ask(device).await;
    world.network.drained().await;
    match asked {
        Ok(got) => Some(got),
        Err(error) => {
            if !is_about_time(&error) {
                row.wrong_answer(format!("{what}: {}", error.diagnose()));
            }
            None
        }
    }
}

/// The clocks are right again: the device gets its certificate, or is told to make a new request, which gets one.
async fn recover(world: &World, device: Device, since: Instant, row: &mut Row, what: &str) {
    let mut device = device;
    for _ in 0..3 {
        let asked = world.ask_with_retries(&device).await;
        world.network.drained().await;
        match asked.got {
            Ok(Got::Certificate(der)) => {
                if !world.log.rows().iter().any(|row| *row.certificate == der) {
                    row.lost(format!("{what}: a certificate that is not on record"));
                }
                return row.recovered(since.elapsed());
            }
            Ok(Got::Pending) => world.approve(&device).await,
            Err(error) if is_about_time(&error) && error.to_string().contains("make a new request") => {
                device = world.device(Kind::Approved);
            }
            Err(error) => return row.lost(format!("{what}: {}", error.diagnose())),
        }
    }
    row.lost(format!("{what}: three rounds brought no certificate"));
}

/// The server's clock is wrong while a request waits for the operator.
async fn while_waiting(row: &mut Row) {
    let world = World::new().await;
    for step in steps() {
        let what = format!("waiting, {step} s");
        let device = world.device(Kind::Approved);
        world.ask(&device).await.unwrap();
        world.wall.set_step(step);
        let got = under_step(&world, &device, row, &what).await;
        if got.is_some_and(|got| got != Got::Pending) {
            row.wrong_answer(format!("{what}: nobody has approved it"));
        }
        world.wall.set_step(0);
        let entries = world.log.entries();
        let own = entries.iter().filter(|entry| entry.csr == device.csr);
        assert_eq!(own.count(), 1, "{what}: one request, one entry");
        recover(&world, device, Instant::now(), row, &what).await;
    }
    world.audit();
}

/// The server's clock is wrong while an approved request is issued.
async fn while_fetching(row: &mut Row) {
    let world = World::new().await;
    for step in steps() {
        let what = format!("fetching, {step} s");
        let (device, before) = (world.device(Kind::Approved), world.log.number());
        world.ask(&device).await.unwrap();
        world.approve(&device).await;
        world.wall.set_step(step);
        let got = under_step(&world, &device, row, &what).await;
        world.wall.set_step(0);
        if got == Some(Got::Pending) {
            row.wrong_answer(format!("{what}: approved, and pending"));
        }
        let since = Instant::now();
        recover(&world, device, since, row, &what).await;
        let unclaimed = world.log.number() - before - 1;
        assert!(unclaimed <= 1, "{what}: {unclaimed} certificates that nobody has");
        row.unclaimed += u64::try_from(unclaimed).unwrap();
    }
    world.audit();
}

/// A clock is wrong while a certificate is issued at once, or renewed.
async fn while_issuing(server: bool, row: &mut Row) {
    let world = World::new().await;
    let identity = world.identity_of_device().await;
    for step in steps() {
        for kind in [Kind::Issued, Kind::Renewal(identity.clone())] {
            let what = format!("issuing, server {server}, {step} s, {kind:.20?}");
            let (device, before) = (world.device(kind), world.log.number());
            let wall = if server { &world.wall } else { &world.client_wall };
            wall.set_step(step);
            let got = under_step(&world, &device, row, &what).await;
            wall.set_step(0);
            if got == Some(Got::Pending) {
                row.wrong_answer(format!("{what}: pending"));
            }
            recover(&world, device, Instant::now(), row, &what).await;
            let first = usize::from(got.is_some());
            row.unclaimed += u64::try_from(world.log.number() - before - 1 - first).unwrap();
        }
    }
    world.audit();
}

/// Both clocks step while the client waits to try again: waits go by the monotonic clock.
async fn while_retrying(row: &mut Row) {
    let world = World::new().await;
    for step in steps() {
        let device = world.device(Kind::Issued);
        let lasts = Duration::from_secs(15);
        world.log.inject(0, LogFault::Full(lasts));
        let stepping = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            world.wall.set_step(step);
            world.client_wall.set_step(step);
            tokio::time::sleep(Duration::from_secs(10)).await;
            world.wall.set_step(0);
            world.client_wall.set_step(0);
        };
        row.injected += 1;
        let start = Instant::now();
        let (attempts, ()) = tokio::join!(world.ask_with_retries(&device), stepping);
        world.log.mend();
        world.network.drained().await;
        let what = format!("retrying, {step} s");
        match attempts.got {
            // Two waits of ten seconds, however far the clock went.
            Ok(Got::Certificate(_)) => {
                assert_eq!(attempts.took.as_secs(), 20, "{what}");
                row.recovered(attempts.took);
            }
            // By such a clock the server's own certificate is not valid.
            Err(error) if is_about_time(&error) => recover(&world, device, start, row, &what).await,
            other => row.lost(format!("{what}: {other:?}")),
        }
    }
    world.audit();
}

static ROWS: OnceLock<Vec<Row>> = OnceLock::new();

pub(crate) fn rows() -> Vec<Row> {
    let run = || {
        let mut waiting = Row::new("server's clock off by 1 s to 20 years: a request waits, is fetched");
        simulate(while_waiting(&mut waiting));
        simulate(while_fetching(&mut waiting));
        let mut issuing =
            Row::new("a clock off by 1 s to 20 years, server's or client's: enrolment, renewal");
        simulate(while_issuing(true, &mut issuing));
        simulate(while_issuing(false, &mut issuing));
        let mut retrying = Row::new("both clocks step by 1 s to 20 years and back: a client tries again");
        simulate(while_retrying(&mut retrying));
        vec![waiting, issuing, retrying]
    };
    ROWS.get_or_init(run).clone()
}

#[test]
fn a_wrong_clock_is_named_and_costs_no_certificate_once_it_is_right_again() {
    for row in rows() {
        row.is_harmless();
    }
}
