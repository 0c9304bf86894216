//! NMSP frames that come a byte at a time, from a location server that the authlist admits.

use core::time::Duration;

use pki_common::Failure;

use super::lab::{Door, Lab, Load, Manners, Settings, Size};
use super::siege::{self, Front};
use super::{Options, Outcome, SHORT_LIMIT};

/// Of the 32 connections that one address may have.
const CONNECTIONS: usize = 24;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    // The location server has said nothing yet: it is the time for its capabilities, 10 s, that counts where the idle time is
    // longer.
    let idle: u64 = options.scale.pick(SHORT_LIMIT, 60);
    let settings = Settings {
        nmsp_limits: format!("idle-timeout-seconds = {idle}"),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let front = |opening: Vec<u8>| Front {
        door: Door::NmspTls,
        connections: CONNECTIONS / 2,
        opening,
        drip: 0,
        limit: Duration::from_secs(idle),
    };
    // A header that does not get to its end, and a whole one that announces a body of 60,000 bytes.
    let header = front(vec![1]);
    let body = front(frame_header(2, 60_000).to_vec());
    let injected = siege::lay(&load, &[header, body]).await;
    lab.finish("slow-nmsp-frame", injected, load).await
}

/// The header of a message in the layout of the built-in profile.
pub(super) fn frame_header(id: u16, length: u32) -> [u8; 12] {
    let [a, b] = id.to_be_bytes();
    let [c, d, e, f] = length.to_be_bytes();
    [1, 0, a, b, c, d, e, f, 0, 0, 0, 9]
}
