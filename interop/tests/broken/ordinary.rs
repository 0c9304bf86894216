//! What an ordinary peer sees: nothing is wrong.

use std::process::Command;
use std::time::{Duration, SystemTime};

use est::auth::BasicCredentials;
use est::client::{Client as EstClient, ClientConfig as EstClientConfig, EnrollOptions, EnrollOutcome};
use nmsp::client::{Client, ClientConfig};
use nmsp::proto::Event;
use nmsp::server::{Server, ServerConfig};
use nmsp::wire::message::{AccessPointReading, Measurement, Timestamp};
use nmsp::wire::{MessageType, Services, StationClass};
use pki_common::tls::PeerVerifier;
use tokio::time::timeout;

use crate::device::{Device, Lab, PATIENCE};

/// Connects, subscribes, receives a measurement and an echo, asks for something, and says goodbye.
async fn visit(lab: &Lab, device: &Device) {
    let mut config = ClientConfig::new(lab.client_tls());
    config.connection.echo_interval = Duration::from_millis(100);
    // A machine under load may take longer than a few of these intervals.
    config.connection.missed_echo_limit = 1000;
    config.handshake_timeout = PATIENCE;
    let mut client = Client::connect(&device.address.to_string(), config)
        .await
        .unwrap();
    let outcome = client.subscribe(Services::RSSI_MS).await.unwrap();
    assert_eq!(outcome.accepted, Services::RSSI_MS);
    let (mut measured, mut echoes) = (0, 0);
    while measured == 0 || echoes < 2 {
        match client.next().await.unwrap().unwrap() {
            Event::Notification(frame) => {
                assert_eq!(frame.message_type(), Some(MessageType::MeasurementNotification));
                measured += 1;
            }
            Event::EchoAnswered { .. } => echoes += 1,
            event => panic!("{event:?}"),
        }
    }
    client.unsubscribe(Services::RSSI_MS).await.unwrap();
    client.close().await.unwrap();
}

async fn is_an_ordinary_controller(name: &'static str) {
    let lab = Lab::new();
    let mut device = Device::start(name, &lab);
    let visits = async {
        // More than it admits at once, one after the other; then several together.
        for _ in 0..12 {
            visit(&lab, &device).await;
        }
        tokio::join!(visit(&lab, &device), visit(&lab, &device), visit(&lab, &device));
        visit(&lab, &device).await;
    };
    timeout(2 * PATIENCE, visits).await.unwrap();
    assert!(device.lives(), "{} has ended", device.name());
}

#[tokio::test]
async fn length_wrap_is_an_ordinary_controller() {
    is_an_ordinary_controller("length-wrap").await;
}

#[tokio::test]
async fn unbounded_length_is_an_ordinary_controller() {
    is_an_ordinary_controller("unbounded-length").await;
}

#[tokio::test]
async fn early_subscription_is_an_ordinary_controller() {
    is_an_ordinary_controller("early-subscription").await;
}

#[tokio::test]
async fn half_message_is_an_ordinary_controller() {
    is_an_ordinary_controller("half-message").await;
}

#[tokio::test]
async fn double_goodbye_is_an_ordinary_controller() {
    is_an_ordinary_controller("double-goodbye").await;
}

/// A controller of ours, to which the location server connects, twice.
async fn is_an_ordinary_location_server(name: &'static str) {
    let lab = Lab::with_certificates();
    let admitted = PeerVerifier::trust_store(lab.anchors());
    let mut config = ServerConfig::new(lab.tester(), admitted);
    config.connection.services = Services::MEASUREMENTS;
    let server = Server::bind("127.0.0.1:0", config).await.unwrap();
    let (address, handle) = (server.local_addr().unwrap(), server.handle());
    let running = tokio::spawn(server.run());
    let mut device = Device::start_towards(name, &lab, address);
    let mut disconnected = 0;
    let ordinary = async {
        while disconnected < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            // One that has not changed would not be sent again.
            let measurement = Measurement {
                class: StationClass::CLIENT,
                timestamp: Timestamp::from(SystemTime::now()),
                access_points: vec![AccessPointReading::default()],
                ..Measurement::default()
            };
            handle.publish(&measurement).unwrap();
            let active = handle.status().into_iter().find(|status| status.active);
            let Some(status) = active else { continue };
            let echoes = status.counters.rx(MessageType::EchoRequest);
            let sent = status.counters.tx(MessageType::MeasurementNotification);
            if echoes >= 2 && sent >= 1 {
                assert_eq!(status.subscriptions, Services::MEASUREMENTS);
                assert!(handle.disconnect(status.connection_id, "the test goes on"));
                disconnected += 1;
            }
        }
    };
    let outcome = timeout(PATIENCE, ordinary).await;
    assert!(outcome.is_ok(), "{name}: {:#?}", handle.status());
    assert!(device.lives(), "{} has ended", device.name());
    handle.shutdown();
    running.await.unwrap();
}

#[tokio::test]
async fn unknown_id_is_an_ordinary_location_server() {
    is_an_ordinary_location_server("unknown-id").await;
}

#[tokio::test]
async fn deep_nesting_is_an_ordinary_location_server() {
    is_an_ordinary_location_server("deep-nesting").await;
}

async fn is_an_ordinary_est_server(name: &'static str) {
    let lab = Lab::new();
    let mut device = Device::start(name, &lab);
    let url = format!("https://{}", device.address).parse().unwrap();
    let mut config = EstClientConfig::new(url, lab.anchors());
    let enrolments = async {
        config.basic = Some(BasicCredentials::new("tester", "wrong").unwrap());
        let client = EstClient::new(config.clone()).unwrap();
        let anchors = client.cacerts().await.unwrap();
        assert_eq!(anchors[0].subject(), "/CN=Broken devices");
        assert!(client.csrattrs().await.unwrap().is_none());
        let options = || EnrollOptions::new("CN=Phone-020000000030".parse().unwrap());
        client.enroll(options()).await.unwrap_err();
        config.basic = Some(BasicCredentials::new("tester", "tester").unwrap());
        let client = EstClient::new(config).unwrap();
        for _ in 0..3 {
            let EnrollOutcome::Enrolled(enrolled) = client.enroll(options()).await.unwrap() else {
                panic!("it is not to wait");
            };
            assert_eq!(enrolled.certificate.subject(), "/CN=Phone-020000000030");
        }
    };
    timeout(PATIENCE, enrolments).await.unwrap();
    assert!(device.lives(), "{} has ended", device.name());
}

#[tokio::test]
async fn padding_index_is_an_ordinary_est_server() {
    is_an_ordinary_est_server("padding-index").await;
}

#[tokio::test]
async fn unchecked_signature_is_an_ordinary_est_server() {
    is_an_ordinary_est_server("unchecked-signature").await;
}

#[tokio::test]
async fn reset_leak_is_an_ordinary_est_server() {
    is_an_ordinary_est_server("reset-leak").await;
}

/// What the program says, and whether it is content.
pub(crate) fn broken(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_broken"))
        .args(arguments)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_list_has_the_ten_of_the_readme() {
    let (success, list) = broken(&["list"]);
    assert!(success);
    let readme = include_str!("../../broken/README.md");
    let names: Vec<&str> = list
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(names.len(), 10);
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn refuses_to_listen_where_others_could_reach_it() {
    let lab = tempfile::tempdir().unwrap();
    let folder = lab.path().to_str().unwrap();
    for arguments in [
        ["length-wrap", "--listen", "0.0.0.0:0", "--folder", folder],
        [
            "unknown-id",
            "--controller",
            "192.0.2.1:16113",
            "--folder",
            folder,
        ],
    ] {
        let (success, text) = broken(&arguments);
        assert!(!success && text.contains("loopback only"), "{text}");
    }
}

#[test]
fn says_what_is_missing_on_its_command_line() {
    let lab = tempfile::tempdir().unwrap();
    let folder = lab.path().to_str().unwrap();
    let expected = [
        (&["no-such-device"][..], "`broken list`"),
        (&["length-wrap"], "give --folder"),
        (&["unknown-id", "--folder", folder], "give --controller"),
    ];
    for (arguments, remedy) in expected {
        let (success, text) = broken(arguments);
        assert!(!success && text.contains(remedy), "{text}");
    }
}
