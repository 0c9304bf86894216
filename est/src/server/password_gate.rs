//! Runs expensive password checks off the runtime, few at a time.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::counters::count;
use crate::auth::{Authenticator, BasicCredentials};
use crate::operation::Refusal;

/// When a client should come back after a check that could not be made.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct PasswordGate {
    authenticator: Arc<dyn Authenticator>,
    turns: Arc<Semaphore>,
}

impl PasswordGate {
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>, concurrency: usize) -> Self {
        Self {
            authenticator,
            turns: Arc::new(Semaphore::new(concurrency.max(1))),
        }
    }

    /// Whether the credentials are right; `recalled` and `checked` count how that was found out.
    pub(crate) async fn verify(
        &self,
        credentials: BasicCredentials,
        recalled: &AtomicU64,
        checked: &AtomicU64,
    ) -> Result<bool, Refusal> {
        if let Some(verdict) = self.recall(&credentials, recalled) {
            return Ok(verdict);
        }
        let turns = Arc::clone(&self.turns);
        let turn = turns
            .acquire_owned()
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        // Another request with the same credentials may have been checked while this one waited.
        if let Some(verdict) = self.recall(&credentials, recalled) {
            return Ok(verdict);
        }
        count(checked);
        let authenticator = Arc::clone(&self.authenticator);
        let check = spawn_blocking(move || {
            // Held by the thread, so that a client that goes away does not make room for another check.
            let _turn = turn;
            authenticator.check(&credentials, Instant::now())
        });
        match check.await {
            Ok(Ok(verdict)) => Ok(verdict),
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(error) => Err(Refusal::Internal {
                cause: format!("the password check failed: {error}"),
            }),
        }
    }

    fn recall(&self, credentials: &BasicCredentials, recalled: &AtomicU64) -> Option<bool> {
        let verdict = self.authenticator.recall(credentials, Instant::now());
        if verdict.is_some() {
            count(recalled);
        }
        verdict
    }
}

fn unavailable(cause: String) -> Refusal {
    Refusal::Unavailable {
        retry_after: RETRY_AFTER,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Users;
    use crate::server::counters::Counters;

    #[tokio::test]
    async fn checks_a_burst_of_equal_credentials_once() {
        let mut users = Users::new();
        users.set_password("phone", "secret").unwrap();
        let gate = Arc::new(PasswordGate::new(Arc::new(users), 1));
        let counters = Arc::new(Counters::default());
        let mut burst = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (gate, counters) = (Arc::clone(&gate), Arc::clone(&counters));
            burst.spawn(async move {
                let credentials = BasicCredentials::new("phone", "secret").unwrap();
                gate.verify(
                    credentials,
                    &counters.passwords_recalled,
                    &counters.password_checks,
                )
                .await
            });
        }
        while let Some(verdict) = burst.join_next().await {
            assert_eq!(verdict.unwrap(), Ok(true));
        }
        let found = counters.snapshot();
        assert_eq!((found.password_checks, found.passwords_recalled), (1, 49));
    }
}
