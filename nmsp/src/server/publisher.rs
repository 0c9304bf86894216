//! Immediate publishing, without the notification policy.

use std::sync::Arc;

use super::Shared;
use super::store::Urgency;
use crate::error::Error;
use crate::wire::message::Measurement;

/// Reports measurements at once: no interval and no threshold holds them back. The store takes them over as
/// [`StationStore::observe`](super::StationStore::observe) does, so that requests are answered from them.
#[derive(Clone, Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
}

impl Publisher {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Sends measurements to every location server that subscribed their service. Each is encoded once, whatever the number
    /// of subscribers; what waits for the same subscriber shares messages. A class of station without a name goes nowhere.
    ///
    /// Returns how many measurements were queued, over all subscribers.
    ///
    /// # Errors
    /// If one measurement has too many readings for a message; those before it have been published.
    pub fn publish(&self, measurements: &[Measurement]) -> Result<usize, Error> {
        self.shared.store.take_over(measurements, Urgency::AtOnce)
    }
}
