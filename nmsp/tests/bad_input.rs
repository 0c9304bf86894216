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
use nmsp::server::{ServerCounters, ServerHandle};
use nmsp::wire::numbers::DisconnectReason;
use nmsp::wire::{Frame, MessageType, OwnedMessage, Services, WireProfile};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::{Alert, Diagnose as _, MacAddr, Rung, Side, TlsFault};
use rustls::pki_types::UnixTime;
use support::{
    CONTROLLER, LOCATION_SERVER, Lab, PATIENCE, authlist_of, authlist_with_wrong_hash, identity, message,
    raw_handshake, until,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

async fn lab() -> Lab {
    Lab::start(|config| {
        config.limits.handshake_timeout = Duration::from_millis(1500);
        config.connection.idle_timeout = Duration::from_millis(1500);
    })
    .await
}

/// An admitted location server that then sends whatever the test wants.
async fn raw_session(lab: &Lab) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(lab.address).await.unwrap();
    raw_handshake(&lab.client_tls(TlsVersions::Tls12And13), stream)
        .await
        .unwrap()
}

/// Reads until the peer closes; what it sent before that.
async fn read_to_the_end<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut received = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut received)).await;
    assert!(end.is_ok(), "the peer keeps the connection open");
    received
}

async fn the_next_one_is_unharmed(lab: &Lab) {
    let client = lab.connect().await;
    assert_eq!(
        client.subscribe(Services::RSSI_MS).await.unwrap().accepted,
        Services::RSSI_MS
    );
    client.close().await.unwrap();
}

/// What the peer speaks.
#[derive(Clone, Copy, Debug)]
enum Over {
    Tcp,
    Tls,
}

/// What the peer does after it has sent its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    SaysGoodbye,
    FallsSilent,
}

/// One way to misbehave, and what the table in the documentation of `nmsp::server` says about it.
struct Case {
    what: &'static str,
    over: Over,
    sends: Vec<u8>,
    then: Then,
    /// All bytes that the controller sends, over TLS after its Capability Notification.
    answer: Vec<u8>,
    /// The reason in the controller's goodbye; none if the peer left by itself.
    goodbye: Option<DisconnectReason>,
    /// The counter, and its value afterwards.
    counted: (fn(&ServerHandle) -> u64, u64),
}

/// The Capability Notification that the controller begins with.
const CAPABILITY_LENGTH: usize = 30;

fn protocol_errors(handle: &ServerHandle) -> u64 {
    handle.counters().protocol_errors
}

fn subscribe(mask: u8) -> Vec<u8> {
    message(30, 24, &[0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, mask])
}

/// Status accepted, these services, none rejected.
fn accepted(mask: u8) -> Vec<u8> {
    let status = [0, 4, 0, 2, 0, 0];
    let services = [0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, mask];
    let rejected = [0, 3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    message(31, 42, &[&status[..], &services, &rejected].concat())
}

/// Messages after which the connection ends by a protocol error.
fn broken_messages() -> Vec<Case> {
    let table: [(&str, Vec<u8>); 7] = [
        ("half a frame, then a goodbye", message(1, 100, b"half")),
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
    let case = |(what, sends)| Case {
        what,
        over: Over::Tls,
        sends,
        then: Then::SaysGoodbye,
        answer: Vec::new(),
        goodbye: Some(DisconnectReason::PROTOCOL_ERROR),
        counted: (protocol_errors, 1),
    };
    table.map(case).into()
}

/// Messages that the connection survives.
fn survivable_messages() -> Vec<Case> {
    vec![
        Case {
            what: "an unknown id, then an echo request",
            over: Over::Tls,
            sends: [message(40_000, 16, b"data"), message(1, 12, b"")].concat(),
            then: Then::SaysGoodbye,
            answer: message(2, 12, b""),
            goodbye: None,
            counted: (|handle| handle.status()[0].counters.unsupported_msg_count, 1),
        },
        Case {
            what: "a second subscribe",
            over: Over::Tls,
            sends: [subscribe(1), subscribe(2)].concat(),
            then: Then::SaysGoodbye,
            answer: [accepted(1), accepted(2)].concat(),
            goodbye: None,
            counted: (
                |handle| {
                    let status = &handle.status()[0];
                    assert_eq!(status.subscriptions, Services::RSSI_RFID);
                    status.counters.rx(MessageType::ServiceSubscribeRequest)
                },
                2,
            ),
        },
    ]
}

fn silences() -> Vec<Case> {
    let stalled = |what, sends: &[u8]| Case {
        what,
        over: Over::Tcp,
        sends: sends.to_vec(),
        then: Then::FallsSilent,
        answer: Vec::new(),
        goodbye: None,
        counted: (|handle| handle.counters().handshake_timeouts, 1),
    };
    vec![
        stalled("a peer that connects and says nothing", b""),
        stalled("a peer that stalls in the handshake", &[0x16, 3, 1, 0, 200, 1]),
        Case {
            what: "half a frame, then silence",
            over: Over::Tls,
            sends: message(1, 100, b"half"),
            then: Then::FallsSilent,
            answer: Vec::new(),
            goodbye: Some(DisconnectReason::IDLE),
            counted: (|handle| handle.counters().peer_timeouts, 1),
        },
    ]
}

fn clients_without_tls() -> Vec<Case> {
    // A fatal alert in the clear: TLS record of two bytes, level 2.
    let alert = |alert: Alert| vec![0x15, 3, 3, 0, 2, 2, alert.0];
    let table: [(&str, Vec<u8>, Vec<u8>); 4] = [
        (
            "HTTP",
            b"GET / HTTP/1.0\r\n\r\n".to_vec(),
            alert(Alert::DECODE_ERROR),
        ),
        (
            "NMSP without TLS",
            message(1, 12, b""),
            alert(Alert::DECODE_ERROR),
        ),
        ("zeros", vec![0; 300], alert(Alert::DECODE_ERROR)),
        ("nothing, then a goodbye", Vec::new(), Vec::new()),
    ];
    let case = |(what, sends, answer)| Case {
        what,
        over: Over::Tcp,
        sends,
        then: Then::SaysGoodbye,
        answer,
        goodbye: None,
        counted: (|handle| handle.counters().ssl_stats.accept_fail, 1),
    };
    table.map(case).into()
}

async fn misbehave<S: AsyncRead + AsyncWrite + Unpin>(lab: &Lab, case: &Case, mut stream: S) -> Vec<u8> {
    stream.write_all(&case.sends).await.unwrap();
    match case.then {
        // The controller may have closed first.
        Then::SaysGoodbye => drop(stream.shutdown().await),
        Then::FallsSilent => the_next_one_is_unharmed(lab).await,
    }
    read_to_the_end(&mut stream).await
}

/// What stands before a goodbye, and the reason in it.
fn split_goodbye(mut answer: Vec<u8>) -> (Vec<u8>, Option<DisconnectReason>) {
    let (mut at, profile) = (0, WireProfile::built_in());
    while let Some((frame, length)) = Frame::cut(profile, 65_536, &answer[at..]).unwrap() {
        if let OwnedMessage::DisconnectNotification(goodbye) = OwnedMessage::decode(&frame, profile).unwrap()
        {
            assert_eq!(at + length, answer.len(), "a goodbye is the last message");
            answer.truncate(at);
            return (answer, Some(goodbye.reason));
        }
        at += length;
    }
    (answer, None)
}

#[tokio::test]
async fn bad_input_gets_the_documented_answer_is_counted_and_harms_nobody_else() {
    let cases = [
        broken_messages(),
        survivable_messages(),
        silences(),
        clients_without_tls(),
    ];
    for case in cases.into_iter().flatten() {
        let what = case.what;
        let lab = lab().await;
        let (answer, goodbye) = match case.over {
            Over::Tcp => (
                misbehave(&lab, &case, TcpStream::connect(lab.address).await.unwrap()).await,
                None,
            ),
            Over::Tls => {
                let mut received = misbehave(&lab, &case, raw_session(&lab).await).await;
                split_goodbye(received.split_off(CAPABILITY_LENGTH))
            }
        };
        assert_eq!((answer, goodbye), (case.answer.clone(), case.goodbye), "{what}");
        let (counter, expected) = case.counted;
        until(what, || counter(&lab.handle) == expected).await;
        the_next_one_is_unharmed(&lab).await;
        assert_eq!(counter_of_server(&lab), counters_after(&case), "{what}");
        lab.stop().await;
    }
}

/// Protocol errors, peer time-outs, handshake time-outs and failed handshakes: nothing is counted in a wrong place.
fn counter_of_server(lab: &Lab) -> [u64; 4] {
    let counters = lab.handle.counters();
    [
        counters.protocol_errors,
        counters.peer_timeouts,
        counters.handshake_timeouts,
        counters.ssl_stats.accept_fail,
    ]
}

fn counters_after(case: &Case) -> [u64; 4] {
    let survived = !case.answer.is_empty();
    match (case.over, case.then) {
        (Over::Tls, Then::SaysGoodbye) if survived => [0, 0, 0, 0],
        (Over::Tls, Then::SaysGoodbye) => [1, 0, 0, 0],
        (Over::Tls, Then::FallsSilent) => [0, 1, 0, 0],
        (Over::Tcp, Then::FallsSilent) => [0, 0, 1, 1],
        (Over::Tcp, Then::SaysGoodbye) => [0, 0, 0, 1],
    }
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
    assert_eq!(lab.handle.counters().peer_timeouts, 1);
    lab.stop().await;
}

#[tokio::test]
async fn an_address_whose_handshakes_never_end_leaves_places_for_the_others() {
    let lab = Lab::start(|config| {
        config.limits.max_handshakes = 4;
        config.limits.max_handshakes_per_address = 3;
    })
    .await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.1.1:0".parse().unwrap()).unwrap();
        stalled.push(socket.connect(lab.address).await.unwrap());
    }
    until("five are turned away", || {
        lab.handle.counters().rejected_handshakes == 5
    })
    .await;
    // Another address.
    drop(lab.connect().await);
    lab.stop().await;
}

#[tokio::test]
async fn peers_that_stall_in_the_handshake_are_dropped_and_counted() {
    let lab = Lab::start(|config| {
        config.limits.handshake_timeout = Duration::from_millis(1500);
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

/// Certificates found not valid, and location servers not admitted by the authlist.
fn refusals(lab: &Lab) -> (u64, u64) {
    let counters = lab.handle.counters();
    (
        counters.ssl_stats.verify_fail,
        counters.aaa_stats.aaa_validation_fail,
    )
}

#[tokio::test]
async fn certificates_that_are_not_admitted_are_refused_with_their_alert() {
    let lab = lab().await;
    let expired = SelfSigned {
        backdate: Duration::from_secs(7200),
        validity: Duration::ZERO,
        now: UnixTime::since_unix_epoch(Duration::from_secs(UnixTime::now().as_secs() - 3600)),
        ..SelfSigned::new(MacAddr::from([2, 8, 8, 8, 8, 8]))
    };
    let table = [
        (
            "the right MAC address with another key",
            Some(identity(LOCATION_SERVER)),
            Alert::CERTIFICATE_UNKNOWN,
            (0, 1),
        ),
        (
            "a MAC address without an entry",
            Some(identity([2, 9, 9, 9, 9, 9])),
            Alert::CERTIFICATE_UNKNOWN,
            (0, 1),
        ),
        (
            "a certificate that has expired",
            Some(Arc::new(Identity::self_signed(expired).unwrap())),
            Alert::CERTIFICATE_EXPIRED,
            (1, 0),
        ),
        ("no certificate", None, Alert::CERTIFICATE_REQUIRED, (0, 0)),
    ];
    let mut failed = 0;
    for (what, identity, alert, (invalid, not_admitted)) in table {
        for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
            let before = refusals(&lab);
            let mut tls = lab.client_tls(versions);
            tls.identity.clone_from(&identity);
            let refused = lab.try_connect(ClientConfig::new(tls)).await.unwrap_err();
            let failure = refused.diagnose();
            assert_eq!(
                (failure.alert, failure.refused_by),
                (Some(alert), Some(Side::Peer)),
                "{what}, {versions:?}: {failure}"
            );
            failed += 1;
            assert_eq!(lab.handle.counters().ssl_stats.accept_fail, failed, "{what}");
            let after = (before.0 + invalid, before.1 + not_admitted);
            assert_eq!(refusals(&lab), after, "{what}, {versions:?}");
            the_next_one_is_unharmed(&lab).await;
        }
    }
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
