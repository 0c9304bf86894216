//! DTLS 1.2, the connectionless form.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nmsp::proto::Event;
use nmsp::server::Transport;
use nmsp::transport::openssl::LegacyTransport;
use nmsp::wire::message::bodies::StationRequest;
use nmsp::wire::numbers::StatusCode;
use nmsp::wire::{MessageType, Services, StationClass};
use pki_common::{Alert, Diagnose as _, MacAddr, Rung, Side, TlsFault};
use tokio::net::UdpSocket;

use crate::controller::refused;
use crate::lab::{LegacyLab, connect};
use crate::peers::find_or_skip;
use crate::program::{Files, Program};
use crate::support::{LOCATION_SERVER, PATIENCE, authlist_with_wrong_hash, measurement, message, until};

async fn lab() -> LegacyLab {
    LegacyLab::start(LegacyTransport::dangerous_dtls(), |_| {}).await
}

#[tokio::test]
async fn measurements_arrive_and_the_status_says_dtls() {
    let lab = lab().await;
    let config = lab.client_config(Some(LegacyTransport::dangerous_dtls()));
    let mut client = connect(lab.legacy, config).await.unwrap();
    client.subscribe(Services::MEASUREMENTS).await.unwrap();
    for last in 0..50 {
        lab.handle
            .publish(&measurement(last, StationClass::CLIENT))
            .unwrap();
        let event = tokio::time::timeout(PATIENCE, client.next())
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(event, Some(Event::Notification(_))), "{event:?}");
    }
    let status = lab.handle.status();
    assert_eq!((status[0].transport, status[0].active), (Transport::Dtls, true));
    assert_eq!(status[0].mac, Some(MacAddr::from(LOCATION_SERVER)));
    client.close().await.unwrap();
    until("the controller has noticed the goodbye", || {
        lab.handle.status().iter().all(|status| !status.active)
    })
    .await;
    lab.stop().await;
}

#[tokio::test]
async fn measurements_arrive_over_ipv6() {
    if let Err(error) = std::net::UdpSocket::bind("[::1]:0") {
        // Past the test harness, which keeps what a passing test prints to itself.
        drop(writeln!(
            std::io::stderr(),
            "skipped: this machine has no ::1 ({error})"
        ));
        return;
    }
    let dtls = LegacyTransport::dangerous_dtls;
    let lab = LegacyLab::start_at("[::1]:0", dtls(), |_| {}).await;
    assert!(lab.legacy.is_ipv6());
    let mut client = connect(lab.legacy, lab.client_config(Some(dtls())))
        .await
        .unwrap();
    assert_eq!(client.controller(), lab.legacy);
    client.subscribe(Services::MEASUREMENTS).await.unwrap();
    lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
    let event = tokio::time::timeout(PATIENCE, client.next())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(event, Some(Event::Notification(_))), "{event:?}");
    assert!(lab.handle.status()[0].peer.is_ipv6());
    client.close().await.unwrap();
    lab.stop().await;
}

/// A message is one record, and nothing longer than a record can be sent. TLS over TCP carries the same messages.
#[tokio::test]
async fn a_message_longer_than_a_record_is_an_error_on_either_side_and_the_association_lives() {
    let lab = lab().await;
    let dtls = LegacyTransport::dangerous_dtls();
    let client = connect(lab.legacy, lab.client_config(Some(dtls.clone())))
        .await
        .unwrap();
    client.subscribe(Services::WIPS).await.unwrap();
    let request = |stations: u16| StationRequest {
        services: Services::RSSI_MS,
        stations: (0..stations)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                MacAddr::from([2, 0, 0, 0, high, low])
            })
            .collect(),
        access_point_groups: Vec::new(),
    };
    let error = client.measurements(request(3000)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("Measurement Request") && text.contains("at most 16384 bytes"),
        "{text}"
    );
    assert!(error.diagnose().remedy.contains("connect over TCP"));
    let answer = client.measurements(request(10)).await.unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    client.close().await.unwrap();

    let tcp = connect(lab.address, lab.client_config(None)).await.unwrap();
    let answer = tcp.measurements(request(3000)).await.unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    tcp.close().await.unwrap();
    lab.the_next_one_is_unharmed(dtls).await;
    lab.stop().await;
}

#[tokio::test]
async fn every_refusal_reaches_s_client_as_its_alert_over_dtls() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let address = lab.legacy.to_string();
    for (what, files, alert) in refused(&openssl, folder.path()).await {
        let mut arguments = vec![
            "s_client",
            "-connect",
            &address,
            "-dtls1_2",
            "-cipher",
            "AES128-SHA:@SECLEVEL=0",
        ];
        arguments.extend(files.arguments());
        let (content, text) = Program::start(&openssl, &arguments).ended().await;
        assert!(
            !content && text.contains(&format!("SSL alert number {alert}\n")),
            "{what}: {text}"
        );
    }
    lab.the_next_one_is_unharmed(LegacyTransport::dangerous_dtls())
        .await;
    lab.stop().await;
}

#[tokio::test]
async fn several_location_servers_share_the_socket_and_shutdown_says_goodbye_to_all() {
    let lab = lab().await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let config = lab.client_config(Some(LegacyTransport::dangerous_dtls()));
        let client = connect(lab.legacy, config).await.unwrap();
        client.subscribe(Services::RSSI_MS).await.unwrap();
        clients.push(client);
    }
    lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
    for client in &mut clients {
        let event = tokio::time::timeout(PATIENCE, client.next())
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(event, Some(Event::Notification(_))), "{event:?}");
    }
    lab.stop().await;
    for client in &mut clients {
        // Whether the goodbye has a reason or not: it arrives, and nobody waits for the idle time.
        drop(tokio::time::timeout(PATIENCE, client.next()).await.unwrap());
    }
}

#[tokio::test]
async fn a_wrong_hash_is_refused_with_alert_46_and_the_next_one_is_unharmed() {
    let lab = lab().await;
    let right = (*lab.authlist.load()).clone();
    lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
    let config = lab.client_config(Some(LegacyTransport::dangerous_dtls()));
    let failure = connect(lab.legacy, config).await.unwrap_err().diagnose();
    assert_eq!(
        (failure.rung, failure.refused_by, failure.alert),
        (
            Rung::Tls(TlsFault::AuthList),
            Some(Side::Peer),
            Some(Alert::CERTIFICATE_UNKNOWN)
        ),
        "{failure}"
    );
    assert_eq!(lab.handle.counters().aaa_stats.aaa_validation_fail, 1);
    lab.authlist.replace(right);
    lab.the_next_one_is_unharmed(LegacyTransport::dangerous_dtls())
        .await;
    lab.stop().await;
}

#[tokio::test]
async fn s_client_is_admitted_over_dtls() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let files = Files::of(&lab.location_server, folder.path(), "location-server");
    let address = lab.legacy.to_string();
    let mut arguments = vec![
        "s_client",
        "-connect",
        &address,
        "-dtls1_2",
        "-cipher",
        "AES128-SHA:@SECLEVEL=0",
    ];
    arguments.extend(files.arguments());
    let client = Program::start(&openssl, &arguments);
    client.says("Extended master secret: yes\n---\n").await;
    let text = client.text();
    assert!(text.contains("Cipher is AES128-SHA\n"), "{text}");
    assert!(text.contains("Protocol  : DTLSv1.2\n"), "{text}");
    until("it is admitted", || {
        lab.handle
            .status()
            .iter()
            .any(|status| status.transport == Transport::Dtls)
    })
    .await;
    lab.stop().await;
}

#[tokio::test]
async fn s_client_without_a_certificate_is_refused_over_dtls() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let lab = lab().await;
    let address = lab.legacy.to_string();
    let client = Program::start(&openssl, &["s_client", "-connect", &address, "-dtls1_2"]);
    let (content, text) = client.ended().await;
    assert!(!content && text.contains("SSL alert number 40\n"), "{text}");
    lab.the_next_one_is_unharmed(LegacyTransport::dangerous_dtls())
        .await;
    lab.stop().await;
}

#[tokio::test]
async fn connects_to_s_server_over_dtls() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let files = Files::of(&lab.controller, folder.path(), "controller");
    // s_server prints no port for datagrams, so one that was free a moment ago has to do.
    let port = UdpSocket::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let address = port.to_string();
    let mut arguments = vec![
        "s_server", "-accept", &address, "-dtls1_2", "-listen", "-Verify", "1",
    ];
    arguments.extend(["-cipher", "AES128-SHA:@SECLEVEL=0"]);
    arguments.extend(files.arguments());
    let mut server = Program::start(&openssl, &arguments);
    server.says("ACCEPT").await;
    let config = lab.client_config(Some(LegacyTransport::dangerous_dtls()));
    let connecting = connect(port, config);
    let speaking = async {
        server.says("CIPHER is AES128-SHA\n").await;
        let version = [0, 1, 0, 2, 0, 1];
        let services = [0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
        server
            .write(&message(7, 30, &[&version[..], &services].concat()))
            .await;
    };
    let (client, ()) = tokio::join!(connecting, speaking);
    client.unwrap().close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn a_stranger_gets_a_short_answer_and_no_place_until_it_returns_the_cookie() {
    let lab = lab().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(lab.legacy).await.unwrap();
    // A record with a ClientHello: version, random, no session, no cookie, one suite, no compression.
    let body = [&[0xfe, 0xfd][..], &[7; 32], &[0, 0, 0, 2, 0, 47, 1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    let handshake = [&[1, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, length][..], &body].concat();
    let record = [
        &[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, length + 12][..],
        &handshake,
    ]
    .concat();
    for garbage in [&record[..20], b"no DTLS at all", &[], &record[..]] {
        socket.send(garbage).await.unwrap();
    }
    let mut answer = [0; 2048];
    let received = tokio::time::timeout(PATIENCE, socket.recv(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((answer[0], answer[13]), (22, 3), "a HelloVerifyRequest");
    // A cookie of 32 bytes, and no more than that.
    assert_eq!(received, 13 + 12 + 3 + 32);
    assert_eq!(lab.handle.counters().ssl_stats.accept_attempts, 0);
    lab.the_next_one_is_unharmed(LegacyTransport::dangerous_dtls())
        .await;
    assert_eq!(lab.handle.counters().ssl_stats.accept_attempts, 1);
    lab.stop().await;
}

#[tokio::test]
async fn a_record_that_is_no_message_is_dropped_and_the_association_lives() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let (lab, folder) = (lab().await, tempfile::tempdir().unwrap());
    let files = Files::of(&lab.location_server, folder.path(), "location-server");
    let address = lab.legacy.to_string();
    let mut arguments = vec!["s_client", "-connect", &address, "-dtls1_2", "-quiet"];
    arguments.extend(files.arguments());
    let mut client = Program::start(&openssl, &arguments);
    until("it is admitted", || {
        lab.handle.status().iter().any(|status| status.active)
    })
    .await;
    client.write(b"half a message\n").await;
    let echoed = || {
        let status = lab.handle.status();
        status
            .iter()
            .any(|status| status.active && status.counters.rx(MessageType::EchoRequest) > 0)
    };
    // s_client makes a record of what it reads at once; the first echo request may share one with the half message.
    let echoing = async {
        while !echoed() {
            client.write(&message(1, 12, b"")).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, echoing).await.unwrap();
    assert_eq!(lab.handle.counters().protocol_errors, 0);
    lab.stop().await;
}

/// Forwards datagrams between one client and the controller, and loses one datagram of the handshake; whether it has.
async fn lossy_proxy(controller: SocketAddr, lost: usize) -> (SocketAddr, Arc<AtomicBool>) {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    back.connect(controller).await.unwrap();
    let address = front.local_addr().unwrap();
    let has_lost = Arc::new(AtomicBool::new(false));
    let loses = Arc::clone(&has_lost);
    tokio::spawn(async move {
        let (mut from_client, mut from_controller) = (vec![0; 65_535], vec![0; 65_535]);
        let (mut client, mut seen) = (None, 0);
        loop {
            let (datagram, to_controller) = tokio::select! {
                received = front.recv_from(&mut from_client) => {
                    let Ok((length, peer)) = received else { return };
                    client = Some(peer);
                    (&from_client[..length], true)
                }
                received = back.recv(&mut from_controller) => {
                    let Ok(length) = received else { return };
                    (&from_controller[..length], false)
                }
            };
            // Application data (content type 23) has nobody who would repeat it.
            if datagram[0] != 23 {
                seen += 1;
                if seen == lost {
                    loses.store(true, Ordering::Relaxed);
                    continue;
                }
            }
            let sent = match (to_controller, client) {
                (true, _) => back.send(datagram).await,
                (false, Some(client)) => front.send_to(datagram, client).await,
                (false, None) => continue,
            };
            if sent.is_err() {
                return;
            }
        }
    });
    (address, has_lost)
}

/// How many datagrams a handshake has at least: hello, cookie, hello again, and three flights.
const FLIGHTS: usize = 6;

#[tokio::test]
async fn whichever_datagram_of_the_handshake_is_lost_it_is_repaired() {
    let lab = LegacyLab::start(LegacyTransport::dangerous_dtls(), |config| {
        config.limits.handshake_timeout = PATIENCE;
    })
    .await;
    let mut connecting = tokio::task::JoinSet::new();
    for lost in 1..=FLIGHTS {
        let (address, has_lost) = lossy_proxy(lab.legacy, lost).await;
        let mut config = lab.client_config(Some(LegacyTransport::dangerous_dtls()));
        config.handshake_timeout = PATIENCE;
        config.connection.capability_timeout = PATIENCE;
        connecting.spawn(async move {
            let client = connect(address, config)
                .await
                .unwrap_or_else(|error| panic!("{lost}: {error}"));
            let outcome = client.subscribe(Services::RSSI_MS).await.unwrap();
            assert_eq!(outcome.accepted, Services::RSSI_MS);
            assert!(has_lost.load(Ordering::Relaxed), "datagram {lost} was not lost");
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while let Some(done) = connecting.join_next().await {
        done.unwrap();
    }
    assert_eq!(lab.handle.counters().ssl_stats.accept_success, 6);
    lab.stop().await;
}
