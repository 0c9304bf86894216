//! The EST server: hyper over rustls, on tokio.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | listens, starts and ends connections |
//! | `limits.rs` | every bound, with its reason |
//! | `connection.rs` | handshake, HTTP, orderly end of one connection |
//! | `service.rs` | one request: authentication, body, operation, log |
//! | `authentication.rs` | who the client is, by what the label demands |
//! | `password_gate.rs` | password checks off the runtime |
//! | `own_identity.rs` | a certificate for the server from the authority behind it |
//! | `write_timeout.rs` | clients that do not listen |
//! | `counters.rs`, `access_log.rs` | what an operator sees |
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
mod authentication;
mod connection;
mod counters;
mod error;
mod limits;
mod own_identity;
mod password_gate;
mod service;
mod write_timeout;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pki_common::tls::ServerTls;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use counters::ServerStatistics;
pub use error::ServerError;
pub use limits::ServerLimits;
pub use own_identity::{OwnIdentityError, own_identity};
pub use service::EstService;

use crate::auth::Authenticator;
use crate::operation::Operations;
use connection::ConnectionContext;
use counters::{Counters, count};

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
    context: ConnectionContext,
    connections: Arc<Semaphore>,
}

/// Asks a running server to end, and reads its counters. Clones belong to the same server.
#[derive(Debug, Clone)]
pub struct ServerHandle {
    shutdown: CancellationToken,
    counters: Arc<Counters>,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// # Errors
    /// [`ServerError`] when the address cannot be had or the configuration cannot work.
    pub async fn bind(address: SocketAddr, config: ServerConfig) -> Result<Self, ServerError> {
        let ServerConfig {
            mut tls,
            operations,
            authenticator,
            limits,
        } = config;
        check(&limits)?;
        tls.alpn = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(tls.rustls_config()?);
        let bound = |cause| ServerError::Bind { address, cause };
        let listener = TcpListener::bind(address).await.map_err(bound)?;
        let address = listener.local_addr().map_err(bound)?;
        let counters = Arc::new(Counters::default());
        let context = ConnectionContext {
            acceptor,
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            service: EstService::counting(operations, authenticator, limits, Arc::clone(&counters)),
            limits,
            counters,
            shutdown: CancellationToken::new(),
        };
        Ok(Self {
            listener,
            address,
            context,
            connections: Arc::new(Semaphore::new(limits.connections)),
        })
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
            shutdown: self.context.shutdown.clone(),
            counters: Arc::clone(&self.context.counters),
        }
    }

    /// Serves until [`ServerHandle::shutdown`], then lets the requests in progress finish, within
    /// [`ServerLimits::shutdown_time`].
    pub async fn run(self) {
        let Self {
            listener,
            context,
            connections,
            ..
        } = self;
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &connections) => accepted,
                () = context.shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer, permit)) => {
                    count(&context.counters.connections);
                    let context = context.clone();
                    tasks.spawn(async move {
                        let _permit = permit;
                        context.serve(stream, peer).await;
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
            .finish_non_exhaustive()
    }
}

impl ServerHandle {
    /// Asks the server to accept no more connections and to end.
    pub fn shutdown(&self) {
        self.shutdown.cancel();
    }

    /// What the server has done so far.
    #[must_use]
    pub fn statistics(&self) -> ServerStatistics {
        self.counters.snapshot()
    }
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
    let countable = 1..=Semaphore::MAX_PERMITS;
    let header_size = ServerLimits::MIN_HEADER_SIZE..=ServerLimits::MAX_HEADER_SIZE;
    for (name, found, possible) in [
        ("connections", limits.connections, countable.clone()),
        ("handshakes", limits.handshakes, countable.clone()),
        ("header_size", limits.header_size, header_size),
        (
            "header_count",
            limits.header_count,
            1..=ServerLimits::MAX_HEADER_COUNT,
        ),
        ("password_checks", limits.password_checks, countable),
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
        let changes: [Change; 5] = [
            |limits, value| limits.connections = value,
            |limits, value| limits.handshakes = value,
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
