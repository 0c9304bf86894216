//! Every bound a stranger meets at the door of the server, with its reason.

use std::time::Duration;

use crate::auth::FailureLimits;

/// Bounds on what connections may cost. All are per server.
///
/// # Defaults
/// Those of the constants of this type; made for one processor core and a few thousand devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections held at a time; more wait in the backlog of the listener.
    pub connections: usize,
    /// Connections held at a time by one IPv4 address, or one IPv6 network of 64 bits; more are closed at once. Set it
    /// to the value of `connections` when all clients come through one gateway.
    pub connections_per_address: usize,
    /// TLS handshakes in progress at a time, counted from the first byte of the client: a connection that says
    /// nothing takes no turn. A handshake is the most expensive thing a stranger can ask for.
    pub handshakes: usize,
    /// How many of these handshakes may be those of one IPv4 address, or one IPv6 network of 64 bits; more wait. For an
    /// address that has connections, a new value holds when they have ended.
    pub handshakes_per_address: usize,
    /// Time for a TLS handshake, waiting for a turn included.
    pub handshake_time: Duration,
    /// Time from the first byte awaited of a request to the end of its headers; also how long a kept-alive connection
    /// may idle.
    pub header_time: Duration,
    /// Size of request line and headers together, in bytes.
    pub header_size: usize,
    /// Number of headers of a request.
    pub header_count: usize,
    /// Time for the body of a request.
    pub body_time: Duration,
    /// Time the certificate authority and the authenticator may take for one answer; 503 after that. Under the ten
    /// seconds for which libest waits.
    pub answer_time: Duration,
    /// Requests served on one connection, after which it is closed; it bounds what one long-lived client can hold.
    pub requests_per_connection: u32,
    /// Password checks in progress at a time; each takes 19 MiB and some 20 ms of a core.
    pub password_checks: usize,
    /// Wrong credentials taken from an address and for a name; 429 beyond that.
    pub login_failures: FailureLimits,
    /// How long a client may leave what it is sent unread before its connection is dropped.
    pub write_time: Duration,
    /// Time for connections to finish what they do after a shutdown is asked for.
    pub shutdown_time: Duration,
}

impl ServerLimits {
    /// 1024 connections: some 30 KiB each with their TLS state.
    pub const CONNECTIONS: usize = 1024;
    /// 512 connections of one address: half of all, so that no single one keeps everybody else out.
    pub const CONNECTIONS_PER_ADDRESS: usize = 512;
    /// 256 handshakes: a core does thousands a second, so this many in flight wait for the network.
    pub const HANDSHAKES: usize = 256;
    /// 192 handshakes of one address: it may be a gateway with many clients behind it, but however slowly it sends, a
    /// quarter is left to the others.
    pub const HANDSHAKES_PER_ADDRESS: usize = 192;
    /// 10 s for a handshake, libest's step time-out (fact F002-33).
    pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
    /// 10 s for the headers.
    pub const HEADER_TIME: Duration = Duration::from_secs(10);
    /// 16 KiB of headers: EST needs under 1 KiB; hyper takes no less than 8 KiB.
    pub const HEADER_SIZE: usize = 16 * 1024;
    /// 100 headers: hyper's own bound, for which it needs no allocation.
    pub const HEADER_COUNT: usize = 100;
    /// 10 s for a body of at most some KiB.
    pub const BODY_TIME: Duration = Duration::from_secs(10);
    /// 9 s for an answer: under the 10 s after which libest gives up (fact F002-33).
    pub const ANSWER_TIME: Duration = Duration::from_secs(9);
    /// 1000 requests on a connection.
    pub const REQUESTS_PER_CONNECTION: u32 = 1000;
    /// 2 password checks: 38 MiB at most.
    pub const PASSWORD_CHECKS: usize = 2;
    /// 10 s for a client to read what fits no more into the buffers of the network.
    pub const WRITE_TIME: Duration = Duration::from_secs(10);
    /// 10 s to finish.
    pub const SHUTDOWN_TIME: Duration = Duration::from_secs(10);

    /// The largest number of connections, handshakes and password checks: what the semaphores behind them count, and
    /// far more than a process can hold.
    pub const MAX_COUNT: usize = tokio::sync::Semaphore::MAX_PERMITS;
    /// The smallest `header_size` that hyper accepts.
    pub const MIN_HEADER_SIZE: usize = 8192;
    /// The largest `header_size`: 16 MiB, which every connection may have to hold.
    pub const MAX_HEADER_SIZE: usize = 16 * 1024 * 1024;
    /// The largest `header_count`; room for so many is set aside for every request, and a header map holds 24576.
    pub const MAX_HEADER_COUNT: usize = 16 * 1024;
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: Self::CONNECTIONS,
            connections_per_address: Self::CONNECTIONS_PER_ADDRESS,
            handshakes: Self::HANDSHAKES,
            handshakes_per_address: Self::HANDSHAKES_PER_ADDRESS,
            handshake_time: Self::HANDSHAKE_TIME,
            header_time: Self::HEADER_TIME,
            header_size: Self::HEADER_SIZE,
            header_count: Self::HEADER_COUNT,
            body_time: Self::BODY_TIME,
            answer_time: Self::ANSWER_TIME,
            requests_per_connection: Self::REQUESTS_PER_CONNECTION,
            password_checks: Self::PASSWORD_CHECKS,
            login_failures: FailureLimits::default(),
            write_time: Self::WRITE_TIME,
            shutdown_time: Self::SHUTDOWN_TIME,
        }
    }
}
