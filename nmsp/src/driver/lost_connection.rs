//! Both roles over TLS in memory, under a paused clock, with a connection that is lost at every byte of the handshake and
//! of each message.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use pki_common::MacAddr;
use pki_common::authlist::{AuthList, AuthListEntry, AuthListType, SharedAuthList};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, ServerTls};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::{Driver, Expected, now};
use crate::proto::{CloseReason, Connection, ConnectionConfig, Event, ProtocolError, Role};
use crate::wire::Services;

/// As long as either side waits for a handshake by default.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Longer, by the paused clock, than a session lasts that nobody hears of.
const PATIENCE: Duration = Duration::from_secs(600);

/// What both ends of a connection share.
#[derive(Default)]
struct Wire {
    /// Bytes that may still go from the end with this number, before the connection is lost.
    room: [usize; 2],
    silent: bool,
    lost: bool,
    readers: [Option<Waker>; 2],
}

struct End {
    stream: DuplexStream,
    wire: Arc<Mutex<Wire>>,
    number: usize,
}

impl End {
    /// The location server's end, then the controller's.
    fn pair(room: [usize; 2], silent: bool) -> ([Self; 2], Arc<Mutex<Wire>>) {
        let wire = Arc::new(Mutex::new(Wire {
            room,
            silent,
            ..Wire::default()
        }));
        let (near, far) = tokio::io::duplex(256 * 1024);
        let end = |stream, number| Self {
            stream,
            wire: Arc::clone(&wire),
            number,
        };
        ([end(near, 0), end(far, 1)], wire)
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let mut wire = this.wire.lock().unwrap();
        match (wire.lost, wire.silent) {
            // What was on its way arrives; behind it there is the end, or nothing.
            (true, false) if read.is_pending() => Poll::Ready(Ok(())),
            (true, true) if read.is_ready() && buf.filled().len() == before => Poll::Pending,
            _ => {
                wire.readers[this.number] = Some(cx.waker().clone());
                read
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut wire = this.wire.lock().unwrap();
        let room = wire.room[this.number];
        let length = bytes.len().min(room);
        if !wire.lost && length > 0 {
            let written = Pin::new(&mut this.stream).poll_write(cx, &bytes[..length]);
            if let Poll::Ready(Ok(length)) = written {
                wire.room[this.number] -= length;
            }
            return written;
        }
        if !wire.lost {
            wire.lost = true;
            wire.readers
                .iter_mut()
                .filter_map(Option::take)
                .for_each(Waker::wake);
        }
        match wire.silent {
            true => Poll::Ready(Ok(bytes.len())),
            false => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.wire.lock().unwrap().lost {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

/// How a side has ended.
#[derive(Debug)]
enum Ended {
    Handshake(io::ErrorKind),
    Broken(io::ErrorKind),
    Closed(CloseReason),
}

struct Lab {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Lab {
    fn new() -> Self {
        let identity = |last| {
            let mac = MacAddr::from([0, 0x50, 0x56, 0x9c, 0x34, last]);
            Arc::new(Identity::self_signed(SelfSigned::new(mac)).unwrap())
        };
        let admits = |identity: &Identity| {
            let mut list = AuthList::new();
            let certificate = identity.certificate();
            list.insert(AuthListEntry {
                mac: certificate.subject_mac().unwrap(),
                list_type: AuthListType::Sha256LbsSsc,
                key_hash: Some(certificate.key_hash(pki_common::HashAlgorithm::Sha256)),
            })
            .unwrap();
            PeerVerifier::authlist(SharedAuthList::new(list))
        };
        let (controller, server) = (identity(1), identity(2));
        let mut tls = ServerTls::new(Arc::clone(&controller));
        tls.client_authentication = ClientAuthentication::Required(admits(&server));
        let client = ClientTls::new(admits(&controller)).with_identity(server);
        Self {
            acceptor: TlsAcceptor::from(tls.rustls_config().unwrap()),
            connector: TlsConnector::from(client.rustls_config().unwrap()),
        }
    }

    async fn controller(&self, end: End) -> Ended {
        match timeout(HANDSHAKE, self.acceptor.accept(end)).await {
            Ok(Ok(stream)) => talk(TlsStream::from(stream), Role::Controller).await,
            Ok(Err(error)) => Ended::Handshake(error.kind()),
            Err(_) => Ended::Handshake(io::ErrorKind::TimedOut),
        }
    }

    async fn location_server(&self, end: End) -> Ended {
        let name = ServerName::try_from("wlc.example").unwrap();
        match timeout(HANDSHAKE, self.connector.connect(name, end)).await {
            Ok(Ok(stream)) => talk(TlsStream::from(stream), Role::LocationServer).await,
            Ok(Err(error)) => Ended::Handshake(error.kind()),
            Err(_) => Ended::Handshake(io::ErrorKind::TimedOut),
        }
    }
}

/// Capabilities, a subscription, a measurement, and the goodbye of the location server.
async fn talk<S: AsyncRead + AsyncWrite>(stream: S, role: Role) -> Ended {
    let connection = Connection::new(ConnectionConfig::default(), role, now());
    let mut driver = Driver::new(stream, connection, Expected::Much);
    loop {
        if let Err(error) = driver.turn(true).await {
            return Ended::Broken(error.kind());
        }
        while let Some(event) = driver.connection.poll_event() {
            let connection = &mut driver.connection;
            match event {
                Event::Established(_) if role == Role::LocationServer => {
                    connection.subscribe(now(), &Services::RSSI_MS.into()).unwrap();
                }
                Event::SubscriptionChanged { .. } if role == Role::Controller => {
                    // A peer that is gone by now does not need it.
                    drop(connection.send_measurement(1, &[]));
                }
                Event::Notification(_) => {
                    driver.close(Duration::from_secs(1)).await;
                    return Ended::Closed(CloseReason::ClosedLocally);
                }
                Event::Closed(reason) => {
                    driver.close(Duration::from_secs(1)).await;
                    return Ended::Closed(reason);
                }
                _ => {}
            }
        }
    }
}

/// The end of a connection that was lost, not a fault of either side.
fn is_a_loss(ended: &Ended, silent: bool) -> bool {
    match ended {
        Ended::Handshake(io::ErrorKind::TimedOut) => silent,
        Ended::Handshake(kind) | Ended::Broken(kind) => {
            !silent && matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe)
        }
        Ended::Closed(CloseReason::ClosedLocally | CloseReason::Disconnected { .. }) => true,
        Ended::Closed(CloseReason::ClosedByPeer) => !silent,
        Ended::Closed(CloseReason::Protocol(ProtocolError::StreamCut { .. })) => !silent,
        Ended::Closed(reason) => {
            let noticed = matches!(
                reason,
                CloseReason::EchoUnanswered(_) | CloseReason::Idle(_) | CloseReason::CapabilityTimedOut(_)
            );
            silent && noticed
        }
    }
}

/// Loses the connection after each byte that this end sends, until it sends no more. How often it was lost.
async fn lose_after_each_byte_of(number: usize) -> usize {
    let lab = Lab::new();
    for after in 0.. {
        // In turns: the sides see the end of the stream, or nothing at all.
        let silent = after % 2 == 0;
        let mut room = [usize::MAX; 2];
        room[number] = after;
        let ([server, controller], wire) = End::pair(room, silent);
        let both = async { tokio::join!(lab.location_server(server), lab.controller(controller)) };
        let ended = timeout(PATIENCE, both).await;
        let (server, controller) = ended.unwrap_or_else(|_| panic!("byte {after}: a side hangs"));
        let fits = is_a_loss(&server, silent) && is_a_loss(&controller, silent);
        assert!(fits, "byte {after}, silent {silent}: {server:?}, {controller:?}");
        // Signatures differ by some bytes from run to run, so that one whole session is not the end yet.
        if !wire.lock().unwrap().lost && after > 1000 {
            assert!(
                matches!(controller, Ended::Closed(CloseReason::Disconnected { .. })),
                "{controller:?}"
            );
            return after;
        }
    }
    unreachable!("a session has an end")
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_lost_at_any_byte_to_the_controller_ends_on_both_sides_in_time() {
    assert!(lose_after_each_byte_of(0).await > 1000);
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_lost_at_any_byte_to_the_location_server_ends_on_both_sides_in_time() {
    assert!(lose_after_each_byte_of(1).await > 1000);
}
