//! A stream on which the peer has begun to speak.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// A stream whose first byte was read ahead, and comes first again. TCP has `peek` for that, other streams have not.
#[derive(Debug)]
pub(crate) struct FirstByte<S> {
    stream: S,
    first: Option<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> FirstByte<S> {
    /// Waits for the first byte, or for the end of the stream.
    pub(crate) async fn of(mut stream: S) -> io::Result<Self> {
        let mut first = [0];
        let length = stream.read(&mut first).await?;
        let [byte] = first;
        Ok(Self {
            stream,
            first: (length > 0).then_some(byte),
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstByte<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buf.remaining() > 0
            && let Some(first) = this.first.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstByte<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn what_was_read_ahead_comes_first() {
        let (mut near, far) = tokio::io::duplex(16);
        near.write_all(b"hello").await.unwrap();
        drop(near);
        let mut read = Vec::new();
        let mut stream = FirstByte::of(far).await.unwrap();
        stream.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"hello");
    }

    #[tokio::test]
    async fn a_stream_that_ends_at_once_has_an_end_and_no_byte() {
        let (near, far) = tokio::io::duplex(16);
        drop(near);
        let mut read = Vec::new();
        let mut stream = FirstByte::of(far).await.unwrap();
        assert_eq!(stream.read_to_end(&mut read).await.unwrap(), 0);
    }
}
