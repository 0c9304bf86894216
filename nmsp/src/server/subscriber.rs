//! One location server as the publisher sees it: what it wants, and what waits for it.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::wire::{Service, Services};

/// A notification that waits.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) sequence: u32,
    pub(super) service: Service,
    pub(super) body: Bytes,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Queued>,
    last_sequence: u32,
}

/// Shared between the publisher, which adds, and the connection's task, which sends.
#[derive(Debug)]
pub(super) struct Subscriber {
    services: AtomicU64,
    capacity: usize,
    queue: Mutex<Queue>,
    dropped: AtomicU64,
    pub(super) filled: Notify,
}

impl Subscriber {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            services: AtomicU64::new(0),
            capacity: capacity.max(1),
            queue: Mutex::default(),
            dropped: AtomicU64::new(0),
            filled: Notify::new(),
        }
    }

    pub(super) fn services(&self) -> Services {
        Services(self.services.load(Ordering::Relaxed))
    }

    pub(super) fn set_services(&self, services: Services) {
        self.services.store(services.0, Ordering::Relaxed);
    }

    /// Adds a notification; if the queue is full, the oldest one goes. Returns whether one was dropped. Its sequence
    /// number is missing in what the peer sees.
    pub(super) fn push(&self, service: Service, body: Bytes) -> bool {
        let dropped = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let full = queue.waiting.len() >= self.capacity;
            if full {
                queue.waiting.pop_front();
            }
            queue.last_sequence = queue.last_sequence.wrapping_add(1);
            let sequence = queue.last_sequence;
            queue.waiting.push_back(Queued {
                sequence,
                service,
                body,
            });
            full
        };
        if dropped {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.filled.notify_one();
        dropped
    }

    /// Moves up to `bytes` of notifications into `taken` (at least one if there is one); what is no longer subscribed is
    /// left out.
    pub(super) fn take(&self, bytes: usize, taken: &mut Vec<Queued>) {
        let services = self.services();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut size = 0;
        while size < bytes {
            let Some(next) = queue.waiting.pop_front() else {
                break;
            };
            if services.contains(next.service) {
                size += next.body.len();
                taken.push(next);
            }
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_the_oldest_counts_it_and_leaves_a_gap_in_the_sequence() {
        let subscriber = Subscriber::new(2);
        subscriber.set_services(Services::RSSI_MS);
        let push = |byte: u8| subscriber.push(Service::RssiMs, Bytes::from(vec![byte]));
        assert_eq!([push(1), push(2), push(3)], [false, false, true]);
        let mut taken = Vec::new();
        subscriber.take(1000, &mut taken);
        assert_eq!(
            taken.iter().map(|queued| queued.sequence).collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(subscriber.dropped(), 1);
    }

    #[test]
    fn does_not_send_what_is_no_longer_subscribed() {
        let subscriber = Subscriber::new(8);
        subscriber.push(Service::RssiMs, Bytes::from_static(b"a"));
        subscriber.push(Service::RssiRfid, Bytes::from_static(b"b"));
        subscriber.set_services(Services::RSSI_RFID);
        let mut taken = Vec::new();
        subscriber.take(1, &mut taken);
        assert_eq!(
            taken.iter().map(|queued| queued.service).collect::<Vec<_>>(),
            [Service::RssiRfid]
        );
    }
}
