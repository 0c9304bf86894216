//! From a host name to a TLS connection, each step with its own time-out.

use std::io;
use std::sync::Arc;

use core::time::Duration;
use pki_common::channel_binding::{ChannelBindings, record_handshake};
use pki_common::tls::{ClientTls, HandshakeContext, RefusalRecorder};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::proxy::connect_through;
use super::{ClientConfig, ClientTimeouts};
use crate::exchange::{ClientError, ServerUrl, Step};

/// How long each step of an exchange may take; see [`ClientTimeouts`].
fn slow(step: Step, time: Duration) -> impl FnOnce(tokio::time::error::Elapsed) -> ClientError {
    move |_| ClientError::Timeout { step, time }
}

/// Connects, through the proxy if there is one, and shakes hands.
pub(super) async fn connect(
    config: &ClientConfig,
    tls: &ClientTls,
) -> Result<(TlsStream<TcpStream>, ChannelBindings), ClientError> {
    let stream = connect_tcp(config).await?;
    shake_hands(stream, &config.url, tls, &config.timeouts).await
}

async fn connect_tcp(config: &ClientConfig) -> Result<TcpStream, ClientError> {
    let timeouts = &config.timeouts;
    let limited = |host, port| timeout(timeouts.connect, reach(host, port));
    let Some(proxy) = &config.proxy else {
        let (host, port) = (config.url.host().to_owned(), config.url.port());
        return limited(host, port)
            .await
            .map_err(slow(Step::Connect, timeouts.connect))?;
    };
    let of_proxy = |error: ClientError| ClientError::Proxy {
        proxy: proxy.to_string(),
        cause: error.to_string(),
        status: None,
    };
    let mut stream = limited(proxy.host().to_owned(), proxy.port())
        .await
        .map_err(slow(Step::Proxy, timeouts.connect))?
        .map_err(of_proxy)?;
    timeout(timeouts.connect, connect_through(proxy, &config.url, &mut stream))
        .await
        .map_err(slow(Step::Proxy, timeouts.connect))??;
    Ok(stream)
}

/// Tries the addresses of the host one after the other.
async fn reach(host: String, port: u16) -> Result<TcpStream, ClientError> {
    let unresolved = |cause: String| ClientError::NameResolution {
        host: host.clone(),
        cause,
    };
    let addresses = lookup_host((host.as_str(), port))
        .await
        .map_err(|error| unresolved(error.to_string()))?;
    let mut causes = Vec::new();
    let mut kind = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without this, small requests wait for delayed acknowledgements. A failure costs only speed.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY cannot be set");
                }
                return Ok(stream);
            }
            Err(error) => {
                kind.get_or_insert(error.kind());
                causes.push(format!("{address}: {error}"));
            }
        }
    }
    let Some(kind) = kind else {
        return Err(unresolved("it has no address".to_owned()));
    };
    Err(ClientError::Tcp {
        host: format!("{host} port {port}"),
        kind,
        cause: causes.join("; "),
    })
}

async fn shake_hands(
    stream: TcpStream,
    url: &ServerUrl,
    tls: &ClientTls,
    timeouts: &ClientTimeouts,
) -> Result<(TlsStream<TcpStream>, ChannelBindings), ClientError> {
    // What a refusal was for does not fit into every error of rustls: a self-signed certificate has an unknown issuer too.
    let refusal = Arc::new(RefusalRecorder::default());
    let observed = tls
        .rustls_config_observed(Arc::<RefusalRecorder>::clone(&refusal))
        .map_err(|error| ClientError::tls_config(&error))?;
    let connector = TlsConnector::from(observed);
    let handshake = record_handshake(connector.connect(url.server_name().clone(), stream));
    let (shaken, finished) = timeout(timeouts.handshake, handshake)
        .await
        .map_err(slow(Step::Handshake, timeouts.handshake))?;
    let stream = shaken.map_err(|error: io::Error| {
        let context = HandshakeContext::default();
        ClientError::Tls(Box::new(context.diagnose_io(&error, Some(&refusal))))
    })?;
    let bindings = ChannelBindings::of_client(stream.get_ref().1, &finished);
    Ok((stream, bindings))
}
