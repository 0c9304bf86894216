//! An authority that takes longer than the server, or the client, waits.

use std::sync::OnceLock;
use std::time::Duration;

use pki_common::Rung;

use super::authority::Takes;
use super::table::Row;
use super::world::{Got, Kind, World, simulate};

/// Around the nine seconds for which the server waits, and far beyond.
const TIMES: [u64; 7] = [1, 8, 9, 10, 60, 600, 7200];

static ROW: OnceLock<Row> = OnceLock::new();

pub(crate) fn row() -> Row {
    ROW.get_or_init(|| simulate(run())).clone()
}

async fn run() -> Row {
    let world = World::new().await;
    let mut row = Row::new("authority takes 1 s to 2 h, before or after the certificate is on record");
    for seconds in TIMES.map(Duration::from_secs) {
        for after in [false, true] {
            let zero = Duration::ZERO;
            let takes = match after {
                false => Takes {
                    before: seconds,
                    after: zero,
                },
                true => Takes {
                    before: zero,
                    after: seconds,
                },
            };
            one(&world, takes, &mut row).await;
            approved(&world, takes, &mut row).await;
        }
    }
    row.injected = world.authority.slowed() + world.approved.slowed();
    world.audit();
    row
}

async fn one(world: &World, takes: Takes, row: &mut Row) {
    let (device, before) = (world.device(Kind::Issued), world.log.number());
    world.authority.next(takes);
    let attempts = world.ask_with_retries(&device).await;
    world.network.drained().await;
    let in_time = takes.before + takes.after <= Duration::from_secs(9);
    assert_eq!(
        attempts.failures.is_empty(),
        in_time,
        "{takes:?}: {:?}",
        attempts.failures
    );
    for failure in &attempts.failures {
        if failure.rung != Rung::Upstream && failure.rung != Rung::Status {
            row.wrong_answer(failure.to_string());
        }
    }
    row.recovered(attempts.took);
    let rows = world.rows_of(&device, before);
    // What had not begun when the time was over is not done behind anybody's back.
    let unclaimed = usize::from(!in_time && !takes.after.is_zero());
    assert_eq!(rows.len(), 1 + unclaimed, "{takes:?}");
    row.unclaimed += u64::try_from(unclaimed).unwrap();
    match attempts.got {
        Ok(Got::Certificate(der)) if rows.iter().any(|row| *row.certificate == der) => {}
        other => row.lost(format!("{takes:?}: {other:?}")),
    }
}

/// Whoever waited for an approval gets what was issued while nobody listened.
async fn approved(world: &World, takes: Takes, row: &mut Row) {
    let (device, before) = (world.device(Kind::Approved), world.log.number());
    world.ask(&device).await.unwrap();
    world.approve(&device).await;
    world.approved.next(takes);
    let attempts = world.ask_with_retries(&device).await;
    world.network.drained().await;
    row.recovered(attempts.took);
    let rows = world.rows_of(&device, before);
    assert_eq!(rows.len(), 1, "{takes:?}: approved once, issued once");
    match attempts.got {
        Ok(Got::Certificate(der)) if *rows[0].certificate == der => {}
        other => row.lost(format!("{takes:?}: {other:?}")),
    }
}

#[test]
fn an_authority_that_is_slow_costs_time_and_no_certificate() {
    row().is_harmless();
}
