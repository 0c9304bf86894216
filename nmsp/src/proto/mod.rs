//! The connection as a state machine: no I/O, no clock of its own.
//!
//! [`Connection`] takes received bytes and the present time and says what to send, what happened and when to come back.
//! Both roles use it: the controller (NMSP server, TLS server) and the location server (NMSP client, TLS client).
//! [`Exchange`] says of every message whether it asks, answers or tells, and which services it belongs to.
//!
//! What is decided here, for every message that may arrive:
//!
//! | what arrives | answer |
//! |---|---|
//! | a broken header, a broken body | [`ProtocolError::Decode`], the connection is closed |
//! | a message that only the other role sends | [`ProtocolError::WrongDirection`], the connection is closed |
//! | an id the profile does not know | counted, [`Event::Unsupported`], the connection lives |
//! | a higher version than ours | the lower one is spoken, [`Connection::version`] |
//! | a version below [`LOWEST_PROTOCOL_VERSION`] | [`ProtocolError::Version`], the connection is closed |
//! | service bits without a name | kept in [`Connection::peer`]; a subscription of them is answered as rejected |
//! | a second Capability Notification | replaces the first, [`Event::CapabilityChanged`]; a subscription of what the controller does not offer any more ends |
//! | a second subscription | replaces the first; the empty set unsubscribes |
//! | a subscription with more than [`ConnectionConfig::max_subscription_entries`] | answered as rejected, nothing changes |
//! | a request for a service that is not offered | answered with "not supported", counted |
//! | a request while another one has its transaction | the same message: counted, ignored, the first one's answer answers both; another message: answered with "malformed request", counted |
//! | a request with the transaction of an answered one | a new request |
//! | a request while [`ConnectionConfig::max_peer_requests`] are open | answered with "busy", counted |
//! | a request that the application does not answer in time | answered with "failed", counted |
//! | a response nobody waits for (late, duplicate, of another request), a part that is not the next one | counted, ignored |
//! | a late response to a subscription | counted; what it says is subscribed holds, [`Event::SubscriptionChanged`] |
//! | a notification without a subscription of one of its services | counted by message, ignored |
//! | a goodbye | [`CloseReason::Disconnected`]; none is sent back |
//! | the end of the stream | [`CloseReason::ClosedByPeer`], or [`ProtocolError::StreamCut`] inside a message; this side closes, too |
//! | silence | the location server gives up after unanswered echo requests, the controller after the idle time |
//!
//! The side that ends a connection says goodbye with a reason, whatever the reason is; messages that arrive after that are
//! neither handled nor counted. When both say goodbye at once, each has closed on its own.

use core::time::Duration;
use std::time::Instant;

mod config;
mod connection;
mod counters;
mod error;
mod event;
mod frame;
mod liveness;
pub mod oracle;
mod pending;
pub mod policy;
mod requests;
mod subscription;

pub use config::{
    ConnectionConfig, DEFAULT_CAPABILITY_TIMEOUT, DEFAULT_ECHO_INTERVAL, DEFAULT_IDLE_TIMEOUT,
    DEFAULT_MAX_PEER_REQUESTS, DEFAULT_MAX_PENDING_REQUESTS, DEFAULT_MAX_SUBSCRIPTION_ENTRIES,
    DEFAULT_MISSED_ECHO_LIMIT, DEFAULT_REQUEST_TIMEOUT, LOWEST_PROTOCOL_VERSION, PROTOCOL_VERSION,
};
pub use connection::{Connection, Role};
pub use counters::{ConnectionCounters, CounterSnapshot, MessageCount};
pub use error::{CloseReason, ProtocolError, RequestError};
pub use event::Event;
pub use frame::MessageFrame;
pub use requests::Exchange;
pub use subscription::Subscription;

/// What stands for "never" when a configured time is longer than the clock can say.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A deadline; a configured time of any length is allowed.
fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or_else(|| now + NEVER)
}
