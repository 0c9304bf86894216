//! TLS 1.2 and 1.3 by rustls: what every current peer speaks.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
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
    let observer = Arc::<ConnectionTrace>::clone(trace);
    let config = match tls.rustls_config_observed(observer) {
        Ok(config) => config,
        Err(error) => {
            shared.counters.accept_failed(false);
            tracing::error!(%error, "no TLS configuration");
            return None;
        }
    };
    // Echo responses are small and must not wait for more.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let limit = shared.limits.load().handshake_timeout;
    match timeout(
        limit,
        accept(TlsAcceptor::from(config), stream, Arc::clone(trace)),
    )
    .await
    {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((error, mut stream))) => {
            shared.counters.accept_failed(false);
            let _failure = trace.handshake_failed(&error);
            linger(&mut stream).await;
            None
        }
        Err(_) => {
            shared.counters.accept_failed(true);
            trace.handshake_timed_out(limit);
            None
        }
    }
}
