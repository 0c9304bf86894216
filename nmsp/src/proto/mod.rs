//! The connection as a state machine: no I/O, no clock of its own.
//!
//! [`Connection`] takes received bytes and the present time and says what to send, what happened and when to come back.
//! Both roles use it: the controller (NMSP server, TLS server) and the location server (NMSP client, TLS client).
//!
//! What is decided here, for every message that may arrive:
//!
//! | what arrives | answer |
//! |---|---|
//! | a broken header, a broken body | [`ProtocolError::Decode`], the connection is closed |
//! | a message that only the other role sends | [`ProtocolError::WrongDirection`], the connection is closed |
//! | an id the profile does not know, or a message that the connection has no use for | counted, [`Event::Unsupported`], the connection lives |
//! | a second subscription | replaces the first; the empty set unsubscribes |
//! | a response nobody waits for (late, duplicate) | counted, ignored |
//! | a measurement without a subscription | counted, ignored |
//! | a second Capability Notification | replaces the first, [`Event::CapabilityChanged`] |
//! | silence | the location server gives up after unanswered echo requests, the controller after the idle time |

use core::time::Duration;
use std::time::Instant;

mod config;
mod connection;
mod counters;
mod error;
mod event;
mod liveness;
pub mod policy;
mod requests;

pub use config::{
    ConnectionConfig, DEFAULT_CAPABILITY_TIMEOUT, DEFAULT_ECHO_INTERVAL, DEFAULT_IDLE_TIMEOUT,
    DEFAULT_MISSED_ECHO_LIMIT, DEFAULT_REQUEST_TIMEOUT, PROTOCOL_VERSION,
};
pub use connection::{Connection, Role};
pub use counters::{ConnectionCounters, CounterSnapshot, MessageCount};
pub use error::{CloseReason, ProtocolError, RequestError};
pub use event::{Event, MeasurementFrame, UnsupportedMessage};
pub use requests::MAX_PENDING_REQUESTS;

/// What stands for "never" when a configured time is longer than the clock can say.
const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A deadline; a configured time of any length is allowed.
fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or_else(|| now + NEVER)
}
