//! When to try again: capped exponential back-off with full jitter. Randomness is passed in.

use core::fmt;
use core::time::Duration;

use pki_common::{Failure, Rung, TlsFault};

use crate::error::Error;
use crate::proto::{CloseReason, ProtocolError};
use crate::wire::numbers::DisconnectReason;

/// The ceiling of the first wait, unless told otherwise. It doubles with each failure.
pub const DEFAULT_FIRST_WAIT: Duration = Duration::from_millis(500);

/// The ceiling of all waits, unless told otherwise: a controller that comes back is missed for a minute at most.
pub const DEFAULT_LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The ceiling of the waits after an error that a person has to mend, unless told otherwise. Each attempt costs the
/// controller a handshake and a line in its log.
pub const DEFAULT_ATTENTION_WAIT: Duration = Duration::from_secs(300);

/// How long a connection must have been up before failures before it are forgotten, unless told otherwise: longer than a
/// controller needs that accepts connections and then falls over.
pub const DEFAULT_STABLE_AFTER: Duration = Duration::from_secs(60);

/// The longest wait that a controller's goodbye can ask for, unless told otherwise. The number is the controller's; a
/// mistaken one must not switch a location server off for years.
pub const DEFAULT_LONGEST_ASKED_WAIT: Duration = Duration::from_secs(3600);

/// How often and how patiently a fleet connects again.
///
/// | what happened | class | wait before attempt n + 1 |
/// |---|---|---|
/// | name resolution, TCP, time-outs, no answer to echo requests, the stream ended, goodbye (shutting down, restarting, idle, overloaded), TLS broken off without a reason | [`RetryClass::Passing`] | random, up to `first` · 2ⁿ⁻¹, at most `longest` |
/// | our certificate is refused (alert 46 of the authlist, 48, 45, 42 and so on), no longer authorized | [`RetryClass::NeedsAttention`] | random, between half of `attention` and `attention` |
/// | the controller's certificate is refused by us: authlist, chain, name, time, pin | [`RetryClass::NeedsAttention`] | the same |
/// | no TLS version or cipher suite in common, protocol errors, messages that do not fit the profile, configuration | [`RetryClass::NeedsAttention`] | the same |
///
/// A wait that the controller's goodbye asks for is kept, up to `longest_asked`, with the random time on top so that not
/// all location servers come back in the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The ceiling of the first wait. Default: [`DEFAULT_FIRST_WAIT`].
    pub first: Duration,
    /// The ceiling of all waits. Default: [`DEFAULT_LONGEST_WAIT`].
    pub longest: Duration,
    /// The ceiling of waits when a person has to mend something. Default: [`DEFAULT_ATTENTION_WAIT`].
    pub attention: Duration,
    /// How long a connection must be up to count as good. Default: [`DEFAULT_STABLE_AFTER`].
    pub stable_after: Duration,
    /// The longest wait that a controller can ask for. Default: [`DEFAULT_LONGEST_ASKED_WAIT`].
    pub longest_asked: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: DEFAULT_FIRST_WAIT,
            longest: DEFAULT_LONGEST_WAIT,
            attention: DEFAULT_ATTENTION_WAIT,
            stable_after: DEFAULT_STABLE_AFTER,
            longest_asked: DEFAULT_LONGEST_ASKED_WAIT,
        }
    }
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// It may pass by itself.
    Passing,
    /// A person has to mend something here or at the controller; trying again is only to notice that it was done.
    NeedsAttention,
}

impl RetryClass {
    /// The class of an error of a connection.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Closed(reason) => Self::of_close(reason),
            Error::Tls(failure) => Self::of_handshake(failure),
            Error::Encode(_) | Error::Configuration { .. } => Self::NeedsAttention,
            _ => Self::Passing,
        }
    }

    fn of_close(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Protocol(ProtocolError::StreamCut { .. }) => Self::Passing,
            CloseReason::Protocol(_) | CloseReason::Encode(_) => Self::NeedsAttention,
            CloseReason::Disconnected {
                reason: DisconnectReason::NOT_AUTHORIZED | DisconnectReason::PROTOCOL_ERROR,
                ..
            } => Self::NeedsAttention,
            _ => Self::Passing,
        }
    }

    fn of_handshake(failure: &Failure) -> Self {
        match failure.rung {
            Rung::Tls(TlsFault::AuthList | TlsFault::Chain | TlsFault::Name | TlsFault::Time)
            | Rung::Local => Self::NeedsAttention,
            // A controller that restarts breaks handshakes off without a word.
            Rung::Tls(TlsFault::Protocol) if failure.alert.is_some() || failure.refused_by.is_some() => {
                Self::NeedsAttention
            }
            _ => Self::Passing,
        }
    }
}

impl fmt::Display for RetryClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passing => "may pass by itself",
            Self::NeedsAttention => "needs attention",
        })
    }
}

/// The failures of one controller in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// How many failures there were since the last good connection.
    #[must_use]
    pub const fn failures(self) -> u32 {
        self.failures
    }

    /// The connection has been up for long enough.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and says how long to wait. `random` is any number, all of them equally likely; `asked` is what the
    /// controller asked for.
    pub fn next_wait(
        &mut self,
        policy: &RetryPolicy,
        class: RetryClass,
        asked: Option<Duration>,
        random: u64,
    ) -> Duration {
        let doublings = self.failures.min(31);
        self.failures = self.failures.saturating_add(1);
        let (least, ceiling) = match class {
            RetryClass::NeedsAttention => (policy.attention / 2, policy.attention),
            RetryClass::Passing => {
                let grown = policy.first.saturating_mul(1 << doublings);
                (Duration::ZERO, grown.min(policy.longest))
            }
        };
        let wait = between(least, ceiling, random);
        asked.map_or(wait, |asked| asked.min(policy.longest_asked).saturating_add(wait))
    }
}

/// A moment between the two, in milliseconds.
fn between(least: Duration, most: Duration, random: u64) -> Duration {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let span = milliseconds(most).saturating_sub(milliseconds(least));
    // The upper half of the product scales without the bias of a remainder.
    let offset = (u128::from(random) * (u128::from(span) + 1)) >> 64;
    least.saturating_add(Duration::from_millis(u64::try_from(offset).unwrap_or(span)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki_common::{Alert, Side};

    fn wait(failures: u32, class: RetryClass, random: u64) -> Duration {
        Backoff { failures }.next_wait(&RetryPolicy::default(), class, None, random)
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_longest_wait() {
        for (failures, ceiling) in [
            (0, 500),
            (1, 1_000),
            (2, 2_000),
            (6, 32_000),
            (7, 60_000),
            (31, 60_000),
            (u32::MAX, 60_000),
        ] {
            let longest = wait(failures, RetryClass::Passing, u64::MAX);
            assert_eq!(longest, Duration::from_millis(ceiling), "after {failures}");
            assert_eq!(wait(failures, RetryClass::Passing, 0), Duration::ZERO);
            let middle = wait(failures, RetryClass::Passing, u64::MAX / 2);
            assert_eq!(middle, Duration::from_millis(ceiling / 2));
        }
    }

    #[test]
    fn what_a_person_must_mend_is_retried_slowly_from_the_first_failure_on() {
        for failures in [0, 5] {
            let shortest = wait(failures, RetryClass::NeedsAttention, 0);
            assert_eq!(shortest, Duration::from_secs(150));
            let longest = wait(failures, RetryClass::NeedsAttention, u64::MAX);
            assert_eq!(longest, Duration::from_secs(300));
        }
    }

    #[test]
    fn a_good_connection_forgets_the_failures() {
        let mut backoff = Backoff::default();
        let policy = RetryPolicy::default();
        for _ in 0..5 {
            backoff.next_wait(&policy, RetryClass::Passing, None, 0);
        }
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        let longest = backoff.next_wait(&policy, RetryClass::Passing, None, u64::MAX);
        assert_eq!(longest, policy.first);
    }

    #[test]
    fn a_wait_that_the_controller_asks_for_is_kept_within_limits_and_spread() {
        let policy = RetryPolicy::default();
        let asked = |seconds, random| {
            let asked = Some(Duration::from_secs(seconds));
            Backoff::default().next_wait(&policy, RetryClass::Passing, asked, random)
        };
        assert_eq!(asked(30, 0), Duration::from_secs(30));
        assert_eq!(asked(30, u64::MAX), Duration::from_millis(30_500));
        assert_eq!(asked(u64::MAX, 0), policy.longest_asked);
    }

    #[test]
    fn odd_policies_still_give_a_wait() {
        let zero = RetryPolicy {
            first: Duration::ZERO,
            longest: Duration::ZERO,
            attention: Duration::ZERO,
            ..RetryPolicy::default()
        };
        let endless = RetryPolicy {
            first: Duration::MAX,
            longest: Duration::MAX,
            attention: Duration::MAX,
            ..RetryPolicy::default()
        };
        for class in [RetryClass::Passing, RetryClass::NeedsAttention] {
            let wait = Backoff::default().next_wait(&zero, class, None, u64::MAX);
            assert_eq!(wait, Duration::ZERO);
            let wait = Backoff { failures: 40 }.next_wait(&endless, class, None, u64::MAX);
            assert!(wait > Duration::from_secs(3600));
        }
    }

    #[test]
    fn refusals_need_attention_and_broken_lines_do_not() {
        let tls = |fault, side: Option<Side>, alert: Option<u8>| {
            let mut failure = Failure::new(Rung::Tls(fault), "cause", "remedy");
            failure.refused_by = side;
            failure.alert = alert.map(Alert);
            Error::Tls(Box::new(failure))
        };
        let goodbye = |reason| {
            Error::Closed(CloseReason::Disconnected {
                reason,
                text: "".into(),
                retry_after: None,
            })
        };
        let io = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let passing = [
            Error::Transport(io()),
            Error::TimedOut {
                what: "x",
                rung: Rung::Tcp,
                after: Duration::ZERO,
            },
            Error::Closed(CloseReason::EchoUnanswered(3)),
            Error::Closed(ProtocolError::StreamCut { pending: 1 }.into()),
            goodbye(DisconnectReason::SHUTTING_DOWN),
            goodbye(DisconnectReason::OVERLOADED),
            tls(TlsFault::Protocol, None, None),
            tls(TlsFault::Alert, Some(Side::Peer), Some(80)),
        ];
        for error in passing {
            assert_eq!(RetryClass::of(&error), RetryClass::Passing, "{error:?}");
        }
        let attention = [
            tls(TlsFault::AuthList, Some(Side::Peer), Some(46)),
            tls(TlsFault::Chain, Some(Side::Local), Some(46)),
            tls(TlsFault::Time, Some(Side::Peer), Some(45)),
            tls(TlsFault::Protocol, Some(Side::Peer), Some(70)),
            goodbye(DisconnectReason::NOT_AUTHORIZED),
            Error::Configuration {
                cause: "x".into(),
                remedy: "y".into(),
            },
        ];
        for error in attention {
            assert_eq!(RetryClass::of(&error), RetryClass::NeedsAttention, "{error:?}");
        }
    }
}
