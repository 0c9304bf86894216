//! TLS handshakes that come a byte at a time. More of them than either server lets be in progress, and all from one address:
//! clients of other addresses must get their turn.

use core::time::Duration;

use pki_common::Failure;

use super::lab::{Door, Lab, Load, Manners, Settings, Size};
use super::siege::{self, Front};
use super::{Options, Outcome, SHORT_LIMIT};

/// A record of TLS that announces a handshake of 512 bytes, and the first byte of a ClientHello.
const BEGINNING: [u8; 6] = [22, 3, 1, 2, 0, 1];

/// More than the handshakes that the EST server has in progress (256), and fewer than one address may have connections (512).
const EST: usize = 300;

/// More than the handshakes that the controller has in progress, and than one address may have connections (both 32).
const NMSP: usize = 40;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let (est, nmsp) = options.scale.pick((SHORT_LIMIT, SHORT_LIMIT), (10, 5));
    let settings = Settings {
        est_limits: format!("handshake-time = {est}.0"),
        nmsp_limits: format!("handshake-timeout-seconds = {nmsp}"),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let front = |door, connections, limit| Front {
        door,
        connections,
        opening: BEGINNING.to_vec(),
        drip: 0,
        limit: Duration::from_secs(limit),
    };
    let fronts = [front(Door::Est, EST, est), front(Door::Nmsp, NMSP, nmsp)];
    let injected = siege::lay(&load, &fronts).await;
    lab.finish("slow-tls-handshake", injected, load).await
}
