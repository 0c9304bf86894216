//! Our EST server beside a folder for the files of a peer, in the forms that the cases of its clients need.

use std::sync::Arc;
use std::time::Duration;

use est::auth::digest::{DigestAlgorithm, DigestSecrets, DigestSettings, DigestVerifier, NonceKey};
use est::auth::{Accounts, AuthenticationRequirement, Authenticator, Users};
use est::ca::embedded::{AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::issuer::CrlSettings;
use est::ca::policy::IssuancePolicy;
use est::ca::serial::SerialNumber;
use est::ca::{CertificateAuthority, Requester, RevocationReason, RevokeRequest};
use est::client::{Client, EnrollOptions, EnrollOutcome};
use est::operation::{
    DirectKeyGenerator, KeyPackageSigner, LabelSettings, Operation, Operations, ProofOfPossession,
    ServerKeyGenerationSettings,
};
use est::server::{RevocationFollower, own_identity};
use pki_common::Certificate;
use pki_common::identity::NewKey;
use pki_common::revocation::{RevocationCheck, RevocationLists};
use pki_common::tls::{ClientAuthentication, PeerVerifier};
use rustls::time_provider::DefaultTimeProvider;

use super::est::{PASSWORD, Setup, TestServer, USER, embedded_authority};
use super::folder::Folder;

/// A running server; its anchor is in `anchor.pem`.
pub(crate) struct Lab {
    pub(crate) server: TestServer,
    pub(crate) folder: Folder,
}

impl Lab {
    pub(crate) async fn open(settings: LabelSettings) -> Self {
        Self::with(
            Setup {
                settings,
                ..Setup::default()
            },
            |authority| authority,
        )
        .await
    }

    pub(crate) async fn with(
        setup: Setup,
        wrap: impl FnOnce(Arc<dyn CertificateAuthority>) -> Arc<dyn CertificateAuthority>,
    ) -> Self {
        let server = TestServer::start_with(setup, wrap).await;
        let folder = Folder::new();
        folder.write("anchor.pem", server.anchor_pem());
        Self { server, folder }
    }

    /// The user may also log in by Digest.
    pub(crate) async fn with_digest(methods: &[&str], dangerous_md5: bool) -> Self {
        let setup = Setup {
            settings: requiring(methods),
            authenticator: Some(accounts(dangerous_md5)),
            ..Setup::default()
        };
        Self::with(setup, |authority| authority).await
    }

    pub(crate) fn url(&self, operation: &str) -> String {
        format!("https://{}/.well-known/est/{operation}", self.server.address)
    }

    pub(crate) fn port(&self) -> String {
        self.server.address.port().to_string()
    }

    /// How often an operation was answered like that.
    pub(crate) fn answers(&self, operation: Operation, status: u16) -> u64 {
        self.server.handle.statistics().answers(Some(operation), status)
    }

    /// Has our own client enrol `CN=name`, into `own.pem` and `own.key.pem`.
    pub(crate) async fn enrol_own(&self, name: &str) {
        enrol_with(&self.server.client(), &self.folder, name).await;
    }

    /// The label `lab` beside the one without a name.
    pub(crate) fn add_label(&self, settings: LabelSettings) {
        let authority = Arc::clone(&self.server.authority);
        let service = est::operation::LabelService::new(Arc::clone(&authority), settings);
        let operations = Operations::new(authority, LabelSettings::default());
        self.server
            .reload(operations.with_label("lab".parse().unwrap(), service));
    }
}

/// Enrols `CN=name` into `own.pem` and `own.key.pem`.
pub(crate) async fn enrol_with(client: &Client, folder: &Folder, name: &str) {
    let options = EnrollOptions::new(format!("CN={name}").parse().unwrap());
    let EnrollOutcome::Enrolled(enrolled) = client.enroll(options).await.unwrap() else {
        panic!("the request waits");
    };
    let identity = enrolled.identity().unwrap();
    identity
        .save(folder.file("own.pem"), folder.file("own.key.pem"))
        .unwrap();
}

pub(crate) fn requiring(methods: &[&str]) -> LabelSettings {
    LabelSettings {
        authentication: AuthenticationRequirement::parse(methods).unwrap(),
        ..LabelSettings::default()
    }
}

/// Wants requests that are linked to their connection.
pub(crate) fn linked() -> LabelSettings {
    LabelSettings {
        proof_of_possession: ProofOfPossession::Required,
        ..LabelSettings::default()
    }
}

/// Makes keys for its clients.
pub(crate) async fn key_generating() -> LabelSettings {
    let authority = embedded_authority(IssuancePolicy::default());
    let subject = "CN=key package signer".parse().unwrap();
    let signer = own_identity(&*authority, subject, Vec::new(), NewKey::EcP256)
        .await
        .unwrap();
    let keys = ServerKeyGenerationSettings::new(
        Arc::new(DirectKeyGenerator),
        KeyPackageSigner::with_identity(&signer),
    );
    LabelSettings {
        server_key_generation: Some(keys),
        ..LabelSettings::default()
    }
}

/// The user by password, and by Digest.
pub(crate) fn accounts(dangerous_md5: bool) -> Arc<dyn Authenticator> {
    let mut users = Users::new();
    users.set_password(USER, PASSWORD).unwrap();
    let mut secrets = DigestSecrets::new();
    for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Md5] {
        secrets.set_password(USER, "EST", PASSWORD, algorithm).unwrap();
    }
    let settings = DigestSettings {
        dangerous_md5,
        ..DigestSettings::default()
    };
    let verifier = DigestVerifier::new(settings, NonceKey::from_bytes([7; 32]));
    Arc::new(Accounts::new(users).with_digest(Arc::new(verifier), secrets))
}

/// A server whose authority revokes, and which asks for the revoked at every handshake.
pub(crate) struct Revoking {
    pub(crate) lab: Lab,
    authority: Arc<dyn CertificateAuthority>,
    follower: RevocationFollower,
    /// The authority's files.
    _files: Folder,
}

impl Revoking {
    pub(crate) async fn open() -> Self {
        let files = Folder::new();
        let new = NewAuthority {
            subject: "CN=Test Root".to_owned(),
            key: NewKey::EcP256,
            validity: Duration::from_secs(86_400 * 365),
        };
        let paths = AuthorityFiles::in_folder(files.path());
        let clock = Arc::new(DefaultTimeProvider);
        let embedded =
            EmbeddedCertificateAuthority::create(&paths, &new, IssuancePolicy::default(), clock).unwrap();
        let embedded = Arc::new(embedded.with_revocation_list(CrlSettings::default()).unwrap());
        let setup = Setup {
            embedded: Some(Arc::clone(&embedded)),
            ..Setup::default()
        };
        let lab = Lab::with(setup, |authority| authority).await;
        let authority: Arc<dyn CertificateAuthority> = embedded;
        let lists = RevocationLists::empty("clients");
        let mut follower = RevocationFollower::new(lists, vec![Arc::clone(&authority)]);
        follower.refresh().await.unwrap();
        let operations = Operations::new(Arc::clone(&authority), LabelSettings::default());
        let operations = operations.with_revocation_list("/crl/ca.crl", Arc::clone(&authority));

        let mut config = lab.server.config(operations);
        let verifier = PeerVerifier::trust_store(Arc::clone(&lab.server.anchors));
        let verifier = verifier.with_revocation(RevocationCheck::by(follower.lists()));
        config.tls.client_authentication = ClientAuthentication::Optional(verifier);
        lab.server.handle.reload(config).unwrap();
        Self {
            lab,
            authority,
            follower,
            _files: files,
        }
    }

    /// Revokes the certificate of this file; it counts at once.
    pub(crate) async fn revoke(&mut self, name: &str) {
        let own = Certificate::from_pem(self.lab.folder.read(name).as_bytes()).unwrap();
        let request = RevokeRequest {
            serial: SerialNumber::from_unsigned(own.serial_number()).unwrap(),
            reason: RevocationReason::KEY_COMPROMISE,
            invalidity_date: None,
            requester: Requester::operator(),
            label: None,
        };
        self.authority.revoke(request).await.unwrap();
        self.follower.refresh().await.unwrap();
    }
}
