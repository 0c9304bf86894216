//! Old devices: the handshake by OpenSSL, with the same watching, counting and alerts.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;

use pki_common::tls::ServerTls;

use super::linger::linger;
use super::watched::WatchedStream;
use crate::server::Shared;
use crate::server::trace::ConnectionTrace;
use crate::transport::openssl::{self, DtlsIncoming, DtlsStream, LegacyStream, LegacyTransport, Session};

pub(super) async fn handshake(
    shared: &Shared,
    tls: &ServerTls,
    transport: &LegacyTransport,
    stream: TcpStream,
    trace: &Arc<ConnectionTrace>,
) -> Option<LegacyStream<WatchedStream>> {
    let observer = Arc::<ConnectionTrace>::clone(trace);
    let session = match Session::server(transport, tls, observer) {
        Ok(session) => session,
        Err(error) => {
            shared.counters.accept_failed(false);
            tracing::error!(%error, "no legacy TLS configuration");
            return None;
        }
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let limit = shared.limits.load().handshake_timeout;
    let (stream, progress) = WatchedStream::new(stream, Arc::clone(trace));
    match timeout(limit, progress.watch(openssl::handshake(session, stream))).await {
        Ok(Ok(mut stream)) => {
            stream.get_mut().finished();
            tracing::info!(negotiated = %stream.negotiated(), "legacy TLS");
            Some(stream)
        }
        Ok(Err((error, stream))) => {
            shared.counters.accept_failed(false);
            let _failure = trace.handshake_failed(&error);
            if let Some(mut stream) = stream {
                linger(stream.get_mut()).await;
            }
            None
        }
        Err(_) => {
            shared.counters.accept_failed(true);
            trace.handshake_timed_out(limit);
            None
        }
    }
}

/// The same for datagrams. There is nothing to linger for: the alert has left or is lost.
pub(super) async fn handshake_dtls(
    shared: &Shared,
    tls: &ServerTls,
    transport: &LegacyTransport,
    incoming: DtlsIncoming,
    trace: &Arc<ConnectionTrace>,
) -> Option<DtlsStream> {
    let observer = Arc::<ConnectionTrace>::clone(trace);
    let limit = shared.limits.load().handshake_timeout;
    match timeout(limit, openssl::accept_dtls(transport, tls, observer, incoming)).await {
        Ok(Ok(session)) => {
            tracing::info!(negotiated = %session.negotiated(), "DTLS");
            Some(DtlsStream::new(
                session,
                Arc::clone(&shared.connection.load().profile),
            ))
        }
        Ok(Err(error)) => {
            shared.counters.accept_failed(false);
            let _failure = trace.handshake_failed(&error);
            None
        }
        Err(_) => {
            shared.counters.accept_failed(true);
            trace.handshake_timed_out(limit);
            None
        }
    }
}
