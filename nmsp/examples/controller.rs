//! A controller: what access points hear goes into its store, location servers get it by the notification policy.
//!
//! `controller CERTIFICATE KEY AUTHLIST ADDRESS:PORT`, where AUTHLIST has what the location servers print of themselves
//! (MAC address and key hash, as `show server-auth-info`). Here one client walks to and fro before one access point.

#![allow(clippy::print_stdout, reason = "that is what it is for")]

use std::time::{Duration, SystemTime};

use nmsp::credentials::CredentialFiles;
use nmsp::server::{Server, ServerConfig};
use nmsp::wire::message::{AccessPointReading, Measurement};
use nmsp::wire::{Band, StationClass};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authlist, listen] = &arguments[..] else {
        return Err("usage: controller CERTIFICATE KEY AUTHLIST ADDRESS:PORT".into());
    };
    let files = CredentialFiles::new(certificate, key).with_authlist(authlist);
    let server = Server::bind(listen.as_str(), ServerConfig::from_files(&files)?).await?;
    let handle = server.handle();
    println!("listening on {}", server.local_addr()?);
    tokio::spawn(server.run());

    for distance in (5..25).chain((5..25).rev()).cycle() {
        let reading = AccessPointReading {
            access_point: "003a.7d00.0009".parse()?,
            rssi_dbm: -40 - distance,
            band: Band::GHZ_5,
            channel: 36,
            ..AccessPointReading::default()
        };
        handle.store().observe(&[Measurement {
            station: "0200.0000.0001".parse()?,
            class: StationClass::CLIENT,
            timestamp: SystemTime::now().into(),
            access_points: vec![reading],
            ..Measurement::default()
        }])?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
