//! The way to the server where it is not TCP from this machine.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes in both directions, in order: what TLS needs below it.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// A connection in the making.
pub type ConnectorFuture<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + 'a>>;

/// Makes the connections of a [`Client`](super::Client) instead of TCP: through a SOCKS server or an SSH tunnel, from
/// another network namespace or VRF, or in memory.
///
/// Names are the connector's business, too: it gets the host as the URL has it. TLS, with the check of the server's
/// certificate against that host, comes on top. With an HTTP proxy in the configuration, it is the proxy that is
/// connected to.
///
/// # Examples
/// A client and a server in one process, without a socket:
/// ```
/// use est::client::{ByteStream, Connector, ConnectorFuture};
/// use est::server::ServerHandle;
///
/// #[derive(Debug)]
/// struct InMemory(ServerHandle);
///
/// impl Connector for InMemory {
///     fn connect<'a>(&'a self, _host: &'a str, _port: u16) -> ConnectorFuture<'a> {
///         Box::pin(async {
///             let (near, far) = tokio::io::duplex(16 * 1024);
///             let server = self.0.clone();
///             tokio::spawn(async move { server.serve(far, ([127, 0, 0, 1], 0).into()).await });
///             let near: Box<dyn ByteStream> = Box::new(near);
///             Ok(near)
///         })
///     }
/// }
/// ```
pub trait Connector: fmt::Debug + Send + Sync {
    /// Connects to a port of a host: a name, or an address without brackets.
    ///
    /// # Errors
    /// The future yields why there is no connection; the client tells it as a failure of TCP. It gives up by itself
    /// after [`ClientTimeouts::connect`](super::ClientTimeouts::connect).
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> ConnectorFuture<'a>;
}
