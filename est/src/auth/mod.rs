//! Who may enrol: what a label demands, what a client shows, and who it turns out to be.
//!
//! Nothing here does I/O or knows tokio. [`Authenticator::check`] is expensive on purpose (argon2id), so the
//! asynchronous server runs it off the runtime with bounded concurrency, and asks [`Authenticator::recall`] first,
//! which answers from a bounded, keyed cache in about a microsecond.

mod accounts;
mod basic;
mod bearer;
mod cache;
mod challenge;
mod client;
mod credentials;
pub mod digest;
mod failures;
mod gate;
mod method;
pub(crate) mod parameters;
mod requirement;
pub mod settings;
mod users;

use core::fmt;
use core::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use digest::{DigestAlgorithm, DigestSecret, DigestVerifier};
use pki_common::{Diagnose, Failure, KnownCause, Rung};

pub use accounts::Accounts;
pub use basic::{BasicCredentials, BasicError, MAX_BASIC_HEADER, MAX_PASSWORD, MAX_USER_NAME};
pub use bearer::{BearerError, BearerToken, BearerTokens, MAX_BEARER_TOKEN, TokenVerdict, bearer_challenge};
pub use cache::{DEFAULT_CACHE_CAPACITY, DEFAULT_CACHE_LIFETIME, VerifiedCredentials};
pub use challenge::{Challenges, basic_challenge};
pub use client::Client;
pub use credentials::{Credentials, CredentialsError};
pub use failures::{Account, AddressGroup, Allowance, FailureCounter, FailureLimits};
pub use gate::{AuthenticationDecision, Presented, decide};
pub use method::{AuthenticationMethod, AuthenticationMethods};
pub use parameters::ParameterError;
pub use requirement::{AuthenticationRequirement, RequirementError};
pub use users::{DuplicateUser, UserFileError, UserFileFault, UserNameError, Users, hash_password};

/// A verdict on credentials that another server gives.
pub type VerdictFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Verdict, AuthenticatorUnavailable>> + Send + 'a>>;

/// What another server says of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// They are right.
    Right,
    /// They are wrong.
    Wrong,
    /// It was not asked: so many wrong ones of this account have been passed on that another one might lock it there.
    NotAsked {
        /// When it may be asked again.
        retry_after: Duration,
    },
}

/// Decides whether credentials are right: name and password for Basic, and where it knows of them, the secrets of Digest
/// and the tokens of Bearer.
///
/// [`Users`] (Basic) and [`Accounts`] (all three) are the implementations of this crate. Another one asks a directory or, as the registration authority of
/// Cisco document 214396 does, logs in to the certificate authority with the presented credentials.
pub trait Authenticator: Send + Sync + fmt::Debug {
    /// The answer if it is known without work: `Some(true)` for credentials verified a short while ago.
    ///
    /// Called on the hot path; must not block. `None` asks the caller to call [`Authenticator::check`].
    fn recall(&self, credentials: &BasicCredentials, now: Instant) -> Option<bool> {
        let _ = (credentials, now);
        None
    }

    /// Whether the credentials are right. May take long and may block; an unknown name must cost what a wrong
    /// password costs, so that the time of the answer does not tell which names exist.
    ///
    /// # Errors
    /// [`AuthenticatorUnavailable`] when no verdict could be reached; the client is then asked to come back later.
    fn check(&self, credentials: &BasicCredentials, now: Instant) -> Result<bool, AuthenticatorUnavailable>;

    /// The same asked of another server, without a thread that waits for it; `None` from those that work here, which are
    /// asked by [`Authenticator::check`]. The server bounds how many are under way.
    fn check_elsewhere<'a>(&'a self, credentials: &'a BasicCredentials) -> Option<VerdictFuture<'a>> {
        let _ = credentials;
        None
    }

    /// Makes the Digest challenges and verifies their answers; without one, Digest is not offered.
    fn digest(&self) -> Option<Arc<DigestVerifier>> {
        None
    }

    /// The Digest secret of a user, `None` for an unknown one. Called on the hot path; must not block.
    fn digest_secret(&self, user: &str, realm: &str, algorithm: DigestAlgorithm) -> Option<DigestSecret> {
        let _ = (user, realm, algorithm);
        None
    }

    /// The verdict on a bearer token if it is known without work; `None` asks the caller to call
    /// [`Authenticator::check_token`]. Called on the hot path; must not block.
    fn recall_token(&self, token: &BearerToken, now: SystemTime) -> Option<TokenVerdict> {
        let _ = (token, now);
        None
    }

    /// The verdict on a bearer token. May take long and may block.
    ///
    /// # Errors
    /// [`AuthenticatorUnavailable`] when no verdict could be reached.
    fn check_token(
        &self,
        token: &BearerToken,
        now: SystemTime,
    ) -> Result<TokenVerdict, AuthenticatorUnavailable> {
        let _ = (token, now);
        Ok(TokenVerdict::Invalid)
    }
}

/// The authenticator could not decide, for instance because the directory behind it does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("credentials cannot be checked at present: {cause}")]
pub struct AuthenticatorUnavailable {
    /// What went wrong, for the log of the server; it is not sent to the client.
    pub cause: String,
    /// The whole failure, when it is that of another server, which checks credentials. The client is told its known
    /// cause.
    pub upstream: Option<Box<Failure>>,
}

impl AuthenticatorUnavailable {
    /// Something here does not work.
    pub fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            upstream: None,
        }
    }

    /// The server that checks credentials has failed, or cannot be reached.
    #[must_use]
    pub fn upstream(failure: Failure) -> Self {
        Self {
            cause: failure.cause.clone(),
            upstream: Some(Box::new(failure)),
        }
    }
}

impl Diagnose for AuthenticatorUnavailable {
    fn diagnose(&self) -> Failure {
        if let Some(failure) = &self.upstream {
            return Failure {
                rung: Rung::Upstream,
                ..(**failure).clone()
            };
        }
        let remedy = "Check the user file, or the directory that passwords are checked with, and try again.";
        Failure::new(Rung::Upstream, format!("{self}."), remedy).known_as(KnownCause::ServerFailed)
    }
}

/// The lines of an account file that say something, each with its number: blank lines and comments do not.
fn entries(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let lines = text.lines().map(str::trim).zip(1..);
    lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
}
