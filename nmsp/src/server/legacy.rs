//! Listeners for old devices beside the normal one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, ToSocketAddrs, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::handshake::Incoming;
use super::{ACCEPT_PAUSE, Server, Shared, admit};
use crate::error::Error;
use crate::transport::openssl::{Carrier, DtlsListener, LegacyTransport};

/// A listener that waits to be used.
#[derive(Debug)]
pub(crate) struct LegacyListener {
    listener: Listener,
    transport: Arc<LegacyTransport>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    Udp(DtlsListener),
}

impl Listener {
    async fn bind(address: impl ToSocketAddrs, carrier: Carrier) -> io::Result<(Self, SocketAddr)> {
        match carrier {
            Carrier::Tls { .. } => {
                let listener = TcpListener::bind(address).await?;
                let bound = listener.local_addr()?;
                Ok((Self::Tcp(listener), bound))
            }
            Carrier::Dtls => {
                let socket = UdpSocket::bind(address).await?;
                let bound = socket.local_addr()?;
                Ok((Self::Udp(DtlsListener::new(socket)?), bound))
            }
        }
    }
}

impl LegacyListener {
    /// Listens, and says so in the log; with the address it listens on.
    ///
    /// # Errors
    /// If the address is not free, or the installed OpenSSL has none of the cipher suites.
    pub(crate) async fn bind(
        address: impl ToSocketAddrs + core::fmt::Debug,
        transport: LegacyTransport,
    ) -> Result<(Self, SocketAddr), Error> {
        transport.check()?;
        let (listener, bound) = Listener::bind(&address, transport.carrier())
            .await
            .map_err(|source| Error::Bind {
                address: format!("{address:?}"),
                source,
            })?;
        transport.warn(&format!("the controller at {bound}"));
        let transport = Arc::new(transport);
        Ok((Self { listener, transport }, bound))
    }

    /// The next peer. Over UDP it also carries the datagrams of those that came before.
    async fn accept(&mut self) -> io::Result<(Incoming, SocketAddr)> {
        let transport = Arc::clone(&self.transport);
        match &mut self.listener {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Incoming::Legacy(stream, transport), peer))
            }
            Listener::Udp(listener) => {
                let (incoming, peer) = listener.accept().await?;
                Ok((Incoming::Dtls(incoming, transport), peer))
            }
        }
    }

    /// Gives each peer to `arrived`, for ever. It must not wait: that would hold up the datagrams of those that came before.
    pub(crate) async fn serve(mut self, mut arrived: impl FnMut(Incoming, SocketAddr)) {
        loop {
            match self.accept().await {
                Ok((incoming, peer)) => arrived(incoming, peer),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Server {
    /// Also listens for old devices at `address`; returns the address it listens on. May be called several times, before
    /// [`run`](Server::run). Limits, counters, authlist, identity and everything above TLS are shared with the normal
    /// listener.
    ///
    /// Dangerous: see [`transport::openssl`](crate::transport::openssl) for what old devices' TLS does not protect.
    ///
    /// # Errors
    /// If the address is not free, or the installed OpenSSL has none of the cipher suites.
    pub async fn dangerous_listen_legacy(
        &mut self,
        address: impl ToSocketAddrs + core::fmt::Debug,
        transport: LegacyTransport,
    ) -> Result<SocketAddr, Error> {
        let (listener, bound) = LegacyListener::bind(address, transport).await?;
        self.legacy.push(listener);
        Ok(bound)
    }
}

/// Begins to accept; the listeners end when the set is dropped. Over UDP they carry the datagrams of their peers too, so
/// they must not end before the connections have said goodbye.
pub(super) fn start(shared: &Arc<Shared>, listeners: Vec<LegacyListener>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for listener in listeners {
        let shared = Arc::clone(shared);
        running.spawn(listener.serve(move |incoming, peer| {
            // Whoever comes during the shutdown is turned away.
            if !shared.shutdown.is_cancelled() {
                admit(&shared, incoming, peer);
            }
        }));
    }
    running
}
