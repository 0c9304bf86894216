//! HTTP headers that come a byte at a time, at each of the three places where HTTP is spoken.

use core::time::Duration;

use pki_common::Failure;

use super::lab::{Door, Lab, Load, Manners, Settings, Size};
use super::siege::{self, Front};
use super::{Options, Outcome, SHORT_LIMIT};

/// Of the 512 connections that one address may have.
const EST: usize = 400;
/// Of 128 places.
const REVOCATION_LISTS: usize = 100;
/// Of 32 places, on a loopback address.
const ADMIN: usize = 24;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let est: u64 = options.scale.pick(SHORT_LIMIT, 10);
    let settings = Settings {
        est_limits: format!("header-time = {est}.0"),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let front = |door, (short, full), limit| Front {
        door,
        connections: options.scale.pick(short, full),
        opening: b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_vec(),
        drip: b'x',
        limit: Duration::from_secs(limit),
    };
    let fronts = [
        front(Door::EstTls, (60, EST), est),
        front(Door::RevocationLists, (REVOCATION_LISTS, REVOCATION_LISTS), est),
        // The time of the admin listener is no key of the configuration.
        front(Door::Admin, (ADMIN, ADMIN), 10),
    ];
    let injected = siege::lay(&load, &fronts).await;
    lab.finish("slow-http-header", injected, load).await
}
