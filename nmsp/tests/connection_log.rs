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
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, TlsVersions};
use pki_common::trust_store::TrustStore;
use support::{
    LOCATION_SERVER, Lab, authlist_of, authlist_with_wrong_hash, identity, measurement, message,
    raw_handshake, until,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

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

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of the server's connection trace, without level and module, the changing number written as `SSL`. A
    /// flight that TCP delivers in several pieces makes the receive loop turn more often; the turns are shown once.
    fn trace(&self) -> Vec<String> {
        let text = self.text();
        let lines = text
            .lines()
            .filter_map(|line| line.split_once("nmsp::server::trace: "))
            .map(|(_, line)| line);
        let lines: Vec<&str> = lines.collect();
        let ssl = lines
            .iter()
            .find_map(|line| line.strip_prefix("sslConnectionInit: SSL_new() conn ssl "));
        let Some(ssl) = ssl else { return Vec::new() };
        assert!(
            ssl.len() == 8 && ssl.chars().all(|c| c.is_ascii_hexdigit()),
            "{ssl}"
        );
        let mut trace: Vec<String> = Vec::new();
        for line in lines {
            trace.push(line.replace(ssl, "SSL"));
            let repeated = trace.len() >= 4
                && trace[trace.len() - 2..] == trace[trace.len() - 4..trace.len() - 2]
                && trace[trace.len() - 1].starts_with("returning WANT_READ");
            if repeated {
                trace.truncate(trace.len() - 2);
            }
        }
        trace
    }
}

/// The vendor's sequence, number by number, without the states inside OpenSSL that rustls does not show.
const F001_20: [&str; 5] = [
    "Allocated new NMSP connection 0",
    "sslConnectionInit: SSL_new() conn ssl SSL",
    "sslConnectionInit: SSL_do_handshake for conn ssl SSL, conn state: INIT, SSL state: HANDSHAKING",
    "returning WANT_READ for conn ssl SSL",
    "sslConnectionInit() success with conn state: INIT, SSL state: HANDSHAKING",
];
const F001_21: [&str; 2] = [
    "doSSLRecvLoop: Handshake has not completed for conn 0",
    "returning WANT_READ for conn ssl SSL",
];
const F001_22: [&str; 4] = [
    "doSSLRecvLoop: Handshake has not completed for conn 0",
    "Peer certificate Validation Done for conn ssl SSL, calling authlist..",
    "Authlist authentication successful for conn ssl SSL",
    "Peer validated against the AuthList",
];
const F001_23: [&str; 2] = [
    "SSL_do_handshake() success for conn ssl SSL",
    "NMSP connection success! conn 0",
];
const F001_26: [&str; 4] = [
    "doSSLRecvLoop: Handshake has not completed for conn 0",
    "Peer certificate Validation Done for conn ssl SSL, calling authlist..",
    "Authlist authentication failed for conn ssl SSL",
    "Peer is not validated against the AuthList",
];
const F001_27: [&str; 6] = [
    "SSL state = 0x2182; where = 0x4008; ret = 0x22e",
    "ret_type_string=fatal",
    "ret_desc_string=certificate unknown",
    "SSL state = 0x2182; where = 0x2002; ret = 0xffffffff",
    "ret_type_string=unknown",
    "ret_desc_string=unknown",
];
const F001_28: [&str; 2] = [
    "handshake failed for conn ssl SSL, ssl_err 1 error = error:140890B2:SSL routines:\
     SSL3_GET_CLIENT_CERTIFICATE:no certificate returned",
    "Freeing Nmsp conn ssl SSL, conn id 0",
];
const F001_30: &str = "sending NMSP_APP_MEAS_NOTIFY_MSG to LocServer 0";

const BOTH_VERSIONS: [TlsVersions; 2] = [TlsVersions::Tls12, TlsVersions::Tls13];

/// Connects as the vendor's location server did: TCP first, TLS when the controller waits for it. Without the pause the
/// ClientHello could arrive before the controller's first look.
async fn handshake(
    lab: &Lab,
    captured: &Captured,
    versions: TlsVersions,
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(lab.address).await?;
    until("the controller waits", || {
        captured.text().contains("sslConnectionInit() success")
    })
    .await;
    raw_handshake(&lab.client_tls(versions), stream).await
}

async fn freed(captured: &Captured) -> Vec<String> {
    let is_last = |lines: &[String]| lines.last().is_some_and(|line| line.starts_with("Freeing"));
    until("freed", || is_last(&captured.trace())).await;
    captured.trace()
}

/// What is said about the meaning of a failure: a line of ours, just before the connection is freed.
fn take_meaning(trace: &mut Vec<String>) -> String {
    let meaning = trace.remove(trace.len() - 2);
    assert!(
        meaning.starts_with("meaning of conn ssl SSL: rung: "),
        "{meaning}"
    );
    meaning
}

#[tokio::test]
async fn a_successful_connection_reads_like_the_vendors_trace() {
    for versions in BOTH_VERSIONS {
        let (captured, _guard) = Captured::start();
        let lab = Lab::start(|_| {}).await;
        let mut session = handshake(&lab, &captured, versions).await.unwrap();
        let services = [0, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
        session.write_all(&message(30, 24, &services)).await.unwrap();
        until("subscribed", || {
            let status = lab.handle.status();
            status
                .first()
                .is_some_and(|peer| peer.subscriptions == Services::RSSI_MS)
        })
        .await;
        lab.handle.publish(&measurement(1, StationClass::CLIENT)).unwrap();
        until("sent", || captured.trace().iter().any(|line| line == F001_30)).await;
        session.shutdown().await.unwrap();
        let expected = [
            &F001_20[..],
            &F001_21,
            &F001_22,
            &F001_23,
            &[
                F001_30,
                "NMSP connection closed: conn 0: closed by the peer",
                "Freeing Nmsp conn ssl SSL, conn id 0",
            ],
        ];
        assert_eq!(freed(&captured).await, expected.concat(), "{versions:?}");
        lab.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_key_hash_reads_like_the_vendors_trace_and_says_what_it_means() {
    for versions in BOTH_VERSIONS {
        let (captured, _guard) = Captured::start();
        let lab = Lab::start(|_| {}).await;
        lab.authlist.replace(authlist_with_wrong_hash(LOCATION_SERVER));
        let outcome = handshake(&lab, &captured, versions).await;
        // In TLS 1.3 the location server is done before the controller judges its certificate.
        assert_eq!(outcome.is_err(), versions == TlsVersions::Tls12, "{outcome:?}");
        let mut trace = freed(&captured).await;
        let meaning = take_meaning(&mut trace);
        let expected = [&F001_20[..], &F001_21, &F001_26, &F001_27, &F001_28];
        assert_eq!(trace, expected.concat(), "{versions:?}");
        // The vendor's last words are "no certificate returned"; ours name the authlist and both hashes (F001-29).
        let hash = lab
            .location_server
            .certificate()
            .key_hash(pki_common::HashAlgorithm::Sha256)
            .to_string();
        for part in [
            "TLS (authlist), refused by this side",
            "pins another key",
            &hash,
            "; remedy: ",
        ] {
            assert!(meaning.contains(part), "{part}: {meaning}");
        }
        lab.stop().await;
    }
}

#[tokio::test]
async fn without_an_authlist_the_log_does_not_say_that_it_asks_one() {
    let (captured, _guard) = Captured::start();
    let location_server = identity(LOCATION_SERVER);
    let mut anchors = TrustStore::empty("location servers");
    anchors.add(location_server.certificate()).unwrap();
    let mut lab = Lab::start(|config| {
        let peers = PeerVerifier::trust_store(Arc::new(anchors));
        config.tls.client_authentication = ClientAuthentication::Required(peers);
    })
    .await;
    lab.location_server = location_server;
    let mut session = handshake(&lab, &captured, TlsVersions::Tls13).await.unwrap();
    session.shutdown().await.unwrap();
    let expected = [
        &F001_20[..],
        &F001_21,
        &[
            F001_22[0],
            "Peer certificate Validation Done for conn ssl SSL, no authlist is configured",
        ],
        &F001_23,
        &[
            "NMSP connection closed: conn 0: closed by the peer",
            "Freeing Nmsp conn ssl SSL, conn id 0",
        ],
    ];
    assert_eq!(freed(&captured).await, expected.concat());
    assert_eq!(lab.handle.counters().aaa_stats.aaa_request, 0);
    lab.stop().await;
}

#[tokio::test]
async fn an_alert_of_the_location_server_is_logged_as_read() {
    let (captured, _guard) = Captured::start();
    let lab = Lab::start(|_| {}).await;
    let stranger = PeerVerifier::authlist(authlist_of(&identity([2, 2, 2, 2, 2, 2])));
    let tls = ClientTls::new(stranger).with_identity(Arc::clone(&lab.location_server));
    let stream = TcpStream::connect(lab.address).await.unwrap();
    raw_handshake(&tls, stream).await.unwrap_err();
    let mut trace = freed(&captured).await;
    let meaning = take_meaning(&mut trace);
    assert!(
        meaning.contains("refused by the peer with alert 46 certificate_unknown"),
        "{meaning}"
    );
    let end = [
        "where = 0x4004; ret = 0x22e",
        "ret_type_string=fatal",
        "ret_desc_string=certificate unknown",
        "handshake failed for conn ssl SSL, ssl_err 1 error = received fatal alert: CertificateUnknown",
        "Freeing Nmsp conn ssl SSL, conn id 0",
    ];
    assert!(trace.ends_with(&end.map(str::to_owned)), "{trace:#?}");
    lab.stop().await;
}

#[tokio::test]
async fn the_error_number_tells_tls_from_the_transport_below_it() {
    let table: [(&[u8], &str); 2] = [
        (
            b"GET / HTTP/1.0\r\n\r\n",
            "handshake failed for conn ssl SSL, ssl_err 1 error = ",
        ),
        (b"", "handshake failed for conn ssl SSL, ssl_err 5 error = "),
    ];
    for (bytes, expected) in table {
        let (captured, _guard) = Captured::start();
        let lab = Lab::start(|_| {}).await;
        let mut stream = TcpStream::connect(lab.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let trace = freed(&captured).await;
        assert!(
            trace.iter().any(|line| line.starts_with(expected)),
            "{expected}: {trace:#?}"
        );
        lab.stop().await;
    }
}
