//! The log of a connection with an old device. Apart from the other tests: what one thread does not log, another may
//! then miss.
#![cfg(feature = "openssl")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "../openssl_transport/lab.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod lab;
#[path = "../support/mod.rs"]
mod support;

use std::io;
use std::sync::{Arc, Mutex};

use lab::{LegacyLab, connect};
use nmsp::transport::openssl::{LegacyTransport, LegacyVersion};
use support::{LOCATION_SERVER, authlist_with_wrong_hash, until};

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

#[tokio::test]
async fn the_log_warns_and_reads_like_the_vendors_trace() {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let text = || String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();

    let transport = LegacyTransport::dangerous_tls_versions(LegacyVersion::Tls10, LegacyVersion::Tls10);
    let lab = LegacyLab::start(transport.clone(), |_| {}).await;
    assert!(
        text().contains("WARN") && text().contains("dangerous: the controller at"),
        "{}",
        text()
    );
    lab.the_next_one_is_unharmed(transport.clone()).await;
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    connect(lab.legacy, lab.client_config(Some(transport)))
        .await
        .unwrap_err();
    until("the log is complete", || {
        text().matches("Freeing Nmsp conn ssl").count() == 2
    })
    .await;
    // F001-20 to F001-23, then F001-26 to F001-29, in this order.
    let log = text();
    let mut rest = log.as_str();
    for line in [
        "Allocated new NMSP connection 0",
        "returning WANT_READ for conn ssl",
        "sslConnectionInit() success with conn state: INIT, SSL state: HANDSHAKING",
        "doSSLRecvLoop: Handshake has not completed for conn 0",
        "Peer certificate Validation Done for conn ssl",
        "Authlist authentication successful for conn ssl",
        "Peer validated against the AuthList",
        "SSL_do_handshake() success for conn ssl",
        "NMSP connection success! conn 0",
        "Freeing Nmsp conn ssl",
        "Peer certificate Validation Done for conn ssl",
        "Authlist authentication failed for conn ssl",
        "Peer is not validated against the AuthList",
        "SSL state = 0x2182; where = 0x4008; ret = 0x22e",
        "ret_desc_string=certificate unknown",
        "error:140890B2:SSL routines:SSL3_GET_CLIENT_CERTIFICATE:no certificate returned",
        "Freeing Nmsp conn ssl",
    ] {
        let Some((_, after)) = rest.split_once(line) else {
            panic!("{line:?} is missing or out of order in:\n{log}");
        };
        rest = after;
    }
    lab.stop().await;
}
