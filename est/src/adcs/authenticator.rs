//! Basic over server-authenticated TLS, checked by logging in to AD CS with the presented credentials (F002-30), as an
//! [`Authenticator`].
//!
//! Each wrong password that is passed on counts towards the lock-out of the account in Active Directory, and anybody can
//! send wrong passwords for any name. So the wrong ones of an account are counted here over all addresses, and beyond a
//! few nothing is passed on for a while. What was right a short while ago, however, is passed on: a stranger who guesses
//! at the account of the phone service does not keep the phone service out.

use core::fmt;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::login::{CertsrvLogin, LoginVerdict};
use crate::auth::digest::{DigestAlgorithm, DigestSecret, DigestVerifier};
use crate::auth::{
    Authenticator, AuthenticatorUnavailable, BasicCredentials, BearerToken, DEFAULT_CACHE_CAPACITY,
    TokenVerdict, Verdict, VerdictFuture, VerifiedCredentials,
};

/// How long credentials that were right are passed on whatever else was tried for the account.
const KNOWN_GOOD: Duration = Duration::from_secs(24 * 3600);

/// How long the same wrong password is refused without asking again. A phone service with a password that was mistyped
/// sends it for every phone.
const REFUSED: Duration = Duration::from_secs(300);

/// How many wrong passwords of one account are passed on to AD CS.
///
/// # Defaults
/// Three within thirty minutes: fewer than the five after which cautious domains lock an account, and a window not
/// shorter than theirs. 16384 accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongLoginLimits {
    /// So many.
    pub most: u32,
    /// Within this time.
    pub within: Duration,
    /// Accounts that are counted; the one that was counted first makes room. One takes some 100 bytes.
    pub accounts: usize,
}

impl Default for WrongLoginLimits {
    fn default() -> Self {
        Self {
            most: 3,
            within: Duration::from_secs(1800),
            accounts: 16 * 1024,
        }
    }
}

/// Checks passwords by AD CS; Digest and bearer tokens are those of another authenticator.
pub struct CertsrvAuthenticator {
    login: Arc<CertsrvLogin>,
    others: Arc<dyn Authenticator>,
    wrong: WrongLogins,
    known_good: VerifiedCredentials,
    /// Of those, the ones that were refused since.
    no_longer: VerifiedCredentials,
    refused: VerifiedCredentials,
    /// Where logins of one account wait for each other.
    lanes: Mutex<HashMap<String, Lane>>,
}

type Lane = Arc<tokio::sync::Mutex<()>>;

/// Accounts after which lanes in which nobody waits are forgotten.
const LANES: usize = 256;

impl CertsrvAuthenticator {
    /// Passwords by `login`, everything else by `others`.
    #[must_use]
    pub fn new(login: Arc<CertsrvLogin>, others: Arc<dyn Authenticator>, limits: WrongLoginLimits) -> Self {
        Self {
            login,
            others,
            wrong: WrongLogins::new(limits),
            known_good: VerifiedCredentials::new(DEFAULT_CACHE_CAPACITY, KNOWN_GOOD),
            no_longer: VerifiedCredentials::new(DEFAULT_CACHE_CAPACITY, KNOWN_GOOD),
            refused: VerifiedCredentials::new(DEFAULT_CACHE_CAPACITY, REFUSED),
            lanes: Mutex::default(),
        }
    }

    fn is_known_good(&self, credentials: &BasicCredentials, now: Instant) -> bool {
        self.known_good.contains(credentials, "", now) && !self.no_longer.contains(credentials, "", now)
    }

    fn lane(&self, account: &str) -> Lane {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        Arc::clone(lanes.entry(account.to_owned()).or_default())
    }

    async fn ask(&self, credentials: &BasicCredentials) -> Result<Verdict, AuthenticatorUnavailable> {
        let account = account_of(credentials.user());
        let lane = self.lane(&account);
        // A phone service enrols many phones at once with one account: the others wait for the outcome of the first,
        // instead of being taken for so many guesses.
        let _turn = if self.is_known_good(credentials, Instant::now()) {
            None
        } else {
            Some(lane.lock().await)
        };
        let now = Instant::now();
        let known_good = self.is_known_good(credentials, now);
        if self.refused.contains(credentials, "", now) {
            return Ok(Verdict::Wrong);
        }
        // Counted as wrong until the outcome is known, also when the client goes away meanwhile: the login goes on.
        if !known_good && let Err(retry_after) = self.wrong.reserve(&account, now) {
            tracing::warn!(
                account,
                seconds = retry_after.as_secs(),
                "not passed on to AD CS: more wrong passwords could lock the account"
            );
            return Ok(Verdict::NotAsked { retry_after });
        }
        let outcome = self.login.check(credentials).await;
        if !known_good && !matches!(outcome, Ok(LoginVerdict::Refused)) {
            self.wrong.take_back(&account, now);
        }
        match outcome {
            Ok(LoginVerdict::Accepted) => {
                self.known_good.insert(credentials, "", now);
                Ok(Verdict::Right)
            }
            Ok(LoginVerdict::Refused) => {
                self.refused.insert(credentials, "", now);
                if known_good {
                    self.no_longer.insert(credentials, "", now);
                    self.wrong.add(&account, now);
                }
                Ok(Verdict::Wrong)
            }
            Err(error) => Err(AuthenticatorUnavailable::upstream(error.upstream_failure())),
        }
    }
}

impl Authenticator for CertsrvAuthenticator {
    /// Not for the server, which asks [`Authenticator::check_elsewhere`].
    fn check(
        &self,
        _credentials: &BasicCredentials,
        _now: Instant,
    ) -> Result<bool, AuthenticatorUnavailable> {
        Err(AuthenticatorUnavailable::new(
            "passwords are checked by AD CS, which must be asked without blocking a thread",
        ))
    }

    fn check_elsewhere<'a>(&'a self, credentials: &'a BasicCredentials) -> Option<VerdictFuture<'a>> {
        Some(Box::pin(self.ask(credentials)))
    }

    fn digest(&self) -> Option<Arc<DigestVerifier>> {
        self.others.digest()
    }

    fn digest_secret(&self, user: &str, realm: &str, algorithm: DigestAlgorithm) -> Option<DigestSecret> {
        self.others.digest_secret(user, realm, algorithm)
    }

    fn recall_token(&self, token: &BearerToken, now: SystemTime) -> Option<TokenVerdict> {
        self.others.recall_token(token, now)
    }

    fn check_token(
        &self,
        token: &BearerToken,
        now: SystemTime,
    ) -> Result<TokenVerdict, AuthenticatorUnavailable> {
        self.others.check_token(token, now)
    }
}

impl fmt::Debug for CertsrvAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertsrvAuthenticator")
            .field("limits", &self.wrong.limits)
            .finish_non_exhaustive()
    }
}

/// The account that a name may mean. `DOMAIN\user`, `user@domain` and `user` can be one and the same, and case does not
/// count, so they are counted together.
fn account_of(name: &str) -> String {
    let name = name.rsplit_once('\\').map_or(name, |(_, user)| user);
    let name = name.split_once('@').map_or(name, |(user, _)| user);
    name.to_lowercase()
}

/// Wrong passwords by account.
#[derive(Debug)]
struct WrongLogins {
    limits: WrongLoginLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// When each attempt was made; hardly more than are passed on.
    attempts: HashMap<String, Vec<Instant>>,
    order: VecDeque<String>,
}

impl WrongLogins {
    fn new(limits: WrongLoginLimits) -> Self {
        Self {
            limits,
            table: Mutex::default(),
        }
    }

    /// Counts an attempt as wrong before its outcome is known, so that attempts at the same time cannot exceed the bound.
    fn reserve(&self, account: &str, now: Instant) -> Result<(), Duration> {
        let mut table = self.lock();
        let within = self.limits.within;
        if let Some(attempts) = table.attempts.get_mut(account) {
            attempts.retain(|at| now.saturating_duration_since(*at) < within);
            let most = usize::try_from(self.limits.most.max(1)).unwrap_or(usize::MAX);
            if attempts.len() >= most {
                let oldest = attempts.iter().min().copied().unwrap_or(now);
                return Err(within.saturating_sub(now.saturating_duration_since(oldest)));
            }
        }
        table.add(account, now, self.limits.accounts);
        Ok(())
    }

    fn add(&self, account: &str, now: Instant) {
        self.lock().add(account, now, self.limits.accounts);
    }

    fn take_back(&self, account: &str, at: Instant) {
        let mut table = self.lock();
        if let Some(attempts) = table.attempts.get_mut(account)
            && let Some(index) = attempts.iter().position(|attempt| *attempt == at)
        {
            attempts.swap_remove(index);
        }
    }

    /// Nothing in the critical sections can panic.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, account: &str, now: Instant, capacity: usize) {
        if let Some(attempts) = self.attempts.get_mut(account) {
            attempts.push(now);
            return;
        }
        if self.order.len() >= capacity.max(1)
            && let Some(oldest) = self.order.pop_front()
        {
            self.attempts.remove(&oldest);
        }
        self.order.push_back(account.to_owned());
        self.attempts.insert(account.to_owned(), vec![now]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: WrongLoginLimits = WrongLoginLimits {
        most: 3,
        within: Duration::from_secs(1800),
        accounts: 16,
    };

    #[test]
    fn the_forms_of_a_name_are_one_account() {
        for name in ["MICHAMEN\\CiscoRA", "ciscora@michamen.com", "CISCORA", "ciscora"] {
            assert_eq!(account_of(name), "ciscora");
        }
        assert_ne!(account_of("ciscora2"), account_of("ciscora"));
    }

    #[test]
    fn wrong_passwords_of_an_account_are_passed_on_three_times_in_half_an_hour() {
        let wrong = WrongLogins::new(LIMITS);
        let start = Instant::now();
        for minute in 0..3 {
            let at = start + Duration::from_secs(60 * minute);
            assert_eq!(wrong.reserve("a", at), Ok(()));
        }
        let later = start + Duration::from_secs(180);
        assert_eq!(wrong.reserve("a", later), Err(Duration::from_secs(1800 - 180)));
        assert_eq!(wrong.reserve("b", later), Ok(()), "another account");
        assert_eq!(wrong.reserve("a", start + Duration::from_secs(1800)), Ok(()));
        assert!(wrong.reserve("a", start + Duration::from_secs(1801)).is_err());
    }

    #[test]
    fn an_attempt_that_was_not_wrong_does_not_count() {
        let wrong = WrongLogins::new(LIMITS);
        let now = Instant::now();
        for _ in 0..10 {
            assert_eq!(wrong.reserve("a", now), Ok(()));
            wrong.take_back("a", now);
        }
        for _ in 0..3 {
            assert_eq!(wrong.reserve("a", now), Ok(()));
        }
        assert!(wrong.reserve("a", now).is_err());
    }

    #[test]
    fn names_that_nobody_has_cannot_fill_the_memory() {
        let wrong = WrongLogins::new(LIMITS);
        let now = Instant::now();
        for number in 0..1000 {
            assert_eq!(wrong.reserve(&format!("user{number}"), now), Ok(()));
        }
        let table = wrong.lock();
        assert_eq!((table.attempts.len(), table.order.len()), (16, 16));
    }
}
