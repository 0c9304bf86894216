//! How a connection to the device under test comes about.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::case::Transport;
use super::link::Link;
use super::play::End;

/// A device under test.
pub trait Target: Send {
    /// Whether a look for life can have a connection of its own while those of a case are still open.
    const BESIDE: bool;

    /// One connection more. The caller bounds the time.
    ///
    /// # Errors
    /// Why there is none.
    fn open(&mut self, transport: Transport) -> impl Future<Output = Result<Link, End>> + Send;
}

/// The longest handshake; callers have bounds of their own, which are shorter.
const LONGEST: Duration = Duration::from_secs(3600);

/// A server under test: we connect.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it is: the one address that [`address_guard`](super::address_guard) let pass. No name is looked up again.
    pub address: SocketAddr,
    /// TLS with our credentials. Resumption would leave parts of the handshake out.
    pub tls: Arc<ClientConfig>,
    /// The name that TLS asks for.
    pub name: ServerName<'static>,
}

impl Target for Server {
    const BESIDE: bool = true;

    async fn open(&mut self, transport: Transport) -> Result<Link, End> {
        let tcp = TcpStream::connect(self.address)
            .await
            .map_err(|error| End::NotOpened(error.to_string()))?;
        match transport {
            Transport::Tcp => Ok(Link::plain(tcp)),
            Transport::Tls => {
                let deadline = Instant::now() + LONGEST;
                Link::client(tcp, Arc::clone(&self.tls), self.name.clone(), deadline).await
            }
        }
    }
}

/// A client under test: it connects to us.
#[derive(Debug)]
pub struct Client {
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    /// A connection over which the device has shown that it works; the next case begins with it.
    spare: Option<Link>,
    /// Whether devices with public addresses are tested, too.
    i_own_this: bool,
}

impl Client {
    /// Devices connect to this listener. Those with public addresses are not tested unless the user has said so by
    /// `--i-own-this`.
    #[must_use]
    pub const fn new(listener: TcpListener, tls: Arc<ServerConfig>, i_own_this: bool) -> Self {
        Self {
            listener,
            tls,
            spare: None,
            i_own_this,
        }
    }

    /// Keeps a connection for the next case.
    pub fn keep(&mut self, link: Link) {
        self.spare = Some(link);
    }

    /// Forgets the connection that was kept.
    pub fn forget(&mut self) {
        self.spare = None;
    }
}

impl Target for Client {
    /// A location server has one connection to each controller.
    const BESIDE: bool = false;

    async fn open(&mut self, transport: Transport) -> Result<Link, End> {
        let spare = self.spare.take();
        if let (Transport::Tls, Some(link)) = (transport, spare) {
            return Ok(link);
        }
        loop {
            let accepted = self.listener.accept().await;
            let (tcp, peer) = accepted.map_err(|error| End::NotOpened(error.to_string()))?;
            if !super::address_guard::is_near(peer.ip()) && !self.i_own_this {
                tracing::warn!(%peer, "a connection from a public address is not tested");
                continue;
            }
            return match transport {
                Transport::Tcp => Ok(Link::plain(tcp)),
                Transport::Tls => Link::server(tcp, Arc::clone(&self.tls), Instant::now() + LONGEST).await,
            };
        }
    }
}
