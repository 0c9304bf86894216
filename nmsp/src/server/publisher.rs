//! From measurements to the queues of the subscribers.

use std::sync::Arc;

use bytes::BytesMut;

use super::Shared;
use crate::error::Error;
use crate::wire::message::Measurement;
use crate::wire::{EncodeError, Service, Writer};

/// How many bytes of stations go into one message when several are published together. Fills a TLS record.
const BATCH_BYTES: usize = 16_000;

/// Encodes each message once and hands it to every subscriber. The buffer is shared with the queues and comes back when
/// they have sent it, so a steady stream does not allocate per message.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    buffer: BytesMut,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            buffer: BytesMut::new(),
        }
    }

    /// Sends measurements to every location server that subscribed their service. Neighbours of the same service share
    /// a message. Returns how many messages were queued, over all subscribers.
    ///
    /// # Errors
    /// If one measurement has too many readings for a message; those before it have been published.
    pub fn publish(&mut self, measurements: &[Measurement]) -> Result<usize, Error> {
        let (mut queued, mut service) = (0, None);
        for measurement in measurements {
            let next = Service::measuring(measurement.class);
            if next != service || self.buffer.len() >= BATCH_BYTES {
                queued += self.flush(service);
                service = next;
            }
            let before = self.buffer.len();
            let profile = Arc::clone(&self.shared.connection.profile);
            if let Err(error) = measurement.encode(&mut Writer::new(&mut self.buffer, &profile)) {
                self.flush(service);
                return Err(error.into());
            }
            let longest = self.shared.connection.max_message_length;
            let limit = longest.saturating_sub(usize::from(profile.header().length));
            if self.buffer.len() > limit {
                let last = self.buffer.split_off(before);
                queued += self.flush(service);
                if last.len() > limit {
                    return Err(EncodeError::TooLong {
                        what: "measurement",
                        length: last.len(),
                        width: 4,
                    }
                    .into());
                }
                self.buffer.unsplit(last);
            }
        }
        Ok(queued + self.flush(service))
    }

    /// Queues what the buffer holds for everybody who subscribed the service. A class of station that belongs to no
    /// service goes nowhere.
    fn flush(&mut self, service: Option<Service>) -> usize {
        if self.buffer.is_empty() {
            return 0;
        }
        let body = self.buffer.split().freeze();
        let Some(service) = service else { return 0 };
        let mut queued = 0;
        for subscriber in self.shared.registry.subscribers().iter() {
            if subscriber.services().contains(service) {
                queued += 1;
                if subscriber.push(service, body.clone()) {
                    self.shared.counters.notification_dropped();
                }
            }
        }
        queued
    }
}
