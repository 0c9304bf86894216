//! What a running server was asked to change holds for the next connection, and no session gets around it.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod tls_support;

use std::sync::Arc;

use pki_common::authlist::AuthList;
use pki_common::identity::Identity;
use pki_common::revocation::{RevocationCheck, RevocationLists, SharedRevocationLists};
use pki_common::tls::{
    ClientAuthentication, ClientTls, PeerVerifier, ReloadableServerTls, ServerTls, SharedIdentity,
    TlsVersions,
};
use pki_common::trust_store::{SharedTrustStore, TrustStore};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;
use tls_support::{Authority, admitting, localhost, self_signed};

/// Connects; gives how, or `None` when one side refuses.
fn connect(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Option<HandshakeKind> {
    connect_and_present(client, server).map(|(kind, _)| kind)
}

/// As [`connect`], with the certificate that the server presented.
fn connect_and_present(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Option<(HandshakeKind, Vec<u8>)> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    // Enough for a handshake and the tickets of TLS 1.3 after it.
    for _ in 0..6 {
        let mut to_server = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut to_server).unwrap();
        }
        let mut rest = to_server.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().ok()?;
        }
        let mut to_client = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut to_client).unwrap();
        }
        let mut rest = to_client.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets().ok()?;
        }
    }
    let presented = client.peer_certificates().unwrap()[0].to_vec();
    Some((server.handshake_kind().unwrap(), presented))
}

/// A server that resumes sessions, and a client with `identity` that tries to.
fn resuming(
    verifier: PeerVerifier,
    identity: Identity,
    versions: TlsVersions,
) -> (ServerTls, Arc<ClientConfig>) {
    let mut server = ServerTls::new(Arc::new(self_signed()));
    server.client_authentication = ClientAuthentication::Required(verifier);
    server.resumption = true;
    server.versions = versions;
    let mut client = ClientTls::new(PeerVerifier::authlist(admitting(server.identity.certificate())))
        .with_identity(Arc::new(identity));
    client.resumption = true;
    (server, client.rustls_config().unwrap())
}

/// A verifier with something that can be replaced, a client it lets in, and what makes it refuse that client.
struct Case {
    name: &'static str,
    verifier: PeerVerifier,
    client: Identity,
    refuse: Box<dyn FnOnce()>,
}

fn cases() -> Vec<Case> {
    let authority = Authority::root("Root");
    let issue = |name| authority.issue(name, &[], |_| {});
    let store = SharedTrustStore::new(authority.store("clients"));
    let by_store = {
        let store = store.clone();
        move || store.replace(TrustStore::empty("clients"))
    };
    let client = self_signed();
    let list = admitting(client.certificate());
    let by_list = {
        let list = list.clone();
        move || list.replace(AuthList::new())
    };
    let revoked = issue("revoked");
    let lists = SharedRevocationLists::new(authority.revocation_lists(&[]));
    let by_revocation = {
        let (lists, revoking) = (
            lists.clone(),
            authority.revocation_lists(&[revoked.certificate()]),
        );
        move || lists.replace(revoking)
    };
    vec![
        Case {
            name: "trust store",
            verifier: PeerVerifier::trust_store(store),
            client: issue("client"),
            refuse: Box::new(by_store),
        },
        Case {
            name: "authlist",
            verifier: PeerVerifier::authlist(list),
            client,
            refuse: Box::new(by_list),
        },
        Case {
            name: "revocation list",
            verifier: PeerVerifier::trust_store(authority.store("clients"))
                .with_revocation(RevocationCheck::by(lists)),
            client: revoked,
            refuse: Box::new(by_revocation),
        },
    ]
}

#[test]
fn a_client_that_is_no_longer_welcome_cannot_resume_its_session() {
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        for case in cases() {
            let name = format!("{} with {versions:?}", case.name);
            let (server, client) = resuming(case.verifier, case.client, versions);
            // One configuration for all connections, and one for each, as an observed server makes.
            let kept = server.rustls_config().unwrap();
            assert_eq!(connect(&client, &kept), Some(HandshakeKind::Full), "{name}");
            assert_eq!(connect(&client, &kept), Some(HandshakeKind::Resumed), "{name}");
            let fresh = server.rustls_config().unwrap();
            assert_eq!(connect(&client, &fresh), Some(HandshakeKind::Resumed), "{name}");
            (case.refuse)();
            assert_eq!(connect(&client, &kept), None, "{name}");
            assert_eq!(connect(&client, &server.rustls_config().unwrap()), None, "{name}");
        }
    }
}

#[test]
fn a_session_is_not_resumed_after_more_is_asked_of_clients() {
    let client = self_signed();
    let open = PeerVerifier::authlist(admitting(client.certificate()));
    let (mut server, client) = resuming(open, client, TlsVersions::Tls12);
    assert_eq!(
        connect(&client, &server.rustls_config().unwrap()),
        Some(HandshakeKind::Full)
    );
    let strict = PeerVerifier::authlist(admitting(self_signed().certificate()));
    server.client_authentication = ClientAuthentication::Required(strict);
    assert_eq!(connect(&client, &server.rustls_config().unwrap()), None);
}

#[test]
fn a_replaced_server_configuration_resumes_nothing_and_leaves_its_connections_alone() {
    let identity = self_signed();
    let verifier = PeerVerifier::authlist(admitting(identity.certificate()));
    let (server, client) = resuming(verifier, identity, TlsVersions::Tls13);
    let reloadable = ReloadableServerTls::new(&server).unwrap();
    assert_eq!(connect(&client, &reloadable.config()), Some(HandshakeKind::Full));
    assert_eq!(
        connect(&client, &reloadable.config()),
        Some(HandshakeKind::Resumed)
    );
    let before = reloadable.config();
    reloadable.replace(&server).unwrap();
    assert_eq!(connect(&client, &reloadable.config()), Some(HandshakeKind::Full));
    // Whoever holds the old configuration still works with it.
    assert!(connect(&client, &before).is_some());
}

#[test]
fn a_replaced_identity_is_presented_by_the_next_handshake_of_both_roles() {
    let authority = Authority::root("Root");
    let (old, new) = (
        authority.issue("old", &[], localhost),
        authority.issue("new", &[], localhost),
    );
    let (old_der, new_der) = (old.certificate().der().to_vec(), new.certificate().der().to_vec());
    let shared = SharedIdentity::new(old);
    let mut server = ServerTls::new(Arc::new(self_signed())).with_shared_identity(shared.clone());
    server.client_authentication =
        ClientAuthentication::Required(PeerVerifier::trust_store(authority.store("clients")));
    let server = server.rustls_config().unwrap();
    let client = ClientTls::new(PeerVerifier::trust_store(authority.store("servers")))
        .with_shared_identity(shared.clone())
        .rustls_config()
        .unwrap();
    assert_eq!(connect_and_present(&client, &server).unwrap().1, old_der);
    shared.replace(new);
    assert_eq!(connect_and_present(&client, &server).unwrap().1, new_der);
    assert_eq!(shared.load().certificate().common_name(), Some("new"));
}

#[test]
fn an_empty_revocation_list_store_lets_nobody_in() {
    let authority = Authority::root("Root");
    let check = RevocationCheck::by(RevocationLists::empty("clients"));
    let verifier = PeerVerifier::trust_store(authority.store("clients")).with_revocation(check);
    let (server, client) = resuming(
        verifier,
        authority.issue("client", &[], |_| {}),
        TlsVersions::Tls13,
    );
    assert_eq!(connect(&client, &server.rustls_config().unwrap()), None);
}
