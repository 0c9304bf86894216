//! The log of a connection, compared line by line with the vendor's trace (Cisco document 200206, F001-20 to F001-30).
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use std::io;
use std::sync::{Arc, Mutex};

use nmsp::wire::{Services, StationClass};
use support::{LOCATION_SERVER, Lab, authlist_with_wrong_hash, measurement, until};

/// Collects what tracing writes on this thread.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let captured = Self::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        (captured, guard)
    }

    /// The lines of the server's connection trace, without level and module, the changing number written as `SSL`.
    fn trace(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .filter_map(|line| line.split_once("nmsp::server::trace: "))
            .map(|(_, line)| line);
        let lines: Vec<&str> = lines.collect();
        let ssl = lines
            .iter()
            .find_map(|line| line.strip_prefix("sslConnectionInit: SSL_new() conn ssl "))
            .unwrap();
        assert!(
            ssl.len() == 8 && ssl.chars().all(|c| c.is_ascii_hexdigit()),
            "{ssl}"
        );
        lines.iter().map(|line| line.replace(ssl, "SSL")).collect()
    }
}

const BEGINNING: [&str; 3] = [
    "Allocated new NMSP connection 0",
    "sslConnectionInit: SSL_new() conn ssl SSL",
    "sslConnectionInit: SSL_do_handshake for conn ssl SSL, conn state: INIT, SSL state: HANDSHAKING",
];

#[tokio::test]
async fn a_successful_connection_reads_like_the_vendors_trace() {
    let (captured, _guard) = Captured::start();
    let lab = Lab::start(|_| {}).await;
    let mut client = lab.connect().await;
    client.subscribe(Services::RSSI_MS).await.unwrap();
    lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
    client.next().await.unwrap();
    client.close().await.unwrap();
    until("freed", || {
        captured
            .trace()
            .last()
            .is_some_and(|line| line.starts_with("Freeing"))
    })
    .await;
    let expected = [
        "Peer certificate Validation Done for conn ssl SSL, calling authlist..",
        "Authlist authentication successful for conn ssl SSL",
        "Peer validated against the AuthList",
        "SSL_do_handshake() success for conn ssl SSL",
        "NMSP connection success! conn 0",
        "sending NMSP_APP_MEAS_NOTIFY_MSG to LocServer 0",
        "NMSP connection closed: conn 0: closed by the peer",
        "Freeing Nmsp conn ssl SSL, conn id 0",
    ];
    assert_eq!(captured.trace(), [&BEGINNING[..], &expected].concat());
    lab.stop().await;
}

#[tokio::test]
async fn a_wrong_key_hash_reads_like_the_vendors_trace_and_says_what_it_means() {
    let (captured, _guard) = Captured::start();
    let lab = Lab::start(|_| {}).await;
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    lab.try_connect(lab.client_config()).await.unwrap_err();
    until("freed", || {
        captured
            .trace()
            .last()
            .is_some_and(|line| line.starts_with("Freeing"))
    })
    .await;
    let mut trace = captured.trace();
    let meaning = trace.remove(trace.len() - 2);
    let expected = [
        "Peer certificate Validation Done for conn ssl SSL, calling authlist..",
        "Authlist authentication failed for conn ssl SSL",
        "Peer is not validated against the AuthList",
        "SSL state = 0x2182; where = 0x4008; ret = 0x22e",
        "ret_type_string=fatal",
        "ret_desc_string=certificate unknown",
        "handshake failed for conn ssl SSL, ssl_err 1 error = error:140890B2:SSL routines:\
         SSL3_GET_CLIENT_CERTIFICATE:no certificate returned",
        "Freeing Nmsp conn ssl SSL, conn id 0",
    ];
    assert_eq!(trace, [&BEGINNING[..], &expected].concat());
    // The vendor's last words are "no certificate returned"; ours name the authlist and both hashes (F001-29).
    assert!(
        meaning.starts_with("meaning of conn ssl SSL: TLS (authlist): "),
        "{meaning}"
    );
    let hash = lab
        .location_server
        .certificate()
        .key_hash(pki_common::HashAlgorithm::Sha256)
        .to_string();
    assert!(
        meaning.contains("pins another key") && meaning.contains(&hash),
        "{meaning}"
    );
    lab.stop().await;
}
