//! One HTTP exchange over a TLS connection of its own.

use core::future::pending;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki_common::tls::diagnose_io;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{ClientError, Step};
use super::{ClientTimeouts, ServerUrl};

/// The largest head of a response, in bytes; hyper takes no less than 8 KiB.
const MAX_RESPONSE_HEAD: usize = 64 * 1024;

/// Connects, asks, reads the answer to its end, and closes.
pub(crate) async fn exchange(
    url: &ServerUrl,
    tls: &Arc<rustls::ClientConfig>,
    timeouts: &ClientTimeouts,
    max_body: usize,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, ClientError> {
    let slow = |step, time| move |_| ClientError::Timeout { step, time };
    let stream = timeout(timeouts.connect, connect(url))
        .await
        .map_err(slow(Step::Connect, timeouts.connect))??;
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = timeout(
        timeouts.handshake,
        connector.connect(url.server_name().clone(), stream),
    )
    .await
    .map_err(slow(Step::Handshake, timeouts.handshake))?
    .map_err(|error| ClientError::Tls(Box::new(diagnose_io(&error))))?;
    timeout(timeouts.response, converse(stream, max_body, request))
        .await
        .map_err(slow(Step::Response, timeouts.response))?
}

/// Tries the addresses of the host one after the other.
async fn connect(url: &ServerUrl) -> Result<TcpStream, ClientError> {
    let unresolved = |cause: String| ClientError::NameResolution {
        host: url.host().to_owned(),
        cause,
    };
    let addresses = lookup_host((url.host(), url.port()))
        .await
        .map_err(|error| unresolved(error.to_string()))?;
    let mut causes = Vec::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Without this, small requests wait for delayed acknowledgements. A failure costs only speed.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY cannot be set");
                }
                return Ok(stream);
            }
            Err(error) => causes.push(format!("{address}: {error}")),
        }
    }
    if causes.is_empty() {
        return Err(unresolved("it has no address".to_owned()));
    }
    let host = format!("{} port {}", url.host(), url.port());
    Err(ClientError::Tcp {
        host,
        cause: causes.join("; "),
    })
}

async fn converse(
    stream: TlsStream<TcpStream>,
    max_body: usize,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, ClientError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_RESPONSE_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| http_error(&error))?;
    let exchange = async {
        let (head, body) = sender
            .send_request(request)
            .await
            .map_err(|error| http_error(&error))?
            .into_parts();
        let too_large = ClientError::ResponseTooLarge { limit: max_body };
        let body = Limited::new(body, max_body).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return too_large;
            }
            error.downcast_ref::<hyper::Error>().map_or_else(
                || ClientError::Http {
                    cause: error.to_string(),
                },
                http_error,
            )
        })?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    // The connection is driven beside the exchange and dropped with it. Its own end is not the end of the exchange:
    // the rest of the response may already be at hand, and if not, the exchange fails with the cause.
    let driver = async {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection ended");
        }
        pending::<()>().await;
    };
    tokio::select! {
        outcome = exchange => outcome,
        () = driver => Err(ClientError::Http { cause: "the connection ended".to_owned() }),
    }
}

/// A TLS alert can arrive after the handshake (TLS 1.3 tells a client so that its certificate is refused); it is found
/// in the sources of the HTTP error.
fn http_error(error: &hyper::Error) -> ClientError {
    let mut source = core::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io_error) = cause.downcast_ref::<io::Error>()
            && let Some(inner) = io_error.get_ref()
            && inner.is::<rustls::Error>()
        {
            return ClientError::Tls(Box::new(diagnose_io(io_error)));
        }
        source = cause.source();
    }
    let mut cause = error.to_string();
    let mut source = core::error::Error::source(error);
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    ClientError::Http { cause }
}
