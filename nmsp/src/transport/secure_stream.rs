//! The stream to an authenticated peer.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

#[cfg(feature = "openssl")]
use super::openssl::{DtlsStream, LegacyStream};
use crate::server::Transport;

/// What carries the messages of one connection; `S` is the TCP stream below.
#[derive(Debug)]
#[cfg_attr(
    feature = "openssl",
    expect(
        clippy::large_enum_variant,
        reason = "nearly every stream is of the large kind"
    )
)]
pub(crate) enum SecureStream<S> {
    Tls(TlsStream<S>),
    #[cfg(feature = "openssl")]
    Legacy(LegacyStream<S>),
    #[cfg(feature = "openssl")]
    Dtls(Box<DtlsStream>),
}

impl<S> SecureStream<S> {
    /// As `show nmsp status` tells it.
    pub(crate) const fn transport(&self) -> Transport {
        match self {
            Self::Tls(_) => Transport::Tls,
            #[cfg(feature = "openssl")]
            Self::Legacy(_) => Transport::LegacyTls,
            #[cfg(feature = "openssl")]
            Self::Dtls(_) => Transport::Dtls,
        }
    }
}

impl<S> SecureStream<S> {
    /// The longest message that it carries, with the header.
    pub(crate) const fn longest_message(&self) -> usize {
        match self {
            #[cfg(feature = "openssl")]
            Self::Dtls(_) => super::openssl::LONGEST_DTLS_MESSAGE,
            _ => usize::MAX,
        }
    }
}

/// Hands a call to whichever stream it is.
macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self {
            Self::Tls($stream) => $call,
            #[cfg(feature = "openssl")]
            Self::Legacy($stream) => $call,
            #[cfg(feature = "openssl")]
            Self::Dtls($stream) => $call,
        }
    };
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SecureStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        each!(stream, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SecureStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        each!(stream, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        each!(stream, stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        each!(stream, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        each!(stream, stream => Pin::new(stream).poll_shutdown(context))
    }
}
