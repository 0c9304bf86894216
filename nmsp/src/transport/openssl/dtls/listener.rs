//! The controller's side of one UDP socket: sorts datagrams by peer and asks strangers for a cookie.

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::cookie::Cookies;
use super::hello::ClientHello;
use super::socket::DatagramSocket;

/// The longest datagram of UDP.
const MAX_DATAGRAM: usize = 65_535;

/// How many datagrams of one peer wait for its task; more are lost, as on the way. A handshake flight has under ten, and
/// location servers send little.
const MAX_WAITING: usize = 64;

/// A peer that has shown that it receives at its address.
#[derive(Debug)]
pub(crate) struct DtlsIncoming {
    pub(in crate::transport::openssl) socket: DatagramSocket,
    /// The cookie it came back with.
    pub(in crate::transport::openssl) cookie: Vec<u8>,
    /// To be set when the handshake is done.
    pub(in crate::transport::openssl) established: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Association {
    datagrams: mpsc::Sender<Vec<u8>>,
    /// The random number of its hello, which no other handshake has.
    random: [u8; 32],
    established: Arc<AtomicBool>,
}

/// Waits for peers, and hands datagrams to the tasks of those that have come. The number of associations is bounded by
/// whoever takes or drops what [`accept`](Self::accept) returns: one whose task is gone is forgotten.
#[derive(Debug)]
pub(crate) struct DtlsListener {
    socket: Arc<UdpSocket>,
    cookies: Cookies,
    associations: HashMap<SocketAddr, Association>,
    buffer: Box<[u8]>,
}

impl DtlsListener {
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        Ok(Self {
            socket: Arc::new(socket),
            cookies: Cookies::new().map_err(io::Error::other)?,
            associations: HashMap::new(),
            buffer: vec![0; MAX_DATAGRAM].into_boxed_slice(),
        })
    }

    /// The next peer. Dropping the future loses nothing but datagrams.
    pub(crate) async fn accept(&mut self) -> io::Result<(DtlsIncoming, SocketAddr)> {
        loop {
            let (length, peer) = self.socket.recv_from(&mut self.buffer).await?;
            let datagram = self.buffer.get(..length).unwrap_or_default().to_vec();
            if let Some(incoming) = self.sort(peer, datagram).await? {
                return Ok((incoming, peer));
            }
        }
    }

    async fn sort(&mut self, peer: SocketAddr, datagram: Vec<u8>) -> io::Result<Option<DtlsIncoming>> {
        let hello = ClientHello::parse(&datagram);
        let known = self
            .associations
            .get(&peer)
            .filter(|known| !known.datagrams.is_closed());
        if let Some(known) = known {
            // A peer that restarted begins anew from the same address (RFC 6347 section 4.2.8). While its handshake
            // runs, or when the hello is a late copy of its own, the hello belongs to what there is.
            let begins_anew = hello.as_ref().is_some_and(|hello| {
                hello.random != known.random && known.established.load(Ordering::Relaxed)
            });
            if !begins_anew {
                if known.datagrams.try_send(datagram).is_err() {
                    tracing::debug!(%peer, "a datagram is lost: too many wait");
                }
                return Ok(None);
            }
        }
        let Some(hello) = hello else {
            tracing::debug!(%peer, "a datagram of a stranger that is no ClientHello");
            return Ok(None);
        };
        if !self.cookies.verify(peer, &hello).map_err(io::Error::other)? {
            let cookie = self.cookies.make(peer, &hello).map_err(io::Error::other)?;
            let answer = hello.hello_verify_request(&cookie);
            if let Err(error) = self.socket.send_to(&answer, peer).await {
                tracing::debug!(%peer, %error, "the request for a cookie could not be sent");
            }
            return Ok(None);
        }
        Ok(self.associate(peer, &hello, &datagram))
    }

    fn associate(
        &mut self,
        peer: SocketAddr,
        hello: &ClientHello<'_>,
        second: &[u8],
    ) -> Option<DtlsIncoming> {
        let first = hello.first_hello()?;
        let (sender, datagrams) = mpsc::channel(MAX_WAITING);
        for datagram in [first, second.to_vec()] {
            sender.try_send(datagram).ok()?;
        }
        let established = Arc::new(AtomicBool::new(false));
        self.associations.retain(|_, known| !known.datagrams.is_closed());
        // An older association of this peer ends here: its queue has no sender any more.
        self.associations.insert(
            peer,
            Association {
                datagrams: sender,
                random: hello.random,
                established: Arc::clone(&established),
            },
        );
        Some(DtlsIncoming {
            socket: DatagramSocket::of(Arc::clone(&self.socket), peer, datagrams),
            cookie: hello.cookie.to_vec(),
            established,
        })
    }
}
