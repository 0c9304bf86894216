//! What a controller is told at its start.

use core::time::Duration;
use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::{ClientAuthentication, PeerVerifier, ServerTls};

use crate::proto::ConnectionConfig;

/// How many connections there may be, in handshake or established. The vendor's controllers take ten location servers;
/// a hundred leaves room for simulators and bounds memory.
pub const DEFAULT_MAX_CONNECTIONS: usize = 100;

/// How many of them may be in the handshake. A peer can open connections and say nothing; this many can be open for the
/// handshake time-out at most, and established connections are not affected.
pub const DEFAULT_MAX_HANDSHAKES: usize = 32;

/// How long a handshake may take. The vendor's devices need 1.3 s (F001-24).
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many notifications may wait for one slow subscriber before the oldest is dropped and counted.
pub const DEFAULT_QUEUE_LENGTH: usize = 1024;

/// How long the shutdown waits for connections to send what waits.
pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What peers may use up.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections, in handshake or established. Default: [`DEFAULT_MAX_CONNECTIONS`].
    pub max_connections: usize,
    /// Connections in handshake. Default: [`DEFAULT_MAX_HANDSHAKES`].
    pub max_handshakes: usize,
    /// Time for one handshake. Default: [`DEFAULT_HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Duration,
    /// Notifications that wait for one subscriber. Default: [`DEFAULT_QUEUE_LENGTH`].
    pub queue_length: usize,
    /// Time for the shutdown. Default: [`DEFAULT_SHUTDOWN_TIMEOUT`].
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: DEFAULT_MAX_CONNECTIONS,
            max_handshakes: DEFAULT_MAX_HANDSHAKES,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            queue_length: DEFAULT_QUEUE_LENGTH,
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
            connection: ConnectionConfig::default(),
        }
    }
}
