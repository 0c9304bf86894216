//! From an accepted transport to an authenticated stream, whatever the transport is.

mod linger;
mod peer_stream;
mod tls;
mod watched;

use std::sync::Arc;

use tokio::net::TcpStream;

use pki_common::tls::ServerTls;

use super::Shared;
use super::trace::ConnectionTrace;

pub(super) use peer_stream::PeerStream;

/// A peer that has connected and not proven who it is.
#[derive(Debug)]
pub(super) enum Incoming {
    /// To be greeted with TLS 1.2 or 1.3.
    Tls(TcpStream),
}

/// Authenticates both sides. Who the peer is, the trace knows afterwards. Failures are logged and counted here; nobody
/// else needs to know.
pub(super) async fn perform(
    shared: &Shared,
    tls: &ServerTls,
    incoming: Incoming,
    trace: &Arc<ConnectionTrace>,
) -> Option<PeerStream> {
    match incoming {
        Incoming::Tls(stream) => tls::handshake(shared, tls, stream, trace)
            .await
            .map(PeerStream::Tls),
    }
}
