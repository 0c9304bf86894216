//! What one peer may use up, and what a shutdown leaves behind: nothing.

use std::time::Duration;

use bytes::BytesMut;
use nmsp::proto::CloseReason;
use nmsp::wire::message::bodies::StationRequest;
use nmsp::wire::numbers::DisconnectReason;
use nmsp::wire::{MessageType, Services, StationClass};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::peer::Peer;
use crate::support::{Lab, PATIENCE, measurement, message, until};

/// Whether the controller turns a TCP connection away at once.
async fn is_turned_away(lab: &Lab) -> bool {
    let mut stream = TcpStream::connect(lab.address).await.unwrap();
    let mut byte = [0; 1];
    let ended = tokio::time::timeout(PATIENCE, stream.read(&mut byte));
    !matches!(ended.await.unwrap(), Ok(length) if length > 0)
}

#[tokio::test]
async fn one_address_gets_so_many_connections_and_another_place_when_one_ends() {
    let lab = Lab::start(|config| config.limits.max_connections_per_address = 2).await;
    let (first, mut second) = (Peer::connect(&lab).await, Peer::connect(&lab).await);
    assert!(is_turned_away(&lab).await);
    let counters = lab.handle.counters();
    assert_eq!(
        (counters.rejected_per_address, counters.ssl_stats.accept_reject),
        (1, 1)
    );
    second.subscribe_services(Services::RSSI_MS).await;
    drop(first);
    until("there is room", || {
        lab.handle.status().iter().filter(|status| status.active).count() == 1
    })
    .await;
    Peer::connect(&lab).await;
    lab.stop().await;
}

#[tokio::test]
async fn one_address_may_come_so_often_in_a_second() {
    let lab = Lab::start(|config| {
        config.limits.max_new_connections_per_second = 3;
        config.limits.max_connections_per_address = 1000;
    })
    .await;
    let mut admitted = Peer::connect(&lab).await;
    let mut waiting = Vec::new();
    while lab.handle.counters().rejected_rate == 0 {
        waiting.push(TcpStream::connect(lab.address).await.unwrap());
        tokio::task::yield_now().await;
    }
    admitted.subscribe_services(Services::RSSI_MS).await;
    drop(waiting);
    lab.stop().await;
}

#[tokio::test]
async fn a_peer_that_sends_too_much_is_slowed_down_and_everything_is_answered() {
    const ECHOES: usize = 60;
    let lab = Lab::start(|config| config.limits.max_messages_per_second = 20).await;
    let mut peer = Peer::connect(&lab).await;
    let mut quiet = Peer::connect(&lab).await;
    for _ in 0..ECHOES {
        peer.send_raw(&message(1, 12, b"")).await;
    }
    quiet.subscribe_services(Services::RSSI_MS).await;
    let (mut answered, mut buffer) = (0, [0; 1024]);
    while answered < ECHOES * 12 {
        answered += peer.read_raw(&mut buffer).await;
    }
    let counters = lab.handle.counters();
    assert!(counters.throttled > 0, "{counters:?}");
    assert_eq!(lab.handle.status()[0].counters.rx(MessageType::EchoRequest), 60);
    lab.stop().await;
}

#[tokio::test]
async fn a_peer_that_asks_for_much_and_reads_nothing_is_given_up_and_harms_nobody() {
    use nmsp::wire::message::Measurement;
    use nmsp::wire::{OwnedMessage, WireProfile};

    let lab = Lab::start(|config| config.connection.idle_timeout = Duration::from_millis(1500)).await;
    let mut peer = Peer::connect(&lab).await;
    let stations: Vec<Measurement> = (0..3000_u16)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let mut station = measurement(0, StationClass::CLIENT);
            station.station = [2, 0, 0, 0, high, low].into();
            station.access_points = vec![station.access_points[0]; 400];
            station
        })
        .collect();
    lab.handle.store().observe(&stations).unwrap();
    let request = OwnedMessage::MeasurementRequest(StationRequest {
        services: Services::RSSI_MS,
        ..StationRequest::default()
    });
    let mut requests = BytesMut::new();
    for transaction in 100..110 {
        request
            .encode(transaction, WireProfile::built_in(), &mut requests)
            .unwrap();
    }
    peer.send_raw(&requests).await;
    until("it is given up", || lab.handle.counters().peer_timeouts == 1).await;
    until("it is gone", || !lab.handle.status()[0].active).await;
    Peer::connect(&lab)
        .await
        .subscribe_services(Services::RSSI_MS)
        .await;
    lab.stop().await;
}

#[tokio::test]
async fn a_shutdown_sends_what_waits_and_says_goodbye_with_its_reason() {
    let lab = Lab::start(|_| {}).await;
    let mut peer = Peer::connect(&lab).await;
    peer.subscribe_services(Services::RSSI_MS).await;
    let store = lab.handle.store();
    store.observe(&[measurement(1, StationClass::CLIENT)]).unwrap();
    assert_eq!(peer.measurements().await.0, 1);
    // These wait for the interval.
    let waiting: Vec<_> = (2..=200)
        .map(|last| measurement(last, StationClass::CLIENT))
        .collect();
    store.observe(&waiting).unwrap();
    let handle = lab.handle.clone();
    let stopping = tokio::spawn(lab.stop());
    assert_eq!(peer.measurements().await.1, waiting);
    let CloseReason::Disconnected { reason, .. } = peer.end().await else {
        panic!("no goodbye");
    };
    assert_eq!(reason, DisconnectReason::SHUTTING_DOWN);
    drop(peer);
    stopping.await.unwrap();
    assert!(handle.status().iter().all(|status| !status.active));
}
