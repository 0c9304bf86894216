//! Both roles are ours; what each says must be the same, and different for every connection.

use std::sync::Arc;

use pki_common::channel_binding::{
    ChannelBindingMismatch, ChannelBindingType, ChannelBindings, FinishedRecorder,
};
use pki_common::identity::{Identity, NewKey};
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls, TlsVersions};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;

use crate::tls_support::{admitting, now, self_signed, self_signed_at};

/// A connection of ours to ourselves.
pub(crate) struct Pair {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    client_recorder: FinishedRecorder,
    server_recorder: FinishedRecorder,
    /// All bytes that the server sent, in order.
    pub(crate) from_server: Vec<u8>,
}

impl Pair {
    pub(crate) fn connect(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Self {
        let mut pair = Self::new(client, server);
        while pair.client.is_handshaking() || pair.server.is_handshaking() {
            pair.flight().unwrap();
        }
        // Session tickets of TLS 1.3 come after the handshake.
        pair.flight().unwrap();
        pair
    }

    fn new(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            client: ClientConnection::new(Arc::clone(client), name).unwrap(),
            server: ServerConnection::new(Arc::clone(server)).unwrap(),
            client_recorder: FinishedRecorder::new(),
            server_recorder: FinishedRecorder::new(),
            from_server: Vec::new(),
        }
    }

    fn flight(&mut self) -> Result<(), rustls::Error> {
        let mut to_server = Vec::new();
        let mut to_client = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut to_server).unwrap();
        }
        let server = &mut self.server;
        self.server_recorder.scope(|| {
            let mut rest = to_server.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
                server.process_new_packets()?;
            }
            Ok::<(), rustls::Error>(())
        })?;
        while self.server.wants_write() {
            self.server.write_tls(&mut to_client).unwrap();
        }
        self.from_server.extend_from_slice(&to_client);
        let client = &mut self.client;
        self.client_recorder.scope(|| {
            let mut rest = to_client.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets()?;
            }
            Ok(())
        })
    }

    pub(crate) fn bindings(&self) -> (ChannelBindings, ChannelBindings) {
        (
            ChannelBindings::of_client(&self.client, &self.client_recorder),
            ChannelBindings::of_server(&self.server, &self.server_recorder),
        )
    }

    /// The bindings of both sides, which must be the same, as raw bytes.
    pub(crate) fn agreed(&self) -> (Option<[u8; 12]>, Option<[u8; 32]>) {
        let (client, server) = self.bindings();
        assert_eq!(client.tls_unique(), server.tls_unique());
        assert_eq!(client.tls_exporter(), server.tls_exporter());
        (client.tls_unique().copied(), client.tls_exporter().copied())
    }
}

pub(crate) fn server(identity: Identity, versions: TlsVersions) -> ServerTls {
    let mut server = ServerTls::new(Arc::new(identity));
    server.versions = versions;
    server.channel_binding = true;
    server
}

pub(crate) fn client_of(server: &ServerTls) -> ClientTls {
    let mut client = ClientTls::new(PeerVerifier::authlist(admitting(server.identity.certificate())));
    client.channel_binding = true;
    client
}

#[test]
fn both_sides_agree_for_every_tls_12_cipher_suite_with_and_without_client_certificate() {
    let mut seen = Vec::new();
    for (key, suites_of_key) in [(NewKey::EcP256, 3), (NewKey::Rsa2048, 3)] {
        let mut server = server(self_signed_at(now(), key), TlsVersions::Tls12);
        let mut client = client_of(&server);
        for mutual in [false, true] {
            if mutual {
                let identity = self_signed();
                server.client_authentication =
                    ClientAuthentication::Required(PeerVerifier::authlist(admitting(identity.certificate())));
                client = client.with_identity(Arc::new(identity));
            }
            let mut connected = 0;
            let all = client.rustls_config().unwrap();
            for suite in &all.crypto_provider().cipher_suites {
                let mut provider = (**all.crypto_provider()).clone();
                provider.cipher_suites.retain(|other| other == suite);
                let Ok(builder) = ClientConfig::builder_with_provider(Arc::new(provider))
                    .with_protocol_versions(&[&rustls::version::TLS12])
                else {
                    continue;
                };
                let name = format!("{:?}", suite.suite());
                if name.contains("ECDSA") != (key == NewKey::EcP256) {
                    continue;
                }
                let builder = builder
                    .dangerous()
                    .with_custom_certificate_verifier(client.peer.clone().into_server_verifier().unwrap());
                let config = match &client.identity {
                    None => builder.with_no_client_auth(),
                    Some(identity) => builder.with_client_cert_resolver(Arc::new(
                        rustls::sign::SingleCertAndKey::from(identity.certified_key()),
                    )),
                };
                let pair = Pair::connect(&Arc::new(config), &server.rustls_config().unwrap());
                let (unique, exporter) = pair.agreed();
                assert!(exporter.is_some(), "{name}");
                seen.push(unique.unwrap_or_else(|| panic!("{name} has no tls-unique")));
                connected += 1;
            }
            assert_eq!(connected, suites_of_key, "{key:?}");
        }
    }
    let connections = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(
        (connections, seen.len()),
        (12, 12),
        "no two connections share a tls-unique"
    );
}

#[test]
fn tls_13_has_the_exporter_and_no_tls_unique() {
    let server = server(self_signed(), TlsVersions::Tls13);
    let client = client_of(&server);
    let pair = Pair::connect(&client.rustls_config().unwrap(), &server.rustls_config().unwrap());
    let (unique, exporter) = pair.agreed();
    assert_eq!(unique, None);
    assert!(exporter.is_some());
    let (client, server) = pair.bindings();
    let (binding, presented) = client.preferred().unwrap();
    assert_eq!(binding, ChannelBindingType::TlsExporter);
    assert_eq!(server.check(&presented), Ok(ChannelBindingType::TlsExporter));
}

#[test]
fn a_request_made_for_another_connection_is_refused() {
    let server = server(self_signed(), TlsVersions::Tls12);
    let client = client_of(&server).rustls_config().unwrap();
    let server = server.rustls_config().unwrap();
    let (first, second) = (Pair::connect(&client, &server), Pair::connect(&client, &server));
    let (_, presented) = first.bindings().0.preferred().unwrap();
    assert_eq!(
        first.bindings().1.check(&presented),
        Ok(ChannelBindingType::TlsUnique)
    );
    assert_eq!(
        second.bindings().1.check(&presented),
        Err(ChannelBindingMismatch::OtherConnection)
    );
}

#[test]
fn a_resumed_session_has_a_tls_unique_of_its_own_by_session_id_and_by_ticket() {
    let mut server = server(self_signed(), TlsVersions::Tls12);
    server.resumption = true;
    let mut client = client_of(&server);
    client.resumption = true;
    let by_id = server.rustls_config().unwrap();
    let mut by_ticket = (*by_id).clone();
    by_ticket.ticketer = ticketer();
    for server in [by_id, Arc::new(by_ticket)] {
        let client = client.rustls_config().unwrap();
        let first = Pair::connect(&client, &server);
        let resumed = Pair::connect(&client, &server);
        assert_eq!(
            resumed.client.handshake_kind(),
            Some(rustls::HandshakeKind::Resumed)
        );
        let ((first, _), (unique, exporter)) = (first.agreed(), resumed.agreed());
        assert!(first.is_some() && unique.is_some() && first != unique);
        assert_eq!(
            exporter, None,
            "whether the session had an extended master secret is not seen"
        );
    }
}

#[cfg(feature = "aws-lc-rs")]
fn ticketer() -> Arc<dyn rustls::server::ProducesTickets> {
    rustls::crypto::aws_lc_rs::Ticketer::new().unwrap()
}

#[cfg(not(feature = "aws-lc-rs"))]
fn ticketer() -> Arc<dyn rustls::server::ProducesTickets> {
    rustls::crypto::ring::Ticketer::new().unwrap()
}

#[test]
fn there_is_no_binding_before_the_handshake_is_finished() {
    let server = server(self_signed(), TlsVersions::Tls12);
    let client = client_of(&server).rustls_config().unwrap();
    let mut pair = Pair::new(&client, &server.rustls_config().unwrap());
    while pair.server.is_handshaking() {
        let (_, server) = pair.bindings();
        assert!(server.is_empty());
        pair.flight().unwrap();
    }
    assert!(!pair.bindings().1.is_empty());
}

#[test]
fn a_configuration_without_channel_binding_has_no_tls_unique() {
    let mut server = server(self_signed(), TlsVersions::Tls12);
    let client = client_of(&server).rustls_config().unwrap();
    server.channel_binding = false;
    let (client, server) = Pair::connect(&client, &server.rustls_config().unwrap()).bindings();
    assert!(client.tls_unique().is_some());
    assert!(
        server.is_empty(),
        "nothing was recorded, not even the extended master secret"
    );
}

#[test]
fn connections_whose_steps_alternate_on_one_thread_keep_their_own_bindings() {
    let server = server(self_signed(), TlsVersions::Tls12);
    let client = client_of(&server).rustls_config().unwrap();
    let server = server.rustls_config().unwrap();
    let mut pairs: Vec<Pair> = (0..8).map(|_| Pair::new(&client, &server)).collect();
    for _ in 0..4 {
        for pair in &mut pairs {
            pair.flight().unwrap();
        }
    }
    let mut unique: Vec<_> = pairs.iter().map(|pair| pair.agreed().0.unwrap()).collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), pairs.len());
}
