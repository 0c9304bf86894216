//! A location server: keeps controllers connected and prints what they measure.
//!
//! `location_server CERTIFICATE KEY AUTHLIST CONTROLLER...`, where AUTHLIST has what the controllers print of themselves
//! (MAC address and key hash, as `show server-auth-info`). Ctrl-C ends it with a goodbye to every controller.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "that is what it is for")]

use nmsp::client::ClientConfig;
use nmsp::client::fleet::{ControllerEvent, Fleet, FleetConfig};
use nmsp::credentials::CredentialFiles;
use nmsp::proto::Event;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [certificate, key, authlist, controllers @ ..] = &arguments[..] else {
        return Err("usage: location_server CERTIFICATE KEY AUTHLIST CONTROLLER...".into());
    };
    let files = CredentialFiles::new(certificate, key).with_authlist(authlist);
    let mut fleet = Fleet::new(FleetConfig::new(ClientConfig::from_files(&files)?));
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

async fn print(fleet: &mut Fleet) {
    while let Some(happened) = fleet.next().await {
        match happened.event {
            ControllerEvent::Connection(Event::Notification(frame)) => {
                for station in frame.measured_stations() {
                    println!("{}: {:?}", happened.controller, station.to_owned());
                }
            }
            ControllerEvent::Disconnected(why) => eprintln!("{}\n{}", happened.controller, why.failure),
            _ => {}
        }
    }
}
