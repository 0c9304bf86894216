//! A controller and the credentials of a location server, over real sockets and TLS.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nmsp::client::{Client, ClientConfig};
use nmsp::server::{Server, ServerConfig, ServerHandle};
use nmsp::wire::message::{AccessPointReading, Measurement, Timestamp};
use nmsp::wire::{Band, StationClass};
use pki_common::authlist::{AuthList, AuthListEntry, AuthListType, SharedAuthList};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier, TlsVersions};
use pki_common::{HashAlgorithm, KeyHash, MacAddr};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const LOCATION_SERVER: [u8; 6] = [0x00, 0x50, 0x56, 0x9c, 0x34, 0x89];
pub(crate) const CONTROLLER: [u8; 6] = [0x00, 0x3a, 0x7d, 0x00, 0x00, 0x01];

/// Longer than anything here takes, so that a bug shows as a failure and not as a hanging test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn identity(mac: [u8; 6]) -> Arc<Identity> {
    Arc::new(Identity::self_signed(SelfSigned::new(MacAddr::from(mac))).unwrap())
}

pub(crate) fn entry(identity: &Identity, list_type: AuthListType) -> AuthListEntry {
    let algorithm = match list_type {
        AuthListType::LbsSsc => HashAlgorithm::Sha1,
        _ => HashAlgorithm::Sha256,
    };
    AuthListEntry {
        mac: identity.certificate().subject_mac().unwrap(),
        list_type,
        key_hash: Some(identity.certificate().key_hash(algorithm)),
    }
}

pub(crate) fn authlist_of(identity: &Identity) -> SharedAuthList {
    let mut list = AuthList::new();
    list.insert(entry(identity, AuthListType::Sha256LbsSsc)).unwrap();
    SharedAuthList::new(list)
}

/// The same MAC address, but the key hash of another key.
pub(crate) fn authlist_with_wrong_hash(mac: [u8; 6]) -> AuthList {
    let mut list = AuthList::new();
    let wrong = KeyHash::of_spki(HashAlgorithm::Sha256, b"another key");
    list.insert(AuthListEntry {
        mac: MacAddr::from(mac),
        list_type: AuthListType::Sha256LbsSsc,
        key_hash: Some(wrong),
    })
    .unwrap();
    list
}

pub(crate) struct Lab {
    pub(crate) controller: Arc<Identity>,
    pub(crate) location_server: Arc<Identity>,
    /// Whom the controller admits; replaceable while it runs.
    pub(crate) authlist: SharedAuthList,
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) task: JoinHandle<()>,
}

impl Lab {
    pub(crate) async fn start(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::start_at("127.0.0.1:0", change).await
    }

    pub(crate) async fn start_at(address: &str, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let (controller, location_server) = (identity(CONTROLLER), identity(LOCATION_SERVER));
        let authlist = authlist_of(&location_server);
        let mut config = ServerConfig::new(Arc::clone(&controller), PeerVerifier::authlist(authlist.clone()));
        change(&mut config);
        let server = Server::bind(address, config).await.unwrap();
        let (address, handle) = (server.local_addr().unwrap(), server.handle());
        let task = tokio::spawn(server.run());
        Self {
            controller,
            location_server,
            authlist,
            address,
            handle,
            task,
        }
    }

    pub(crate) fn client_tls(&self, versions: TlsVersions) -> ClientTls {
        let mut tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&self.controller)))
            .with_identity(Arc::clone(&self.location_server));
        tls.versions = versions;
        tls
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        ClientConfig::new(self.client_tls(TlsVersions::Tls12And13))
    }

    pub(crate) async fn connect(&self) -> Client {
        self.try_connect(self.client_config()).await.unwrap()
    }

    pub(crate) async fn try_connect(&self, config: ClientConfig) -> Result<Client, nmsp::Error> {
        tokio::time::timeout(PATIENCE, Client::connect(&self.address.to_string(), config))
            .await
            .unwrap()
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

pub(crate) fn measurement(last: u8, class: StationClass) -> Measurement {
    Measurement {
        station: MacAddr::from([2, 0, 0, 0, 0, last]),
        class,
        timestamp: Timestamp(1_433_612_873_000 + u64::from(last)),
        access_points: vec![AccessPointReading {
            access_point: MacAddr::from([0, 0x3a, 0x7d, 0, 0, 9]),
            rssi_dbm: -60,
            band: Band::GHZ_5,
            channel: 36,
            snr_db: None,
            antenna: None,
        }],
        state: None,
    }
}

/// The TLS handshake of a location server that then sends whatever the test wants.
pub(crate) async fn raw_handshake(tls: &ClientTls, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::from(stream.peer_addr()?.ip());
    TlsConnector::from(tls.rustls_config().unwrap())
        .connect(name, stream)
        .await
}

/// A message of the built-in profile with this length field and transaction 9.
pub(crate) fn message(id: u16, length: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0, 0, 9]);
    bytes.extend(body);
    bytes
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
