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
//! | is admitted, and its authlist entry goes or gets another key hash | Disconnect Notification "no longer authorized", closed within a second | [`ServerCounters::authorization_withdrawn`] |
//! | comes when there are [`Limits::max_connections`] | closed | [`ServerCounters::rejected_connections`], [`SslStats::accept_reject`] |
//! | comes when its address has [`Limits::max_connections_per_address`] | closed | [`ServerCounters::rejected_per_address`], [`SslStats::accept_reject`] |
//! | comes when there are [`Limits::max_handshakes`] | closed | [`ServerCounters::rejected_handshakes`], [`SslStats::accept_reject`] |
//! | comes when its address has [`Limits::max_handshakes_per_address`] | closed | [`ServerCounters::rejected_handshakes`], [`SslStats::accept_reject`] |
//! | comes more often than [`Limits::max_new_connections_per_second`] | closed | [`ServerCounters::rejected_rate`], [`SslStats::accept_reject`] |
//! | sends a length of zero or over [`ConnectionConfig::max_message_length`], a broken message, a message that only a controller sends | closed | [`ServerCounters::protocol_errors`] |
//! | ends the stream inside a message | closed | [`ServerCounters::protocol_errors`] |
//! | stops inside a message, or sends nothing | closed after [`ConnectionConfig::idle_timeout`] | [`ServerCounters::peer_timeouts`] |
//! | sends more than [`Limits::max_messages_per_second`] | not read from until it has waited | [`ServerCounters::throttled`] |
//! | sends an identifier that the profile does not know | ignored, the connection lives | `unsupported-msg-count` of the connection |
//! | subscribes a second time | the new subscription replaces the old one | received Service Subscribe Requests of the connection |
//! | asks for something that nobody here does | answered with "not supported" | received messages of the connection |
//! | asks for a station that nobody knows | answered with "not found" | received messages of the connection |
//! | asks more than [`ConnectionConfig::max_peer_requests`] at once | answered with "busy" | received messages of the connection |
//! | asks and does not read the answers | not read from until it does; closed after the idle time | [`ServerCounters::peer_timeouts`] |
//! | reads too slowly | newer values replace those that wait, then the oldest go | [`ServerCounters::replaced_notifications`], [`ServerCounters::dropped_notifications`] |
//!
//! What else can be in the way of memory or time is bounded, too: see [`Limits`].

mod arrivals;
mod config;
mod connection;
mod counters;
mod ending;
mod guard;
mod handshake;
#[cfg(feature = "openssl")]
mod legacy;
mod notify;
mod peers;
mod publisher;
mod registry;
mod reload;
mod requests;
mod session;
mod store;
mod subscriber;
mod throttle;
mod trace;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use arc_swap::ArcSwap;
use pki_common::authlist::{AuthList, SharedAuthList};
use pki_common::tls::{ClientAuthentication, ServerTls};

pub use config::{
    DEFAULT_HANDSHAKE_TIMEOUT, DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_CONNECTIONS_PER_ADDRESS,
    DEFAULT_MAX_HANDSHAKES, DEFAULT_MAX_HANDSHAKES_PER_ADDRESS, DEFAULT_MAX_MESSAGES_PER_SECOND,
    DEFAULT_MAX_NEW_CONNECTIONS_PER_SECOND, DEFAULT_MAX_STATIONS, DEFAULT_QUEUE_BYTES, DEFAULT_QUEUE_LENGTH,
    DEFAULT_SHUTDOWN_TIMEOUT, Limits, ServerConfig,
};
pub use counters::{AaaStats, ServerCounters, SslStats};
pub use peers::PeerStatus;
pub use publisher::Publisher;
pub use registry::{ConnectionStatus, REMEMBERED_PEERS, Transport};
pub use requests::{RequestHandler, Requester};
pub use store::{MAX_ATTACKS, RecordId, RecordKind, StationStore, StationUpdate};
pub use subscriber::Loss;

use crate::driver::now;
use crate::error::Error;
use crate::proto::ConnectionConfig;
use crate::proto::policy::NotificationPolicy;
use crate::wire::OwnedMessage;
use crate::wire::message::Measurement;
use crate::wire::numbers::DisconnectReason;
use counters::Counters;
use ending::Order;
use guard::Guard;
pub(crate) use handshake::Incoming;
#[cfg(feature = "openssl")]
pub(crate) use legacy::LegacyListener;
use registry::Registry;

/// How long accepting pauses when the operating system cannot give another socket.
const ACCEPT_PAUSE: core::time::Duration = core::time::Duration::from_millis(100);

/// What the tasks of a server share.
#[derive(Debug)]
struct Shared {
    limits: ArcSwap<Limits>,
    connection: ArcSwap<ConnectionConfig>,
    tls: ArcSwap<ServerTls>,
    counters: Arc<Counters>,
    registry: Registry,
    /// When it was bound.
    started: SystemTime,
    store: StationStore,
    policy: ArcSwap<NotificationPolicy>,
    request_handler: Option<Arc<dyn RequestHandler>>,
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
    legacy: Vec<LegacyListener>,
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
        let registry = Registry::default();
        let shared = Arc::new(Shared {
            store: StationStore::reporting_to(
                Arc::clone(registry.subscribers()),
                &config.limits,
                &config.connection,
            ),
            policy: ArcSwap::from_pointee(config.notification_policy),
            request_handler: config.request_handler,
            limits: ArcSwap::from_pointee(config.limits),
            connection: ArcSwap::from_pointee(config.connection),
            tls: ArcSwap::from_pointee(config.tls),
            counters: Arc::default(),
            registry,
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
        let _legacy = legacy::start(&shared, self.legacy);
        let mut guard = Guard::default();
        let mut looks = interval(guard::CHECK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shared.shutdown.cancelled() => break,
                _ = looks.tick() => guard.look(&shared),
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
        let patience = shared.limits.load().shutdown_timeout;
        if timeout(patience, shared.tasks.wait()).await.is_err() {
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
    match shared.registry.reserve(peer, &shared.limits.load(), now()) {
        Ok(slot) => {
            shared
                .tasks
                .spawn(connection::serve(Arc::clone(shared), incoming, slot));
        }
        Err(rejection) => {
            shared.counters.accept_rejected(rejection);
            tracing::warn!(%peer, "turned away: {rejection}");
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
    /// What the controller knows: where an application puts what it measured, and what location servers are told and asked
    /// about.
    #[must_use]
    pub fn store(&self) -> &StationStore {
        &self.shared.store
    }

    /// Sends one measurement at once to every location server that subscribed its service; see [`Publisher::publish`].
    /// Returns for how many it was queued.
    ///
    /// # Errors
    /// If the measurement has too many readings for a message.
    pub fn publish(&self, measurement: &Measurement) -> Result<usize, Error> {
        self.publisher().publish(core::slice::from_ref(measurement))
    }

    /// A publisher: it reports at once, without the notification policy.
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
    pub fn connection_config(&self) -> Arc<ConnectionConfig> {
        self.shared.connection.load_full()
    }

    /// Another configuration for connections from now on; live ones keep theirs.
    ///
    /// # Errors
    /// If the wire profile is not the one that the server was bound with: its store is encoded under that one.
    pub fn set_connection_config(&self, config: ConnectionConfig) -> Result<(), Error> {
        if !Arc::ptr_eq(&config.profile, self.shared.store.profile()) {
            return Err(Error::Configuration {
                cause: "another wire profile for a running controller".to_owned(),
                remedy: "bind another server with it".to_owned(),
            });
        }
        self.shared.connection.store(Arc::new(config));
        Ok(())
    }

    /// What peers may use up.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        self.shared.limits.load_full()
    }

    /// Other limits from now on. Connections that are there stay, also if they are more than may be; the rate of messages
    /// holds for them, too. The bounds of a queue hold for new connections. [`Limits::max_stations`] is not taken over: the
    /// store keeps its size.
    pub fn set_limits(&self, mut limits: Limits) {
        limits.max_stations = self.limits().max_stations;
        self.shared.limits.store(Arc::new(limits));
    }

    /// Sends a notification of the application to every location server that subscribed one of its services, without the
    /// records of services that it has not subscribed: what the store has no record for, or what must not be replaced by a
    /// newer one. What waits in queues is bounded by
    /// [`Limits::queue_bytes`]; AP groups and the notification policy do not apply.
    ///
    /// Returns for how many location servers it was queued.
    ///
    /// # Errors
    /// If the message is no notification of a service, or does not fit a message.
    pub fn notify(&self, message: &OwnedMessage) -> Result<usize, Error> {
        let store = &self.shared.store;
        let mut portions = notify::Portions::new(message, store.profile(), store.longest_body())?;
        let mut count = 0;
        for subscriber in self.shared.registry.subscribers().load().iter() {
            if let Some(portion) = portions.of(subscriber.services())? {
                subscriber.push_message(portion);
                count += 1;
            }
        }
        Ok(count)
    }

    /// When stations are reported again.
    #[must_use]
    pub fn notification_policy(&self) -> Arc<NotificationPolicy> {
        self.shared.policy.load_full()
    }

    /// Another notification policy from now on. An interval that runs ends by the new one.
    pub fn set_notification_policy(&self, policy: NotificationPolicy) {
        self.shared.policy.store(Arc::new(policy));
        for subscriber in self.shared.registry.subscribers().load().iter() {
            subscriber.filled.notify_one();
        }
    }

    /// The authlist that location servers are checked against; `None` if a trust store decides alone.
    #[must_use]
    pub fn auth_list(&self) -> Option<Arc<AuthList>> {
        guard::authlist(&self.shared.tls.load()).map(SharedAuthList::load)
    }

    /// Ends one connection with a Disconnect Notification, as an operator does. Returns whether there is such a connection.
    pub fn disconnect(&self, connection_id: u32, explanation: &str) -> bool {
        let ending = self.shared.registry.ending(connection_id);
        ending.is_some_and(|ending| {
            ending.order(Order {
                reason: DisconnectReason::ADMINISTRATIVE,
                explanation: explanation.to_owned(),
            })
        })
    }

    /// The counters of the server as a whole.
    #[must_use]
    pub fn counters(&self) -> ServerCounters {
        self.shared.counters.snapshot()
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
        let drained = timeout(self.limits().shutdown_timeout, self.shared.tasks.wait());
        drained.await.unwrap_or_default();
    }

    /// Uses another identity, authlist, or trust store for connections from now on. Live ones stay, except those that the
    /// authlist no longer admits: they are told so and closed within a second, as when the list itself is replaced
    /// ([`SharedAuthList::replace`](pki_common::authlist::SharedAuthList::replace)).
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
