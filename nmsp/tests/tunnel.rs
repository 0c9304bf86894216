//! Controller and location server over mutual TLS on loopback.
#![cfg(feature = "tokio")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

mod support;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use nmsp::client::{Client, ClientConfig};
use nmsp::proto::{ConnectionConfig, Event};
use nmsp::server::{Server, ServerConfig};
use nmsp::wire::message::Measurement;
use nmsp::wire::{MessageType, Services, StationClass, SubscribeStatus};
use pki_common::tls::{ClientTls, PeerVerifier, ServerTls, TlsVersions};
use pki_common::{Alert, Diagnose as _, Rung, Side, TlsFault};
use support::{
    CONTROLLER, LOCATION_SERVER, Lab, PATIENCE, authlist_of, authlist_with_wrong_hash, identity, measurement,
    until,
};

async fn next_measurements(client: &mut Client) -> (u32, Vec<Measurement>) {
    let next = async {
        loop {
            if let Some(Event::Notification(frame)) = client.next().await.unwrap() {
                break (
                    frame.sequence(),
                    frame
                        .measurement()
                        .expect("a measurement")
                        .stations()
                        .map(|station| station.to_owned())
                        .collect(),
                );
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap()
}

#[tokio::test]
async fn measurements_reach_a_subscriber_in_order_over_both_tls_versions() {
    let lab = Lab::start(|config| config.connection.services = Services::MEASUREMENTS).await;
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let mut client = lab
            .try_connect(ClientConfig::new(lab.client_tls(versions)))
            .await
            .unwrap();
        assert_eq!(client.capability().services, Services::MEASUREMENTS);
        let outcome = client
            .subscribe(Services::RSSI_MS | Services::WIPS)
            .await
            .unwrap();
        assert_eq!(outcome.status, SubscribeStatus::PARTLY_ACCEPTED);
        let all: Vec<_> = (1..=50)
            .map(|last| measurement(last, StationClass::CLIENT))
            .collect();
        for (client, last) in all.iter().zip(1..) {
            assert_eq!(lab.handle.publish(client).unwrap(), 1);
            let tag = measurement(last, StationClass::RFID_TAG);
            assert_eq!(lab.handle.publish(&tag).unwrap(), 0);
        }
        let (mut received, mut sequence) = (Vec::new(), 0);
        while received.len() < all.len() {
            let (number, measurements) = next_measurements(&mut client).await;
            sequence += 1;
            assert_eq!(number, sequence);
            received.extend(measurements);
        }
        assert_eq!(received, all);
        client.close().await.unwrap();
        until("the connection is gone", || {
            lab.handle.status().iter().all(|status| !status.active)
        })
        .await;
    }
    let counters = lab.handle.counters();
    assert_eq!(
        (
            counters.ssl_stats.accept_success,
            counters.aaa_stats.aaa_validation_success
        ),
        (2, 2)
    );
    assert_eq!(counters.ssl_stats.connection_closed, 2);
    lab.stop().await;
}

#[tokio::test]
async fn measurements_travel_over_ipv6() {
    if let Err(error) = std::net::TcpListener::bind("[::1]:0") {
        // Past the test harness, which keeps what a passing test prints to itself.
        drop(writeln!(
            std::io::stderr(),
            "skipped: this machine has no ::1 ({error})"
        ));
        return;
    }
    let lab = Lab::start_at("[::1]:0", |_| {}).await;
    assert!(lab.address.is_ipv6());
    let mut client = lab.connect().await;
    assert_eq!(client.controller(), lab.address);
    client.subscribe(Services::RSSI_MS).await.unwrap();
    lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
    let expected = (1, vec![measurement(1, StationClass::CLIENT)]);
    assert_eq!(next_measurements(&mut client).await, expected);
    let table = nmsp::show::show_nmsp_status(&lab.handle.status());
    assert!(table.contains("::1"), "{table}");
    lab.stop().await;
}

#[tokio::test]
async fn a_measurement_that_fits_no_message_is_refused_and_those_before_it_are_sent() {
    let lab = Lab::start(|_| {}).await;
    let mut client = lab.connect().await;
    client.subscribe(Services::RSSI_MS).await.unwrap();
    let good = measurement(1, StationClass::CLIENT);
    let mut oversized = measurement(2, StationClass::CLIENT);
    oversized.access_points = vec![oversized.access_points[0]; 6000];
    let publisher = lab.handle.publisher();
    for sequence in 1..=2 {
        let error = publisher
            .publish(&[good.clone(), oversized.clone(), good.clone()])
            .unwrap_err();
        assert_eq!(error.diagnose().rung, Rung::Local, "{error}");
        assert_eq!(
            next_measurements(&mut client).await,
            (sequence, vec![good.clone()])
        );
    }
    lab.stop().await;
}

#[tokio::test]
async fn times_without_end_are_allowed() {
    let forever = |config: &mut ConnectionConfig| {
        config.idle_timeout = Duration::MAX;
        config.echo_interval = Duration::MAX;
        config.request_timeout = Duration::MAX;
        config.capability_timeout = Duration::MAX;
    };
    let lab = Lab::start(|config| {
        forever(&mut config.connection);
        config.limits.handshake_timeout = Duration::MAX;
    })
    .await;
    let mut config = lab.client_config();
    forever(&mut config.connection);
    (config.connect_timeout, config.handshake_timeout) = (Duration::MAX, Duration::MAX);
    let client = lab.try_connect(config).await.unwrap();
    client.subscribe(Services::RSSI_MS).await.unwrap();
    client.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn several_subscribers_each_get_what_they_asked_for() {
    let lab = Lab::start(|_| {}).await;
    let (mut clients, mut tags) = (lab.connect().await, lab.connect().await);
    clients.subscribe(Services::RSSI_MS).await.unwrap();
    tags.subscribe(Services::RSSI_RFID).await.unwrap();
    let batch = [
        measurement(1, StationClass::CLIENT),
        measurement(2, StationClass::CLIENT),
        measurement(3, StationClass::RFID_TAG),
    ];
    assert_eq!(lab.handle.publisher().publish(&batch).unwrap(), 3);
    assert_eq!(next_measurements(&mut clients).await, (1, batch[..2].to_vec()));
    assert_eq!(next_measurements(&mut tags).await, (1, batch[2..].to_vec()));
    lab.stop().await;
    assert!(
        matches!(clients.next().await, Ok(None)),
        "a shutdown says goodbye"
    );
}

#[tokio::test]
async fn a_second_subscription_replaces_the_first() {
    let lab = Lab::start(|_| {}).await;
    let client = lab.connect().await;
    for services in [Services::RSSI_MS, Services::RSSI_RFID, Services::NONE] {
        assert_eq!(client.subscribe(services).await.unwrap().accepted, services);
        assert_eq!(lab.handle.status()[0].subscriptions, services);
    }
    assert_eq!(
        lab.handle
            .publish(&measurement(1, StationClass::RFID_TAG))
            .unwrap(),
        0
    );
    lab.stop().await;
}

#[tokio::test]
async fn echo_requests_keep_an_idle_connection_alive_and_are_counted_on_both_sides() {
    let lab = Lab::start(|config| config.connection.idle_timeout = Duration::from_secs(3)).await;
    let mut config = lab.client_config();
    config.connection.echo_interval = Duration::from_millis(200);
    let client = lab.try_connect(config).await.unwrap();
    until("twenty echoes", || {
        client.counters().rx(MessageType::EchoResponse) >= 20
    })
    .await;
    let status = lab.handle.status();
    assert!(status[0].active && status[0].counters.rx(MessageType::EchoRequest) >= 20);
    let table = nmsp::show::show_nmsp_status(&status);
    assert!(table.contains("127.0.0.1"), "{table}");
    lab.stop().await;
}

#[tokio::test]
async fn a_controller_drops_a_location_server_that_falls_silent() {
    let lab = Lab::start(|config| config.connection.idle_timeout = Duration::from_millis(300)).await;
    let mut config = lab.client_config();
    config.connection.echo_interval = Duration::from_secs(3600);
    let mut client = lab.try_connect(config).await.unwrap();
    let ended =
        tokio::time::timeout(PATIENCE, async { while let Ok(Some(_)) = client.next().await {} }).await;
    assert!(ended.is_ok());
    until("the controller has let go", || {
        lab.handle.status().iter().all(|status| !status.active)
    })
    .await;
    lab.stop().await;
}

#[tokio::test]
async fn a_client_notices_a_controller_that_no_longer_answers() {
    // A bare TLS peer that sends one Capability Notification and then only listens.
    let (controller, location_server) = (identity(CONTROLLER), identity(LOCATION_SERVER));
    let config = ServerConfig::new(
        Arc::clone(&controller),
        PeerVerifier::authlist(authlist_of(&location_server)),
    );
    let acceptor = tokio_rustls::TlsAcceptor::from(config.tls.rustls_config().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mute = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        let capability = hex::decode("010000070000001e00000001000100020001000200080000000000000001").unwrap();
        stream.write_all(&capability).await.unwrap();
        stream.flush().await.unwrap();
        while stream.read(&mut [0; 100]).await.is_ok_and(|length| length > 0) {}
    });
    let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&controller))).with_identity(location_server);
    let mut config = ClientConfig::new(tls);
    config.connection.echo_interval = Duration::from_millis(50);
    let mut client = Client::connect(&address.to_string(), config).await.unwrap();
    let error = tokio::time::timeout(PATIENCE, client.next())
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("3 echo requests in a row went unanswered"),
        "{error}"
    );
    tokio::time::timeout(PATIENCE, mute).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_authlist_refusal_reaches_the_client_as_alert_46_of_the_peer() {
    let lab = Lab::start(|_| {}).await;
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        let error = lab
            .try_connect(ClientConfig::new(lab.client_tls(versions)))
            .await
            .unwrap_err();
        let failure = error.diagnose();
        assert_eq!(
            failure.alert,
            Some(Alert::CERTIFICATE_UNKNOWN),
            "{versions:?}: {failure}"
        );
        assert_eq!(failure.refused_by, Some(Side::Peer), "{versions:?}: {failure}");
        assert_eq!(
            failure.rung,
            Rung::Tls(TlsFault::AuthList),
            "{versions:?}: {failure}"
        );
    }
    let counters = lab.handle.counters();
    assert_eq!(
        (
            counters.ssl_stats.accept_fail,
            counters.aaa_stats.aaa_validation_fail
        ),
        (2, 2)
    );
    assert_eq!(
        (
            counters.ssl_stats.verify_success,
            counters.ssl_stats.accept_success
        ),
        (2, 0)
    );

    lab.authlist
        .replace((*authlist_of(&lab.location_server).load()).clone());
    lab.connect().await.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn a_client_refuses_a_controller_that_its_authlist_does_not_admit() {
    let lab = Lab::start(|_| {}).await;
    let stranger = identity([2, 2, 2, 2, 2, 2]);
    let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&stranger)))
        .with_identity(Arc::clone(&lab.location_server));
    let failure = lab
        .try_connect(ClientConfig::new(tls))
        .await
        .unwrap_err()
        .diagnose();
    assert_eq!(
        (failure.rung, failure.refused_by),
        (Rung::Tls(TlsFault::AuthList), Some(Side::Local)),
        "{failure}"
    );
    lab.connect().await.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn another_identity_can_be_put_in_place_while_connections_run() {
    let lab = Lab::start(|_| {}).await;
    let before = lab.connect().await;
    let successor = identity([0, 0x3a, 0x7d, 0, 0, 2]);
    let config = ServerConfig::new(
        Arc::clone(&successor),
        PeerVerifier::authlist(lab.authlist.clone()),
    );
    lab.handle.replace_tls(config.tls).unwrap();
    let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&successor)))
        .with_identity(Arc::clone(&lab.location_server));
    let after = lab.try_connect(ClientConfig::new(tls)).await.unwrap();
    assert!(before.subscribe(Services::RSSI_MS).await.is_ok());
    assert!(after.subscribe(Services::RSSI_MS).await.is_ok());
    lab.stop().await;
}

#[tokio::test]
async fn a_controller_without_client_authentication_is_refused_at_the_start() {
    let mut config = ServerConfig::new(
        identity(CONTROLLER),
        PeerVerifier::authlist(authlist_of(&identity(CONTROLLER))),
    );
    config.tls.resumption = true;
    let error = Server::bind("127.0.0.1:0", config.clone()).await.unwrap_err();
    assert!(error.to_string().contains("resumption"), "{error}");
    config.tls = ServerTls::new(identity(CONTROLLER));
    let error = Server::bind("127.0.0.1:0", config).await.unwrap_err();
    assert!(error.to_string().contains("require a certificate"), "{error}");
}

#[tokio::test]
async fn unreachable_controllers_are_told_apart_by_rung() {
    let lab = Lab::start(|_| {}).await;
    let config = lab.client_config();
    let rung = async |address: &str| {
        Client::connect(address, config.clone())
            .await
            .unwrap_err()
            .diagnose()
            .rung
    };
    // Longer than a name in DNS can be, so that no resolver asks the network about it.
    let impossible = format!("{}:16113", "a".repeat(300));
    assert_eq!(rung(&impossible).await, Rung::NameResolution);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    assert_eq!(rung(&free.to_string()).await, Rung::Tcp);
    lab.stop().await;
}
