//! The TCP stream of a connection, watched while the handshake runs: what the vendor's trace calls `WANT_READ` and
//! `doSSLRecvLoop` is seen here, between TLS and TCP.

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use std::io::{self, IoSlice};
use std::sync::Arc;

use pki_common::tls::ServerTls;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::server::trace::ConnectionTrace;

/// The server's side of the handshake. A stream whose handshake failed is given back, so that an alert can still arrive.
///
/// The configuration is that of this connection, because its verification is watched. It is made when there is a whole
/// `ClientHello`: ten thousand peers that say nothing, or not enough, cost no such work.
pub(super) async fn accept(
    tls: &ServerTls,
    stream: TcpStream,
    trace: &Arc<ConnectionTrace>,
) -> Result<TlsStream<WatchedStream>, (io::Error, Option<TcpStream>)> {
    let (stream, progress) = WatchedStream::new(stream, Arc::clone(trace));
    let handshake = async {
        let mut hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let begun = match (&mut hello).await {
            Ok(begun) => begun,
            Err(error) => return Err((error, hello.take_io())),
        };
        let observer = Arc::<ConnectionTrace>::clone(trace);
        let config = match tls.rustls_config_observed(observer) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(%error, "no TLS configuration");
                return Err((io::Error::other(error), Some(begun.io)));
            }
        };
        let accepted = begun.into_stream(config).into_fallible().await;
        accepted.map_err(|(error, stream)| (error, Some(stream)))
    };
    match progress.watch(handshake).await {
        Ok(mut stream) => {
            stream.get_mut().0.finished();
            Ok(stream)
        }
        Err((error, stream)) => Err((error, stream.map(|watched| watched.stream))),
    }
}

/// A TCP stream; while the handshake runs, its reads are noted.
#[derive(Debug)]
pub(in crate::server) struct WatchedStream {
    stream: TcpStream,
    /// `None` once the handshake is done.
    watch: Option<Arc<Progress>>,
}

impl WatchedStream {
    /// A stream whose handshake begins, and its progress.
    pub(super) fn new(stream: TcpStream, trace: Arc<ConnectionTrace>) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::new(trace));
        let watch = Some(Arc::clone(&progress));
        (Self { stream, watch }, progress)
    }

    /// The handshake is done.
    pub(super) fn finished(&mut self) {
        self.watch = None;
    }
}

/// How far a handshake is. One task uses it; it is atomic because the stream and its owner both hold it.
#[derive(Debug)]
pub(super) struct Progress {
    trace: Arc<ConnectionTrace>,
    /// The last read found nothing.
    blocked: AtomicBool,
    /// The trace says so.
    waiting: AtomicBool,
    /// The first attempt has used up what had arrived; the receive loop goes on from there.
    initialised: AtomicBool,
}

impl Progress {
    fn new(trace: Arc<ConnectionTrace>) -> Self {
        Self {
            trace,
            blocked: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            initialised: AtomicBool::new(false),
        }
    }

    /// Runs a handshake and notes each time it returns to wait.
    pub(super) async fn watch<F: Future>(&self, handshake: F) -> F::Output {
        let mut handshake = pin!(handshake);
        poll_fn(|context| {
            let polled = handshake.as_mut().poll(context);
            if polled.is_pending() {
                self.returned();
            }
            polled
        })
        .await
    }

    fn read_attempted(&self, outcome: &Poll<io::Result<()>>, received: usize) {
        self.blocked.store(outcome.is_pending(), Ordering::Relaxed);
        if received > 0 && self.waiting.swap(false, Ordering::Relaxed) {
            self.trace.handshake_goes_on();
        }
    }

    /// The handshake is not finished and has returned to its caller; a task can do so more than once while it waits.
    fn returned(&self) {
        if self.blocked.load(Ordering::Relaxed) && !self.waiting.swap(true, Ordering::Relaxed) {
            self.trace.wants_read();
            if !self.initialised.swap(true, Ordering::Relaxed) {
                self.trace.initialised();
            }
        }
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(watch) = &self.watch {
            watch.read_attempted(&outcome, buffer.filled().len() - before);
        }
        outcome
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
