//! What a controller is told at its start.

use core::time::Duration;
use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};

use crate::proto::ConnectionConfig;
use crate::proto::policy::NotificationPolicy;
use crate::wire::{Service, Services};

use super::requests::RequestHandler;

/// How many connections there may be, in handshake or established. The vendor's controllers take ten location servers;
/// a hundred leaves room for simulators and bounds memory.
pub const DEFAULT_MAX_CONNECTIONS: usize = 100;

/// How many of them may be in the handshake. A peer can open connections and say nothing; this many can be open for the
/// handshake time-out at most, and established connections are not affected.
pub const DEFAULT_MAX_HANDSHAKES: usize = 32;

/// How many of them may be handshakes of one address (IPv6: one /64). However slowly it sends, a quarter is left to the
/// others.
pub const DEFAULT_MAX_HANDSHAKES_PER_ADDRESS: usize = 24;

/// How long a handshake may take. The vendor's devices need 1.3 s (F001-24).
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many connections one address (IPv6: one /64) may have. The vendor's controllers take ten location servers
/// altogether; several may run behind one address.
pub const DEFAULT_MAX_CONNECTIONS_PER_ADDRESS: usize = 32;

/// How many new connections one address (IPv6: one /64) may begin within a second. A handshake costs the controller about
/// a millisecond of computing, so one address cannot take more than a tenth of a processor.
pub const DEFAULT_MAX_NEW_CONNECTIONS_PER_SECOND: u32 = 100;

/// How many messages one location server may send in a second. It sends an echo every 15 s and a request now and then; a
/// peer that sends more is not read from until it has waited.
pub const DEFAULT_MAX_MESSAGES_PER_SECOND: u32 = 1000;

/// How many records and messages may wait for one slow subscriber before the oldest is dropped and counted: one
/// measurement of each station of a full store. An entry takes 16 bytes, its mark 16 more: at most 2 MiB for a subscriber
/// that reads nothing.
pub const DEFAULT_QUEUE_LENGTH: usize = 65_536;

/// How many bytes of messages of the application ([`notify`](super::ServerHandle::notify)) may wait for one slow
/// subscriber. Records of the store need none.
pub const DEFAULT_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// How many records of one kind the store keeps: the vendor's largest controllers serve 64,000 clients. A client with four
/// readings takes about 250 bytes, a full table 16 MiB.
pub const DEFAULT_MAX_STATIONS: usize = 65_536;

/// How long the shutdown waits for connections to send what waits.
pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What peers may use up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections, in handshake or established. Default: [`DEFAULT_MAX_CONNECTIONS`].
    pub max_connections: usize,
    /// Connections in handshake. Default: [`DEFAULT_MAX_HANDSHAKES`].
    pub max_handshakes: usize,
    /// How many of these are of one address (IPv6: of one /64). Default: [`DEFAULT_MAX_HANDSHAKES_PER_ADDRESS`].
    pub max_handshakes_per_address: usize,
    /// Time for one handshake. Default: [`DEFAULT_HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Duration,
    /// Connections of one address (IPv6: of one /64). Default: [`DEFAULT_MAX_CONNECTIONS_PER_ADDRESS`].
    pub max_connections_per_address: usize,
    /// New connections of one address (IPv6: of one /64) in a second. Default:
    /// [`DEFAULT_MAX_NEW_CONNECTIONS_PER_SECOND`].
    pub max_new_connections_per_second: u32,
    /// Messages that one location server may send in a second; as many may come at once. Default:
    /// [`DEFAULT_MAX_MESSAGES_PER_SECOND`].
    pub max_messages_per_second: u32,
    /// Records and messages that wait for one subscriber. Default: [`DEFAULT_QUEUE_LENGTH`].
    pub queue_length: usize,
    /// Bytes of messages that wait for one subscriber. Default: [`DEFAULT_QUEUE_BYTES`].
    pub queue_bytes: usize,
    /// Records of one kind in the store; the one that has not changed for longest makes room. Default:
    /// [`DEFAULT_MAX_STATIONS`].
    pub max_stations: usize,
    /// Time for the shutdown. Default: [`DEFAULT_SHUTDOWN_TIMEOUT`].
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: DEFAULT_MAX_CONNECTIONS,
            max_handshakes: DEFAULT_MAX_HANDSHAKES,
            max_handshakes_per_address: DEFAULT_MAX_HANDSHAKES_PER_ADDRESS,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            max_connections_per_address: DEFAULT_MAX_CONNECTIONS_PER_ADDRESS,
            max_new_connections_per_second: DEFAULT_MAX_NEW_CONNECTIONS_PER_SECOND,
            max_messages_per_second: DEFAULT_MAX_MESSAGES_PER_SECOND,
            queue_length: DEFAULT_QUEUE_LENGTH,
            queue_bytes: DEFAULT_QUEUE_BYTES,
            max_stations: DEFAULT_MAX_STATIONS,
            shutdown_timeout: DEFAULT_SHUTDOWN_TIMEOUT,
        }
    }
}

/// How a controller behaves.
///
/// # Defaults
/// [`new`](Self::new): TLS 1.2 and 1.3 with a client certificate required, no session resumption; [`Limits`] and
/// [`ConnectionConfig`] with their own defaults, the idle time-out (60 s) and message size (64 KiB) being in the latter.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Identity, and what a location server's certificate must satisfy.
    pub tls: ServerTls,
    /// What peers may use up.
    pub limits: Limits,
    /// How each connection behaves.
    pub connection: ConnectionConfig,
    /// When stations are reported again. Can be replaced while the server runs
    /// ([`set_notification_policy`](super::ServerHandle::set_notification_policy)).
    pub notification_policy: NotificationPolicy,
    /// Where the application answers what the store cannot know. Default: nobody does.
    pub request_handler: Option<Arc<dyn RequestHandler>>,
}

impl ServerConfig {
    /// A controller with this identity that admits whom `location_servers` admits.
    #[must_use]
    pub fn new(identity: Arc<Identity>, location_servers: PeerVerifier) -> Self {
        let mut tls = ServerTls::new(identity);
        tls.client_authentication = ClientAuthentication::Required(location_servers);
        Self {
            tls,
            limits: Limits::default(),
            connection: ConnectionConfig {
                services: Services::from_iter(Service::ALL.iter().copied()),
                ..ConnectionConfig::default()
            },
            notification_policy: NotificationPolicy::default(),
            request_handler: None,
        }
    }
}
