//! A running EST server for the tests: embedded authority, one user, loopback, port 0.

#![allow(dead_code, reason = "each test binary uses another part of the support")]

pub(crate) mod raw;

/// The rule for peers that are not installed; one file for all crates.
#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
pub(crate) mod peers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use est::auth::{Authenticator, BasicCredentials, Users};
use est::ca::CertificateAuthority;
use est::ca::database::MemoryLog;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::client::{Client, ClientConfig};
use est::operation::{LabelSettings, Operations};
use est::server::{Server, ServerConfig, ServerHandle, ServerLimits, own_identity};
use pki_common::Certificate;
use pki_common::identity::{Identity, NewKey, generate_key};
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls, TlsVersions, crypto_provider};
use pki_common::trust_store::TrustStore;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls_pki_types::PrivateKeyDer;
use tokio::task::JoinHandle;

pub(crate) const USER: &str = "phone";
pub(crate) const PASSWORD: &str = "correct horse";

/// Longer than anything takes on a busy machine; nothing is measured by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) anchors: Arc<TrustStore>,
    pub(crate) authority: Arc<dyn CertificateAuthority>,
    pub(crate) running: JoinHandle<()>,
    /// What it was started with, for a reload.
    tls: ServerTls,
    authenticator: Arc<dyn Authenticator>,
    limits: ServerLimits,
}

pub(crate) struct Setup {
    pub(crate) limits: ServerLimits,
    pub(crate) settings: LabelSettings,
    pub(crate) versions: TlsVersions,
    pub(crate) policy: IssuancePolicy,
    /// Instead of the one user.
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    /// By which certificates are issued and valid.
    pub(crate) clock: Arc<dyn TimeProvider>,
    /// Where it listens; port 0 for a free one.
    pub(crate) address: SocketAddr,
    /// Instead of a new one.
    pub(crate) embedded: Option<Arc<EmbeddedCertificateAuthority>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: ServerLimits::default(),
            settings: LabelSettings::default(),
            versions: TlsVersions::Tls12And13,
            policy: IssuancePolicy::default(),
            authenticator: None,
            clock: Arc::new(DefaultTimeProvider),
            address: "127.0.0.1:0".parse().unwrap(),
            embedded: None,
        }
    }
}

pub(crate) fn embedded_authority(policy: IssuancePolicy) -> Arc<EmbeddedCertificateAuthority> {
    embedded_authority_at(policy, Arc::new(DefaultTimeProvider))
}

pub(crate) fn embedded_authority_at(
    policy: IssuancePolicy,
    clock: Arc<dyn TimeProvider>,
) -> Arc<EmbeddedCertificateAuthority> {
    let provider = crypto_provider().unwrap();
    let key = PrivateKeyDer::Pkcs8(generate_key(NewKey::EcP256).unwrap());
    let subject = "CN=Test Root,DC=example,DC=com";
    let day = Duration::from_secs(86_400);
    let now = clock.current_time().unwrap();
    let issuer = Issuer::self_signed(subject, key, 365 * day, now, Arc::clone(&provider)).unwrap();
    let log = Arc::new(MemoryLog::new(provider));
    Arc::new(EmbeddedCertificateAuthority::new(issuer, policy, log, clock))
}

impl TestServer {
    pub(crate) async fn start(setup: Setup) -> Self {
        Self::start_with(setup, |authority| authority).await
    }

    /// Starts a server whose operations use what `wrap` makes of the embedded authority.
    pub(crate) async fn start_with(
        setup: Setup,
        wrap: impl FnOnce(Arc<dyn CertificateAuthority>) -> Arc<dyn CertificateAuthority>,
    ) -> Self {
        let clock = setup.clock;
        let made = || embedded_authority_at(setup.policy, Arc::clone(&clock));
        let embedded = setup.embedded.unwrap_or_else(made);
        let root = Certificate::from_der(embedded.ca_certificate()).unwrap();
        let mut anchors = TrustStore::empty("test anchors");
        anchors.add(&root).unwrap();
        let anchors = Arc::new(anchors);
        let names = vec!["IP:127.0.0.1".parse().unwrap(), "DNS:localhost".parse().unwrap()];
        let subject = "CN=EST server".parse().unwrap();
        let identity = own_identity(&*embedded, subject, names, NewKey::EcP256)
            .await
            .unwrap();
        let mut tls = ServerTls::new(Arc::new(identity));
        tls.versions = setup.versions;
        tls.client_authentication =
            ClientAuthentication::Optional(PeerVerifier::trust_store(Arc::clone(&anchors)).with_clock(clock));
        let authenticator: Arc<dyn Authenticator> = setup.authenticator.unwrap_or_else(|| {
            let mut users = Users::new();
            users.set_password(USER, PASSWORD).unwrap();
            Arc::new(users)
        });
        let authority = wrap(embedded);
        let config = ServerConfig {
            tls: tls.clone(),
            operations: Operations::new(Arc::clone(&authority), setup.settings),
            authenticator: Arc::clone(&authenticator),
            limits: setup.limits,
        };
        let server = Server::bind(setup.address, config).await.unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        Self {
            address,
            handle,
            anchors,
            authority,
            running: tokio::spawn(server.run()),
            tls,
            authenticator,
            limits: setup.limits,
        }
    }

    /// The configuration it was started with, with other operations.
    pub(crate) fn config(&self, operations: Operations) -> ServerConfig {
        ServerConfig {
            tls: self.tls.clone(),
            operations,
            authenticator: Arc::clone(&self.authenticator),
            limits: self.limits,
        }
    }

    pub(crate) fn reload(&self, operations: Operations) {
        self.handle.reload(self.config(operations)).unwrap();
    }

    pub(crate) fn client_config(&self) -> ClientConfig {
        let url = format!("https://{}", self.address).parse().unwrap();
        ClientConfig::new(url, Arc::clone(&self.anchors))
    }

    pub(crate) fn client(&self) -> Client {
        let mut config = self.client_config();
        config.basic = Some(BasicCredentials::new(USER, PASSWORD).unwrap());
        Client::new(config).unwrap()
    }

    pub(crate) fn client_with_identity(&self, identity: Identity) -> Client {
        let mut config = self.client_config();
        config.identity = Some(Arc::new(identity));
        Client::new(config).unwrap()
    }

    /// The trust anchor in PEM, for programs that read files.
    pub(crate) fn anchor_pem(&self) -> String {
        let der = self.anchors.anchors()[0].der();
        pem("CERTIFICATE", der)
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        tokio::time::timeout(PATIENCE, self.running)
            .await
            .expect("the server ends")
            .unwrap();
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der).unwrap()
}
