//! What a peer can do wrong, over real sockets and TLS: each gets the documented answer in bounded time, is counted, and
//! the next location server is unharmed.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use nmsp::client::ClientConfig;
use nmsp::server::ServerCounters;
use nmsp::wire::Services;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::{Alert, Diagnose as _, Rung, Side, TlsFault};
use support::{
    CONTROLLER, LOCATION_SERVER, Lab, PATIENCE, authlist_of, authlist_with_wrong_hash, identity, until,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

async fn lab() -> Lab {
    Lab::start(|config| {
        config.limits.handshake_timeout = Duration::from_millis(500);
        config.connection.idle_timeout = Duration::from_millis(800);
    })
    .await
}

/// An admitted location server that then sends whatever the test wants.
async fn raw_session(lab: &Lab) -> TlsStream<TcpStream> {
    let tls = lab
        .client_tls(pki_common::tls::TlsVersions::Tls12And13)
        .rustls_config()
        .unwrap();
    let stream = TcpStream::connect(lab.address).await.unwrap();
    let name = rustls::pki_types::ServerName::from(lab.address.ip());
    TlsConnector::from(tls).connect(name, stream).await.unwrap()
}

/// Reads until the peer closes; what it sent before that.
async fn read_to_the_end<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut received = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    assert!(end.is_ok(), "the peer keeps the connection open");
    received
}

async fn the_next_one_is_unharmed(lab: &Lab) {
    let mut client = lab.connect().await;
    assert_eq!(
        client.subscribe(Services::RSSI_MS).await.unwrap().accepted,
        Services::RSSI_MS
    );
    client.close().await.unwrap();
}

fn message(id: u16, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, 9]);
    bytes.extend(body);
    bytes
}

#[tokio::test]
async fn messages_that_end_the_connection() {
    let lab = lab().await;
    let table: [(&str, Vec<u8>); 6] = [
        ("an oversized length", message(1, u32::MAX, b"")),
        ("a zero length", message(1, 0, b"")),
        ("another version", [&[9][..], &message(1, 12, b"")[1..]].concat()),
        ("a TLV longer than the message", message(30, 17, &[0, 2, 0, 8, 1])),
        (
            "a duplicate TLV",
            message(30, 36, &[[0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]; 2].concat()),
        ),
        ("a measurement from a location server", message(15, 12, b"")),
    ];
    for (errors, (what, bytes)) in (1..).zip(table) {
        let mut session = raw_session(&lab).await;
        session.write_all(&bytes).await.unwrap();
        read_to_the_end(&mut session).await;
        until(what, || lab.handle.counters().protocol_errors == errors).await;
        the_next_one_is_unharmed(&lab).await;
    }
    lab.stop().await;
}

#[tokio::test]
async fn half_a_message_ends_the_connection_after_the_idle_time() {
    let lab = lab().await;
    let mut session = raw_session(&lab).await;
    session.write_all(&message(1, 100, b"half")).await.unwrap();
    the_next_one_is_unharmed(&lab).await;
    read_to_the_end(&mut session).await;
    until("closed", || {
        lab.handle.counters().ssl_stats.connection_closed == 2
    })
    .await;
    lab.stop().await;
}

#[tokio::test]
async fn half_a_message_and_a_goodbye_is_a_protocol_error() {
    let lab = lab().await;
    let mut session = raw_session(&lab).await;
    session.write_all(&message(1, 100, b"half")).await.unwrap();
    session.shutdown().await.unwrap();
    read_to_the_end(&mut session).await;
    until("counted", || lab.handle.counters().protocol_errors == 1).await;
    the_next_one_is_unharmed(&lab).await;
    lab.stop().await;
}

#[tokio::test]
async fn an_unknown_id_is_counted_and_the_connection_lives() {
    let lab = lab().await;
    let mut session = raw_session(&lab).await;
    session.write_all(&message(40_000, 16, b"data")).await.unwrap();
    session.write_all(&message(1, 12, b"")).await.unwrap();
    let mut received = [0; 42];
    tokio::time::timeout(PATIENCE, session.read_exact(&mut received))
        .await
        .unwrap()
        .unwrap();
    // Capability Notification (30 bytes), then the answer to the echo request behind the unknown message.
    assert_eq!(received[30..], [1, 0, 0, 2, 0, 0, 0, 12, 0, 0, 0, 9]);
    assert_eq!(lab.handle.status()[0].counters.unsupported_msg_count, 1);
    the_next_one_is_unharmed(&lab).await;
    lab.stop().await;
}

#[tokio::test]
async fn a_flood_of_echo_requests_whose_answers_nobody_reads_is_slowed_down_and_harms_nobody() {
    let lab = lab().await;
    let mut session = raw_session(&lab).await;
    let requests = message(1, 12, b"").repeat(1000);
    // The server stops reading, so the writes block before the data is all gone; the idle time then ends the session.
    let flood = async { while session.write_all(&requests).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, async {
        tokio::join!(flood, the_next_one_is_unharmed(&lab))
    })
    .await
    .unwrap();
    until("closed", || {
        lab.handle.counters().ssl_stats.connection_closed == 2
    })
    .await;
    lab.stop().await;
}

#[tokio::test]
async fn peers_that_stall_in_the_handshake_are_dropped_and_counted() {
    let lab = Lab::start(|config| {
        config.limits.handshake_timeout = Duration::from_millis(500);
        config.limits.max_handshakes = 3;
    })
    .await;
    let mut stalled = Vec::new();
    for _ in 0..3 {
        stalled.push(TcpStream::connect(lab.address).await.unwrap());
    }
    stalled[1].write_all(&[0x16, 3, 1, 0, 200, 1]).await.unwrap();
    until("three handshakes in flight", || {
        lab.handle.counters().ssl_stats.accept_attempts == 3
    })
    .await;
    let mut fourth = TcpStream::connect(lab.address).await.unwrap();
    assert_eq!(
        fourth.read(&mut [0; 10]).await.unwrap_or(0),
        0,
        "turned away at once"
    );
    for stream in &mut stalled {
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 10]))
            .await
            .unwrap();
        assert_eq!(end.unwrap_or(0), 0);
    }
    let ServerCounters {
        ssl_stats,
        handshake_timeouts,
        ..
    } = lab.handle.counters();
    assert_eq!(
        (handshake_timeouts, ssl_stats.accept_fail, ssl_stats.accept_reject),
        (3, 3, 1)
    );
    the_next_one_is_unharmed(&lab).await;
    lab.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_speak_tls_is_dropped_and_counted() {
    let lab = lab().await;
    for (failed, bytes) in (1..).zip([&b"GET / HTTP/1.0\r\n\r\n"[..], &message(1, 12, b""), &[0; 300]]) {
        let mut stream = TcpStream::connect(lab.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        read_to_the_end(&mut stream).await;
        until("counted", || {
            lab.handle.counters().ssl_stats.accept_fail == failed
        })
        .await;
        the_next_one_is_unharmed(&lab).await;
    }
    lab.stop().await;
}

#[tokio::test]
async fn certificates_that_are_not_admitted_are_refused_with_their_alert() {
    let lab = lab().await;
    let other_key = identity(LOCATION_SERVER);
    let unknown_mac = identity([2, 9, 9, 9, 9, 9]);
    let table: [(&str, Option<Arc<Identity>>, Alert); 3] = [
        (
            "the right MAC address with another key",
            Some(other_key),
            Alert::CERTIFICATE_UNKNOWN,
        ),
        (
            "a MAC address without an entry",
            Some(unknown_mac),
            Alert::CERTIFICATE_UNKNOWN,
        ),
        ("no certificate", None, Alert::CERTIFICATE_REQUIRED),
    ];
    for (what, identity, alert) in table {
        let mut tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&lab.controller)));
        tls.identity = identity;
        let failure = lab
            .try_connect(ClientConfig::new(tls))
            .await
            .unwrap_err()
            .diagnose();
        assert_eq!(
            (failure.alert, failure.refused_by),
            (Some(alert), Some(Side::Peer)),
            "{what}: {failure}"
        );
        the_next_one_is_unharmed(&lab).await;
    }
    assert_eq!(lab.handle.counters().ssl_stats.accept_fail, 3);
    assert_eq!(lab.handle.counters().aaa_stats.aaa_validation_fail, 2);
    lab.stop().await;
}

#[tokio::test]
async fn a_wrong_hash_in_the_authlist_is_refused_until_it_is_corrected() {
    let lab = lab().await;
    let right = (*lab.authlist.load()).clone();
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    let failure = lab.try_connect(lab.client_config()).await.unwrap_err().diagnose();
    assert_eq!(
        (failure.rung, failure.alert),
        (Rung::Tls(TlsFault::AuthList), Some(Alert::CERTIFICATE_UNKNOWN))
    );
    lab.authlist.replace(right);
    the_next_one_is_unharmed(&lab).await;
    lab.stop().await;
}

#[tokio::test]
async fn a_controller_that_accepts_and_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&identity(CONTROLLER))))
        .with_identity(identity(LOCATION_SERVER));
    let mut config = ClientConfig::new(tls);
    config.handshake_timeout = Duration::from_millis(300);
    let connect = nmsp::client::Client::connect(&address.to_string(), config).await;
    let error = connect.unwrap_err();
    assert!(error.to_string().contains("took longer than"), "{error}");
    drop(listener);
}
