//! TLS 1.2 and 1.3 by rustls: what every current peer speaks.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use pki_common::tls::ServerTls;

use super::linger::linger;
use super::watched::{WatchedStream, accept};
use crate::server::Shared;
use crate::server::trace::ConnectionTrace;

pub(super) async fn handshake(
    shared: &Shared,
    tls: &ServerTls,
    stream: TcpStream,
    trace: &Arc<ConnectionTrace>,
) -> Option<TlsStream<WatchedStream>> {
    // Echo responses are small and must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let limit = shared.limits.load().handshake_timeout;
    match timeout(limit, accept(tls, stream, trace)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((error, stream))) => {
            shared.counters.accept_failed(false);
            let _failure = trace.handshake_failed(&error);
            if let Some(mut stream) = stream {
                linger(&mut stream).await;
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
