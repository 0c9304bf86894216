//! `nmsp serve`, with identities, authlists and something to publish.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use nmsp::wire::message::{AccessPointReading, Measurement, Timestamp};
use nmsp::wire::{Band, StationClass};
use pki_common::authlist::{AuthList, AuthListEntry, AuthListFormat, AuthListType};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::{Failure, HashAlgorithm, MacAddr};

use super::{Binaries, Process, Settings, with_defaults};
use crate::faults::trouble;

/// Stations that are measured.
const STATIONS: u8 = 10;

/// The time limit that a fault does not set: honest location servers on a busy machine must not run into it.
const PATIENT: [&str; 1] = ["handshake-timeout-seconds = 60"];

/// The controller and its addresses.
#[derive(Debug)]
pub(in crate::faults) struct Controller {
    process: Process,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Controller {
    pub(super) fn prepare(folder: &Path, settings: &Settings) -> Result<(), Failure> {
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).map_err(trouble);
        let mut controllers = AuthList::new();
        for (name, last) in [("controller", 1), ("other-controller", 2)] {
            controllers
                .insert(entry(&new_identity(folder, name, last)?))
                .map_err(trouble)?;
        }
        let mut one = AuthList::new();
        one.insert(entry(&new_identity(folder, "location-server", 3)?))
            .map_err(trouble)?;
        let mut both = one.clone();
        both.insert(entry(&new_identity(folder, "guest", 4)?))
            .map_err(trouble)?;
        for (name, list) in [
            ("controllers", controllers),
            ("authlist", one.clone()),
            ("one", one),
            ("both", both),
        ] {
            write(
                &format!("{name}.toml"),
                &list.export(AuthListFormat::Toml).map_err(trouble)?,
            )?;
        }
        let mut measurements = String::new();
        for station in 1..=STATIONS {
            measurements.push_str(&serde_json::to_string(&measurement(station)).map_err(trouble)?);
            measurements.push('\n');
        }
        write("measurements.json", &measurements)?;
        let config = format!(
            "listen = \"127.0.0.1:0\"\ncertificate = \"controller.pem\"\nkey = \"controller.key.pem\"\n[authlist]\n\
             file = \"authlist.toml\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[limits]\n{}\n",
            with_defaults(&settings.nmsp_limits, &PATIENT)
        );
        write("serve.toml", &config)
    }

    pub(super) fn start(binaries: &Binaries, folder: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(&binaries.nmsp);
        command.args(["serve", "--config"]).arg(folder.join("serve.toml"));
        command
            .arg("--measurements")
            .arg(folder.join("measurements.json"));
        command.args(["--repeat", "--interval", "20"]);
        let process = Process::start(&mut command, folder.join("nmsp.log"))?;
        let address = process.says("listening on ")?;
        let admin = process.says("admin listener on ")?;
        Ok(Self {
            process,
            address: address.parse().map_err(trouble)?,
            admin: admin.parse().map_err(trouble)?,
        })
    }

    pub(in crate::faults) const fn process(&self) -> &Process {
        &self.process
    }

    pub(in crate::faults) const fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Self-signed, as `NAME.pem` and `NAME.key.pem`.
fn new_identity(folder: &Path, name: &str, last: u8) -> Result<Identity, Failure> {
    let mac = MacAddr::from([0x00, 0x50, 0x56, 0x9c, 0x34, last]);
    let identity = Identity::self_signed(SelfSigned::new(mac)).map_err(trouble)?;
    let (certificate, key) = (format!("{name}.pem"), format!("{name}.key.pem"));
    fs::write(folder.join(certificate), identity.certificate_chain_pem()).map_err(trouble)?;
    fs::write(folder.join(key), identity.private_key_pem().as_bytes()).map_err(trouble)?;
    Ok(identity)
}

fn entry(identity: &Identity) -> AuthListEntry {
    AuthListEntry {
        // It was made with one.
        mac: identity
            .certificate()
            .subject_mac()
            .unwrap_or(MacAddr::from([0; 6])),
        list_type: AuthListType::Sha256LbsSsc,
        key_hash: Some(identity.certificate().key_hash(HashAlgorithm::Sha256)),
    }
}

fn measurement(last: u8) -> Measurement {
    Measurement {
        station: MacAddr::from([2, 0, 0, 0, 0, last]),
        class: StationClass::CLIENT,
        timestamp: Timestamp(1_433_612_873_000),
        access_points: vec![AccessPointReading {
            access_point: MacAddr::from([0, 0x3a, 0x7d, 0, 0, 9]),
            rssi_dbm: -60,
            band: Band::GHZ_5,
            channel: 36,
            snr_db: None,
            antenna: None,
        }],
        state: None,
    }
}
