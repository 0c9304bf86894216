//! An NMSP session over TLS.

use std::sync::Arc;
use std::time::Duration;

use interop::quickstart::enrolment::{self, controller_mac};
use interop::quickstart::folder::LabFolder;
use interop::quickstart::introduction;
use interop::quickstart::tunnel::Lab;
use nmsp::client::{Client, ClientConfig};
use nmsp::wire::{MessageType, Services, WireProfile, dissector};
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::trust_store::ExpectedName;

use super::{key_log, pcap, tshark};
use crate::case::Case;
use crate::support::folder::Folder;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("names the messages of an NMSP session over TLS 1.2", || {
            names_messages(TlsVersions::Tls12)
        }),
        Case::new("names the messages of an NMSP session over TLS 1.3", || {
            names_messages(TlsVersions::Tls13)
        }),
    ]
}

async fn names_messages(versions: TlsVersions) {
    let folder = Folder::new();
    session(&folder, versions).await;
    folder.write("nmsp.lua", dissector::lua(WireProfile::built_in()));
    let dissect = [
        "-X",
        "lua_script:nmsp.lua",
        "-d",
        "tls.port==16113,nmsp",
        "-V",
        "-O",
        "nmsp",
    ];
    let shown = tshark(&folder, &dissect).await;
    assert!(!shown.contains("Malformed"), "{shown}");
    for message in [
        MessageType::CapabilityNotification,
        MessageType::ServiceSubscribeRequest,
        MessageType::ServiceSubscribeResponse,
        MessageType::EchoRequest,
        MessageType::EchoResponse,
    ] {
        let line = format!("Network Mobility Services Protocol, {}", message.name());
        assert!(shown.contains(&line), "{line:?} is not in {shown}");
    }
}

/// A location server subscribes and echoes; what went over the wire is in `session.pcap`, the keys in `keys.txt`.
async fn session(folder: &Folder, versions: TlsVersions) {
    let files = LabFolder::open(None).unwrap();
    let mut narration = Vec::new();
    let devices = enrolment::run(&files, &mut narration).await.unwrap();
    let authlist = introduction::run(&files, &devices, &mut narration).unwrap();
    let lab = Lab::start(&devices, authlist).await.unwrap();
    let (address, log) = pcap::proxy(lab.controller);

    let controller = PeerVerifier::trust_store(Arc::clone(&devices.anchors))
        .expecting_name(ExpectedName::Mac(controller_mac()));
    let mut tls = ClientTls::new(controller).with_identity(Arc::clone(&lab.location_server));
    tls.versions = versions;
    let mut config = ClientConfig::new(tls.dangerous_key_log(key_log(&folder.file("keys.txt"))));
    config.connection.echo_interval = Duration::from_millis(50);
    let client = Client::connect(&address.to_string(), config).await.unwrap();
    client.subscribe(Services::RSSI_MS).await.unwrap();
    let wait = async {
        while client.counters().rx(MessageType::EchoResponse) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("the controller echoes");
    client.close().await.unwrap();
    lab.stop().await;
    folder.write("session.pcap", pcap::pcap(&log.lock().unwrap(), 1400, false));
}
