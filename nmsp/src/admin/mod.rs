//! A listener for people and monitoring: what a controller does, over plain HTTP.
//!
//! | resource | what it is |
//! |---|---|
//! | `/restconf/data/Cisco-IOS-XE-wireless-nmsp-oper:nmsp-oper-data` and what is below | RESTCONF (RFC 8040), JSON (RFC 7951), after the vendor's YANG model |
//! | `/metrics` | OpenMetrics 1.0, or the text format 0.0.4 of Prometheus, as `Accept` asks |
//! | `/healthz` | 200 while the server serves, 503 from the beginning of its shutdown |
//! | `/state` | ours: [`State`](crate::show::State) as JSON, everything that `nmsp show` prints; `?without=auth-list` leaves the entries of the authlist out |
//!
//! Everything is made of one [`State`](crate::show::State), so that the views agree. Nothing can be changed here, no
//! secret is shown, and there is no authentication: the listener takes a loopback address only, unless
//! [`AdminConfig::dangerous_accept_any_address`] is set. On a loopback address it answers only requests whose `Host` is
//! an IP address or `localhost`, so that a page in a browser cannot read it under a name of its own.
//!
//! GET and HEAD are answered, other methods get 405. [`AdminLimits`] bounds what a client can hold, and nothing waits for
//! a client longer than that.

mod accept;
mod client;
mod error;
mod listener;
mod metrics;
mod restconf;
mod route;

pub use client::{AdminClientError, FETCH_TIMEOUT, MAX_ANSWER, fetch_state};
pub use error::AdminError;
pub use listener::{bind, serve};
pub use metrics::{open_metrics, prometheus_text};
pub use restconf::{MODULE, restconf_data};

use core::time::Duration;

/// The port that `nmsp show` asks and the documentation uses (ours: NMSP's own with a 0).
pub const DEFAULT_PORT: u16 = 16180;

/// How the listener behaves.
///
/// # Defaults
/// [`AdminLimits`] with their own, loopback only, no restarts.
#[derive(Clone, Debug, Default)]
pub struct AdminConfig {
    /// What clients may use up.
    pub limits: AdminLimits,
    /// Takes any address to listen on. Whoever reaches it reads who is connected and whom the authlist admits.
    pub dangerous_accept_any_address: bool,
    /// `srv-restarts`: how often the server was started again; whoever restarts it counts.
    pub restarts: u64,
}

/// What clients of the listener may use up.
///
/// # Defaults
/// Those of the constants of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminLimits {
    /// Connections at a time; more wait in the backlog of the listener.
    pub connections: usize,
    /// Time from the first byte awaited of a request to the end of its headers; also how long a connection may idle.
    pub header_time: Duration,
    /// Size of request line and headers together, in bytes; hyper takes no less than 8192.
    pub header_size: usize,
    /// Number of headers of a request.
    pub header_count: usize,
    /// How long one connection may last; a request in progress is then answered, the next one needs another connection.
    pub connection_time: Duration,
    /// Time for an answer to be made and read after the connection has come to its end.
    pub answer_time: Duration,
}

impl AdminLimits {
    /// 32 connections: monitoring and a few people; it bounds the answers in memory.
    pub const CONNECTIONS: usize = 32;
    /// 10 s for the headers: a scrape sends them at once.
    pub const HEADER_TIME: Duration = Duration::from_secs(10);
    /// 16 KiB of headers: browsers send a few KiB.
    pub const HEADER_SIZE: usize = 16 * 1024;
    /// 64 headers.
    pub const HEADER_COUNT: usize = 64;
    /// 2 minutes on one connection: longer than the interval of a scrape, so that it reuses its connection.
    pub const CONNECTION_TIME: Duration = Duration::from_secs(120);
    /// 10 s for the last answer.
    pub const ANSWER_TIME: Duration = Duration::from_secs(10);
    /// The smallest `header_size` that hyper takes.
    pub const MIN_HEADER_SIZE: usize = 8192;
    /// The greatest `connections`: what the semaphore behind it counts.
    pub const MAX_CONNECTIONS: usize = tokio::sync::Semaphore::MAX_PERMITS;
}

impl Default for AdminLimits {
    fn default() -> Self {
        Self {
            connections: Self::CONNECTIONS,
            header_time: Self::HEADER_TIME,
            header_size: Self::HEADER_SIZE,
            header_count: Self::HEADER_COUNT,
            connection_time: Self::CONNECTION_TIME,
            answer_time: Self::ANSWER_TIME,
        }
    }
}
