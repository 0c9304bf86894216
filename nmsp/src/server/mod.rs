//! The controller: accepts location servers, checks them against the authlist, and publishes measurements.
//!
//! What happens when a peer does something wrong; in every case the other connections go on:
//!
//! | what the peer does | answer | counted in |
//! |---|---|---|
//! | connects and says nothing, or stalls in the handshake | closed after [`Limits::handshake_timeout`] | [`ServerCounters::handshake_timeouts`], [`SslStats::accept_fail`] |
//! | does not speak TLS | alert 50 `decode_error`, closed | [`SslStats::accept_fail`] |
//! | has no certificate | alert 116 `certificate_required`, closed | [`SslStats::accept_fail`] |
//! | has a certificate that is not valid | the alert of the reason (45 `certificate_expired`, 48 `unknown_ca`, …), closed | [`SslStats::verify_fail`], [`SslStats::accept_fail`] |
//! | has a valid certificate that the authlist does not admit | alert 46 `certificate_unknown`, closed | [`AaaStats::aaa_validation_fail`], [`SslStats::accept_fail`] |
//! | comes when there are too many connections or handshakes | closed | [`SslStats::accept_reject`] |
//! | sends a length of zero or over the limit, a broken message, a message that only a controller sends | closed | [`ServerCounters::protocol_errors`] |
//! | ends the stream inside a message | closed | [`ServerCounters::protocol_errors`] |
//! | stops inside a message, or sends nothing | closed after the idle time | [`ServerCounters::peer_timeouts`] |
//! | sends an identifier that the profile does not know | ignored, the connection lives | `unsupported-msg-count` of the connection |
//! | subscribes a second time | the new subscription replaces the old one | received Service Subscribe Requests of the connection |
//! | asks and does not read the answers | not read from until it does; closed after the idle time | [`ServerCounters::peer_timeouts`] |
//! | reads measurements too slowly | the oldest ones are dropped | [`ServerCounters::dropped_notifications`] |

mod config;
mod connection;
mod counters;
mod handshake;
#[cfg(feature = "openssl")]
mod legacy;
mod peers;
mod publisher;
mod registry;
mod subscriber;
mod trace;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use arc_swap::ArcSwap;
use pki_common::authlist::{AuthList, SharedAuthList};
use pki_common::tls::{ClientAuthentication, ServerTls};

pub use config::{
    DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_HANDSHAKES, DEFAULT_QUEUE_LENGTH,
    DEFAULT_SHUTDOWN_TIMEOUT, Limits, ServerConfig,
};
pub use counters::{AaaStats, ServerCounters, SslStats};
pub use peers::PeerStatus;
pub use publisher::Publisher;
pub use registry::{ConnectionStatus, REMEMBERED_PEERS, Transport};

use crate::error::Error;
use crate::proto::ConnectionConfig;
use crate::wire::message::Measurement;
use counters::Counters;
use handshake::Incoming;
use registry::Registry;

/// How long accepting pauses when the operating system cannot give another socket.
const ACCEPT_PAUSE: core::time::Duration = core::time::Duration::from_millis(100);

/// What the tasks of a server share.
#[derive(Debug)]
struct Shared {
    limits: Limits,
    connection: ConnectionConfig,
    tls: ArcSwap<ServerTls>,
    counters: Arc<Counters>,
    registry: Registry,
    /// When it was bound.
    started: SystemTime,
    /// Cancelled at the beginning of the shutdown.
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// A controller that listens. [`run`](Self::run) serves; everything else goes through the [`ServerHandle`].
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    #[cfg(feature = "openssl")]
    legacy: Vec<legacy::LegacyListener>,
}

impl Server {
    /// Listens on an address; port 0 lets the operating system choose.
    ///
    /// # Errors
    /// If the address is not free, or the configuration would admit a location server without asking for its
    /// certificate each time.
    pub async fn bind(
        address: impl ToSocketAddrs + core::fmt::Debug,
        config: ServerConfig,
    ) -> Result<Self, Error> {
        check_tls(&config.tls)?;
        let listener = TcpListener::bind(&address).await.map_err(|source| Error::Bind {
            address: format!("{address:?}"),
            source,
        })?;
        let shared = Arc::new(Shared {
            limits: config.limits,
            connection: config.connection,
            tls: ArcSwap::from_pointee(config.tls),
            counters: Arc::default(),
            registry: Registry::default(),
            started: SystemTime::now(),
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        Ok(Self {
            listener,
            shared,
            #[cfg(feature = "openssl")]
            legacy: Vec::new(),
        })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// If the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle to publish and to look at the server while it runs.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Accepts location servers until [`ServerHandle::shutdown`] is called, then lets every connection send what waits
    /// and say goodbye, within [`Limits::shutdown_timeout`].
    pub async fn run(self) {
        let Self { listener, shared, .. } = self;
        #[cfg(feature = "openssl")]
        for listener in self.legacy {
            shared.tasks.spawn(legacy::accept(Arc::clone(&shared), listener));
        }
        loop {
            tokio::select! {
                () = shared.shutdown.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => admit(&shared, Incoming::Tls(stream), peer),
                    Err(error) => {
                        // Mostly: no more file descriptors. Connections that end will give some back.
                        tracing::warn!(%error, "cannot accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        shared.tasks.close();
        if timeout(shared.limits.shutdown_timeout, shared.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = shared.tasks.len(),
                "connections left behind by the shutdown"
            );
        }
    }
}

/// Starts the task of one connection, or turns the peer away if there are too many already.
fn admit(shared: &Arc<Shared>, incoming: Incoming, peer: SocketAddr) {
    shared.counters.accept_attempt();
    match shared.registry.reserve(peer, &shared.limits) {
        Ok(slot) => {
            shared
                .tasks
                .spawn(connection::serve(Arc::clone(shared), incoming, slot));
        }
        Err(limit) => {
            shared.counters.accept_rejected();
            tracing::warn!(%peer, limit, "turned away: too many connections or handshakes");
        }
    }
}

/// NMSP authenticates both sides on every connection; a resumed session would skip the authlist.
fn check_tls(tls: &ServerTls) -> Result<(), Error> {
    let refuse = |cause: &str, remedy: &str| {
        Err(Error::Configuration {
            cause: cause.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    if !matches!(tls.client_authentication, ClientAuthentication::Required(_)) {
        return refuse(
            "the controller must require a certificate of every location server",
            "set the client authentication to required, with an authlist or a trust store",
        );
    }
    if tls.resumption {
        return refuse(
            "TLS session resumption skips the authlist",
            "switch resumption off in the TLS configuration of the controller",
        );
    }
    Ok(())
}

/// Publishes, looks at and ends a running server. Clones share it.
#[derive(Clone, Debug)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

impl ServerHandle {
    /// Sends one measurement to every location server that subscribed its service. The message is encoded once,
    /// whatever the number of subscribers. Returns for how many it was queued.
    ///
    /// A caller that publishes much keeps a [`publisher`](Self::publisher), which reuses its buffer and puts several
    /// stations into one message.
    ///
    /// # Errors
    /// If the measurement has too many readings for a message.
    pub fn publish(&self, measurement: &Measurement) -> Result<usize, Error> {
        self.publisher().publish(core::slice::from_ref(measurement))
    }

    /// A publisher with a buffer of its own.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::clone(&self.shared))
    }

    /// The connections: live ones first, then the last peers that are gone.
    #[must_use]
    pub fn status(&self) -> Vec<ConnectionStatus> {
        self.shared.registry.status()
    }

    /// Location servers by their address, with their counters over all connections: connected ones first, then the last
    /// ones that are gone.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.shared.registry.peers()
    }

    /// What every connection is told at its start: profile, services, times.
    #[must_use]
    pub fn connection_config(&self) -> &ConnectionConfig {
        &self.shared.connection
    }

    /// What peers may use up.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The counters of the server as a whole.
    #[must_use]
    pub fn counters(&self) -> ServerCounters {
        self.shared.counters.snapshot()
    }

    /// The authlist as it is now; `None` if location servers are admitted by a trust store alone.
    #[must_use]
    pub fn auth_list(&self) -> Option<Arc<AuthList>> {
        match &self.shared.tls.load().client_authentication {
            ClientAuthentication::Required(peer) | ClientAuthentication::Optional(peer) => {
                peer.shared_authlist().map(SharedAuthList::load)
            }
            ClientAuthentication::None => None,
        }
    }

    /// When the server was bound.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        self.shared.started
    }

    /// Whether the shutdown has begun.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.shared.shutdown.is_cancelled()
    }

    /// Waits until the server has shut down: its connections have ended, or the time for the shutdown has passed.
    pub async fn ended(&self) {
        self.shared.shutdown.cancelled().await;
        // Connections left behind are no reason to wait longer than the server itself does.
        let drained = timeout(self.shared.limits.shutdown_timeout, self.shared.tasks.wait());
        drained.await.unwrap_or_default();
    }

    /// Uses another identity, authlist, or trust store for connections from now on; live ones stay.
    ///
    /// # Errors
    /// As [`Server::bind`]; nothing changes then.
    pub fn replace_tls(&self, tls: ServerTls) -> Result<(), Error> {
        check_tls(&tls)?;
        self.shared.tls.store(Arc::new(tls));
        Ok(())
    }

    /// Begins the shutdown; [`Server::run`] returns when it is done.
    pub fn shutdown(&self) {
        self.shared.shutdown.cancel();
    }
}
