//! From an accepted transport to an authenticated stream, whatever the transport is.

#[cfg(feature = "openssl")]
mod legacy;
mod linger;
mod tls;
mod watched;

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use pki_common::tls::ServerTls;

use super::Shared;
use super::trace::ConnectionTrace;
use crate::transport::SecureStream;
#[cfg(feature = "openssl")]
use crate::transport::openssl::{DtlsIncoming, LegacyTransport};

/// The stream to an authenticated location server.
pub(super) type PeerStream = SecureStream<watched::WatchedStream>;

/// A peer that has connected and not proven who it is.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// To be greeted with TLS 1.2 or 1.3.
    Tls(TcpStream),
    /// To be greeted as an old device.
    #[cfg(feature = "openssl")]
    Legacy(TcpStream, Arc<LegacyTransport>),
    /// The same over UDP.
    #[cfg(feature = "openssl")]
    Dtls(DtlsIncoming, Arc<LegacyTransport>),
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
            .map(|stream| SecureStream::Tls(TlsStream::from(stream))),
        #[cfg(feature = "openssl")]
        Incoming::Legacy(stream, transport) => legacy::handshake(shared, tls, &transport, stream, trace)
            .await
            .map(SecureStream::Legacy),
        #[cfg(feature = "openssl")]
        Incoming::Dtls(incoming, transport) => {
            legacy::handshake_dtls(shared, tls, &transport, incoming, trace)
                .await
                .map(|stream| SecureStream::Dtls(Box::new(stream)))
        }
    }
}
