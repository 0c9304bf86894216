//! The way to the service that the lower rungs have found.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use pki_common::{Failure, KnownCause};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::proxy::Tunnel;
use super::reach;

/// An address that accepts connections, and the proxy behind it when there is one.
#[derive(Debug, Clone)]
pub(super) struct Road {
    addresses: Vec<SocketAddr>,
    tunnel: Option<Tunnel>,
    /// How long one step may take.
    pub(super) limit: Duration,
}

impl Road {
    /// A road through one of these addresses.
    pub(super) const fn new(addresses: Vec<SocketAddr>, limit: Duration) -> Self {
        Self {
            addresses,
            tunnel: None,
            limit,
        }
    }

    /// The same road, on through a proxy.
    pub(super) fn through(mut self, tunnel: Tunnel) -> Self {
        self.tunnel = Some(tunnel);
        self
    }

    /// A new connection to the service, through the proxy if there is one.
    pub(super) async fn open(&self) -> Result<TcpStream, Failure> {
        let mut stream = self.connect().await?;
        if let Some(tunnel) = &self.tunnel {
            tunnel.open(&mut stream, self.limit).await?;
        }
        Ok(stream)
    }

    /// A new connection to the first machine on the road.
    pub(super) async fn connect(&self) -> Result<TcpStream, Failure> {
        let mut last = None;
        for address in &self.addresses {
            let error = match timeout(self.limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this, small requests wait for delayed acknowledgements. A failure costs only speed.
                    drop(stream.set_nodelay(true));
                    return Ok(stream);
                }
                Ok(Err(error)) => error,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            last = Some(reach::failure(*address, &error, self.limit));
        }
        Err(last.unwrap_or_else(|| KnownCause::NameNotResolved.failure("There is no address to connect to.")))
    }
}
