//! What a connection is told at its start.

use core::time::Duration;
use std::sync::Arc;

use crate::wire::{DEFAULT_MAX_MESSAGE_LENGTH, Services, Text, WireProfile};

/// The version this crate puts into its Capability Notification (ours).
pub const PROTOCOL_VERSION: u16 = 1;

/// The lowest version that this crate speaks (ours).
pub const LOWEST_PROTOCOL_VERSION: u16 = 1;

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

/// How many requests of this side may wait for their response, unless told otherwise. The bound keeps a peer that never
/// answers from making the table grow.
pub const DEFAULT_MAX_PENDING_REQUESTS: usize = 64;

/// How many requests of the peer may wait for the application, unless told otherwise. As many as a peer of the same make
/// may have open; what comes beyond is answered with the status "busy".
pub const DEFAULT_MAX_PEER_REQUESTS: usize = 64;

/// How many access point groups and service parameters a subscription may name together, unless told otherwise. A
/// controller has a few hundred groups at most; every notification is held against them.
pub const DEFAULT_MAX_SUBSCRIPTION_ENTRIES: usize = 512;

/// How a [`Connection`](super::Connection) behaves.
#[derive(Clone, Debug)]
pub struct ConnectionConfig {
    /// Layout and numbers on the wire. Default: [`WireProfile::built_in`].
    pub profile: Arc<WireProfile>,
    /// The longest message taken from the peer, in bytes with the header. Default: [`DEFAULT_MAX_MESSAGE_LENGTH`].
    pub max_message_length: usize,
    /// The longest message sent to the peer, in bytes with the header; a longer one is an error. Default: as long as its
    /// length field can say. Over DTLS it is at most 16,384.
    pub max_sent_length: usize,
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
    /// How many requests of this side may wait for their response. Default: [`DEFAULT_MAX_PENDING_REQUESTS`].
    pub max_pending_requests: usize,
    /// How many requests of the peer may wait for the application. Default: [`DEFAULT_MAX_PEER_REQUESTS`].
    pub max_peer_requests: usize,
    /// Controller: how many groups and parameters a subscription may name. Default:
    /// [`DEFAULT_MAX_SUBSCRIPTION_ENTRIES`].
    pub max_subscription_entries: usize,
    /// The highest version to announce; the lower one of both sides is spoken. Default: [`PROTOCOL_VERSION`].
    pub protocol_version: u16,
    /// What this side calls itself in its Capability Notification. Default: nothing.
    pub system_name: Option<Text>,
    /// The software version in its Capability Notification. Default: nothing.
    pub software_version: Option<Text>,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            profile: Arc::clone(WireProfile::built_in()),
            max_message_length: DEFAULT_MAX_MESSAGE_LENGTH,
            max_sent_length: usize::MAX,
            services: Services::MEASUREMENTS,
            echo_interval: DEFAULT_ECHO_INTERVAL,
            missed_echo_limit: DEFAULT_MISSED_ECHO_LIMIT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            capability_timeout: DEFAULT_CAPABILITY_TIMEOUT,
            max_pending_requests: DEFAULT_MAX_PENDING_REQUESTS,
            max_peer_requests: DEFAULT_MAX_PEER_REQUESTS,
            max_subscription_entries: DEFAULT_MAX_SUBSCRIPTION_ENTRIES,
            protocol_version: PROTOCOL_VERSION,
            system_name: None,
            software_version: None,
        }
    }
}
