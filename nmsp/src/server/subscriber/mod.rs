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
        let (groups, all) = (terms.groups(kind), terms.includes_state(kind, false));
        let wanted = touched.iter().copied().filter(|each| all || each.associated);
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

    /// Makes the next message and appends its body to `out`; `None` if nothing may be sent now.
    pub(super) fn next_message(
        &self,
        now: Instant,
        policy: &NotificationPolicy,
        store: &StationStore,
        out: &mut BytesMut,
    ) -> Option<NextMessage> {
        let mut queue = self.lock();
        let terms = self.terms.load();
        queue.next_message(now, policy, &terms, store, out)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ConnectionConfig;
    use crate::proto::policy::NotificationClass;
    use crate::server::Limits;
    use crate::wire::message::{Measurement, Timestamp};
    use crate::wire::{OwnedMessage, StationClass, WireProfile};
    use core::time::Duration;
    use pki_common::MacAddr;

    /// A store with one subscriber of clients and tags, and time that the test moves on.
    struct Desk {
        store: StationStore,
        subscriber: Arc<Subscriber>,
        policy: NotificationPolicy,
        now: Instant,
        body: BytesMut,
    }

    impl Desk {
        fn new(entries: usize) -> Self {
            let bounds = QueueBounds { entries, bytes: 1000 };
            let subscriber = Arc::new(Subscriber::new(bounds, Arc::default()));
            let mut terms = Terms::default();
            terms.subscription.services = Services::RSSI_MS | Services::RSSI_RFID;
            subscriber.set_terms(terms);
            let subscribers = Arc::new(ArcSwap::from_pointee(vec![Arc::clone(&subscriber)]));
            let (limits, connection) = (Limits::default(), ConnectionConfig::default());
            Self {
                store: StationStore::reporting_to(subscribers, &limits, &connection),
                subscriber,
                policy: NotificationPolicy::default(),
                now: Instant::now(),
                body: BytesMut::new(),
            }
        }

        fn publish(&self, class: StationClass, stations: &[(u8, u64)]) {
            self.report(class, stations, Urgency::AtOnce);
        }

        fn report(&self, class: StationClass, stations: &[(u8, u64)], urgency: Urgency) {
            let measurement = |(last, time): &(u8, u64)| Measurement {
                station: MacAddr::from([2, 0, 0, 0, 0, *last]),
                class,
                timestamp: Timestamp(*time),
                ..Measurement::default()
            };
            let measurements: Vec<_> = stations.iter().map(measurement).collect();
            self.store.take_over(&measurements, urgency).unwrap();
        }

        /// The next message: its sequence number, and station and time of each measurement.
        fn next(&mut self) -> Option<(u32, Vec<(u8, u64)>)> {
            self.body.clear();
            let next = self
                .subscriber
                .next_message(self.now, &self.policy, &self.store, &mut self.body)?;
            let profile = WireProfile::built_in();
            let frame = crate::wire::Frame {
                header: crate::wire::Header::new(profile.message_id(next.message).unwrap(), next.sequence),
                body: &self.body,
                body_offset: 12,
            };
            let message = OwnedMessage::decode(&frame, profile).unwrap();
            let OwnedMessage::MeasurementNotification(measurements) = message else {
                panic!("{message:?}");
            };
            let seen = measurements
                .stations
                .iter()
                .map(|each| (each.station.octets()[5], each.timestamp.0));
            Some((next.sequence, seen.collect()))
        }

        /// Replaced and dropped.
        fn losses(&self) -> (u64, u64) {
            let losses = self.subscriber.losses();
            let sum = |of: fn(&Loss) -> u64| losses.iter().map(of).sum();
            (sum(|loss| loss.replaced), sum(|loss| loss.dropped))
        }
    }

    const CLIENT: StationClass = StationClass::CLIENT;
    const TAG: StationClass = StationClass::RFID_TAG;

    #[test]
    fn a_newer_value_takes_the_place_of_the_one_that_waits_and_the_number_says_what_is_missing() {
        let mut desk = Desk::new(10);
        desk.publish(CLIENT, &[(1, 1), (2, 1)]);
        desk.publish(CLIENT, &[(1, 2)]);
        desk.publish(CLIENT, &[(1, 3)]);
        assert_eq!(desk.next(), Some((3, vec![(1, 3), (2, 1)])));
        assert_eq!((desk.next(), desk.losses()), (None, (2, 0)));
        desk.publish(CLIENT, &[(1, 4)]);
        assert_eq!(desk.next(), Some((4, vec![(1, 4)])));
    }

    #[test]
    fn when_it_is_full_the_oldest_goes_whatever_its_kind() {
        let mut desk = Desk::new(3);
        desk.publish(TAG, &[(9, 1)]);
        desk.publish(CLIENT, &[(1, 1), (2, 1)]);
        desk.publish(CLIENT, &[(3, 1)]);
        desk.publish(CLIENT, &[(4, 1)]);
        assert_eq!((desk.subscriber.waiting(), desk.losses()), (3, (0, 2)));
        let kinds: Vec<_> = desk.subscriber.losses().iter().map(|loss| loss.kind).collect();
        let both = [RecordKind::ClientMeasurement, RecordKind::TagMeasurement];
        assert_eq!(kinds, both.map(Some));
        assert_eq!(desk.next(), Some((3, vec![(2, 1), (3, 1), (4, 1)])));
    }

    #[test]
    fn kinds_take_turns() {
        let mut desk = Desk::new(1000);
        let stations: Vec<_> = (0..=255).map(|last| (last, 1)).collect();
        desk.publish(CLIENT, &stations[..128]);
        desk.publish(TAG, &stations);
        let (clients, tags) = (desk.next().unwrap(), desk.next().unwrap());
        assert_eq!((clients.0, clients.1.len()), (1, 128));
        assert_eq!((tags.0, tags.1.len()), (2, 256));
        assert!(desk.next().is_none());
    }

    #[test]
    fn what_waits_for_its_interval_joins_and_is_not_lost() {
        let mut desk = Desk::new(10);
        desk.policy.set_interval(NotificationClass::Client, 5).unwrap();
        let observe = |desk: &Desk, time| desk.report(CLIENT, &[(1, time)], Urgency::ByPolicy);
        observe(&desk, 1);
        assert_eq!(desk.next(), Some((1, vec![(1, 1)])));
        observe(&desk, 2);
        observe(&desk, 3);
        assert_eq!(desk.next(), None);
        let deadline = desk.subscriber.deadline(&desk.policy);
        assert_eq!(deadline, Some(desk.now + Duration::from_secs(5)));
        desk.now += Duration::from_secs(5);
        assert_eq!(desk.next(), Some((2, vec![(1, 3)])));
        assert_eq!(desk.losses(), (0, 0));
        assert_eq!(desk.subscriber.deadline(&desk.policy), None);
        // At a shutdown nothing waits for an interval.
        observe(&desk, 4);
        assert_eq!(desk.next(), None);
        desk.subscriber.release_all();
        assert_eq!(desk.next(), Some((3, vec![(1, 4)])));
    }

    #[test]
    fn what_is_no_longer_subscribed_is_not_sent() {
        let mut desk = Desk::new(10);
        desk.publish(CLIENT, &[(1, 1)]);
        desk.publish(TAG, &[(2, 1)]);
        let mut terms = Terms::default();
        terms.subscription.services = Services::RSSI_RFID;
        desk.subscriber.set_terms(terms);
        assert_eq!(desk.next(), Some((1, vec![(2, 1)])));
        assert_eq!((desk.next(), desk.subscriber.waiting()), (None, 0));
    }

    #[test]
    fn a_station_that_is_gone_is_not_sent_and_its_place_is_not_mistaken_for_it() {
        let mut desk = Desk::new(10);
        desk.publish(CLIENT, &[(1, 1)]);
        desk.store.remove(MacAddr::from([2, 0, 0, 0, 0, 1]));
        desk.publish(CLIENT, &[(2, 1)]);
        assert_eq!(desk.next(), Some((1, vec![(2, 1)])));
        assert_eq!((desk.next(), desk.subscriber.waiting()), (None, 0));
    }

    #[test]
    fn publishing_and_sending_allocates_nothing_once_every_station_is_known() {
        let mut desk = Desk::new(1000);
        let station = |last| Measurement {
            station: MacAddr::from([2, 0, 0, 0, 0, last]),
            class: CLIENT,
            ..Measurement::default()
        };
        let stations: Vec<Measurement> = (0..200).map(station).collect();
        let mut messages = 0;
        let mut turn = || {
            desk.store.take_over(&stations, Urgency::AtOnce).unwrap();
            desk.body.clear();
            while desk
                .subscriber
                .next_message(desk.now, &desk.policy, &desk.store, &mut desk.body)
                .is_some()
            {
                messages += 1;
            }
        };
        (0..4).for_each(|_| turn());
        let counted = allocation_counter::measure(|| (0..1000).for_each(|_| turn()));
        assert_eq!((messages, counted.count_total), (1004, 0));
    }
}
