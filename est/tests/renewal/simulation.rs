//! A world with a virtual clock, a scripted server and one renewal in it.

use std::time::Duration;

use est::renewal::{Action, CertificateFacts, Held, Now, Reason, Renewal, RenewalSettings};
use rustls_pki_types::UnixTime;

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 86_400;
/// Where the wall clock starts.
pub(crate) const START: u64 = 1_800_000_000;

/// What the server does with one request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// A certificate that starts now by the server's clock, with this lifetime.
    Issue { lifetime: u64 },
    /// 202.
    Pending { retry_after: u64 },
    /// No connection, or a refusal, perhaps with Retry-After.
    Fail { retry_after: Option<u64> },
}

/// One attempt, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) wall: u64,
    pub(crate) monotonic: u64,
    pub(crate) reason: Reason,
}

pub(crate) struct World {
    pub(crate) renewal: Renewal,
    /// Seconds of the wall clock of this machine.
    pub(crate) wall: u64,
    /// Seconds since the start by the monotonic clock.
    pub(crate) monotonic: u64,
    pub(crate) certificate: Option<CertificateFacts>,
    pub(crate) attempts: Vec<Attempt>,
    issued: u8,
}

pub(crate) fn certificate(not_before: u64, lifetime: u64, number: u8) -> CertificateFacts {
    let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    CertificateFacts {
        not_before: time(not_before),
        not_after: time(not_before + lifetime),
        fingerprint: [number; 32],
    }
}

impl World {
    pub(crate) fn new(settings: RenewalSettings, seed: u64) -> Self {
        settings.check().unwrap();
        Self {
            renewal: Renewal::new(settings, seed),
            wall: START,
            monotonic: 0,
            certificate: None,
            attempts: Vec::new(),
            issued: 100,
        }
    }

    /// A world whose certificate has just been issued. It looks at the clock once an hour, so that years pass in no
    /// time; nothing else depends on that.
    pub(crate) fn with_certificate(lifetime: u64, seed: u64) -> Self {
        let settings = RenewalSettings {
            look_again: Duration::from_secs(HOUR),
            ..RenewalSettings::default()
        };
        Self::with_settings(settings, lifetime, seed)
    }

    pub(crate) fn with_settings(settings: RenewalSettings, lifetime: u64, seed: u64) -> Self {
        let mut world = Self::new(settings, seed);
        world.certificate = Some(certificate(START, lifetime, 1));
        world
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            wall: UnixTime::since_unix_epoch(Duration::from_secs(self.wall)),
            monotonic: Duration::from_secs(self.monotonic),
        }
    }

    pub(crate) fn not_after(&self) -> u64 {
        self.certificate.unwrap().not_after.as_secs()
    }

    /// Lets time pass until `wall`, with a server that answers as `server` says.
    pub(crate) fn run_until(&mut self, wall: u64, mut server: impl FnMut(&Attempt) -> Answer) {
        let mut polls = 0_u64;
        while self.wall < wall {
            polls += 1;
            assert!(polls < 500_000, "the renewal spins");
            let held = self.certificate.map_or(Held::Nothing, Held::Certificate);
            self.renewal.observe(held);
            match self.renewal.poll(self.now()) {
                Action::Wait(wait) => {
                    // A wait of less than a second is over in the next one.
                    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                    assert!(seconds > 0, "a wait of nothing");
                    self.pass(seconds);
                }
                Action::Attempt(reason) => self.attempt(reason, &mut server),
            }
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.wall += seconds;
        self.monotonic += seconds;
    }

    fn attempt(&mut self, reason: Reason, server: &mut impl FnMut(&Attempt) -> Answer) {
        let attempt = Attempt {
            wall: self.wall,
            monotonic: self.monotonic,
            reason,
        };
        self.attempts.push(attempt);
        match server(&attempt) {
            Answer::Issue { lifetime } => {
                self.issued += 1;
                let facts = certificate(self.wall, lifetime, self.issued);
                self.certificate = Some(facts);
                self.renewal.attempt_succeeded(facts, self.now());
            }
            Answer::Pending { retry_after } => {
                let wait = Duration::from_secs(retry_after);
                self.renewal.attempt_pending(wait, self.now());
            }
            Answer::Fail { retry_after } => {
                let wait = retry_after.map(Duration::from_secs);
                self.renewal.attempt_failed(wait, self.now());
            }
        }
    }
}

/// A server that is not there.
pub(crate) fn dead(_: &Attempt) -> Answer {
    Answer::Fail { retry_after: None }
}
