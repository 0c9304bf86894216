//! Bodies of enrolments that come a byte at a time, from a client whose password is right: it gets as far as a body can.

use core::time::Duration;

use pki_common::Failure;

use super::lab::{Door, Lab, Load, Manners, Settings, Size};
use super::siege::{self, Front};
use super::{Options, Outcome, SHORT_LIMIT};

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let limit: u64 = options.scale.pick(SHORT_LIMIT, 10);
    let settings = Settings {
        est_limits: format!("body-time = {limit}.0"),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let front = |length: &str, opening: &str, drip| {
        let head = load.doors().est_client.head(length);
        Front {
            door: Door::EstTls,
            connections: options.scale.pick(40, 200),
            opening: format!("{head}{opening}").into_bytes(),
            drip,
            limit: Duration::from_secs(limit),
        }
    };
    let fronts = [
        front("Content-Length: 1000\r\n", "MII", b'A'),
        front("Transfer-Encoding: chunked\r\n", "400\r\nMII", b'A'),
    ];
    let injected = siege::lay(&load, &fronts).await;
    lab.finish("slow-http-body", injected, load).await
}
