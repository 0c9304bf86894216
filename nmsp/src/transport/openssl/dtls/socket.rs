//! The datagrams of one peer.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::hello::is_hello_verify_request;

/// Reads one datagram at a time and writes one at a time.
#[derive(Debug)]
pub(crate) struct DatagramSocket {
    socket: Arc<UdpSocket>,
    peer: Peer,
}

#[derive(Debug)]
enum Peer {
    /// The socket is connected to it.
    Connected,
    /// The socket is shared; the listener sorts what arrives.
    Of {
        address: SocketAddr,
        datagrams: mpsc::Receiver<Vec<u8>>,
    },
}

impl DatagramSocket {
    /// A socket that is connected to its only peer.
    pub(crate) fn connected(socket: UdpSocket) -> Self {
        Self {
            socket: Arc::new(socket),
            peer: Peer::Connected,
        }
    }

    /// One peer of a socket that is shared.
    pub(super) const fn of(
        socket: Arc<UdpSocket>,
        address: SocketAddr,
        datagrams: mpsc::Receiver<Vec<u8>>,
    ) -> Self {
        let peer = Peer::Of { address, datagrams };
        Self { socket, peer }
    }
}

impl AsyncRead for DatagramSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, peer } = &mut *self;
        let before = buffer.filled().len();
        // An empty datagram would look like the end.
        while buffer.filled().len() == before {
            match peer {
                Peer::Connected => ready!(socket.poll_recv(context, buffer))?,
                Peer::Of { datagrams, .. } => match ready!(datagrams.poll_recv(context)) {
                    Some(datagram) => {
                        let room = datagram.len().min(buffer.remaining());
                        buffer.put_slice(datagram.get(..room).unwrap_or_default());
                    }
                    None => return Poll::Ready(Ok(())),
                },
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DatagramSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &self.peer {
            Peer::Connected => self.socket.poll_send(context, bytes),
            // The cookie was asked for before OpenSSL knew of the peer.
            Peer::Of { .. } if is_hello_verify_request(bytes) => Poll::Ready(Ok(bytes.len())),
            Peer::Of { address, .. } => match ready!(self.socket.poll_send_to(context, bytes, *address)) {
                Err(error) => {
                    // A datagram that did not leave is a datagram that was lost.
                    tracing::debug!(%error, peer = %address, "a datagram could not be sent");
                    Poll::Ready(Ok(bytes.len()))
                }
                sent => Poll::Ready(sent),
            },
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
