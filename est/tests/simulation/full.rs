//! The disk is full: at every write of the log, and in the file itself.

use std::sync::OnceLock;
use std::time::Duration;

use est::ca::database::SqliteSettings;
use pki_common::Rung;

use super::log::{LogFault, settings};
use super::table::Row;
use super::world::{Attempts, Device, Got, Kind, World, simulate};

/// Longer than the first wait of a client that is told to come back in ten seconds, and shorter than two of them.
pub(crate) const LASTS: Duration = Duration::from_secs(15);

/// Fetches a certificate for each kind of request, with a fault before one of the writes; once for every write.
pub(crate) async fn at_every_write(fault: LogFault, row: &mut Row) {
    let world = World::new().await;
    let identity = world.identity_of_device().await;
    for kind in [Kind::Issued, Kind::Approved, Kind::Renewal(identity)] {
        for write in 0.. {
            let (device, before) = (world.device(kind.clone()), world.log.number());
            let (injected, writes) = world.log.injected();
            world.log.inject(write, fault);
            let certificate = fetch(&world, &device, row).await;
            world.log.mend();
            let (after, all) = world.log.injected();
            row.injected += after - injected;
            let rows = world.rows_of(&device, before);
            assert_eq!(
                rows.len(),
                1,
                "{kind:?}, write {write}: what was refused was not issued"
            );
            if certificate != *rows[0].certificate {
                row.lost(format!(
                    "{kind:?}, write {write}: a certificate that is not on record"
                ));
            }
            if all - writes <= write {
                assert!(write >= 1, "{kind:?} writes something");
                break;
            }
        }
    }
    world.audit();
}

/// Asks until there is a certificate; the operator approves at once.
async fn fetch(world: &World, device: &Device, row: &mut Row) -> Vec<u8> {
    loop {
        let attempts = world.ask_with_retries(device).await;
        world.network.drained().await;
        refused_by_the_log(&attempts, row);
        if !attempts.failures.is_empty() {
            row.recovered(attempts.took);
        }
        match attempts.got {
            Ok(Got::Certificate(der)) => return der,
            // The operator works on the same disk.
            Ok(Got::Pending) => {
                while !world.try_to_approve(device).await {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// The client is told that it is the server's own trouble, and to come back.
fn refused_by_the_log(attempts: &Attempts, row: &mut Row) {
    for failure in &attempts.failures {
        if failure.rung != Rung::Status && failure.rung != Rung::Upstream {
            row.wrong_answer(failure.to_string());
        }
    }
}

static ROW: OnceLock<Row> = OnceLock::new();
static FILE: OnceLock<Row> = OnceLock::new();

pub(crate) fn row() -> Row {
    let run = || {
        let mut row = Row::new("disk full at a write of the log, for 15 s");
        simulate(at_every_write(LogFault::Full(LASTS), &mut row));
        row
    };
    ROW.get_or_init(run).clone()
}

/// The file may grow by so many pages more; then SQLite says that it is full.
pub(crate) fn file() -> Row {
    let run = || {
        let mut row = Row::new("database file full, after 1 to 10 pages more");
        for pages in [1, 2, 3, 4, 5, 6, 8, 10] {
            simulate(until_full(pages, &mut row));
        }
        row
    };
    FILE.get_or_init(run).clone()
}

async fn until_full(pages: u64, row: &mut Row) {
    let world = World::new().await;
    let size = world.log.add_ballast();
    let limited = SqliteSettings {
        max_bytes: Some(size + pages * 4096),
        ..settings()
    };
    world.log.restart_with(limited);
    let before = world.log.number();
    let mut received = 0;
    let (device, failures) = loop {
        let device = world.device(Kind::Issued);
        let attempts = world.ask_with_retries(&device).await;
        world.network.drained().await;
        if attempts.got.is_err() {
            break (device, attempts);
        }
        received += 1;
        assert!(received < 1000, "the file is never full");
    };
    refused_by_the_log(&failures, row);
    row.injected += u64::try_from(failures.failures.len()).unwrap();
    assert_eq!(
        world.log.number() - before,
        received,
        "what was refused was not issued"
    );
    assert_eq!(world.rows_of(&device, before).len(), 0);

    world.log.drop_ballast();
    // The writer has not heard of the room yet; the next write tells it.
    let attempts = world.ask_with_retries(&device).await;
    world.network.drained().await;
    match attempts.got {
        Ok(Got::Certificate(_)) => row.recovered(attempts.took),
        other => row.lost(format!("{pages} pages: {other:?}")),
    }
    assert_eq!(world.audit(), before + received + 1);
}

#[test]
fn a_full_disk_at_any_write_costs_time_and_no_certificate() {
    row().is_harmless();
}

#[test]
fn a_database_file_that_may_not_grow_refuses_and_recovers_without_a_restart() {
    file().is_harmless();
}
