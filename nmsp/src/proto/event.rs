//! What a connection reports to its owner.

use core::time::Duration;
use std::sync::Arc;

use super::CloseReason;
use crate::wire::frame::OwnedFrame;
use crate::wire::message::{Capability, MeasurementNotification, SubscribeOutcome};
use crate::wire::{MessageId, MessageType, Services, WireProfile};

/// Something that happened on a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The peer's first Capability Notification: the connection can be used.
    Established(Capability),
    /// A later Capability Notification.
    CapabilityChanged(Capability),
    /// Controller: the location server subscribed; this replaces what was subscribed before.
    SubscriptionChanged {
        /// What to send from now on.
        services: Services,
        /// What was asked for and is not offered.
        rejected: Services,
    },
    /// Location server: the controller answered a subscription.
    Subscribed {
        /// The transaction that [`subscribe`](super::Connection::subscribe) returned.
        transaction: u32,
        /// The answer.
        outcome: SubscribeOutcome,
    },
    /// A request got no response in time. A response that comes later is counted and ignored.
    RequestTimedOut {
        /// The transaction of the request.
        transaction: u32,
    },
    /// Location server: the controller answered an echo request.
    EchoAnswered {
        /// Time between request and response.
        round_trip: Duration,
    },
    /// Location server: measurements of one or more stations.
    Measurement(MeasurementFrame),
    /// A message without a name, or one that the connection itself has no use for.
    Unsupported(UnsupportedMessage),
    /// The last event of a connection.
    Closed(CloseReason),
}

/// A received Measurement Notification. It shares the receive buffer: nothing is copied until
/// [`to_owned`](crate::wire::message::StationMeasurementRef::to_owned) is called on a station.
#[derive(Clone, Debug)]
pub struct MeasurementFrame {
    pub(super) frame: OwnedFrame,
    pub(super) profile: Arc<WireProfile>,
}

impl MeasurementFrame {
    /// The sequence number that the controller gave the notification. Each subscriber has its own sequence, starting at
    /// 1; a gap means that the controller dropped notifications because this side was slow.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.frame.header.transaction
    }

    /// The notification. It was checked on receipt, so this cannot fail.
    #[must_use]
    pub fn notification(&self) -> MeasurementNotification<'_> {
        MeasurementNotification::checked(&self.frame.body, self.frame.body_offset, &self.profile)
    }
}

/// A received message without a name, or one that the connection itself has no use for.
/// [`Message::decode`](crate::wire::Message::decode) gives it its type.
#[derive(Clone, Debug)]
pub struct UnsupportedMessage {
    /// Its name, if the profile knows the identifier.
    pub message: Option<MessageType>,
    /// Header and body as received.
    pub frame: OwnedFrame,
}

impl UnsupportedMessage {
    /// The message identifier.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.frame.header.id
    }
}
