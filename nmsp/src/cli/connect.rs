//! `nmsp connect`: a location server that prints what it receives.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use pki_common::MacAddr;
use pki_common::authlist::SharedAuthList;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::trust_store::ExpectedName;

use super::config::trust_store;
use super::failure::CliError;
use super::{authlist, print};
use crate::client::{Client, ClientConfig, DEFAULT_PORT};
use crate::proto::Event;
use crate::wire::Service;
use crate::wire::message::Measurement;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("controller-check").required(true).multiple(true).args(["trust_anchors", "controller_authlist"]))]
pub(super) struct Arguments {
    /// The controller, HOST or HOST:PORT; the port is 16113 if not given.
    #[arg(long, value_name = "HOST[:PORT]")]
    controller: String,
    /// Our certificate chain, PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Our private key, PEM or DER.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Authorities that the controller's certificate must come from; files or folders. Unless there is an authlist too,
    /// the certificate must also be for the host of --controller, or for what --expect-name or --expect-mac says.
    #[arg(long, value_name = "PATH")]
    trust_anchors: Vec<PathBuf>,
    /// An authlist that the controller must be in, any format.
    #[arg(long, value_name = "FILE")]
    controller_authlist: Option<PathBuf>,
    /// The DNS name or IP address that the controller's certificate must carry in its subject alternative names.
    #[arg(long, value_name = "NAME", conflicts_with = "expect_mac")]
    expect_name: Option<String>,
    /// The MAC address that must stand at the end of the common name of the controller's certificate, as vendors put it
    /// there; may be used in place of --expect-name, beside an authlist too.
    #[arg(long, value_name = "MAC")]
    expect_mac: Option<MacAddr>,
    /// What to subscribe; may be given several times. All measurements if not given.
    #[arg(long = "service", value_name = "SERVICE")]
    services: Vec<Service>,
    /// Ends after this many stations.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Ends after this time.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Prints one JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), CliError> {
    let config = ClientConfig::new(tls(&arguments)?);
    let mut client = Client::connect(&with_port(&arguments.controller), config).await?;
    let wanted = if arguments.services.is_empty() {
        crate::wire::Services::MEASUREMENTS
    } else {
        arguments.services.iter().copied().collect()
    };
    let outcome = client.subscribe(wanted).await?;
    if outcome.accepted.is_empty() {
        let cause = format!("the controller offers none of: {}", outcome.rejected);
        return Err(CliError::usage(
            cause,
            "ask for a service that the controller offers",
        ));
    }
    if !outcome.rejected.is_empty() {
        tracing::warn!(rejected = %outcome.rejected, "the controller does not offer these services");
    }
    let limit = arguments.seconds.map_or(Duration::MAX, Duration::from_secs);
    let received = tokio::select! {
        received = receive(&mut client, &arguments) => received,
        () = tokio::time::sleep(limit) => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(CliError::Output),
    };
    received?;
    client.close().await?;
    Ok(())
}

async fn receive(client: &mut Client, arguments: &Arguments) -> Result<(), CliError> {
    let mut left = arguments.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(event) = client.next().await? else {
            let cause = "the controller ended the connection".to_owned();
            return Err(CliError::usage(
                cause,
                "see the controller's log, then connect again",
            ));
        };
        let Event::Notification(frame) = event else {
            continue;
        };
        let Some(notification) = frame.measurement() else {
            continue;
        };
        for station in notification.stations() {
            if left == 0 {
                break;
            }
            left -= 1;
            show(&station.to_owned(), arguments.json)?;
        }
    }
    Ok(())
}

fn show(measurement: &Measurement, json: bool) -> Result<(), CliError> {
    if json {
        let line = serde_json::to_string(measurement).map_err(|error| CliError::Output(error.into()))?;
        return print(&format!("{line}\n"));
    }
    let mut line = format!(
        "{} {} {:<15}",
        measurement.timestamp,
        measurement.station,
        measurement.class.to_string()
    );
    for reading in &measurement.access_points {
        let place = format!("{} channel {}", reading.band, reading.channel);
        line.push_str(&format!(
            "  {} {} dBm ({place})",
            reading.access_point, reading.rssi_dbm
        ));
    }
    line.push('\n');
    print(&line)
}

fn tls(arguments: &Arguments) -> Result<ClientTls, CliError> {
    let identity =
        Identity::load(&arguments.certificate, &arguments.key).map_err(|error| CliError::of(&error))?;
    let anchors = trust_store("NMSP controllers", &arguments.trust_anchors)?;
    let mut peer = match (&arguments.controller_authlist, anchors) {
        (Some(path), anchors) => {
            let list = SharedAuthList::new(authlist::load(path, None)?);
            let verifier = PeerVerifier::authlist(list);
            match anchors {
                Some(store) => verifier.with_trust_store(store),
                None => verifier,
            }
        }
        (None, Some(store)) => PeerVerifier::trust_store(store),
        (None, None) => {
            let cause = "nothing to check the controller's certificate with".to_owned();
            return Err(CliError::usage(
                cause,
                "give --trust-anchors or --controller-authlist",
            ));
        }
    };
    if let Some(name) = &arguments.expect_name {
        let name = ExpectedName::server(name).map_err(|_| {
            CliError::usage(
                format!("--expect-name {name:?}"),
                "give a DNS name or an IP address",
            )
        })?;
        peer = peer.expecting_name(name);
    }
    if let Some(mac) = arguments.expect_mac {
        peer = peer.expecting_name(ExpectedName::Mac(mac));
    }
    Ok(ClientTls::new(peer).with_identity(Arc::new(identity)))
}

/// Adds the port if there is none: `host`, `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`.
fn with_port(controller: &str) -> String {
    if controller.parse::<std::net::Ipv6Addr>().is_ok() {
        return format!("[{controller}]:{DEFAULT_PORT}");
    }
    let bracketed = controller.ends_with(']');
    if !bracketed && controller.contains(':') {
        controller.to_owned()
    } else {
        format!("{controller}:{DEFAULT_PORT}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_port_where_there_is_none() {
        assert_eq!(with_port("wlc.example"), "wlc.example:16113");
        assert_eq!(with_port("192.0.2.1:5"), "192.0.2.1:5");
        assert_eq!(with_port("2001:db8::1"), "[2001:db8::1]:16113");
        assert_eq!(with_port("[2001:db8::1]"), "[2001:db8::1]:16113");
        assert_eq!(with_port("[2001:db8::1]:5"), "[2001:db8::1]:5");
    }
}
