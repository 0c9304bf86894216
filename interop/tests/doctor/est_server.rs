//! Our EST server, looked at.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use est::auth::{BasicCredentials, Users};
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::policy::IssuancePolicy;
use est::operation::{LabelSettings, Operations};
use est::request::RequestedName;
use est::server::{Server, ServerConfig, ServerHandle, ServerLimits, own_identity};
use interop::doctor::State;
use interop::doctor::est::{Settings, diagnose};
use pki_common::identity::NewKey;
use pki_common::tls::ServerTls;
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, KnownCause};
use tempfile::TempDir;

use super::{PATIENCE, assert_ends, assert_healthy, notes};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A running server; its folder goes with it.
pub(crate) struct Lab {
    pub(crate) address: SocketAddr,
    pub(crate) anchors: Arc<TrustStore>,
    pub(crate) folder: TempDir,
    handle: ServerHandle,
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Lab {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = NewAuthority {
            subject: "CN=Doctor CA,DC=example".to_owned(),
            key: NewKey::EcP256,
            validity: PATIENCE * 60 * 24 * 100,
        };
        std::fs::create_dir(folder.path().join("ca")).unwrap();
        let files = AuthorityFiles::in_folder(folder.path().join("ca"));
        let clock = pki_common::clock::system_clock();
        let policy = IssuancePolicy::default();
        let authority = EmbeddedCertificateAuthority::create(&files, &authority, policy, clock).unwrap();
        let root = Certificate::from_der(authority.ca_certificate()).unwrap();
        let mut anchors = TrustStore::empty("doctor");
        anchors.add(&root).unwrap();
        std::fs::write(folder.path().join("ca.der"), root.der()).unwrap();
        let names = vec![
            RequestedName::Dns("localhost".to_owned()),
            RequestedName::Ip(Ipv4Addr::LOCALHOST.into()),
        ];
        let subject = "CN=localhost".parse().unwrap();
        let identity = own_identity(&authority, subject, names, NewKey::EcP256)
            .await
            .unwrap();
        let mut users = Users::new();
        users.set_password("phone", PASSWORD).unwrap();
        let config = ServerConfig {
            tls: ServerTls::new(Arc::new(identity)),
            operations: Operations::new(Arc::new(authority), LabelSettings::default()),
            authenticator: Arc::new(users),
            limits: ServerLimits::default(),
        };
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::bind(loopback, config).await.unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        tokio::spawn(server.run());
        Self {
            address,
            anchors: Arc::new(anchors),
            folder,
            handle,
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        let url = format!("https://{}", self.address).parse().unwrap();
        let mut settings = Settings::new(url, Arc::clone(&self.anchors));
        settings.timeout = PATIENCE;
        settings
    }
}

#[tokio::test]
async fn a_good_server_is_healthy_and_nothing_is_changed_there() {
    let lab = Lab::start().await;
    let report = diagnose(&lab.settings()).await;
    assert_healthy(&report);
    assert!(notes(&report, "cacerts").contains("/DC=example/CN=Doctor CA"));
    let authentication = notes(&report, "authentication");
    assert!(authentication.contains("401: offers"), "{authentication}");
    assert!(
        authentication.contains("not tried: give --user"),
        "{authentication}"
    );
    assert_eq!(report.check("simpleenroll").unwrap().state, State::Skipped);
    assert_eq!(report.check("clock").unwrap().facts["seconds-ahead"], 0);
}

#[tokio::test]
async fn a_password_is_tried_without_asking_for_a_certificate() {
    let lab = Lab::start().await;
    let mut settings = lab.settings();
    settings.credentials = Some(BasicCredentials::new("phone", PASSWORD).unwrap());
    let report = diagnose(&settings).await;
    assert_healthy(&report);
    let authentication = notes(&report, "authentication");
    assert!(authentication.contains("let in as phone"), "{authentication}");

    settings.credentials = Some(BasicCredentials::new("phone", "wrong").unwrap());
    let report = diagnose(&settings).await;
    assert_ends(&report, "authentication", KnownCause::CredentialsRefused);
    assert_eq!(report.exit_number(), 50);
}

#[tokio::test]
async fn a_certificate_is_asked_for_only_when_told_to() {
    let lab = Lab::start().await;
    let mut settings = lab.settings();
    settings.credentials = Some(BasicCredentials::new("phone", PASSWORD).unwrap());
    settings.enroll = Some("CN=SEP74A02FC0A675".parse().unwrap());
    let report = diagnose(&settings).await;
    assert_healthy(&report);
    let issued = notes(&report, "simpleenroll");
    assert!(
        issued.contains("issued /CN=SEP74A02FC0A675 by /DC=example/CN=Doctor CA"),
        "{issued}"
    );
}

#[tokio::test]
async fn a_wrong_label_is_not_found() {
    let lab = Lab::start().await;
    let mut settings = lab.settings();
    settings.label = Some("phones".parse().unwrap());
    let report = diagnose(&settings).await;
    assert!(notes(&report, "HTTP").contains("404"));
    assert_ends(&report, "cacerts", KnownCause::PageNotFound);
    assert_eq!(report.exit_number(), 50);
}
