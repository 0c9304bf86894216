//! One location server as the store sees it: what it wants, and what waits for it.
//!
//! What waits is bounded in entries and in bytes, whatever the subscriber does:
//!
//! - A record (a station's measurement, say) waits once. A newer value takes the place of the one that waits.
//! - What waits for its interval is not late; a newer value joins it and nothing is lost. A newer value of something that
//!   should have been sent already is a loss, counted as replaced.
//! - When too much waits, the oldest goes, counted as dropped.
//!
//! The sequence number of a notification is one more than that of the one before, and more by as many measurements as were
//! lost in between: a gap says how much is missing.

mod lane;
mod queue;
mod terms;

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use tokio::sync::Notify;

pub use queue::Loss;

pub(super) use queue::{EncodedNotification, NextMessage, QueueBounds};
pub(super) use terms::Terms;

use super::counters::Counters;
use super::store::{RecordKind, StationStore, Touched, Urgency};
use crate::proto::policy::NotificationPolicy;
use crate::wire::Services;
use queue::Queue;

/// Shared between the store, which adds, and the connection's task, which sends.
#[derive(Debug)]
pub(super) struct Subscriber {
    /// The services of the terms, to be looked at without a lock.
    services: AtomicU64,
    terms: ArcSwap<Terms>,
    queue: Mutex<Queue>,
    counters: Arc<Counters>,
    bounds: QueueBounds,
    pub(super) filled: Notify,
}

impl Subscriber {
    pub(super) fn new(bounds: QueueBounds, counters: Arc<Counters>) -> Self {
        let bounds = QueueBounds {
            entries: bounds.entries.max(1),
            ..bounds
        };
        Self {
            services: AtomicU64::new(0),
            terms: ArcSwap::default(),
            queue: Mutex::new(Queue::new(bounds)),
            counters,
            bounds,
            filled: Notify::new(),
        }
    }

    pub(super) fn services(&self) -> Services {
        Services(self.services.load(Ordering::Relaxed))
    }

    pub(super) fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// What the location server wants from now on.
    pub(super) fn set_terms(&self, terms: Terms) {
        let services = terms.services();
        let mut queue = self.lock();
        self.terms.store(Arc::new(terms));
        self.services.store(services.0, Ordering::Relaxed);
        queue.resubscribed(services);
    }

    /// Adds records of one kind: one lock, however many they are. Returns how many were added.
    pub(super) fn push(
        &self,
        kind: RecordKind,
        touched: &[Touched],
        urgency: Urgency,
        store: &StationStore,
    ) -> usize {
        let terms = self.terms.load();
        let groups = terms.groups(kind);
        let wanted = touched
            .iter()
            .copied()
            .filter(|each| terms.includes_state(kind, each.associated));
        let (added, lost, wake) = if groups.is_empty() {
            self.lock().add(kind, wanted, urgency)
        } else {
            // The store is asked before the queue is locked: the connection's task locks them the other way round.
            let heard: Vec<Touched> = wanted
                .filter(|each| store.concerns_groups(kind, each.id, groups))
                .collect();
            self.lock().add(kind, heard.into_iter(), urgency)
        };
        self.counters.notifications_lost(lost.replaced, lost.dropped);
        if wake && added > 0 {
            self.filled.notify_one();
        }
        added
    }

    /// Adds a message of the application.
    pub(super) fn push_message(&self, notification: EncodedNotification) {
        let lost = self.lock().add_message(notification);
        self.counters.notifications_lost(0, lost.dropped);
        self.filled.notify_one();
    }

    /// Makes the next message, its body in `body`; `None` if nothing may be sent now.
    pub(super) fn next_message(
        &self,
        now: Instant,
        policy: &NotificationPolicy,
        store: &StationStore,
        body: &mut BytesMut,
    ) -> Option<NextMessage> {
        body.clear();
        let mut queue = self.lock();
        let terms = self.terms.load();
        queue.next_message(now, policy, &terms, store, body)
    }

    /// When something that waits for its interval may go.
    pub(super) fn deadline(&self, policy: &NotificationPolicy) -> Option<Instant> {
        let queue = self.lock();
        queue.deadline(policy, &self.terms.load())
    }

    /// Lets everything go that waits for an interval.
    pub(super) fn release_all(&self) {
        self.lock().release_all();
    }

    pub(super) fn losses(&self) -> Vec<Loss> {
        self.lock().losses()
    }

    /// Measurements left out because of a threshold.
    pub(super) fn unchanged(&self) -> u64 {
        self.lock().unchanged()
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().len()
    }

    pub(super) const fn bound(&self) -> usize {
        self.bounds.entries
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
