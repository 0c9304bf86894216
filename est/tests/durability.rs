//! What a client received is on record, whatever happens to the server.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[path = "support/process.rs"]
mod process;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use est::auth::BasicCredentials;
use est::ca::database::{CertificateLog as _, CertificateRecord, SqliteLog};
use est::client::{Client, ClientConfig, EnrollOptions, EnrollOutcome};
use pki_common::tls::crypto_provider;
use pki_common::trust_store::TrustStore;
use process::{PASSWORD, Serving, USER, anchor, laboratory};
use tokio::task::JoinSet;

/// Enrolments that run at the same time.
const CLIENTS: usize = 200;

/// How many certificates have arrived when the server is killed.
const KILLED_AFTER: usize = 40;

fn client(folder: &Path, url: &str) -> Client {
    let anchors = TrustStore::from_paths("test anchors", [anchor(folder)]).unwrap();
    let mut config = ClientConfig::new(url.parse().unwrap(), Arc::new(anchors));
    config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
    config.timeouts.connect = Duration::from_secs(60);
    config.timeouts.handshake = Duration::from_secs(60);
    config.timeouts.response = Duration::from_secs(60);
    Client::new(config).unwrap()
}

/// Each client enrols again and again until its server is gone; the certificates that arrived are collected.
fn start_clients(client: &Client, arrived: &Arc<AtomicUsize>) -> JoinSet<Vec<Vec<u8>>> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, arrived) = (client.clone(), Arc::clone(arrived));
        clients.spawn(async move {
            let mut received = Vec::new();
            loop {
                let subject = format!("CN=device {number} {}", received.len()).parse().unwrap();
                match client.enroll(EnrollOptions::new(subject)).await {
                    Ok(EnrollOutcome::Enrolled(enrolled)) => {
                        received.push(enrolled.certificate.der().to_vec());
                        arrived.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(EnrollOutcome::Pending { .. }) => panic!("nothing waits for approval here"),
                    Err(_gone) => return received,
                }
            }
        });
    }
    clients
}

/// How often the server is killed: `EST_DURABILITY_ROUNDS`, 2 when it is not set.
fn rounds() -> usize {
    match std::env::var("EST_DURABILITY_ROUNDS") {
        Ok(text) => text.parse().expect("EST_DURABILITY_ROUNDS is a number"),
        Err(_) => 2,
    }
}

/// Everything that the log of the authority has.
fn rows(folder: &Path) -> Vec<CertificateRecord> {
    let log = SqliteLog::open(folder.join("ca/ca.sqlite"), crypto_provider().unwrap()).unwrap();
    let mut rows = Vec::new();
    loop {
        let page = log
            .certificates(u32::try_from(rows.len()).unwrap(), 1000)
            .unwrap();
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_lost_no_certificate_that_a_client_received_and_reuses_no_serial() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let mut received: Vec<Vec<u8>> = Vec::new();
    for _ in 0..rounds() {
        let mut server = Serving::start(folder);
        let arrived = Arc::new(AtomicUsize::new(0));
        let mut clients = start_clients(&client(folder, &server.url), &arrived);
        while arrived.load(Ordering::Relaxed) < KILLED_AFTER {
            assert!(!clients.is_empty(), "the clients go on until the server is gone");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // SIGKILL, in the middle of the other enrolments.
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        while let Some(certificates) = clients.join_next().await {
            received.extend(certificates.unwrap());
        }
    }
    assert!(received.len() >= rounds() * KILLED_AFTER);

    // Restarted, it serves; then its log is read.
    let server = Serving::start(folder);
    let after = client(folder, &server.url)
        .enroll(EnrollOptions::new("CN=after".parse().unwrap()))
        .await
        .unwrap();
    let EnrollOutcome::Enrolled(after) = after else {
        panic!("{after:?}")
    };
    received.push(after.certificate.der().to_vec());
    drop(server);

    let rows = rows(folder);
    let on_record: HashSet<Vec<u8>> = rows.iter().map(|row| row.certificate.to_vec()).collect();
    let lost = received
        .iter()
        .filter(|certificate| !on_record.contains(*certificate))
        .count();
    assert_eq!(
        lost,
        0,
        "of {} certificates that clients received",
        received.len()
    );
    let serials: HashSet<_> = rows.iter().map(|row| row.serial).collect();
    assert_eq!(serials.len(), rows.len(), "a serial number is on record twice");
    let serials: HashSet<Vec<u8>> = received
        .iter()
        .map(|der| {
            pki_common::Certificate::from_der(der)
                .unwrap()
                .serial_number()
                .to_vec()
        })
        .collect();
    assert_eq!(
        serials.len(),
        received.len(),
        "a serial number was given out twice"
    );
}
