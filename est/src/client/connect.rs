//! From a host name to a TLS connection, each step with its own time-out.

use std::io;
use std::sync::Arc;

use core::time::Duration;
use pki_common::channel_binding::{ChannelBindings, record_handshake};
use pki_common::tls::{ClientTls, HandshakeContext, RefusalRecorder};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::proxy::connect_through;
use super::reach::{Unreached, reach};
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
    let limited = |host, port| {
        timeout(timeouts.connect, async move {
            reach(host, port).await.map_err(|why| unreached(host, port, why))
        })
    };
    let Some(proxy) = &config.proxy else {
        return limited(config.url.host(), config.url.port())
            .await
            .map_err(slow(Step::Connect, timeouts.connect))?;
    };
    let of_proxy = |error: ClientError| ClientError::Proxy {
        proxy: proxy.to_string(),
        cause: error.to_string(),
        status: None,
    };
    let mut stream = limited(proxy.host(), proxy.port())
        .await
        .map_err(slow(Step::Proxy, timeouts.connect))?
        .map_err(of_proxy)?;
    timeout(timeouts.connect, connect_through(proxy, &config.url, &mut stream))
        .await
        .map_err(slow(Step::Proxy, timeouts.connect))??;
    Ok(stream)
}

fn unreached(host: &str, port: u16, why: Unreached) -> ClientError {
    match why {
        Unreached::NotResolved(cause) => ClientError::NameResolution {
            host: host.to_owned(),
            cause,
        },
        Unreached::NotConnected(attempts) => ClientError::Tcp {
            host: format!("{host} port {port}"),
            kind: attempts
                .first()
                .map_or(io::ErrorKind::Other, |(_, error)| error.kind()),
            cause: Unreached::causes(&attempts),
        },
    }
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
