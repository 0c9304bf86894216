//! `unknown-id`: a number from the wire is an index.
//!
//! The device counts what it receives by message identifier, in a table with one row for each identifier that it knows of.
//! An identifier above them is behind the table. Here that is a panic, and the process dies.

use std::net::SocketAddr;

use super::connect_again;
use crate::lab::{Failed, Lab};
use crate::message::id_of;

/// The highest identifier is 156, that of Device Info Response.
const ROWS: usize = 157;

/// Runs the device.
pub(crate) fn stay_connected(controller: SocketAddr, lab: &Lab) -> Result<(), Failed> {
    let mut received = [0_u64; ROWS];
    connect_again(controller, &lab.location_server_tls()?, |message| {
        count(&mut received, id_of(message));
    })
}

#[expect(
    clippy::indexing_slicing,
    reason = "the planted defect: nothing says that the identifier is one of those that are known"
)]
fn count(received: &mut [u64; ROWS], id: u16) {
    let row = &mut received[usize::from(id)];
    *row = row.wrapping_add(1);
}
