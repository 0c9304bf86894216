//! A TLS session over a stream.

use core::pin::Pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{self, SslRef};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::interval;
use tokio_openssl::SslStream;

use pki_common::tls::{ServerTls, VerificationObserver};

use super::config::LegacyTransport;
use super::dtls::{DatagramSocket, DtlsIncoming};
use super::failure::{LegacyTlsError, explain, explain_established};
use super::judge::Verdict;
use super::session::Session;

/// An established session. Boxed, as few connections are of this kind and all have room for it.
#[derive(Debug)]
pub(crate) struct LegacyStream<S>(Box<SslStream<S>>);

impl<S> LegacyStream<S> {
    /// The stream below.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// Version and cipher suite.
    pub(crate) fn negotiated(&self) -> String {
        negotiated(self.0.ssl())
    }
}

fn negotiated(ssl: &SslRef) -> String {
    let cipher = ssl.current_cipher().map_or("no cipher", |cipher| cipher.name());
    format!("{} with {cipher}", ssl.version_str())
}

/// How often a handshake over datagrams looks whether OpenSSL's timer (1 s, doubling) wants a flight sent again.
const RETRANSMIT_CHECK: Duration = Duration::from_millis(100);

/// The handshake of a peer that has returned its cookie.
pub(crate) async fn accept_dtls(
    transport: &LegacyTransport,
    tls: &ServerTls,
    observer: Arc<dyn VerificationObserver>,
    incoming: DtlsIncoming,
) -> io::Result<LegacyStream<DatagramSocket>> {
    let DtlsIncoming {
        socket,
        cookie,
        established,
    } = incoming;
    let session = Session::server_with_cookie(transport, tls, observer, cookie).map_err(io::Error::other)?;
    let stream = handshake(session, socket)
        .await
        .map_err(|(error, _stream)| error)?;
    established.store(true, Ordering::Relaxed);
    Ok(stream)
}

/// OpenSSL looks at its retransmission timer whenever it is called and finds nothing to read.
async fn finish<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut SslStream<S>) -> Result<(), ssl::Error> {
    let mut clock = interval(RETRANSMIT_CHECK);
    loop {
        tokio::select! {
            outcome = Pin::new(&mut *stream).do_handshake() => return outcome,
            _ = clock.tick() => {}
        }
    }
}

/// Begins and finishes the handshake. A stream whose handshake failed is given back, so that an alert can still arrive.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    session: Session,
    stream: S,
) -> Result<LegacyStream<S>, (io::Error, Option<LegacyStream<S>>)> {
    let Session { ssl, judge } = session;
    let session_is_datagrams = ssl.version_str().starts_with("DTLS");
    let mut stream = SslStream::new(ssl, stream)
        .map(Box::new)
        .map_err(|error: ErrorStack| (io::Error::other(error), None))?;
    let outcome = if session_is_datagrams {
        finish(&mut stream).await
    } else {
        Pin::new(&mut *stream).do_handshake().await
    };
    let verdict = judge.verdict();
    let established = LegacyStream(stream);
    match (outcome, verdict) {
        (Ok(()), Some(Verdict::Accepted)) => Ok(established),
        // Cannot happen with the cipher suites that are allowed; if it does, nobody comes in.
        (Ok(()), _) => Err((LegacyTlsError::unjudged().into(), Some(established))),
        (Err(error), verdict) => Err((explain(error, verdict), Some(established))),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for LegacyStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0)
            .poll_read(context, buffer)
            .map_err(explain_established)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LegacyStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0)
            .poll_write(context, bytes)
            .map_err(explain_established)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0)
            .poll_shutdown(context)
            .map_err(explain_established)
    }
}
