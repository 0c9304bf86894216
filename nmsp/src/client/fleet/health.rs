//! How each controller of a fleet is.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use pki_common::Failure;
use pki_common::clock::human_duration;

use super::clock_skew::ClockSkewEstimate;
use super::{ClockSkew, ControllerId, RetryClass};
use crate::client::ControllerIdentity;
use crate::proto::{ConnectionCounters, CounterSnapshot};
use crate::wire::message::{Capability, SubscribeOutcome};

/// Where a controller's connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControllerState {
    /// It waits for a free place among the handshakes in flight.
    Queued,
    /// TCP, TLS and the exchange of capabilities are under way.
    Connecting,
    /// The connection is up; the controller has not answered the subscription yet.
    Subscribing,
    /// The connection is up and the subscription answered.
    Up,
    /// The last attempt failed or the connection ended; the next attempt is due later.
    Waiting,
    /// It was removed, or the fleet closed.
    Closed,
}

impl fmt::Display for ControllerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Connecting => "connecting",
            Self::Subscribing => "subscribing",
            Self::Up => "up",
            Self::Waiting => "waiting",
            Self::Closed => "closed",
        })
    }
}

/// The last thing that went wrong at a controller. It stays when the connection is up again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastError {
    /// Rung, cause and remedy.
    pub failure: Failure,
    /// Whether trying again can help.
    pub class: RetryClass,
    /// When, by our clock.
    pub at: SystemTime,
}

/// Numbers of one controller since it was added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ControllerTotals {
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that came up.
    pub connections: u64,
    /// Attempts that failed and connections that ended by an error.
    pub failures: u64,
    /// Notifications received.
    pub notifications: u64,
    /// Notifications that the controller dropped before it sent them, because this side was slow: gaps in the sequence.
    pub lost: u64,
}

/// How one controller is, at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ControllerHealth {
    /// Which controller of the fleet.
    pub id: ControllerId,
    /// Where it was reached last, and what its certificate says.
    pub controller: Arc<ControllerIdentity>,
    /// Where its connection stands.
    pub state: ControllerState,
    /// Since when it stands there, by our clock.
    pub since: SystemTime,
    /// When the next attempt is due, while it is [`Waiting`](ControllerState::Waiting).
    pub next_attempt: Option<SystemTime>,
    /// Failures in a row; 0 once a connection has been up for [`stable_after`](super::RetryPolicy::stable_after).
    pub failures_in_a_row: u32,
    /// What went wrong last.
    pub last_error: Option<LastError>,
    /// How often it was connected again after the first time.
    pub reconnects: u64,
    /// Its clock against ours, by measurements of the present or last connection; `None` if there were none.
    pub clock_skew: Option<ClockSkew>,
    /// What it said it can do, in the present or last connection.
    pub capability: Option<Capability>,
    /// Its answer to the subscription, in the present or last connection.
    pub subscription: Option<SubscribeOutcome>,
    /// Events that wait for the application.
    pub queued_events: usize,
    /// Numbers since it was added.
    pub totals: ControllerTotals,
    /// Messages of the present or last connection.
    pub counters: Option<CounterSnapshot>,
}

impl ControllerHealth {
    /// Whether trying again cannot help: a person has to mend something first.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        let mended = matches!(self.state, ControllerState::Up | ControllerState::Closed);
        !mended
            && self
                .last_error
                .as_ref()
                .is_some_and(|error| error.class == RetryClass::NeedsAttention)
    }
}

impl fmt::Display for ControllerHealth {
    /// One line, and below it what went wrong while the connection is not up, and the clock when it seems behind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed = |time: SystemTime| time.elapsed().unwrap_or_default();
        write!(
            f,
            "{}: {} for {}",
            self.controller,
            self.state,
            human_duration(elapsed(self.since))
        )?;
        if let Some(next) = self.next_attempt {
            let left = next.duration_since(SystemTime::now()).unwrap_or_default();
            write!(f, ", next attempt in {}", human_duration(left))?;
        }
        if self.reconnects > 0 {
            write!(f, ", connected again {} times", self.reconnects)?;
        }
        if self.needs_attention() {
            write!(f, ", {}", RetryClass::NeedsAttention)?;
        }
        if let Some(error) = &self.last_error
            && self.state != ControllerState::Up
        {
            let ago = human_duration(elapsed(error.at));
            write!(f, "\nlast error {ago} ago\n{}", error.failure)?;
        }
        match self.clock_skew {
            Some(skew) if skew.seems_behind() => write!(f, "\nclock: {skew}"),
            _ => Ok(()),
        }
    }
}

/// What the task of a controller keeps for whoever asks.
#[derive(Debug)]
pub(super) struct Record {
    id: ControllerId,
    inner: Mutex<Inner>,
    pub(super) notifications: AtomicU64,
    pub(super) lost: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    controller: Arc<ControllerIdentity>,
    state: ControllerState,
    since: SystemTime,
    next_attempt: Option<SystemTime>,
    failures_in_a_row: u32,
    last_error: Option<LastError>,
    capability: Option<Capability>,
    subscription: Option<SubscribeOutcome>,
    skew: ClockSkewEstimate,
    totals: ControllerTotals,
    counters: Option<Arc<ConnectionCounters>>,
}

impl Record {
    pub(super) fn new(id: ControllerId, host: Arc<str>) -> Self {
        Self {
            id,
            inner: Mutex::new(Inner {
                controller: Arc::new(ControllerIdentity::unknown(host)),
                state: ControllerState::Queued,
                since: SystemTime::now(),
                next_attempt: None,
                failures_in_a_row: 0,
                last_error: None,
                capability: None,
                subscription: None,
                skew: ClockSkewEstimate::default(),
                totals: ControllerTotals::default(),
                counters: None,
            }),
            notifications: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn controller(&self) -> Arc<ControllerIdentity> {
        Arc::clone(&self.lock().controller)
    }

    pub(super) fn state(&self) -> ControllerState {
        self.lock().state
    }

    pub(super) fn enter(&self, state: ControllerState) {
        let mut inner = self.lock();
        inner.enter(state);
        if state == ControllerState::Connecting {
            inner.totals.attempts += 1;
        }
    }

    pub(super) fn connected(
        &self,
        controller: Arc<ControllerIdentity>,
        capability: Capability,
        counters: Arc<ConnectionCounters>,
    ) {
        let mut inner = self.lock();
        inner.enter(ControllerState::Subscribing);
        inner.controller = controller;
        inner.capability = Some(capability);
        inner.subscription = None;
        inner.skew = ClockSkewEstimate::default();
        inner.counters = Some(counters);
        inner.totals.connections += 1;
    }

    pub(super) fn subscribed(&self, outcome: SubscribeOutcome) {
        let mut inner = self.lock();
        if inner.state == ControllerState::Subscribing {
            inner.enter(ControllerState::Up);
        }
        inner.subscription = Some(outcome);
    }

    pub(super) fn stable(&self) {
        self.lock().failures_in_a_row = 0;
    }

    pub(super) fn failed(&self, failure: Failure, class: RetryClass, wait: Duration, in_a_row: u32) {
        let mut inner = self.lock();
        let at = SystemTime::now();
        inner.enter(ControllerState::Waiting);
        inner.next_attempt = at.checked_add(wait);
        inner.last_error = Some(LastError { failure, class, at });
        inner.failures_in_a_row = in_a_row;
        inner.totals.failures += 1;
    }

    pub(super) fn estimate_skew(&self, change: impl FnOnce(&mut ClockSkewEstimate)) {
        change(&mut self.lock().skew);
    }

    pub(super) fn health(&self, queued_events: usize) -> ControllerHealth {
        let inner = self.lock();
        ControllerHealth {
            id: self.id,
            controller: Arc::clone(&inner.controller),
            state: inner.state,
            since: inner.since,
            next_attempt: inner.next_attempt,
            failures_in_a_row: inner.failures_in_a_row,
            last_error: inner.last_error.clone(),
            reconnects: inner.totals.connections.saturating_sub(1),
            clock_skew: inner.skew.skew(),
            capability: inner.capability.clone(),
            subscription: inner.subscription,
            queued_events,
            totals: ControllerTotals {
                notifications: self.notifications.load(Ordering::Relaxed),
                lost: self.lost.load(Ordering::Relaxed),
                ..inner.totals
            },
            counters: inner.counters.as_ref().map(|counters| counters.snapshot()),
        }
    }
}

impl Inner {
    fn enter(&mut self, state: ControllerState) {
        self.state = state;
        self.since = SystemTime::now();
        self.next_attempt = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pki_common::{Alert, Rung, Side, TlsFault};

    fn refused() -> Failure {
        let cause = "Our certificate is not in the authlist of the controller.";
        Failure::new(Rung::Tls(TlsFault::AuthList), cause, "Add it.")
            .refused_by(Side::Peer)
            .with_alert(Alert::CERTIFICATE_UNKNOWN)
    }

    #[test]
    fn the_text_says_what_went_wrong_until_the_connection_is_up() {
        let record = Record::new(ControllerId(1), "wlc1.example:16113".into());
        assert_eq!(record.health(0).to_string(), "wlc1.example:16113: queued for 0 s");
        record.enter(ControllerState::Connecting);
        let wait = Duration::from_secs(200);
        record.failed(refused(), RetryClass::NeedsAttention, wait, 1);
        let health = record.health(0);
        assert!(health.needs_attention());
        let text = health.to_string();
        for part in [
            "waiting for 0 s, next attempt in 3 min",
            "needs attention",
            "last error 0 s ago\nrung: TLS (authlist), refused by the peer with alert 46 certificate_unknown\ncause: ",
            "remedy: Add it.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }

        record.connected(record.controller(), Capability::default(), Arc::default());
        record.subscribed(SubscribeOutcome::of(
            crate::wire::Services::RSSI_MS,
            crate::wire::Services::RSSI_MS,
        ));
        let health = record.health(3);
        assert_eq!(health.to_string(), "wlc1.example:16113: up for 0 s");
        assert!(!health.needs_attention());
        assert_eq!(
            health.last_error.unwrap().failure,
            refused(),
            "it can still be asked for"
        );
        assert_eq!(health.failures_in_a_row, 1, "not stable yet");
        assert_eq!((health.totals.attempts, health.totals.failures), (1, 1));
        record.stable();
        assert_eq!(record.health(3).failures_in_a_row, 0);
    }
}
