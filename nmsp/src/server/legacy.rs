//! Listeners for old devices beside the normal one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::time::sleep;

use super::handshake::Incoming;
use super::{ACCEPT_PAUSE, Server, Shared, admit};
use crate::error::Error;
use crate::transport::openssl::LegacyTransport;

/// A listener that waits for the server to run.
#[derive(Debug)]
pub(super) struct LegacyListener {
    listener: TcpListener,
    transport: Arc<LegacyTransport>,
}

impl Server {
    /// Also listens for old devices at `address`; returns the address it listens on. May be called several times, before
    /// [`run`](Server::run). Limits, counters, authlist, identity and everything above TLS are shared with the normal
    /// listener.
    ///
    /// Dangerous: see [`transport::openssl`](crate::transport::openssl) for what old devices' TLS does not protect.
    ///
    /// # Errors
    /// If the address is not free, or the cipher suites are not known.
    pub async fn dangerous_listen_legacy(
        &mut self,
        address: impl ToSocketAddrs + core::fmt::Debug,
        transport: LegacyTransport,
    ) -> Result<SocketAddr, Error> {
        transport.check()?;
        let failed = |source: io::Error| Error::Bind {
            address: format!("{address:?}"),
            source,
        };
        let listener = TcpListener::bind(&address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        transport.warn(&format!("the controller at {bound}"));
        self.legacy.push(LegacyListener {
            listener,
            transport: Arc::new(transport),
        });
        Ok(bound)
    }
}

/// Accepts until the shutdown.
pub(super) async fn accept(shared: Arc<Shared>, legacy: LegacyListener) {
    let LegacyListener { listener, transport } = legacy;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&shared, Incoming::Legacy(stream, Arc::clone(&transport)), peer),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}
