//! One connection from its first byte to its last.

use core::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pki_common::Certificate;
use pki_common::channel_binding::{ChannelBindings, FinishedRecorder, record_handshake};
use pki_common::tls::diagnose_io;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{AcquireError, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::ServerLimits;
use super::addresses::Place;
use super::counters::{HandshakeFailure, count, est_error};
use super::first_byte::FirstByte;
use super::service::EstService;
use super::state::ServerState;
use super::write_timeout::WriteTimeout;
use crate::operation::{ConnectionFacts, EstErrorNumber};

/// How long and how much is read, and thrown away, after the last answer or alert. Closing a socket with unread bytes in it
/// resets the connection, and the client would lose what explains the refusal.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What a connection needs of the server.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionContext {
    pub(crate) state: Arc<ServerState>,
    pub(crate) handshakes: Arc<Semaphore>,
    pub(crate) shutdown: CancellationToken,
}

impl ConnectionContext {
    /// Serves a TCP connection, which has this place, until it ends.
    pub(crate) async fn serve_tcp(self, stream: TcpStream, peer: SocketAddr, place: &Place) {
        let ready = async {
            // Nagle's algorithm and delayed acknowledgements together stall each answer for some 40 ms.
            stream.set_nodelay(true)?;
            // Not readable(), which may be wrong: a silent connection would take a turn.
            stream.peek(&mut [0]).await?;
            Ok(stream)
        };
        self.serve(ready, peer, Some(place)).await;
    }

    /// Serves any other stream until it ends.
    pub(crate) async fn serve_stream<S>(self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.serve(FirstByte::of(stream), peer, None).await;
    }

    /// `ready` yields the stream once the peer has begun to speak.
    async fn serve<S>(
        self,
        ready: impl Future<Output = io::Result<S>> + Send,
        peer: SocketAddr,
        place: Option<&Place>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let limits = self.state.serving.load().limits;
        let handshake = timeout(limits.handshake_time, self.handshake(ready, place));
        let (stream, finished) = tokio::select! {
            handshake = handshake => match handshake {
                Ok(Ok(stream)) => stream,
                Ok(Err((error, stream))) => {
                    self.handshake_failed(peer, HandshakeFailure::of(&error), &error);
                    if let Some(stream) = stream {
                        linger(stream).await;
                    }
                    return;
                }
                Err(elapsed) => {
                    let error = io::Error::new(io::ErrorKind::TimedOut, elapsed);
                    return self.handshake_failed(peer, HandshakeFailure::Timeout, &error);
                }
            },
            () = self.shutdown.cancelled() => return,
        };
        count(&self.state.counters.handshakes);
        let certificate = match client_certificate(&stream) {
            Ok(certificate) => certificate,
            Err(cause) => {
                let number = EstErrorNumber::AUTH_FAIL;
                return tracing::warn!(%peer, cause, est_error = %number, "client certificate cannot be read");
            }
        };
        let facts = ConnectionFacts {
            address: Some(peer.ip()),
            certificate,
            intermediates: other_certificates(&stream),
            channel_bindings: ChannelBindings::of_server(stream.get_ref().1, &finished),
        };
        self.serve_http(stream, peer, facts, &limits).await;
    }

    /// Gives back the stream of a handshake that was refused: the alert has yet to arrive.
    async fn handshake<S>(
        &self,
        ready: impl Future<Output = io::Result<S>>,
        place: Option<&Place>,
    ) -> Result<(TlsStream<S>, FinishedRecorder), (io::Error, Option<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = ready.await.map_err(before_it)?;
        // That of the address first: while it waits there it takes no turn from others.
        let _own_turn = match place {
            Some(place) => Some(place.handshakes().acquire().await.map_err(closed)?),
            None => None,
        };
        let _turn = self.handshakes.acquire().await.map_err(closed)?;
        let acceptor = TlsAcceptor::from(self.state.tls.load_full());
        let (accepted, finished) = record_handshake(acceptor.accept(stream).into_fallible()).await;
        match accepted {
            Ok(stream) => Ok((stream, finished)),
            Err((error, stream)) => Err((error, Some(stream))),
        }
    }

    fn handshake_failed(&self, peer: SocketAddr, failure: HandshakeFailure, error: &io::Error) {
        self.state.counters.handshake_failed(failure);
        let found = diagnose_io(error);
        let number = est_error(failure);
        tracing::info!(%peer, rung = %found.rung, cause = %found.cause, remedy = %found.remedy, est_error = %number,
            "TLS handshake failed");
    }

    async fn serve_http<S>(
        &self,
        stream: TlsStream<S>,
        peer: SocketAddr,
        facts: ConnectionFacts,
        limits: &ServerLimits,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let service = EstService::new(Arc::clone(&self.state)).for_connection(facts);
        // Without the adapter for tower, which makes another future of each.
        let service = service_fn(move |request| Box::pin(service.clone().respond(request)));
        let stream = TokioIo::new(WriteTimeout::new(stream, limits.write_time));
        let mut connection = http(limits).serve_connection(stream, service);
        let outcome = tokio::select! {
            biased;
            outcome = poll_fn(|cx| connection.poll_without_shutdown(cx)) => outcome,
            () = self.shutdown.cancelled() => {
                Pin::new(&mut connection).graceful_shutdown();
                let rest = poll_fn(|cx| connection.poll_without_shutdown(cx));
                match timeout(limits.shutdown_time, rest).await {
                    Ok(outcome) => outcome,
                    Err(_elapsed) => return tracing::warn!(%peer, "connection cut off by the shutdown"),
                }
            }
        };
        if let Err(error) = outcome {
            self.http_failed(peer, &error);
        }
        linger(connection.into_parts().io.into_inner()).await;
    }

    fn http_failed(&self, peer: SocketAddr, error: &hyper::Error) {
        if error.is_timeout() {
            count(&self.state.counters.header_timeouts);
        } else if error.is_parse() {
            count(&self.state.counters.malformed_requests);
        }
        let number = est_error_of_http(error);
        tracing::info!(%peer, cause = %error, est_error = %number, "HTTP connection failed");
    }
}

/// What keeps a handshake from its beginning.
const fn before_it<S>(error: io::Error) -> (io::Error, Option<S>) {
    (error, None)
}

fn closed<S>(error: AcquireError) -> (io::Error, Option<S>) {
    before_it(io::Error::other(error))
}

/// The libest error number that fits a connection which ended badly after its handshake.
fn est_error_of_http(error: &hyper::Error) -> EstErrorNumber {
    if error.is_parse() {
        return EstErrorNumber::HTTP_BAD_REQ;
    }
    if error.is_timeout() || error.is_incomplete_message() {
        return EstErrorNumber::SSL_READ;
    }
    let mut source = core::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(error) = inner.downcast_ref::<io::Error>() {
            return match error.kind() {
                // The time-out for writing is the only one below HTTP.
                io::ErrorKind::TimedOut | io::ErrorKind::BrokenPipe | io::ErrorKind::WriteZero => {
                    EstErrorNumber::HTTP_WRITE
                }
                _ => EstErrorNumber::SSL_READ,
            };
        }
        source = inner.source();
    }
    EstErrorNumber::UNKNOWN
}

fn http(limits: &ServerLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        // See the module libest_clients.
        .title_case_headers(true)
        .max_buf_size(limits.header_size.max(ServerLimits::MIN_HEADER_SIZE))
        .max_header_size(limits.header_size);
    if limits.header_count != ServerLimits::HEADER_COUNT {
        builder.max_headers(limits.header_count);
    }
    builder
}

/// The certificate that the TLS layer has verified; it is asked for, so a client may have none.
fn client_certificate<S>(stream: &TlsStream<S>) -> Result<Option<Certificate>, String> {
    let (_, connection) = stream.get_ref();
    let Some(first) = connection.peer_certificates().and_then(<[_]>::first) else {
        return Ok(None);
    };
    Certificate::from_der(first)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// What the client sent beside its own certificate; as much as rustls lets it send in a handshake (64 KiB).
fn other_certificates<S>(stream: &TlsStream<S>) -> Vec<CertificateDer<'static>> {
    let (_, connection) = stream.get_ref();
    let sent = connection.peer_certificates().unwrap_or_default();
    sent.iter()
        .skip(1)
        .map(|other| other.clone().into_owned())
        .collect()
}

/// Ends the connection in an order that lets the client read the last answer, or the alert.
async fn linger<S>(mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let end = Instant::now() + LINGER_TIME;
    if !matches!(timeout_at(end, stream.shutdown()).await, Ok(Ok(()))) {
        return;
    }
    let mut thrown_away = 0;
    let mut buffer = [0; 4096];
    while thrown_away < LINGER_BYTES {
        match timeout_at(end, stream.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => thrown_away += length,
            _ => return,
        }
    }
}
