//! What an exchange may do on its own.

use core::time::Duration;

use crate::auth::{BasicCredentials, BearerToken};

/// Redirects followed in one exchange by default. A load balancer needs one, a moved label another; more is a loop.
pub const DEFAULT_MAX_REDIRECTS: u8 = 5;

/// When a name and password go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PasswordUse {
    /// With the first request that needs authentication, as HTTP Basic. The server is authenticated by then. Saves a
    /// round trip, and with servers that close after a 401 a connection.
    #[default]
    Preemptive,
    /// Only in answer to a challenge: Digest where it is offered, else Basic.
    AfterChallenge,
    /// Only as Digest: the password itself is never sent.
    DigestOnly,
}

/// What a client can show of itself over HTTP. The certificate of the TLS connection is beside this.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Name and password, for Digest and Basic.
    pub password: Option<BasicCredentials>,
    /// A bearer token. It goes out with the first request that needs authentication, and before a password.
    pub bearer: Option<BearerToken>,
    /// When the password goes out.
    pub password_use: PasswordUse,
}

/// How long to wait for a certificate that somebody has yet to approve (status 202).
///
/// # Defaults
/// No wait: the pending request is handed back with the time to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PendingPolicy {
    /// How often to wait and ask again.
    pub attempts: u32,
    /// The sum of the waits. A server that asks for more gets none.
    pub total: Duration,
}

impl PendingPolicy {
    /// Never waits.
    #[must_use]
    pub const fn no_wait() -> Self {
        Self {
            attempts: 0,
            total: Duration::ZERO,
        }
    }

    /// Waits as often as the server asks for, as long as the sum stays within `total`.
    #[must_use]
    pub const fn up_to(total: Duration) -> Self {
        Self {
            attempts: u32::MAX,
            total,
        }
    }
}

/// What an exchange may do on its own.
#[derive(Debug, Clone)]
pub struct ExchangeSettings {
    /// What it may show.
    pub credentials: Credentials,
    /// How long it may wait after a 202.
    pub pending: PendingPolicy,
    /// How many redirects it follows.
    pub max_redirects: u8,
    /// Whether a request for a certificate is sent once more when a kept connection ends without an answer to it. The
    /// server may then issue two certificates, unless it answers the same request with the same certificate.
    pub repeat_unanswered: bool,
    /// A random number for the answer to a Digest challenge, another for each exchange.
    pub client_nonce: u128,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            pending: PendingPolicy::no_wait(),
            max_redirects: DEFAULT_MAX_REDIRECTS,
            repeat_unanswered: false,
            client_nonce: 0,
        }
    }
}
