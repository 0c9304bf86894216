//! One identity's renewal as a state machine: it does no I/O, reads no clock and rolls no dice of its own.

use std::time::Duration;

use pki_common::Certificate;
use pki_common::clock::distance;
use rustls_pki_types::UnixTime;
use sha2::{Digest as _, Sha256};

use super::settings::RenewalSettings;

/// While an attempt may still be in time, it follows the one before it after a fifth of what was left then: waits
/// shrink with the time that is left.
const PART_OF_THE_REST: u32 = 5;
/// After a renewal, the next one waits this part of the lifetime even if it is due at once: an authority whose
/// certificates are due when they are issued, or a clock that is far ahead, must not cause one request after the other.
const PAUSE_AFTER_SUCCESS: u32 = 10;
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// A wait is drawn from this much below to this much above its nominal length.
const RETRY_SPREAD: f64 = 0.2;

/// The time, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock. It may step.
    pub wall: UnixTime,
    /// A clock that only moves forward, from any starting point.
    pub monotonic: Duration,
}

/// What matters of a certificate here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Start of validity.
    pub not_before: UnixTime,
    /// End of validity.
    pub not_after: UnixTime,
    /// SHA-256 of the DER: another value is another certificate.
    pub fingerprint: [u8; 32],
}

impl From<&Certificate> for CertificateFacts {
    fn from(certificate: &Certificate) -> Self {
        Self {
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            fingerprint: Sha256::digest(certificate.der()).into(),
        }
    }
}

/// What the files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// No certificate yet.
    Nothing,
    /// A certificate with its key.
    Certificate(CertificateFacts),
    /// Files that do not make an identity, for instance half of a pair that somebody is copying. Nothing is asked for
    /// until a person has repaired them.
    Unusable,
}

/// Why an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is no certificate yet.
    First,
    /// The certificate's time has come.
    Due,
    /// The certificate has ended.
    Expired,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing for this long, at most [`RenewalSettings::look_again`]. Then look at the files and call
    /// [`Renewal::poll`] again.
    Wait(Duration),
    /// Ask for a certificate, and tell the outcome by one of the `attempt_` methods.
    Attempt(Reason),
}

/// What a renewal is doing, for people and monitoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The certificate's time has not come.
    Valid,
    /// An attempt runs.
    InFlight,
    /// The server wants the request approved first.
    Pending,
    /// The last attempt failed; another follows.
    Retrying,
    /// Due, and about to be asked for.
    Due,
    /// The files make no identity.
    Unusable,
}

impl Phase {
    /// One word for logs and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::InFlight => "in-flight",
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Due => "due",
            Self::Unusable => "unusable",
        }
    }
}

/// A snapshot of a [`Renewal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// The certificate, when there is one.
    pub certificate: Option<CertificateFacts>,
    /// When the certificate is to be renewed, by the wall clock.
    pub renew_at: Option<UnixTime>,
    /// When the next attempt will be made if nothing changes, by the wall clock as it stands.
    pub next_attempt: Option<UnixTime>,
    /// The last time a certificate was issued to this state machine.
    pub last_success: Option<UnixTime>,
    /// The start of the last attempt.
    pub last_attempt: Option<UnixTime>,
    /// Attempts since the start.
    pub attempts: u64,
    /// Attempts since the start that failed. A request that waits for approval is no failure.
    pub failures: u64,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

/// Why there is no attempt although one is due.
#[derive(Debug, Clone, Copy)]
enum Pause {
    /// The certificate is fresh.
    Fresh { at: Duration, length: Duration },
    /// The last attempt failed. `length` is the wait before it is shortened by the nearing end, `at_least` what the
    /// server asked for.
    Failed {
        at: Duration,
        length: Duration,
        at_least: Duration,
    },
    /// The server asked for patience.
    Pending { at: Duration, at_least: Duration },
}

/// The renewal of one identity.
///
/// Call [`observe`](Self::observe) with what the files hold and [`poll`](Self::poll) for what to do; repeat after the
/// wait it names.
#[derive(Debug, Clone)]
pub struct Renewal {
    settings: RenewalSettings,
    seed: u64,
    random: fastrand::Rng,
    held: Held,
    in_flight: bool,
    pause: Option<Pause>,
    last_success: Option<UnixTime>,
    last_attempt: Option<UnixTime>,
    attempts: u64,
    failures: u64,
    consecutive_failures: u32,
}

impl Renewal {
    /// A renewal that knows of no certificate yet.
    ///
    /// The moment of renewal depends on `seed` and on the certificate alone, so that a restart with the same seed does
    /// not draw it anew.
    #[must_use]
    pub fn new(settings: RenewalSettings, seed: u64) -> Self {
        Self {
            settings,
            seed,
            random: fastrand::Rng::with_seed(seed),
            held: Held::Nothing,
            in_flight: false,
            pause: None,
            last_success: None,
            last_attempt: None,
            attempts: 0,
            failures: 0,
            consecutive_failures: 0,
        }
    }

    /// Draws the lengths of waits after failures from another seed. The moment of renewal should be the same after a
    /// restart; waits should not be the same on a thousand devices that lost the same server.
    #[must_use]
    pub fn with_retry_seed(mut self, seed: u64) -> Self {
        self.random = fastrand::Rng::with_seed(seed);
        self
    }

    /// Tells what the files hold. Another certificate than before, put there by hand, ends all waiting.
    pub fn observe(&mut self, held: Held) {
        if self.held != held {
            self.held = held;
            if !self.in_flight {
                self.pause = None;
                self.consecutive_failures = 0;
            }
        }
    }

    /// What to do now. After [`Action::Attempt`] there is no other one until its outcome was told.
    pub fn poll(&mut self, now: Now) -> Action {
        match self.until_next(now) {
            Some(Duration::ZERO) => {
                self.in_flight = true;
                self.last_attempt = Some(now.wall);
                self.attempts += 1;
                Action::Attempt(self.reason(now))
            }
            Some(wait) => Action::Wait(wait.min(self.settings.look_again)),
            None => Action::Wait(self.settings.look_again),
        }
    }

    /// The attempt brought this certificate, and the files hold it.
    pub fn attempt_succeeded(&mut self, certificate: CertificateFacts, now: Now) {
        self.in_flight = false;
        self.held = Held::Certificate(certificate);
        self.last_success = Some(now.wall);
        self.consecutive_failures = 0;
        let lifetime = distance(certificate.not_before, certificate.not_after);
        self.pause = Some(Pause::Fresh {
            at: now.monotonic,
            length: (lifetime / PAUSE_AFTER_SUCCESS).clamp(self.settings.retry_initial, self.longest_pause()),
        });
    }

    /// The request waits for approval; the server wants to be asked again after this time.
    pub fn attempt_pending(&mut self, retry_after: Duration, now: Now) {
        self.in_flight = false;
        self.consecutive_failures = 0;
        self.pause = Some(Pause::Pending {
            at: now.monotonic,
            at_least: retry_after,
        });
    }

    /// The attempt failed; `retry_after` is what the server said about when to come back, if it did.
    pub fn attempt_failed(&mut self, retry_after: Option<Duration>, now: Now) {
        self.in_flight = false;
        self.failures += 1;
        let doublings = self.consecutive_failures.min(31);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let nominal = self
            .settings
            .retry_initial
            .saturating_mul(1 << doublings)
            .min(self.settings.retry_max);
        let spread = 1.0 - RETRY_SPREAD + 2.0 * RETRY_SPREAD * self.random.f64();
        self.pause = Some(Pause::Failed {
            at: now.monotonic,
            length: nominal
                .mul_f64(spread)
                .clamp(self.settings.retry_initial, self.settings.retry_max),
            at_least: retry_after.unwrap_or_default(),
        });
    }

    /// The attempt was broken off before it had an outcome, because the program ends. It does not count as failed.
    pub fn attempt_abandoned(&mut self) {
        self.in_flight = false;
    }

    /// Goes on by other settings. Somebody has changed something: all waiting ends.
    pub fn reconfigure(&mut self, settings: RenewalSettings) {
        self.settings = settings;
        if !self.in_flight {
            self.pause = None;
            self.consecutive_failures = 0;
        }
    }

    /// When the certificate is to be renewed, by the wall clock.
    #[must_use]
    pub fn renew_at(&self) -> Option<UnixTime> {
        let Held::Certificate(facts) = self.held else {
            return None;
        };
        let lifetime = distance(facts.not_before, facts.not_after);
        let part = self.settings.fraction - self.settings.jitter * self.draw(&facts.fingerprint);
        let start = Duration::from_secs(facts.not_before.as_secs());
        let at = start.saturating_add(lifetime.mul_f64(part.clamp(0.0, 1.0)));
        Some(UnixTime::since_unix_epoch(at))
    }

    /// A snapshot.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        let next = self.until_next(now);
        Status {
            phase: self.phase(next),
            certificate: match self.held {
                Held::Certificate(facts) => Some(facts),
                Held::Nothing | Held::Unusable => None,
            },
            renew_at: self.renew_at(),
            next_attempt: next.map(|wait| {
                let wall = Duration::from_secs(now.wall.as_secs());
                UnixTime::since_unix_epoch(wall.saturating_add(wait))
            }),
            last_success: self.last_success,
            last_attempt: self.last_attempt,
            attempts: self.attempts,
            failures: self.failures,
            consecutive_failures: self.consecutive_failures,
        }
    }

    fn phase(&self, next: Option<Duration>) -> Phase {
        match (self.held, self.pause, next) {
            _ if self.in_flight => Phase::InFlight,
            (Held::Unusable, ..) => Phase::Unusable,
            (_, Some(Pause::Pending { .. }), _) => Phase::Pending,
            (_, Some(Pause::Failed { .. }), _) => Phase::Retrying,
            (_, _, Some(Duration::ZERO)) => Phase::Due,
            _ => Phase::Valid,
        }
    }

    /// The time to the next attempt; `None` when there is none to be made.
    fn until_next(&self, now: Now) -> Option<Duration> {
        if self.in_flight {
            return None;
        }
        let until_due = match self.held {
            Held::Unusable => return None,
            Held::Nothing => Duration::ZERO,
            Held::Certificate(_) => distance(now.wall, self.renew_at()?),
        };
        let until_allowed = self
            .pause
            .map_or(Duration::ZERO, |pause| self.rest_of(pause, now));
        Some(until_due.max(until_allowed))
    }

    fn reason(&self, now: Now) -> Reason {
        match self.held {
            Held::Certificate(facts) if facts.not_after < now.wall => Reason::Expired,
            Held::Certificate(_) => Reason::Due,
            Held::Nothing | Held::Unusable => Reason::First,
        }
    }

    /// What is left of a pause. It is computed anew each time, because the wall clock, and with it the time that the
    /// certificate has left, may have stepped since.
    fn rest_of(&self, pause: Pause, now: Now) -> Duration {
        let shortest = self.settings.retry_initial;
        let (at, length) = match pause {
            Pause::Fresh { at, length } => (at, length),
            Pause::Pending { at, at_least } => (at, self.before_the_end(at_least.max(shortest), at, now)),
            Pause::Failed { at, length, at_least } => {
                let length = match self.left_at(at, now) {
                    Some(left) => length.min(left / PART_OF_THE_REST).max(shortest),
                    None => length,
                };
                (at, self.before_the_end(length.max(at_least), at, now))
            }
        };
        at.saturating_add(length).saturating_sub(now.monotonic)
    }

    /// Shortens a wait that began at `at` to the last moment before the certificate ends.
    fn before_the_end(&self, length: Duration, at: Duration, now: Now) -> Duration {
        match self.left_at(at, now) {
            Some(left) if left > self.settings.last_attempt => length.min(left - self.settings.last_attempt),
            _ => length,
        }
    }

    /// What the certificate had left at a moment of the monotonic clock, as the wall clock now sees it; `None` when it
    /// has ended or there is none.
    fn left_at(&self, at: Duration, now: Now) -> Option<Duration> {
        let Held::Certificate(facts) = self.held else {
            return None;
        };
        let left = distance(now.wall, facts.not_after);
        (!left.is_zero()).then(|| left.saturating_add(now.monotonic.saturating_sub(at)))
    }

    fn longest_pause(&self) -> Duration {
        LONGEST_PAUSE.max(self.settings.retry_initial)
    }

    /// From 0 to 1, the same for the same seed and certificate.
    fn draw(&self, fingerprint: &[u8; 32]) -> f64 {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(fingerprint);
        let digest: [u8; 32] = hash.finalize().into();
        let mut seed = [0; 8];
        seed.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        fastrand::Rng::with_seed(u64::from_be_bytes(seed)).f64()
    }
}
