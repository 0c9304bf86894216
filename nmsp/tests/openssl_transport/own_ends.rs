//! Both ends are ours.

use nmsp::proto::Event;
use nmsp::server::Transport;
use nmsp::transport::openssl::{LegacyTransport, LegacyVersion};
use nmsp::wire::{Services, StationClass};
use pki_common::{Alert, Diagnose as _, Rung, Side, TlsFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::lab::{LegacyLab, connect};
use crate::support::{PATIENCE, measurement, until};

#[tokio::test]
async fn measurements_arrive_in_every_version() {
    let lab = LegacyLab::start(LegacyTransport::dangerous_tls(), |_| {}).await;
    for version in [LegacyVersion::Tls10, LegacyVersion::Tls11, LegacyVersion::Tls12] {
        let transport = LegacyTransport::dangerous_tls_versions(version, version);
        let mut client = connect(lab.legacy, lab.client_config(Some(transport)))
            .await
            .unwrap();
        client.subscribe(Services::MEASUREMENTS).await.unwrap();
        for last in 0..200 {
            lab.handle
                .publish(&measurement(last, StationClass::CLIENT))
                .unwrap();
        }
        let mut stations = 0;
        while stations < 200 {
            let event = tokio::time::timeout(PATIENCE, client.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            if let Event::Notification(frame) = event {
                stations += frame.measurement().unwrap().stations().count();
            }
        }
        let status = lab.handle.status();
        let live = status.iter().find(|status| status.active).unwrap();
        assert_eq!(live.transport, Transport::LegacyTls);
        client.close().await.unwrap();
        until("the connection has ended", || {
            lab.handle.status().iter().all(|status| !status.active)
        })
        .await;
    }
    lab.stop().await;
}

#[tokio::test]
async fn normal_and_old_transport_refuse_each_other_and_say_so() {
    let only_tls10 = LegacyTransport::dangerous_tls_versions(LegacyVersion::Tls10, LegacyVersion::Tls10);
    let lab = LegacyLab::start(only_tls10.clone(), |_| {}).await;
    let normal_client = connect(lab.legacy, lab.client_config(None))
        .await
        .unwrap_err()
        .diagnose();
    let old_client = connect(lab.address, lab.client_config(Some(only_tls10.clone())))
        .await
        .unwrap_err()
        .diagnose();
    // To rustls the hello of TLS 1.0 lacks what version 1.2 must have before its version is looked at.
    for (failure, alert) in [
        (normal_client, Alert::PROTOCOL_VERSION),
        (old_client, Alert::HANDSHAKE_FAILURE),
    ] {
        assert_eq!(
            (failure.rung, failure.refused_by, failure.alert),
            (Rung::Tls(TlsFault::Protocol), Some(Side::Peer), Some(alert)),
            "{failure}"
        );
    }
    lab.the_next_one_is_unharmed(only_tls10).await;
    lab.stop().await;
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_closed_and_counted() {
    let lab = LegacyLab::start(LegacyTransport::dangerous_tls(), |_| {}).await;
    let mut stream = TcpStream::connect(lab.legacy).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: controller\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(end.is_ok(), "the controller keeps the connection open");
    until("the failure is counted", || {
        lab.handle.counters().ssl_stats.accept_fail == 1
    })
    .await;
    lab.the_next_one_is_unharmed(LegacyTransport::dangerous_tls())
        .await;
    lab.stop().await;
}
