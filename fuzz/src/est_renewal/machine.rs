//! The state machine of one identity.

use std::time::Duration;

use est::renewal::{Action, CertificateFacts, Held, Now, Reason, Renewal, RenewalSettings};
use rustls_pki_types::UnixTime;

use super::Reached;
use crate::script::Steps;

const START: u64 = 1_800_000_000;

/// More polls than this without an end are spinning.
const MAX_POLLS: usize = 2000;

struct World {
    settings: RenewalSettings,
    renewal: Renewal,
    now: Now,
    held: Held,
    issued: u8,
    /// When the last attempt ended, and whether something has happened since that ends all waiting.
    last_end: Option<Duration>,
    disturbed: bool,
    reached: Reached,
}

/// Two bytes are the settings, two the first certificate; then each byte is a step, and its lower five bits say how much:
///
/// | upper three bits | step |
/// |---|---|
/// | 0 | time passes until it is due, at most as many polls; an attempt is answered by a certificate |
/// | 1 | the same, answered by a failure |
/// | 2 | the same, answered by a failure that says when to come back |
/// | 3 | the same, answered by 202 |
/// | 4 | the wall clock steps forward, two to the power of so many seconds |
/// | 5 | the wall clock steps backward |
/// | 6 | another certificate, none, or broken files are found |
/// | 7 | an attempt is broken off; other settings |
pub(super) fn script(data: &[u8]) -> Reached {
    let mut steps = Steps::new(data);
    let settings = settings(steps.byte(), steps.byte());
    let mut world = World {
        renewal: Renewal::new(settings.clone(), 7).with_retry_seed(8),
        settings,
        now: Now {
            wall: seconds(START),
            monotonic: Duration::ZERO,
        },
        held: Held::Nothing,
        issued: 0,
        last_end: None,
        disturbed: true,
        reached: Reached::default(),
    };
    world.find(steps.byte(), steps.byte());
    let mut polls = 0;
    while let Some(step) = steps.next() {
        world.step(step, &mut polls);
        if polls > MAX_POLLS {
            break;
        }
    }
    world.reached
}

const fn seconds(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn settings(first: u8, second: u8) -> RenewalSettings {
    let settings = RenewalSettings {
        fraction: f64::from(first % 16 + 1) / 17.0,
        jitter: f64::from(first % 16 + 1) / 17.0 * f64::from(first >> 4) / 15.0,
        retry_initial: Duration::from_secs(1 << (second & 7)),
        retry_max: Duration::from_secs(1 << ((second & 7) + (second >> 3 & 7))),
        last_attempt: Duration::from_secs(1 << (second >> 6)),
        look_again: Duration::from_secs(3600),
    };
    settings.check().expect("settings that can work");
    settings
}

impl World {
    /// A certificate with a lifetime of two to the power of `detail` seconds, which began so many parts of it ago.
    fn facts(&mut self, detail: u8, past: u8) -> CertificateFacts {
        self.issued = self.issued.wrapping_add(1);
        let lifetime = 1_u64 << (detail % 28);
        let not_before = self
            .now
            .wall
            .as_secs()
            .saturating_sub(lifetime / 16 * u64::from(past % 20));
        CertificateFacts {
            not_before: seconds(not_before),
            not_after: seconds(not_before + lifetime),
            fingerprint: [self.issued; 32],
        }
    }

    fn find(&mut self, detail: u8, past: u8) {
        self.held = match detail & 0x1f {
            0 => Held::Nothing,
            1 => Held::Unusable,
            lifetime => Held::Certificate(self.facts(lifetime, past)),
        };
        self.disturbed = true;
        self.renewal.observe(self.held);
    }

    fn step(&mut self, step: u8, polls: &mut usize) {
        let (kind, detail) = (step >> 5, step & 0x1f);
        match kind {
            0..=3 => {
                let Some(reason) = self.wait(detail, polls) else {
                    return;
                };
                self.attempted(reason);
                self.answer(kind, detail);
                self.last_end = Some(self.now.monotonic);
                self.disturbed = false;
            }
            4 | 5 => {
                let (wall, far) = (self.now.wall.as_secs(), 1_u64 << (detail % 30));
                self.now.wall = seconds(if kind == 4 {
                    wall.saturating_add(far)
                } else {
                    wall.saturating_sub(far)
                });
            }
            6 => self.find(detail, step),
            _ if detail == 0 => {
                if self.wait(4, polls).is_some() {
                    self.renewal.attempt_abandoned();
                    self.disturbed = true;
                }
            }
            _ => {
                self.settings = settings(step, detail);
                self.renewal.reconfigure(self.settings.clone());
                self.disturbed = true;
            }
        }
    }

    /// Polls until there is an attempt.
    fn wait(&mut self, times: u8, polls: &mut usize) -> Option<Reason> {
        for _ in 0..=8 * usize::from(times) {
            *polls += 1;
            let status = self.renewal.status(self.now);
            match self.renewal.poll(self.now) {
                Action::Attempt(reason) => {
                    let again = self.renewal.poll(self.now);
                    assert!(matches!(again, Action::Wait(_)), "two attempts at a time");
                    return Some(reason);
                }
                Action::Wait(wait) => {
                    assert!(!wait.is_zero(), "a wait of nothing");
                    assert!(wait <= self.settings.look_again, "a wait of {wait:?}");
                    if let (Some(next), Held::Certificate(_)) = (status.next_attempt, self.held) {
                        assert!(next >= self.now.wall);
                    }
                    self.now.monotonic += wait;
                    let wall = Duration::from_secs(self.now.wall.as_secs()).saturating_add(wait);
                    // A part of a second is over in the next one.
                    self.now.wall = seconds(wall.as_secs() + u64::from(wall.subsec_nanos() > 0));
                }
            }
        }
        None
    }

    /// Whether this attempt may be made now, and says why it is made.
    fn attempted(&self, reason: Reason) {
        match self.held {
            Held::Unusable => panic!("an attempt over broken files"),
            Held::Nothing => assert_eq!(reason, Reason::First),
            Held::Certificate(facts) => {
                let renew_at = self
                    .renewal
                    .renew_at()
                    .expect("a certificate is renewed at some time");
                assert!(renew_at >= facts.not_before && renew_at <= facts.not_after);
                assert!(renew_at <= self.now.wall, "an attempt before its time");
                assert_eq!(reason == Reason::Expired, facts.not_after < self.now.wall);
            }
        }
        if let Some(end) = self.last_end
            && !self.disturbed
        {
            assert!(
                self.now.monotonic > end,
                "an attempt on the heels of the one before"
            );
        }
    }

    fn answer(&mut self, kind: u8, detail: u8) {
        let wait = Duration::from_secs(1 << (detail % 24));
        match kind {
            0 => {
                let facts = self.facts(detail, 0);
                self.held = Held::Certificate(facts);
                self.reached.renewed += 1;
                self.renewal.attempt_succeeded(facts, self.now);
            }
            1 => {
                self.reached.failed += 1;
                self.renewal.attempt_failed(None, self.now);
            }
            2 => {
                self.reached.failed += 1;
                self.renewal.attempt_failed(Some(wait), self.now);
            }
            _ => {
                self.reached.pending += 1;
                self.renewal.attempt_pending(wait, self.now);
            }
        }
        if kind != 0 {
            self.last_moment_is_used();
        }
    }

    /// However long the server wants to be left alone: while the certificate is valid, there is one more attempt.
    fn last_moment_is_used(&self) {
        let Held::Certificate(facts) = self.held else {
            return;
        };
        let left = facts.not_after.as_secs().saturating_sub(self.now.wall.as_secs());
        let is_due = self.renewal.renew_at().is_some_and(|at| at <= self.now.wall);
        if is_due && left > self.settings.last_attempt.as_secs() + 1 {
            let next = self.renewal.status(self.now).next_attempt;
            let next = next.expect("there is a next attempt");
            assert!(
                next < facts.not_after,
                "the certificate ends before the next attempt"
            );
        }
    }
}
