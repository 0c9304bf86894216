//! What a client received is on record, whatever happens to the server.
#![cfg(feature = "cli")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test is a failed test; clippy sees only functions marked as tests"
)]

#[path = "support/process.rs"]
mod process;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use est::auth::BasicCredentials;
use est::ca::database::{CertificateLog as _, CertificateRecord, QueueEntry, SqliteLog};
use est::client::{Client, ClientConfig, CsrOutcome, EnrollOptions, EnrollOutcome};
use est::request::{RequestKey, RequestTemplate};
use pki_common::identity::NewKey;
use pki_common::tls::crypto_provider;
use pki_common::trust_store::TrustStore;
use process::{PASSWORD, Serving, USER, anchor, laboratory, succeeds};
use tokio::task::JoinSet;

/// Enrolments that run at the same time.
const CLIENTS: usize = 200;

/// How many certificates have arrived when the server is killed.
const KILLED_AFTER: usize = 40;

fn client(folder: &Path, url: &str) -> Client {
    client_of(folder, url, None)
}

fn client_of(folder: &Path, url: &str, label: Option<&str>) -> Client {
    let anchors = TrustStore::from_paths("test anchors", [anchor(folder)]).unwrap();
    let mut config = ClientConfig::new(url.parse().unwrap(), Arc::new(anchors));
    config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
    config.label = label.map(|label| label.parse().unwrap());
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

fn log(folder: &Path) -> SqliteLog {
    SqliteLog::open(folder.join("ca/ca.sqlite"), crypto_provider().unwrap()).unwrap()
}

/// Everything that the log of the authority has.
fn rows(folder: &Path) -> Vec<CertificateRecord> {
    let log = log(folder);
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

/// The path label whose certificates an operator approves.
const APPROVED: &str = "approved";

fn with_approval(folder: &Path) {
    let path = folder.join("est.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let label = format!(
        "{config}\n[[label]]\nname = \"{APPROVED}\"\n[label.policy]\napproval = \"operator\"\n\
         [label.policy.queue]\nmax-entries = 1000000\nmax-per-requester = 1000000\n"
    );
    std::fs::write(path, label).unwrap();
}

/// Each client asks for one certificate after another until its server is gone; the requests that were taken into
/// the queue are collected.
fn ask_for_approval(client: &Client, round: usize, queued: &Arc<AtomicUsize>) -> JoinSet<Vec<Vec<u8>>> {
    let mut clients = JoinSet::new();
    let key = Arc::new(RequestKey::generate(NewKey::EcP256).unwrap());
    for number in 0..CLIENTS {
        let (client, queued, key) = (client.clone(), Arc::clone(queued), Arc::clone(&key));
        clients.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let subject = format!("CN=waiting {round} {number} {}", taken.len());
                let template = RequestTemplate::new(subject.parse().unwrap(), &[]).unwrap();
                let csr = template.sign(&key, None).unwrap();
                match client.enroll_csr(&csr).await {
                    Ok(CsrOutcome::Pending { .. }) => {
                        taken.push(csr);
                        queued.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(CsrOutcome::Issued(_)) => panic!("everything waits for approval here"),
                    Err(_gone) => return taken,
                }
            }
        });
    }
    clients
}

/// Everything that is or was in the queue, by its request. No request is in it twice.
fn queue(folder: &Path) -> HashMap<Vec<u8>, QueueEntry> {
    let log = log(folder);
    let mut all = HashMap::new();
    let mut after = 0;
    loop {
        let page = log.queue(None, after, 1000).unwrap();
        let Some(last) = page.last() else { return all };
        after = last.id;
        for entry in page {
            let twice = all.insert(entry.csr.clone(), entry);
            assert!(twice.is_none(), "a request is in the queue twice: {twice:?}");
        }
    }
}

/// Asks again for each of the requests at the same time; what arrives before the server is gone.
async fn fetch(
    client: &Client,
    requests: &[Vec<u8>],
    mut kill: Option<(&mut Serving, usize)>,
) -> HashMap<Vec<u8>, Vec<u8>> {
    let mut clients = JoinSet::new();
    for csr in requests.iter().cloned() {
        let client = client.clone();
        clients.spawn(async move {
            let outcome = client.enroll_csr(&csr).await;
            (csr, outcome)
        });
    }
    let mut fetched = HashMap::new();
    while let Some(done) = clients.join_next().await {
        let (csr, outcome) = done.unwrap();
        match outcome {
            Ok(CsrOutcome::Issued(issued)) => {
                fetched.insert(csr, issued.certificate.der().to_vec());
            }
            Ok(CsrOutcome::Pending { .. }) => panic!("an approved request waits again"),
            Err(error) => assert!(kill.is_some(), "{error}"),
        }
        if let Some((server, after)) = &mut kill
            && fetched.len() == *after
        {
            server.child.kill().unwrap();
        }
    }
    fetched
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_lost_no_pending_request_and_issues_each_once() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    with_approval(folder);
    let mut serials = HashSet::new();
    for round in 0..rounds() {
        let mut server = Serving::start(folder);
        let queued = Arc::new(AtomicUsize::new(0));
        let client = client_of(folder, &server.url, Some(APPROVED));
        let mut clients = ask_for_approval(&client, round, &queued);
        while queued.load(Ordering::Relaxed) < KILLED_AFTER {
            assert!(!clients.is_empty(), "the clients go on until the server is gone");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let mut taken: Vec<Vec<u8>> = Vec::new();
        while let Some(requests) = clients.join_next().await {
            taken.extend(requests.unwrap());
        }
        assert!(taken.len() >= KILLED_AFTER);

        // Restarted, it has every request that was answered with 202; the operator approves them.
        let mut server = Serving::start(folder);
        let entries = queue(folder);
        let lost = taken.iter().filter(|csr| !entries.contains_key(*csr)).count();
        assert_eq!(
            lost,
            0,
            "of {} requests that clients were told to wait for",
            taken.len()
        );
        let ids: Vec<String> = taken.iter().map(|csr| entries[csr].id.to_string()).collect();
        let approve = ["ca", "approve", "--dir", "ca"].into_iter();
        let approve: Vec<&str> = approve.chain(ids.iter().map(String::as_str)).collect();
        succeeds(folder, &approve, "");

        // Killed while they are issued, it issues the rest later, and the same to those who had theirs.
        let client = client_of(folder, &server.url, Some(APPROVED));
        let first = fetch(&client, &taken, Some((&mut server, taken.len() / 2))).await;
        server.child.wait().unwrap();
        let server = Serving::start(folder);
        let client = client_of(folder, &server.url, Some(APPROVED));
        let all = fetch(&client, &taken, None).await;
        assert_eq!(all.len(), taken.len());
        for (csr, certificate) in &first {
            assert_eq!(
                all.get(csr),
                Some(certificate),
                "another certificate for the same request"
            );
        }
        for certificate in all.values() {
            let certificate = pki_common::Certificate::from_der(certificate).unwrap();
            assert!(
                serials.insert(certificate.serial_number().to_vec()),
                "a serial number was given out twice"
            );
        }
    }
    // One row for each of them, and one for the server's certificate.
    let rows = rows(folder);
    assert_eq!(rows.len(), serials.len() + 1);
}
