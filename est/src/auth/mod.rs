//! Who may enrol: what a label demands, what a client shows, and who it turns out to be.
//!
//! Nothing here does I/O or knows tokio. [`Authenticator::check`] is expensive on purpose (argon2id), so the
//! asynchronous server runs it off the runtime with bounded concurrency, and asks [`Authenticator::recall`] first,
//! which answers from a bounded, keyed cache in about a microsecond.

mod basic;
mod cache;
mod challenge;
mod client;
mod credentials;
mod gate;
mod method;
mod requirement;
mod users;

use core::fmt;
use std::time::Instant;

use pki_common::{Diagnose, Failure, Rung};

pub use basic::{BasicCredentials, BasicError, MAX_BASIC_HEADER, MAX_PASSWORD, MAX_USER_NAME};
pub use cache::{DEFAULT_CACHE_CAPACITY, DEFAULT_CACHE_LIFETIME, VerifiedCredentials};
pub use challenge::{Challenges, basic_challenge};
pub use client::Client;
pub use credentials::{Credentials, CredentialsError};
pub use gate::{AuthenticationDecision, Presented, decide};
pub use method::{AuthenticationMethod, AuthenticationMethods};
pub use requirement::{AuthenticationRequirement, RequirementError};
pub use users::{DuplicateUser, UserFileError, UserFileFault, UserNameError, Users, hash_password};

/// Decides whether a name and a password belong together.
///
/// [`Users`] is the implementation of this crate. Another one asks a directory or, as the registration authority of
/// Cisco document 70341 does, logs in to the certificate authority with the presented credentials.
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
}

/// The authenticator could not decide, for instance because the directory behind it does not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("credentials cannot be checked at present: {cause}")]
pub struct AuthenticatorUnavailable {
    /// What went wrong, for the log of the server; it is not sent to the client.
    pub cause: String,
}

impl Diagnose for AuthenticatorUnavailable {
    fn diagnose(&self) -> Failure {
        let remedy = "Check the user file, or the directory that passwords are checked with, and try again.";
        Failure::new(Rung::Upstream, format!("{self}."), remedy)
    }
}
