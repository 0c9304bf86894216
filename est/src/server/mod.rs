//! The EST server: hyper over rustls, on tokio.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | listens, starts and ends connections |
//! | `limits.rs` | every bound, with its reason |
//! | `connection.rs`, `first_byte.rs` | handshake, HTTP, orderly end of one connection |
//! | `service.rs` | one request: authentication, body, operation, log |
//! | `host.rs` | whether a Host header is one |
//! | `state.rs` | what a reload replaces |
//! | `addresses.rs` | connections per address |
//! | `revocation_follower.rs` | revocation lists for client certificates, kept current |
//! | `plain_listener.rs` | revocation lists and metrics over plain HTTP |
//! | `authentication.rs` | who the client is, by what the label demands |
//! | `password_gate.rs` | password checks off the runtime |
//! | `own_identity.rs` | a certificate for the server from the authority behind it |
//! | `write_timeout.rs` | clients that do not listen |
//! | `within.rs` | time-outs of the steps of a request |
//! | `counters.rs`, `metrics.rs`, `access_log.rs` | what an operator sees |
//!
//! # A server and a client
//! ```
//! use std::sync::Arc;
//!
//! use est::auth::{BasicCredentials, Users};
//! use est::ca::{embedded::EmbeddedCertificateAuthority, policy::IssuancePolicy};
//! use est::client::{Client, ClientConfig, EnrollOptions, EnrollOutcome};
//! use est::operation::{LabelSettings, Operations};
//! use est::server::{Server, ServerConfig, ServerLimits, own_identity};
//! use pki_common::{Certificate, identity::NewKey, tls::ServerTls, trust_store::TrustStore};
//!
//! # use est::ca::{database::MemoryLog, issuer::Issuer};
//! # fn new_authority() -> EmbeddedCertificateAuthority {
//! #     let provider = pki_common::tls::crypto_provider().unwrap();
//! #     let key = pki_common::identity::generate_key(NewKey::EcP256).unwrap().into();
//! #     let (day, now) = (std::time::Duration::from_secs(86_400), rustls_pki_types::UnixTime::now());
//! #     let issuer = Issuer::self_signed("CN=Root", key, day, now, Arc::clone(&provider)).unwrap();
//! #     let clock = Arc::new(rustls::time_provider::DefaultTimeProvider);
//! #     EmbeddedCertificateAuthority::new(issuer, IssuancePolicy::default(), Arc::new(MemoryLog::new(provider)), clock)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Arc::new(new_authority()); // EmbeddedCertificateAuthority::create or ::open
//! let mut anchors = TrustStore::empty("EST trust anchors");
//! anchors.add(&Certificate::from_der(authority.ca_certificate())?)?;
//! let identity =
//!     own_identity(&*authority, "CN=EST server".parse()?, vec!["IP:127.0.0.1".parse()?], NewKey::EcP256).await?;
//! let mut users = Users::new();
//! users.set_password("phone", "correct horse")?;
//! let config = ServerConfig {
//!     tls: ServerTls::new(Arc::new(identity)),
//!     operations: Operations::new(authority, LabelSettings::default()),
//!     authenticator: Arc::new(users),
//!     limits: ServerLimits::default(),
//! };
//! let server = Server::bind("127.0.0.1:0".parse()?, config).await?;
//! let (url, handle) = (format!("https://{}", server.local_addr()), server.handle());
//! let running = tokio::spawn(server.run());
//!
//! let mut config = ClientConfig::new(url.parse()?, Arc::new(anchors));
//! config.basic = Some(BasicCredentials::new("phone", "correct horse")?);
//! let wanted = EnrollOptions::new("DC=com,DC=example,OU=lab,CN=AP-0050569c3489".parse()?);
//! let EnrollOutcome::Enrolled(enrolled) = Client::new(config)?.enroll(wanted).await? else { panic!("pending") };
//! assert_eq!(enrolled.certificate.subject(), "/DC=com/DC=example/OU=lab/CN=AP-0050569c3489");
//! let identity = enrolled.identity()?; // for TLS
//! assert_eq!(identity.certificate(), &enrolled.certificate);
//!
//! handle.shutdown();
//! running.await?;
//! # Ok(())
//! # }
//! ```

mod access_log;
mod addresses;
mod authentication;
mod connection;
mod counters;
mod error;
mod first_byte;
mod host;
mod key_generation;
mod libest_clients;
mod limits;
mod metrics;
mod own_identity;
mod password_gate;
mod plain_listener;
mod revocation_follower;
mod service;
mod state;
mod unnamed_clients;
mod within;
mod write_timeout;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pki_common::tls::ServerTls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use counters::ServerStatistics;
pub use error::ServerError;
pub use key_generation::{BlockingKeyGenerator, DEFAULT_CONCURRENT_KEYS};
pub use limits::ServerLimits;
pub use own_identity::{OwnIdentityError, own_identity};
pub use revocation_follower::RevocationFollower;
pub use service::EstService;

use crate::auth::Authenticator;
use crate::exposition;
use crate::operation::Operations;
use addresses::Addresses;
use connection::ConnectionContext;
use counters::count;
use plain_listener::{Content, PlainListener};
use state::ServerState;

/// How long to wait before accepting again when the operating system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a server is made of.
#[derive(Debug)]
pub struct ServerConfig {
    /// The identity of the server, which client certificates are accepted, and the TLS versions. For HTTP Basic and
    /// certificates side by side, as EST wants it, client authentication is
    /// [`Optional`](pki_common::tls::ClientAuthentication::Optional).
    pub tls: ServerTls,
    /// The operations and the certificate authority behind them.
    pub operations: Operations,
    /// Checks the passwords of HTTP Basic.
    pub authenticator: Arc<dyn Authenticator>,
    /// Bounds on what clients may cost.
    pub limits: ServerLimits,
}

/// A listening EST server; [`Server::run`] serves.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    plain: Vec<PlainListener>,
    context: ConnectionContext,
    connections: Arc<Semaphore>,
}

/// Asks a running server to end or to change, and reads its counters. Clones belong to the same server.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    context: ConnectionContext,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// When a label asks for proof of possession, [`ServerTls::channel_binding`] is switched on, and clients of TLS
    /// 1.2 need the extended master secret.
    ///
    /// # Errors
    /// [`ServerError`] when the address cannot be had or the configuration cannot work.
    pub async fn bind(address: SocketAddr, config: ServerConfig) -> Result<Self, ServerError> {
        let connections = config.limits.connections;
        let context = new_context(config)?;
        let (listener, address) = listen(address).await?;
        Ok(Self {
            listener,
            address,
            plain: Vec::new(),
            context,
            connections: Arc::new(Semaphore::new(connections)),
        })
    }

    /// A server that listens nowhere: its connections come through [`ServerHandle::serve`]. For streams that somebody
    /// else accepts: a Unix socket, a socket that another process hands over, a tunnel, memory.
    ///
    /// # Errors
    /// [`ServerError`] when the configuration cannot work.
    pub fn without_listener(config: ServerConfig) -> Result<ServerHandle, ServerError> {
        Ok(ServerHandle {
            context: new_context(config)?,
        })
    }

    /// Serves the revocation lists of [`Operations::with_revocation_list`] on a second address too, over plain HTTP;
    /// nothing else is answered there. The address with the real port is returned.
    ///
    /// # Errors
    /// [`ServerError::Bind`]
    pub async fn listen_for_revocation_lists(
        &mut self,
        address: SocketAddr,
    ) -> Result<SocketAddr, ServerError> {
        self.listen_plainly(address, Content::RevocationLists).await
    }

    /// Serves what [`ServerHandle::metrics`] says at `/metrics` of an address of its own, over plain HTTP, to anybody who can
    /// reach it: a loopback address. The address with the real port is returned.
    ///
    /// # Errors
    /// [`ServerError::MetricsNotLoopback`], [`ServerError::Bind`]
    pub async fn listen_for_metrics(&mut self, address: SocketAddr) -> Result<SocketAddr, ServerError> {
        if !exposition::only_this_machine_reaches(address) {
            return Err(ServerError::MetricsNotLoopback { address });
        }
        self.listen_plainly(address, Content::Metrics).await
    }

    /// The same on any address: whoever reaches it learns how many clients there are and what they fail at.
    ///
    /// # Errors
    /// [`ServerError::Bind`]
    pub async fn dangerous_listen_for_metrics_anywhere(
        &mut self,
        address: SocketAddr,
    ) -> Result<SocketAddr, ServerError> {
        if !exposition::only_this_machine_reaches(address) {
            tracing::warn!(%address, "the metrics can be read from other machines, without authentication");
        }
        self.listen_plainly(address, Content::Metrics).await
    }

    async fn listen_plainly(
        &mut self,
        address: SocketAddr,
        content: Content,
    ) -> Result<SocketAddr, ServerError> {
        let (listener, address) = listen(address).await?;
        self.plain.push(PlainListener { listener, content });
        Ok(address)
    }

    /// The address listened on, with the real port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to end the server and to read its counters.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            context: self.context.clone(),
        }
    }

    /// Serves until [`ServerHandle::shutdown`], then lets the requests in progress finish, within
    /// [`ServerLimits::shutdown_time`].
    pub async fn run(self) {
        let Self {
            listener,
            context,
            connections,
            plain,
            ..
        } = self;
        let tasks = TaskTracker::new();
        let addresses = Addresses::default();
        for listener in plain {
            tasks.spawn(listener.run(Arc::clone(&context.state), context.shutdown.clone()));
        }
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &connections) => accepted,
                () = context.shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer, permit)) => {
                    let counters = &context.state.counters;
                    count(&counters.connections);
                    let limits = context.state.serving.load().limits;
                    let Some(place) = addresses.take(peer.ip(), &limits) else {
                        count(&counters.connections_refused);
                        let limit = limits.connections_per_address;
                        tracing::info!(%peer, limit, "refused a connection: too many from this address");
                        continue;
                    };
                    let context = context.clone();
                    tasks.spawn(async move {
                        let _permit = permit;
                        context.serve_tcp(stream, peer, &place).await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        tasks.close();
        tasks.wait().await;
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}

impl ServerHandle {
    /// Asks the server to accept no more connections and to end.
    pub fn shutdown(&self) {
        self.context.shutdown.cancel();
    }

    /// What the server has done so far.
    #[must_use]
    pub fn statistics(&self) -> ServerStatistics {
        self.context.state.counters.snapshot()
    }

    /// The same in the text format of Prometheus (version 0.0.4), and with it the version, the start, the tasks of the
    /// runtime that this is called in, and the end of the server's certificate.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.context.state.metrics()
    }

    /// Takes a new configuration: certificate and key, trust anchors and revocation lists, users, labels with their
    /// policies, and limits. Requests in progress end with the old one, the next request on the same connection has
    /// the new one. Client certificates and the TLS settings are those of the handshake; new ones come with new
    /// connections.
    ///
    /// Failed logins and the password checks in progress count on, unless their own limits change.
    /// [`ServerLimits::connections`] and [`ServerLimits::handshakes`] keep their values until a restart.
    ///
    /// # Errors
    /// [`ServerError`]: the configuration cannot work, and the old one stays in force as a whole.
    pub fn reload(&self, config: ServerConfig) -> Result<(), ServerError> {
        self.context.state.reload(config)?;
        tracing::info!("the server works with a new configuration");
        Ok(())
    }

    /// The operations as a service to be mounted in another HTTP server. It follows [`ServerHandle::reload`].
    #[must_use]
    pub fn service(&self) -> EstService {
        EstService::new(Arc::clone(&self.context.state))
    }

    /// Serves a connection that came in another way than through the listener, from the TLS handshake to its end, and
    /// returns then. `peer` is what logs and limits per address take for its address.
    ///
    /// All limits hold but [`ServerLimits::connections`] and [`ServerLimits::connections_per_address`], which are the
    /// listener's: the caller bounds how many connections it hands over. After [`Self::shutdown`] nothing new is
    /// served.
    pub async fn serve<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        count(&self.context.state.counters.connections);
        self.context.clone().serve_stream(stream, peer).await;
    }
}

fn new_context(config: ServerConfig) -> Result<ConnectionContext, ServerError> {
    let handshakes = config.limits.handshakes;
    Ok(ConnectionContext {
        state: Arc::new(ServerState::new(config)?),
        handshakes: Arc::new(Semaphore::new(handshakes)),
        shutdown: CancellationToken::new(),
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let bound = |cause| ServerError::Bind { address, cause };
    let listener = TcpListener::bind(address).await.map_err(bound)?;
    let address = listener.local_addr().map_err(bound)?;
    Ok((listener, address))
}

/// Takes a place among the connections first: beyond the limit, clients wait in the backlog of the listener.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

fn check(limits: &ServerLimits) -> Result<(), ServerError> {
    let countable = 1..=ServerLimits::MAX_COUNT;
    let header_size = ServerLimits::MIN_HEADER_SIZE..=ServerLimits::MAX_HEADER_SIZE;
    for (name, found, possible) in [
        ("connections", limits.connections, countable.clone()),
        ("handshakes", limits.handshakes, countable.clone()),
        (
            "handshakes_per_address",
            limits.handshakes_per_address,
            countable.clone(),
        ),
        (
            "connections_per_address",
            limits.connections_per_address,
            1..=usize::MAX,
        ),
        ("header_size", limits.header_size, header_size),
        (
            "header_count",
            limits.header_count,
            1..=ServerLimits::MAX_HEADER_COUNT,
        ),
        ("password_checks", limits.password_checks, countable),
        (
            "requests_per_connection",
            usize::try_from(limits.requests_per_connection).unwrap_or(usize::MAX),
            1..=usize::MAX,
        ),
    ] {
        let (least, most) = possible.into_inner();
        if found < least {
            return Err(ServerError::Limit { name, found, least });
        }
        if found > most {
            return Err(ServerError::LimitTooHigh { name, found, most });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_cannot_be_kept_is_an_error_and_no_panic() {
        assert!(check(&ServerLimits::default()).is_ok());
        type Change = fn(&mut ServerLimits, usize);
        let changes: [Change; 6] = [
            |limits, value| limits.connections = value,
            |limits, value| limits.handshakes = value,
            |limits, value| limits.handshakes_per_address = value,
            |limits, value| limits.password_checks = value,
            |limits, value| limits.header_count = value,
            |limits, value| limits.header_size = value,
        ];
        for change in changes {
            let mut limits = ServerLimits::default();
            change(&mut limits, usize::MAX);
            assert!(matches!(
                check(&limits),
                Err(ServerError::LimitTooHigh {
                    found: usize::MAX,
                    ..
                })
            ));
            change(&mut limits, 0);
            assert!(matches!(check(&limits), Err(ServerError::Limit { found: 0, .. })));
        }
    }
}
