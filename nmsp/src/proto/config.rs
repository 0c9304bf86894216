//! What a connection is told at its start.

use core::time::Duration;
use std::sync::Arc;

use crate::wire::{DEFAULT_MAX_MESSAGE_LENGTH, Services, WireProfile};

/// The version this crate puts into its Capability Notification (ours).
pub const PROTOCOL_VERSION: u16 = 1;

/// How often a location server asks for a sign of life, unless told otherwise. Three unanswered requests then end the
/// connection within a minute.
pub const DEFAULT_ECHO_INTERVAL: Duration = Duration::from_secs(15);

/// How many echo requests may go unanswered in a row, unless told otherwise: one may be lost in a moment of load, three
/// in a row are not chance.
pub const DEFAULT_MISSED_ECHO_LIMIT: u32 = 3;

/// How long a controller waits for a message before it gives the peer up, unless told otherwise. More than three of the
/// peer's echo intervals.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a request may wait for its response, unless told otherwise.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the peer may take for its Capability Notification, unless told otherwise.
pub const DEFAULT_CAPABILITY_TIMEOUT: Duration = Duration::from_secs(10);

/// How a [`Connection`](super::Connection) behaves.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// Layout and numbers on the wire. Default: [`WireProfile::built_in`].
    pub profile: Arc<WireProfile>,
    /// The longest message taken from the peer, in bytes with the header. Default: [`DEFAULT_MAX_MESSAGE_LENGTH`].
    pub max_message_length: usize,
    /// What the controller offers, or the location server can use. Default: [`Services::MEASUREMENTS`].
    pub services: Services,
    /// Location server: time between echo requests. Default: [`DEFAULT_ECHO_INTERVAL`].
    pub echo_interval: Duration,
    /// Location server: how many echo requests may go unanswered in a row. Default: [`DEFAULT_MISSED_ECHO_LIMIT`].
    pub missed_echo_limit: u32,
    /// Controller: the longest time without a complete message. Default: [`DEFAULT_IDLE_TIMEOUT`].
    pub idle_timeout: Duration,
    /// How long a request waits for its response. Default: [`DEFAULT_REQUEST_TIMEOUT`].
    pub request_timeout: Duration,
    /// How long the peer's Capability Notification may take. Default: [`DEFAULT_CAPABILITY_TIMEOUT`].
    pub capability_timeout: Duration,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            profile: Arc::clone(WireProfile::built_in()),
            max_message_length: DEFAULT_MAX_MESSAGE_LENGTH,
            services: Services::MEASUREMENTS,
            echo_interval: DEFAULT_ECHO_INTERVAL,
            missed_echo_limit: DEFAULT_MISSED_ECHO_LIMIT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            capability_timeout: DEFAULT_CAPABILITY_TIMEOUT,
        }
    }
}
