//! What an exchange may do on its own.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use pki_common::{Diagnose, Failure, Rung};
use zeroize::Zeroizing;

use crate::auth::BasicCredentials;

/// Redirects followed in one exchange by default. A load balancer needs one, a moved label another; more is a loop.
pub const DEFAULT_MAX_REDIRECTS: u8 = 5;

/// The longest bearer token, in bytes. A signed token with a dozen claims has about 2 kB, and servers bound their
/// headers at 8 kB.
pub const MAX_BEARER_TOKEN: usize = 6 * 1024;

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

/// A token of RFC 6750 to authenticate by. `Debug` hides it; it is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(Zeroizing<String>);

impl BearerToken {
    /// The value of an `Authorization` header.
    #[must_use]
    pub fn to_header(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.0.as_str()))
    }
}

impl FromStr for BearerToken {
    type Err = BearerTokenError;

    /// White space around the token is dropped: files end with a newline.
    fn from_str(text: &str) -> Result<Self, BearerTokenError> {
        let token = text.trim();
        if token.is_empty() {
            return Err(BearerTokenError::Empty);
        }
        if token.len() > MAX_BEARER_TOKEN {
            return Err(BearerTokenError::TooLong);
        }
        // b64token of RFC 6750, section 2.1.
        let fits = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
        };
        match token.bytes().position(|byte| !fits(byte)) {
            Some(position) => Err(BearerTokenError::Character { position }),
            None => Ok(Self(Zeroizing::new(token.to_owned()))),
        }
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(hidden)")
    }
}

/// A text that is no bearer token. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerTokenError {
    /// Nothing there.
    #[error("the bearer token is empty")]
    Empty,
    /// Longer than [`MAX_BEARER_TOKEN`].
    #[error("the bearer token is longer than {MAX_BEARER_TOKEN} bytes")]
    TooLong,
    /// A character outside of RFC 6750.
    #[error("the bearer token has a character at byte {position} that RFC 6750 does not allow")]
    Character {
        /// Offset in the token.
        position: usize,
    },
}

impl Diagnose for BearerTokenError {
    fn diagnose(&self) -> Failure {
        let remedy = "Give the token alone, as the issuer of tokens printed it.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_checked_and_never_shown() {
        let token: BearerToken = " eyJh.bGci-_~+/== \n".parse().unwrap();
        assert_eq!(token.to_header().as_str(), "Bearer eyJh.bGci-_~+/==");
        assert_eq!(format!("{token:?}"), "BearerToken(hidden)");
        for (text, error) in [
            (" ".to_owned(), BearerTokenError::Empty),
            ("a b".to_owned(), BearerTokenError::Character { position: 1 }),
            (
                "a\r\nX: y".to_owned(),
                BearerTokenError::Character { position: 1 },
            ),
            ("a".repeat(MAX_BEARER_TOKEN + 1), BearerTokenError::TooLong),
        ] {
            assert_eq!(text.parse::<BearerToken>(), Err(error));
        }
    }
}
