//! From a location server to its controller: the path, then the authentication over it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
#[cfg(feature = "openssl")]
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(feature = "openssl")]
use tokio::net::UdpSocket;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use pki_common::Rung;
use pki_common::tls::RefusalRecorder;

use super::SecureStream;
#[cfg(feature = "openssl")]
use super::openssl::{self, Carrier, DatagramSocket, DtlsStream, LegacyStream, LegacyTransport, Session};
use crate::client::ClientConfig;
use crate::error::Error;

/// The stream to an authenticated controller.
pub(crate) type ControllerStream = SecureStream<TcpStream>;

/// A path to a controller that has not been authenticated.
#[derive(Debug)]
pub(crate) enum Link {
    Tcp(TcpStream),
    #[cfg(feature = "openssl")]
    Udp(UdpSocket, LegacyTransport),
}

/// Why a link could not be secured.
#[derive(Debug)]
pub(crate) enum SecureError {
    /// The handshake failed.
    Handshake(io::Error),
    /// It was not begun.
    Setup(Error),
}

impl Link {
    /// Connects to the first of the addresses that answers.
    pub(crate) async fn open(
        controller: &str,
        addresses: &[SocketAddr],
        config: &ClientConfig,
    ) -> Result<Self, Error> {
        #[cfg(feature = "openssl")]
        if let Some(legacy) = &config.dangerous_legacy
            && legacy.carrier() == Carrier::Dtls
        {
            return open_udp(controller, addresses, legacy).await;
        }
        let limit = config.connect_timeout;
        let stream = timeout(limit, TcpStream::connect(addresses))
            .await
            .map_err(|_| Error::TimedOut {
                what: "the TCP connection to the controller",
                rung: Rung::Tcp,
                after: limit,
            })?
            .map_err(|source| Error::Connect {
                address: controller.to_owned(),
                source,
            })?;
        stream.set_nodelay(true).map_err(Error::Transport)?;
        Ok(Self::Tcp(stream))
    }

    /// The controller's address.
    pub(crate) fn peer_addr(&self) -> Result<SocketAddr, Error> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().map_err(Error::Transport),
            #[cfg(feature = "openssl")]
            Self::Udp(socket, _) => socket.peer_addr().map_err(Error::Transport),
        }
    }

    /// The handshake.
    pub(crate) async fn secure(
        self,
        name: ServerName<'static>,
        config: &ClientConfig,
        recorder: &Arc<RefusalRecorder>,
    ) -> Result<ControllerStream, SecureError> {
        match self {
            Self::Tcp(stream) => secure_tcp(stream, name, config, recorder).await,
            #[cfg(feature = "openssl")]
            Self::Udp(socket, legacy) => {
                let socket = DatagramSocket::connected(socket);
                let session = secure_legacy(socket, name, config, &legacy, recorder).await?;
                let profile = Arc::clone(&config.connection.profile);
                Ok(SecureStream::Dtls(Box::new(DtlsStream::new(session, profile))))
            }
        }
    }
}

async fn secure_tcp(
    stream: TcpStream,
    name: ServerName<'static>,
    config: &ClientConfig,
    recorder: &Arc<RefusalRecorder>,
) -> Result<ControllerStream, SecureError> {
    #[cfg(feature = "openssl")]
    if let Some(legacy) = &config.dangerous_legacy {
        let stream = secure_legacy(stream, name, config, legacy, recorder).await?;
        return Ok(SecureStream::Legacy(stream));
    }
    let observer = Arc::<RefusalRecorder>::clone(recorder);
    let tls = config
        .tls
        .rustls_config_observed(observer)
        .map_err(|error| SecureError::Setup(error.into()))?;
    let stream = TlsConnector::from(tls)
        .connect(name, stream)
        .await
        .map_err(SecureError::Handshake)?;
    Ok(SecureStream::Tls(TlsStream::from(stream)))
}

#[cfg(feature = "openssl")]
async fn secure_legacy<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: ServerName<'static>,
    config: &ClientConfig,
    legacy: &LegacyTransport,
    recorder: &Arc<RefusalRecorder>,
) -> Result<LegacyStream<S>, SecureError> {
    legacy.warn("the location server");
    let observer = Arc::<RefusalRecorder>::clone(recorder);
    let session = Session::client(legacy, &config.tls, name, observer).map_err(SecureError::Setup)?;
    let stream = openssl::handshake(session, stream)
        .await
        .map_err(|(error, _stream)| SecureError::Handshake(error))?;
    tracing::info!(negotiated = %stream.negotiated(), "legacy TLS");
    Ok(stream)
}

/// A socket that speaks to the first address only: without a connection nobody says which of several answers.
#[cfg(feature = "openssl")]
async fn open_udp(
    controller: &str,
    addresses: &[SocketAddr],
    legacy: &LegacyTransport,
) -> Result<Link, Error> {
    let connect = async {
        let address = addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let any = match address {
            SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0_u16; 8], 0)),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(address).await?;
        Ok::<_, io::Error>(socket)
    };
    let socket = connect.await.map_err(|source| Error::Connect {
        address: controller.to_owned(),
        source,
    })?;
    Ok(Link::Udp(socket, legacy.clone()))
}
