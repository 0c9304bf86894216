//! Every port of the two servers, and how to come to it from any loopback address.

use core::time::Duration;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pki_common::Failure;
use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::trust_store::TrustStore;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Enrolment, Lab, LocationServer, PATIENCE};
use crate::faults::trouble;

/// A place where bytes go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faults) enum Door {
    /// The port of the EST server, before TLS.
    Est,
    /// The same, within TLS.
    EstTls,
    /// The listener for revocation lists.
    RevocationLists,
    /// The listener for the metrics of the EST server.
    Metrics,
    /// The admin listener of the controller.
    Admin,
    /// The port of the controller, before TLS.
    Nmsp,
    /// The same, within TLS, as a location server that the authlist admits.
    NmspTls,
}

impl Door {
    pub(in crate::faults) const ALL: [Self; 7] = [
        Self::Est,
        Self::EstTls,
        Self::RevocationLists,
        Self::Metrics,
        Self::Admin,
        Self::Nmsp,
        Self::NmspTls,
    ];
}

/// A connection of any kind.
pub(in crate::faults) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

pub(in crate::faults) type Stream = Box<dyn Duplex>;

/// Where honest clients come from.
pub(in crate::faults) const HONEST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The address of an attacker: not that of the honest clients, so that the bounds for one address can be seen to hold.
pub(in crate::faults) const fn attacker(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, number)
}

/// The servers as they run now.
#[derive(Clone, Debug)]
pub(in crate::faults) struct Doors {
    pub(in crate::faults) est: SocketAddr,
    pub(in crate::faults) revocation_lists: SocketAddr,
    pub(in crate::faults) metrics: SocketAddr,
    pub(in crate::faults) nmsp: SocketAddr,
    pub(in crate::faults) admin: SocketAddr,
    est_tls: Arc<rustls::ClientConfig>,
    nmsp_tls: Arc<rustls::ClientConfig>,
    pub(in crate::faults) est_client: Arc<Enrolment>,
    pub(in crate::faults) location_server: Arc<LocationServer>,
    /// One whose entry in the authlist comes and goes.
    pub(in crate::faults) guest: Arc<LocationServer>,
}

impl Doors {
    pub(super) fn new(lab: &Lab) -> Result<Self, Failure> {
        let folder = lab.folder();
        let anchors =
            TrustStore::from_paths("lab anchors", [lab.authority().join("ca.pem")]).map_err(trouble)?;
        let est_tls = ClientTls::new(PeerVerifier::trust_store(Arc::new(anchors)));
        let list = std::fs::read_to_string(folder.join("controllers.toml")).map_err(trouble)?;
        let list = AuthList::import(AuthListFormat::Toml, &list).map_err(trouble)?;
        let controllers = PeerVerifier::authlist(SharedAuthList::new(list));
        let as_peer = |name: &str| {
            let (certificate, key) = (format!("{name}.pem"), format!("{name}.key.pem"));
            let identity = Identity::load(folder.join(certificate), folder.join(key)).map_err(trouble)?;
            Ok::<_, Failure>(ClientTls::new(controllers.clone()).with_identity(Arc::new(identity)))
        };
        let location_server = as_peer("location-server")?;
        Ok(Self {
            est: lab.est.address,
            revocation_lists: lab.est.revocation_lists,
            metrics: lab.est.metrics,
            nmsp: lab.controller.address,
            admin: lab.controller.admin,
            est_tls: est_tls.rustls_config().map_err(trouble)?,
            nmsp_tls: location_server.rustls_config().map_err(trouble)?,
            est_client: Arc::new(Enrolment::new()?),
            location_server: Arc::new(LocationServer::new(lab.controller.address, location_server)),
            guest: Arc::new(LocationServer::new(lab.controller.address, as_peer("guest")?)),
        })
    }

    /// Comes to a door from this address.
    pub(in crate::faults) async fn dial(&self, door: Door, from: Ipv4Addr) -> io::Result<Stream> {
        self.dial_with(door, from, None).await
    }

    /// As [`dial`](Self::dial), with room for so many received bytes in the operating system; little of it soon stops a
    /// server whose answers are not read.
    pub(in crate::faults) async fn dial_with(
        &self,
        door: Door,
        from: Ipv4Addr,
        buffer: Option<u32>,
    ) -> io::Result<Stream> {
        let plain = |to| connect_with(from, to, buffer);
        Ok(match door {
            Door::Est => Box::new(plain(self.est).await?),
            Door::RevocationLists => Box::new(plain(self.revocation_lists).await?),
            Door::Metrics => Box::new(plain(self.metrics).await?),
            Door::Admin => Box::new(plain(self.admin).await?),
            Door::Nmsp => Box::new(plain(self.nmsp).await?),
            Door::EstTls => Box::new(secure(plain(self.est).await?, &self.est_tls).await?),
            Door::NmspTls => Box::new(secure(plain(self.nmsp).await?, &self.nmsp_tls).await?),
        })
    }
}

/// A TCP connection from this loopback address.
pub(in crate::faults) async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    connect_with(from, to, None).await
}

async fn connect_with(from: Ipv4Addr, to: SocketAddr, buffer: Option<u32>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(buffer) = buffer {
        socket.set_recv_buffer_size(buffer)?;
    }
    socket.bind(SocketAddr::from((from, 0)))?;
    bounded(PATIENCE, socket.connect(to)).await
}

async fn secure(
    stream: TcpStream,
    config: &Arc<rustls::ClientConfig>,
) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let name = ServerName::from(stream.peer_addr()?.ip());
    let handshake = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    bounded(PATIENCE, handshake).await
}

async fn bounded<T>(time: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, future).await.map_err(|_| io::ErrorKind::TimedOut)?
}
