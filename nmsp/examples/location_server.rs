//! A location server: keeps controllers connected and prints what they measure.
//!
//! `location_server CERTIFICATE KEY AUTHLIST CONTROLLER...`, where AUTHLIST has what the controllers print of themselves
//! (MAC address and key hash, as `show server-auth-info`).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use std::error::Error;
use std::sync::Arc;

use nmsp::client::ClientConfig;
use nmsp::client::fleet::{ControllerEvent, Fleet, FleetConfig};
use nmsp::proto::Event;
use nmsp::wire::message::MeasurementNotification;
use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authlist, controllers @ ..] = arguments.as_slice() else {
        return Err("usage: location_server CERTIFICATE KEY AUTHLIST CONTROLLER...".into());
    };
    let admitted = AuthList::import(
        AuthListFormat::ServerAuthInfo,
        &std::fs::read_to_string(authlist)?,
    )?;
    let tls = ClientTls::new(PeerVerifier::authlist(SharedAuthList::new(admitted)))
        .with_identity(Arc::new(Identity::load(certificate, key)?));
    let mut fleet = Fleet::new(FleetConfig::new(ClientConfig::new(tls)));
    for controller in controllers {
        fleet.add(controller.as_str())?;
    }
    tokio::select! {
        () = print(&mut fleet) => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    fleet.close().await;
    Ok(())
}

/// Prints until the fleet is closed.
async fn print(fleet: &mut Fleet) {
    while let Some(happened) = fleet.next().await {
        match happened.event {
            ControllerEvent::Connection(Event::Notification(frame)) => {
                for station in frame
                    .measurement()
                    .iter()
                    .flat_map(MeasurementNotification::stations)
                {
                    println!("{}: {:?}", happened.controller, station.to_owned());
                }
            }
            ControllerEvent::Disconnected(why) => eprintln!("{}\n{}", happened.controller, why.failure),
            _ => {}
        }
    }
}
