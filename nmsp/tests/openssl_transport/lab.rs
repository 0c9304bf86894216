//! A controller with a listener for old devices.

use std::net::SocketAddr;
use std::sync::Arc;

use nmsp::client::{Client, ClientConfig};
use nmsp::server::{Server, ServerConfig, ServerHandle};
use nmsp::transport::openssl::LegacyTransport;
use nmsp::wire::Services;
use pki_common::MacAddr;
use pki_common::authlist::SharedAuthList;
use pki_common::identity::{Identity, NewKey, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier};
use tokio::task::JoinHandle;

use crate::support::{CONTROLLER, LOCATION_SERVER, PATIENCE, authlist_of};

/// Old devices have RSA keys, and static RSA needs one.
pub(crate) fn rsa_identity(mac: [u8; 6]) -> Arc<Identity> {
    let wanted = SelfSigned {
        key: NewKey::Rsa2048,
        ..SelfSigned::new(MacAddr::from(mac))
    };
    Arc::new(Identity::self_signed(wanted).unwrap())
}

pub(crate) struct LegacyLab {
    pub(crate) controller: Arc<Identity>,
    pub(crate) location_server: Arc<Identity>,
    /// Whom the controller admits.
    pub(crate) authlist: SharedAuthList,
    /// The normal listener.
    pub(crate) address: SocketAddr,
    /// The one for old devices.
    pub(crate) legacy: SocketAddr,
    pub(crate) handle: ServerHandle,
    task: JoinHandle<()>,
}

impl LegacyLab {
    pub(crate) async fn start(transport: LegacyTransport, change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::start_at("127.0.0.1:0", transport, change).await
    }

    /// Both listeners at this address.
    pub(crate) async fn start_at(
        address: &str,
        transport: LegacyTransport,
        change: impl FnOnce(&mut ServerConfig),
    ) -> Self {
        let (controller, location_server) = (rsa_identity(CONTROLLER), rsa_identity(LOCATION_SERVER));
        let authlist = authlist_of(&location_server);
        let mut config = ServerConfig::new(Arc::clone(&controller), PeerVerifier::authlist(authlist.clone()));
        change(&mut config);
        let mut server = Server::bind(address, config).await.unwrap();
        let legacy = server.dangerous_listen_legacy(address, transport).await.unwrap();
        let (address, handle) = (server.local_addr().unwrap(), server.handle());
        let task = tokio::spawn(server.run());
        Self {
            controller,
            location_server,
            authlist,
            address,
            legacy,
            handle,
            task,
        }
    }

    pub(crate) fn client_config(&self, transport: Option<LegacyTransport>) -> ClientConfig {
        let tls = ClientTls::new(PeerVerifier::authlist(authlist_of(&self.controller)))
            .with_identity(Arc::clone(&self.location_server));
        let mut config = ClientConfig::new(tls);
        config.dangerous_legacy = transport;
        config
    }

    pub(crate) async fn the_next_one_is_unharmed(&self, transport: LegacyTransport) {
        let config = self.client_config(Some(transport));
        let client = connect(self.legacy, config).await.unwrap();
        let outcome = client.subscribe(Services::RSSI_MS).await.unwrap();
        assert_eq!(outcome.accepted, Services::RSSI_MS);
        client.close().await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

pub(crate) async fn connect(address: SocketAddr, config: ClientConfig) -> Result<Client, nmsp::Error> {
    tokio::time::timeout(PATIENCE, Client::connect(&address.to_string(), config))
        .await
        .unwrap()
}
