//! Another process holds the lock of the database, at every write of the log.

use std::sync::OnceLock;

use super::full::{LASTS, at_every_write};
use super::log::LogFault;
use super::table::Row;
use super::world::simulate;

static ROW: OnceLock<Row> = OnceLock::new();

pub(crate) fn row() -> Row {
    let run = || {
        let mut row = Row::new("database locked by another process at a write, for 15 s");
        simulate(at_every_write(LogFault::Locked(LASTS), &mut row));
        row
    };
    ROW.get_or_init(run).clone()
}

#[test]
fn a_locked_database_at_any_write_costs_time_and_no_certificate() {
    row().is_harmless();
}
