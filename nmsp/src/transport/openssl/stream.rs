//! A TLS session over a stream.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use openssl::error::ErrorStack;
use openssl::ssl::SslRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

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

/// Begins and finishes the handshake. A stream whose handshake failed is given back, so that an alert can still arrive.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    session: Session,
    stream: S,
) -> Result<LegacyStream<S>, (io::Error, Option<LegacyStream<S>>)> {
    let Session { ssl, judge } = session;
    let mut stream = SslStream::new(ssl, stream)
        .map(Box::new)
        .map_err(|error: ErrorStack| (io::Error::other(error), None))?;
    let outcome = Pin::new(&mut *stream).do_handshake().await;
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
