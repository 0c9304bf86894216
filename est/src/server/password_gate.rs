//! Runs expensive checks of credentials off the runtime, few at a time, and lets no address take all turns.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::counters::count;
use crate::auth::{AddressGroup, Authenticator, AuthenticatorUnavailable, BasicCredentials, Verdict};
use crate::operation::Refusal;

/// When a client should come back after a check that could not be made.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Checks that may wait for one address: a site of some hundred devices that start together behind one address. More
/// would not be checked before the time for an answer is over.
const QUEUE_PER_ADDRESS: usize = 256;

/// Checks by another server under way at a time. Each is a request that waits, not a thread; the other server has a bound
/// of its own, behind which they wait too. They take no turns of the checks made here, so that a server that hangs stops
/// nobody whose password is checked here.
const CHECKS_ELSEWHERE: usize = 64;

#[derive(Debug)]
pub(crate) struct PasswordGate {
    here: Turns,
    elsewhere: Turns,
}

/// A bound on checks at a time, and the queues before it.
#[derive(Debug)]
struct Turns {
    turns: Arc<Semaphore>,
    lanes: Arc<Lanes>,
}

impl Turns {
    fn new(concurrency: usize) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(concurrency.max(1))),
            lanes: Arc::new(Lanes {
                share: (concurrency / 2).max(1),
                waiting: Mutex::default(),
            }),
        }
    }

    /// Waits for a turn: first among the requests of the same address, then, at most [`Lanes::share`] of them at a
    /// time, among all. Both queues are first come, first served.
    async fn take(&self, address: Option<AddressGroup>) -> Result<Turn, Refusal> {
        let closed = |error: tokio::sync::AcquireError| unavailable(error.to_string());
        let lane = match address {
            Some(address) => {
                let place = self.lanes.enter(address)?;
                let lane = Arc::clone(&place.lane).acquire_owned().await.map_err(closed)?;
                Some((lane, place))
            }
            None => None,
        };
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(closed)?;
        Ok(Turn {
            _turn: turn,
            _lane: lane,
        })
    }
}

impl PasswordGate {
    pub(crate) fn new(concurrency: usize) -> Self {
        Self {
            here: Turns::new(concurrency),
            elsewhere: Turns::new(CHECKS_ELSEWHERE),
        }
    }

    /// Whether the credentials are right; `recalled` and `checked` count how that was found out. `admit` is asked again
    /// when the turn has come, because others may have failed meanwhile.
    pub(crate) async fn verify(
        &self,
        authenticator: &Arc<dyn Authenticator>,
        credentials: BasicCredentials,
        address: Option<AddressGroup>,
        admit: impl Fn() -> Result<(), Refusal>,
        (recalled, checked): (&AtomicU64, &AtomicU64),
    ) -> Result<bool, Refusal> {
        let recall = || {
            let verdict = authenticator.recall(&credentials, Instant::now());
            if verdict.is_some() {
                count(recalled);
            }
            verdict
        };
        if let Some(verdict) = recall() {
            return Ok(verdict);
        }
        if let Some(verdict) = authenticator.check_elsewhere(&credentials) {
            let _turn = self.elsewhere.take(address).await?;
            admit()?;
            count(checked);
            return match verdict.await.map_err(not_checked)? {
                Verdict::Right => Ok(true),
                Verdict::Wrong => Ok(false),
                Verdict::NotAsked { retry_after } => Err(Refusal::TooManyFailures { retry_after }),
            };
        }
        let turn = self.turn(address).await?;
        admit()?;
        // Another request with the same credentials may have been checked while this one waited.
        if let Some(verdict) = recall() {
            return Ok(verdict);
        }
        count(checked);
        let authenticator = Arc::clone(authenticator);
        run(turn, move || authenticator.check(&credentials, Instant::now())).await
    }

    /// Waits for a turn of the checks that are made here.
    pub(crate) async fn turn(&self, address: Option<AddressGroup>) -> Result<Turn, Refusal> {
        self.here.take(address).await
    }
}

/// Runs a check off the runtime.
pub(crate) async fn run<T: Send + 'static>(
    turn: Turn,
    check: impl FnOnce() -> Result<T, AuthenticatorUnavailable> + Send + 'static,
) -> Result<T, Refusal> {
    let running = spawn_blocking(move || {
        // Held by the thread, so that a client that goes away does not make room for another check.
        let _turn = turn;
        check()
    });
    match running.await {
        Ok(Ok(verdict)) => Ok(verdict),
        Ok(Err(error)) => Err(not_checked(error)),
        Err(error) => Err(Refusal::Internal {
            cause: format!("the check of credentials failed: {error}"),
        }),
    }
}

/// The right to run one check.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _lane: Option<(OwnedSemaphorePermit, Place)>,
}

/// The requests that wait or run, by address; an address without any has no entry.
#[derive(Debug)]
struct Lanes {
    share: usize,
    waiting: Mutex<HashMap<AddressGroup, (Arc<Semaphore>, usize)>>,
}

#[derive(Debug)]
struct Place {
    lanes: Arc<Lanes>,
    address: AddressGroup,
    lane: Arc<Semaphore>,
}

impl Lanes {
    fn enter(self: &Arc<Self>, address: AddressGroup) -> Result<Place, Refusal> {
        let mut waiting = self.lock();
        let (lane, places) = waiting
            .entry(address)
            .or_insert_with(|| (Arc::new(Semaphore::new(self.share)), 0));
        if *places >= QUEUE_PER_ADDRESS {
            return Err(unavailable(format!(
                "{QUEUE_PER_ADDRESS} checks of credentials wait for one address"
            )));
        }
        *places += 1;
        Ok(Place {
            lanes: Arc::clone(self),
            address,
            lane: Arc::clone(lane),
        })
    }

    /// Nothing in the critical sections can panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<AddressGroup, (Arc<Semaphore>, usize)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.lanes.lock();
        if let Some((_, places)) = waiting.get_mut(&self.address) {
            *places = places.saturating_sub(1);
            if *places == 0 {
                waiting.remove(&self.address);
            }
        }
    }
}

fn not_checked(error: AuthenticatorUnavailable) -> Refusal {
    match error.upstream {
        Some(failure) => Refusal::Upstream {
            failure,
            retry_after: RETRY_AFTER,
        },
        None => unavailable(error.to_string()),
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
    use pki_common::KnownCause;

    use crate::auth::{Users, VerdictFuture};
    use crate::server::counters::Counters;
    use std::net::IpAddr;

    fn group(text: &str) -> Option<AddressGroup> {
        Some(text.parse::<IpAddr>().unwrap().into())
    }

    #[tokio::test]
    async fn checks_a_burst_of_equal_credentials_once() {
        let mut users = Users::new();
        users.set_password("phone", "secret").unwrap();
        let authenticator: Arc<dyn Authenticator> = Arc::new(users);
        let gate = Arc::new(PasswordGate::new(1));
        let counters = Arc::new(Counters::default());
        let mut burst = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (gate, counters, authenticator) = (
                Arc::clone(&gate),
                Arc::clone(&counters),
                Arc::clone(&authenticator),
            );
            burst.spawn(async move {
                let credentials = BasicCredentials::new("phone", "secret").unwrap();
                let counted = (&counters.passwords_recalled, &counters.password_checks);
                gate.verify(
                    &authenticator,
                    credentials,
                    group("192.0.2.1"),
                    || Ok(()),
                    counted,
                )
                .await
            });
        }
        while let Some(verdict) = burst.join_next().await {
            assert_eq!(verdict.unwrap(), Ok(true));
        }
        let found = counters.snapshot();
        assert_eq!((found.password_checks, found.passwords_recalled), (1, 49));
        assert!(
            gate.here.lanes.lock().is_empty(),
            "nothing is kept of an idle address"
        );
    }

    #[tokio::test]
    async fn one_address_cannot_take_all_turns() {
        let gate = PasswordGate::new(2);
        let first = gate.turn(group("192.0.2.1")).await.unwrap();
        let mut second = Box::pin(gate.turn(group("192.0.2.1")));
        assert!(futures_are_pending(&mut second).await, "its share is one of two");
        let other = gate.turn(group("192.0.2.2")).await.unwrap();
        drop(first);
        drop(second.await.unwrap());
        drop(other);
    }

    #[tokio::test]
    async fn an_address_with_too_many_waiting_is_told_to_come_back() {
        let gate = PasswordGate::new(2);
        let places: Vec<_> = (0..QUEUE_PER_ADDRESS)
            .map(|_| gate.here.lanes.enter(group("192.0.2.1").unwrap()).unwrap())
            .collect();
        assert!(matches!(
            gate.turn(group("192.0.2.1")).await,
            Err(Refusal::Unavailable { .. })
        ));
        assert!(gate.turn(group("192.0.2.2")).await.is_ok());
        drop(places);
        assert!(gate.turn(group("192.0.2.1")).await.is_ok());
    }

    /// Asks a server that never answers about one user, and says at once that it was not asked about another.
    #[derive(Debug)]
    struct Elsewhere;

    impl Authenticator for Elsewhere {
        fn check(&self, _: &BasicCredentials, _: Instant) -> Result<bool, AuthenticatorUnavailable> {
            panic!("nothing is checked here")
        }

        fn check_elsewhere<'a>(&'a self, credentials: &'a BasicCredentials) -> Option<VerdictFuture<'a>> {
            Some(match credentials.user() {
                "hangs" => Box::pin(std::future::pending()),
                "bounded" => Box::pin(async {
                    Ok(Verdict::NotAsked {
                        retry_after: Duration::from_secs(60),
                    })
                }),
                "down" => Box::pin(async {
                    let failure = KnownCause::AnswerTimedOut.failure("AD CS does not answer.");
                    Err(AuthenticatorUnavailable::upstream(failure))
                }),
                user => {
                    let verdict = if user == "right" {
                        Verdict::Right
                    } else {
                        Verdict::Wrong
                    };
                    Box::pin(async move { Ok(verdict) })
                }
            })
        }
    }

    #[tokio::test]
    async fn another_server_that_hangs_takes_no_turn_of_those_whose_passwords_are_checked_here() {
        let gate = PasswordGate::new(1);
        let counters = Counters::default();
        let elsewhere: Arc<dyn Authenticator> = Arc::new(Elsewhere);
        let ask = |user: &str| {
            let credentials = BasicCredentials::new(user, "secret").unwrap();
            let counted = (&counters.passwords_recalled, &counters.password_checks);
            gate.verify(&elsewhere, credentials, group("192.0.2.1"), || Ok(()), counted)
        };
        let mut hanging = Box::pin(ask("hangs"));
        assert!(futures_are_pending(&mut hanging).await);
        assert!(gate.turn(group("192.0.2.1")).await.is_ok());
        assert_eq!(ask("right").await, Ok(true));
        assert_eq!(ask("wrong").await, Ok(false));
        assert!(matches!(
            ask("bounded").await,
            Err(Refusal::TooManyFailures { .. })
        ));
        let Err(Refusal::Upstream { failure, .. }) = ask("down").await else {
            panic!("it is the other server that failed")
        };
        assert_eq!(failure.known_cause, Some(KnownCause::AnswerTimedOut));
    }

    /// Whether a future that is polled often does not get ready.
    async fn futures_are_pending(future: &mut (impl Future + Unpin)) -> bool {
        for _ in 0..100 {
            tokio::select! {
                biased;
                _ = &mut *future => return false,
                () = tokio::task::yield_now() => {}
            }
        }
        true
    }
}
