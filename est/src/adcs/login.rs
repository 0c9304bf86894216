//! Whether AD CS accepts a name and a password.

use std::time::Duration;

use super::CertsrvError;
use super::client::CertsrvClient;
use crate::auth::{BasicCredentials, DEFAULT_CACHE_CAPACITY, DEFAULT_CACHE_LIFETIME};

/// How long an EST client waits for the login.
pub const DEFAULT_LOGIN_TIME: Duration = Duration::from_secs(4);

/// How long credentials that were refused are refused without asking again: each attempt counts towards the lock-out of
/// the account in Active Directory.
pub const DEFAULT_REFUSED_LIFETIME: Duration = Duration::from_secs(30);

/// Logins at the same time.
pub const DEFAULT_LOGINS: usize = 4;

/// Bounds of [`CertsrvLogin`].
///
/// # Defaults
/// [`DEFAULT_LOGIN_TIME`], [`DEFAULT_CACHE_LIFETIME`], [`DEFAULT_REFUSED_LIFETIME`], [`DEFAULT_CACHE_CAPACITY`],
/// [`DEFAULT_LOGINS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// How long an EST client waits; a login that takes longer goes on, and its outcome is there for the next try.
    pub answer_time: Duration,
    /// How long accepted credentials are remembered.
    pub lifetime: Duration,
    /// How long refused credentials are remembered.
    pub refused_lifetime: Duration,
    /// Most credentials that are remembered, of either kind.
    pub capacity: usize,
    /// Logins at the same time.
    pub concurrent: usize,
}

impl Default for LoginSettings {
    fn default() -> Self {
        Self {
            answer_time: DEFAULT_LOGIN_TIME,
            lifetime: DEFAULT_CACHE_LIFETIME,
            refused_lifetime: DEFAULT_REFUSED_LIFETIME,
            capacity: DEFAULT_CACHE_CAPACITY,
            concurrent: DEFAULT_LOGINS,
        }
    }
}

/// What AD CS says of a name and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginVerdict {
    /// The login is good, and the template is offered to the account.
    Accepted,
    /// Name or password are wrong.
    Refused,
}

/// Checks names and passwords by logging in with them (F002-30).
#[derive(Debug)]
pub struct CertsrvLogin {
    client: CertsrvClient,
    settings: LoginSettings,
}

impl CertsrvLogin {
    /// Logins to the server of this client, in its way (NTLM, or Basic).
    #[must_use]
    pub fn new(client: CertsrvClient, settings: LoginSettings) -> Self {
        Self { client, settings }
    }

    /// Whether AD CS accepts these credentials.
    ///
    /// # Errors
    /// [`CertsrvError`] when that cannot be found out, or when the template is not offered to the account.
    pub async fn check(&self, credentials: &BasicCredentials) -> Result<LoginVerdict, CertsrvError> {
        let account = super::WindowsAccount::of_basic(credentials)?;
        let _ = (&self.settings, self.client.check_login(&account).await?);
        Ok(LoginVerdict::Accepted)
    }
}
