//! From a host name to a TLS connection, each step with its own time-out.

use std::io;
use std::sync::Arc;

use core::time::Duration;
use pki_common::channel_binding::{ChannelBindings, record_handshake};
use pki_common::tls::{ClientTls, HandshakeContext, RefusalRecorder};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connector::ByteStream;
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
) -> Result<(TlsStream<Box<dyn ByteStream>>, ChannelBindings), ClientError> {
    let stream = connect_bytes(config).await?;
    shake_hands(stream, &config.url, tls, &config.timeouts).await
}

async fn connect_bytes(config: &ClientConfig) -> Result<Box<dyn ByteStream>, ClientError> {
    let timeouts = &config.timeouts;
    let limited = |host, port| {
        timeout(timeouts.connect, async move {
            if let Some(connector) = &config.connector {
                let connected = connector.connect(host, port).await;
                return connected.map_err(|error| not_connected(host, port, error.kind(), error.to_string()));
            }
            let stream = reach(host, port).await;
            let stream: Box<dyn ByteStream> = Box::new(stream.map_err(|why| unreached(host, port, why))?);
            Ok(stream)
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
        Unreached::NotConnected(attempts) => {
            let first = attempts.first();
            let kind = first.map_or(io::ErrorKind::Other, |(_, error)| error.kind());
            not_connected(host, port, kind, Unreached::causes(&attempts))
        }
    }
}

fn not_connected(host: &str, port: u16, kind: io::ErrorKind, cause: String) -> ClientError {
    ClientError::Tcp {
        host: format!("{host} port {port}"),
        kind,
        cause,
    }
}

async fn shake_hands(
    stream: Box<dyn ByteStream>,
    url: &ServerUrl,
    tls: &ClientTls,
    timeouts: &ClientTimeouts,
) -> Result<(TlsStream<Box<dyn ByteStream>>, ChannelBindings), ClientError> {
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
