//! What a location server is told at its start.

use core::time::Duration;

use pki_common::tls::ClientTls;

use crate::proto::ConnectionConfig;

/// The controller's TCP port (Cisco documents 200906 and 214729).
pub const DEFAULT_PORT: u16 = 16_113;

/// How long TCP may take to connect.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long handshake and capability exchange may take together. A controller's authlist verdict may come a full second
/// late (F001-24), so much less would give up on a healthy controller.
pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many events wait for the application before the connection stops reading.
pub const DEFAULT_EVENT_QUEUE_LENGTH: usize = 1024;

/// The longest answer to a request, all its parts together, unless told otherwise: every station of a large controller.
pub const DEFAULT_MAX_RESPONSE_LENGTH: usize = 64 * 1024 * 1024;

/// How much may be set aside while a request waits for its answer, in bytes, unless told otherwise. Notifications that the
/// application has not taken stand before the answer.
pub const DEFAULT_MAX_SET_ASIDE: usize = 16 * 1024 * 1024;

/// How a location server behaves.
///
/// # Defaults
/// [`new`](Self::new): time-outs and queue as the constants of this module say; echo interval (15 s), missed echo limit
/// (3), request time-out (10 s) and message size (64 KiB) as [`ConnectionConfig`] says.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Our certificate, and what the controller's certificate must satisfy.
    pub tls: ClientTls,
    /// Time for TCP. Default: [`DEFAULT_CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// Time for TLS and capability exchange. Default: [`DEFAULT_HANDSHAKE_TIMEOUT`].
    pub handshake_timeout: Duration,
    /// Events that wait for the application. Default: [`DEFAULT_EVENT_QUEUE_LENGTH`].
    pub event_queue_length: usize,
    /// The longest answer to a request, all its parts together, in bytes. Default: [`DEFAULT_MAX_RESPONSE_LENGTH`].
    pub max_response_length: usize,
    /// How much may be set aside while a request waits for its answer, in bytes. When it is used up, the request waits
    /// until the application has taken events. Default: [`DEFAULT_MAX_SET_ASIDE`].
    pub max_set_aside: usize,
    /// How the connection behaves.
    pub connection: ConnectionConfig,
    /// Speaks as old devices do, and not TLS 1.2 or 1.3 by rustls. Default: `None`.
    #[cfg(feature = "openssl")]
    pub dangerous_legacy: Option<crate::transport::openssl::LegacyTransport>,
}

impl ClientConfig {
    /// A location server with these credentials.
    #[must_use]
    pub fn new(tls: ClientTls) -> Self {
        Self {
            tls,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            event_queue_length: DEFAULT_EVENT_QUEUE_LENGTH,
            max_response_length: DEFAULT_MAX_RESPONSE_LENGTH,
            max_set_aside: DEFAULT_MAX_SET_ASIDE,
            connection: ConnectionConfig::default(),
            #[cfg(feature = "openssl")]
            dangerous_legacy: None,
        }
    }
}
