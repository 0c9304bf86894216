//! From a location server to its controller: the path, then the authentication over it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, TlsStream};

use pki_common::tls::RefusalRecorder;

use super::SecureStream;
#[cfg(feature = "openssl")]
use super::openssl::{self, LegacyTransport, Session};
use crate::client::ClientConfig;
use crate::error::Error;

/// The stream to an authenticated controller.
pub(crate) type ControllerStream = SecureStream<TcpStream>;

/// A path to a controller that has not been authenticated.
#[derive(Debug)]
pub(crate) enum Link {
    Tcp(TcpStream),
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
        let limit = config.connect_timeout;
        let stream = timeout(limit, TcpStream::connect(addresses))
            .await
            .map_err(|_| Error::TimedOut {
                what: "the TCP connection to the controller",
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
        return secure_legacy(stream, name, config, legacy, recorder).await;
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
async fn secure_legacy(
    stream: TcpStream,
    name: ServerName<'static>,
    config: &ClientConfig,
    legacy: &LegacyTransport,
    recorder: &Arc<RefusalRecorder>,
) -> Result<ControllerStream, SecureError> {
    legacy.warn("the location server");
    let observer = Arc::<RefusalRecorder>::clone(recorder);
    let session = Session::client(legacy, &config.tls, name, observer).map_err(SecureError::Setup)?;
    let stream = openssl::handshake(session, stream)
        .await
        .map_err(|(error, _stream)| SecureError::Handshake(error))?;
    tracing::info!(negotiated = %stream.negotiated(), "legacy TLS");
    Ok(SecureStream::Legacy(stream))
}
