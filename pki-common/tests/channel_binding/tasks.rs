//! Handshakes of tokio-rustls that wander between the threads of a runtime.

use pki_common::channel_binding::{ChannelBindings, record_handshake};
use pki_common::tls::TlsVersions;
use rustls_pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::in_memory::{client_of, server};
use crate::tls_support::self_signed;

/// Small, so that every flight takes several polls.
const PIPE_BYTES: usize = 64;

const CONNECTIONS: usize = 64;

#[test]
fn every_task_gets_the_binding_of_its_own_connection_on_a_runtime_with_many_threads() {
    let tls = server(self_signed(), TlsVersions::Tls12);
    let connector = TlsConnector::from(client_of(&tls).rustls_config().unwrap());
    let acceptor = TlsAcceptor::from(tls.rustls_config().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    let connect = |_| {
        let (connector, acceptor) = (connector.clone(), acceptor.clone());
        let (client_end, server_end) = tokio::io::duplex(PIPE_BYTES);
        let served = runtime.spawn(async move {
            let (stream, finished) = record_handshake(acceptor.accept(server_end)).await;
            let stream = stream.unwrap();
            (ChannelBindings::of_server(stream.get_ref().1, &finished), stream)
        });
        let connected = runtime.spawn(async move {
            let name = ServerName::try_from("localhost").unwrap();
            let (stream, finished) = record_handshake(connector.connect(name, client_end)).await;
            let stream = stream.unwrap();
            (ChannelBindings::of_client(stream.get_ref().1, &finished), stream)
        });
        (connected, served)
    };
    let tasks: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    let mut seen = Vec::new();
    for (connected, served) in tasks {
        let ((client, _open), (server, _also_open)) =
            runtime.block_on(async { (connected.await.unwrap(), served.await.unwrap()) });
        assert_eq!(client.tls_unique(), server.tls_unique());
        assert_eq!(client.tls_exporter(), server.tls_exporter());
        seen.push(*client.tls_unique().unwrap());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), CONNECTIONS);
}
