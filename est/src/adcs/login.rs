//! Whether AD CS accepts a name and a password.

use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::client::CertsrvClient;
use super::{CertsrvError, Page, Step, WindowsAccount};
use crate::auth::{BasicCredentials, DEFAULT_CACHE_CAPACITY, DEFAULT_CACHE_LIFETIME, VerifiedCredentials};

/// How long an EST client waits for the login.
pub const DEFAULT_LOGIN_TIME: Duration = Duration::from_secs(4);

/// How long credentials that were refused are refused without asking again: each attempt counts towards the lock-out of
/// the account in Active Directory.
pub const DEFAULT_REFUSED_LIFETIME: Duration = Duration::from_secs(30);

/// Logins at the same time.
pub const DEFAULT_LOGINS: usize = 4;

/// Logins that wait for others to end; more are refused at once.
pub const DEFAULT_WAITING_LOGINS: usize = 256;

/// Bounds of [`CertsrvLogin`].
///
/// # Defaults
/// [`DEFAULT_LOGIN_TIME`], [`DEFAULT_CACHE_LIFETIME`], [`DEFAULT_REFUSED_LIFETIME`], [`DEFAULT_CACHE_CAPACITY`],
/// [`DEFAULT_LOGINS`], [`DEFAULT_WAITING_LOGINS`].
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
    /// Logins that wait for others to end.
    pub waiting: usize,
}

impl Default for LoginSettings {
    fn default() -> Self {
        Self {
            answer_time: DEFAULT_LOGIN_TIME,
            lifetime: DEFAULT_CACHE_LIFETIME,
            refused_lifetime: DEFAULT_REFUSED_LIFETIME,
            capacity: DEFAULT_CACHE_CAPACITY,
            concurrent: DEFAULT_LOGINS,
            waiting: DEFAULT_WAITING_LOGINS,
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

/// Checks names and passwords by logging in with them (F002-30), and remembers the outcome for a while: a keyed hash of
/// them, never the password.
#[derive(Clone)]
pub struct CertsrvLogin {
    shared: Arc<Shared>,
}

struct Shared {
    client: CertsrvClient,
    settings: LoginSettings,
    accepted: VerifiedCredentials,
    refused: VerifiedCredentials,
    running: Semaphore,
    /// Room for those that run and those that wait.
    admitted: Arc<Semaphore>,
}

impl CertsrvLogin {
    /// Logins to the server of this client, in its way (NTLM, or Basic).
    #[must_use]
    pub fn new(client: CertsrvClient, settings: LoginSettings) -> Self {
        let concurrent = settings.concurrent.clamp(1, Semaphore::MAX_PERMITS / 2);
        let waiting = settings.waiting.min(Semaphore::MAX_PERMITS / 2);
        Self {
            shared: Arc::new(Shared {
                accepted: VerifiedCredentials::new(settings.capacity, settings.lifetime),
                refused: VerifiedCredentials::new(settings.capacity, settings.refused_lifetime),
                running: Semaphore::new(concurrent),
                admitted: Arc::new(Semaphore::new(concurrent + waiting)),
                client,
                settings,
            }),
        }
    }

    /// The client by which the logins are made.
    #[must_use]
    pub fn client(&self) -> &CertsrvClient {
        &self.shared.client
    }

    /// Whether AD CS accepts these credentials. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`CertsrvError`] when that cannot be found out in time, or when the template is not offered to the account.
    pub async fn check(&self, credentials: &BasicCredentials) -> Result<LoginVerdict, CertsrvError> {
        let shared = &self.shared;
        if let Some(verdict) = shared.remembered(credentials) {
            return Ok(verdict);
        }
        // No such account can exist, and nobody needs to be asked.
        let Ok(account) = WindowsAccount::of_basic(credentials) else {
            return Ok(LoginVerdict::Refused);
        };
        let busy = || CertsrvError::Busy {
            limit: shared.settings.concurrent,
        };
        let admitted = Arc::clone(&shared.admitted)
            .try_acquire_owned()
            .map_err(|_| busy())?;
        let (task_shared, credentials) = (Arc::clone(shared), credentials.clone());
        let login = tokio::spawn(async move {
            let _admitted = admitted;
            task_shared.log_in(&credentials, &account).await
        });
        match timeout(shared.settings.answer_time, login).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(busy()),
            Err(_) => Err(CertsrvError::TimedOut {
                step: Step::Answer(Page::Login),
                time: shared.settings.answer_time,
            }),
        }
    }
}

impl Shared {
    fn remembered(&self, credentials: &BasicCredentials) -> Option<LoginVerdict> {
        let now = Instant::now();
        // There is no stored hash that an entry belongs to; the server alone knows the password.
        if self.accepted.contains(credentials, "", now) {
            return Some(LoginVerdict::Accepted);
        }
        self.refused
            .contains(credentials, "", now)
            .then_some(LoginVerdict::Refused)
    }

    async fn log_in(
        &self,
        credentials: &BasicCredentials,
        account: &WindowsAccount,
    ) -> Result<LoginVerdict, CertsrvError> {
        let Ok(_running) = self.running.acquire().await else {
            return Err(CertsrvError::Busy {
                limit: self.settings.concurrent,
            });
        };
        // Many devices share an account: while this one waited, another may have logged in.
        if let Some(verdict) = self.remembered(credentials) {
            return Ok(verdict);
        }
        match self.client.check_login(account).await {
            Ok(templates) => {
                self.client.require_template(&templates)?;
                self.accepted.insert(credentials, "", Instant::now());
                Ok(LoginVerdict::Accepted)
            }
            Err(error) if error.is_refused_login() => {
                self.refused.insert(credentials, "", Instant::now());
                Ok(LoginVerdict::Refused)
            }
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for CertsrvLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertsrvLogin")
            .field("client", &self.shared.client)
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}
