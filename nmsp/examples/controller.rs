//! A controller: what access points hear goes into its store, location servers get it by the notification policy.
//!
//! `controller CERTIFICATE KEY AUTHLIST ADDRESS:PORT`, where AUTHLIST has what the location servers print of themselves
//! (MAC address and key hash, as `show server-auth-info`).

#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nmsp::proto::policy::NotificationClass;
use nmsp::server::{Server, ServerConfig};
use nmsp::wire::message::{AccessPointReading, Measurement, Timestamp};
use nmsp::wire::{Band, StationClass};
use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::Identity;
use pki_common::tls::PeerVerifier;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authlist, listen] = &arguments[..] else {
        return Err("usage: controller CERTIFICATE KEY AUTHLIST ADDRESS:PORT".into());
    };
    let identity = Arc::new(Identity::load(certificate, key)?);
    let list = AuthList::import(
        AuthListFormat::ServerAuthInfo,
        &std::fs::read_to_string(authlist)?,
    )?;
    let mut config = ServerConfig::new(identity, PeerVerifier::authlist(SharedAuthList::new(list)));
    config
        .notification_policy
        .set_interval(NotificationClass::Client, 1)?;

    let server = Server::bind(listen.as_str(), config).await?;
    let handle = server.handle();
    println!("listening on {}", server.local_addr()?);
    tokio::spawn(server.run());
    for distance in (0..).map(|step| 5 + step % 20) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let reading = AccessPointReading {
            access_point: "003a.7d00.0009".parse()?,
            rssi_dbm: -40 - distance,
            band: Band::GHZ_5,
            channel: 36,
            snr_db: None,
            antenna: None,
        };
        handle.store().observe(&[Measurement {
            station: "0200.0000.0001".parse()?,
            class: StationClass::CLIENT,
            timestamp: Timestamp(now.as_millis().try_into()?),
            access_points: vec![reading],
            state: None,
        }])?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
