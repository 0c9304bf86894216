//! What a connection reports to its owner.

use core::time::Duration;

use super::{CloseReason, MessageFrame, Subscription};
use crate::wire::Services;
use crate::wire::message::{Capability, ServiceSubscribeResponse, SubscribeOutcome};

/// Something that happened on a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The peer's first Capability Notification: the connection can be used.
    Established(Capability),
    /// A later Capability Notification.
    CapabilityChanged(Capability),
    /// What is subscribed has changed; this replaces what was subscribed before. Controller: the location server
    /// subscribed or unsubscribed. Location server: a response that came after its time-out says so, or the controller
    /// does not offer everything any more.
    SubscriptionChanged {
        /// What to send, or to expect, from now on.
        subscription: Subscription,
        /// What was asked for and is not offered.
        rejected: Services,
    },
    /// Location server: the controller answered [`subscribe`](super::Connection::subscribe) or
    /// [`unsubscribe`](super::Connection::unsubscribe).
    Subscribed {
        /// The transaction that the call returned.
        transaction: u32,
        /// The answer in short.
        outcome: SubscribeOutcome,
        /// The whole answer.
        response: ServiceSubscribeResponse,
    },
    /// The peer asks. The owner must answer with [`respond`](super::Connection::respond) or
    /// [`refuse`](super::Connection::refuse) before the request time-out; the connection refuses it then.
    Request {
        /// The transaction to answer.
        transaction: u32,
        /// The request.
        frame: MessageFrame,
    },
    /// The peer answered a [`request`](super::Connection::request).
    Response {
        /// The transaction that the call returned.
        transaction: u32,
        /// The response, or one part of it.
        frame: MessageFrame,
        /// Whether the answer is complete with this message; otherwise further parts follow.
        last: bool,
    },
    /// A request got no response, or not all parts of one, in time. A response that comes later is counted and ignored.
    RequestTimedOut {
        /// The transaction of the request.
        transaction: u32,
    },
    /// Something the peer tells without being asked now: measurements and everything else that was subscribed.
    Notification(MessageFrame),
    /// Location server: the controller answered an echo request.
    EchoAnswered {
        /// Time between request and response.
        round_trip: Duration,
    },
    /// A message without a name.
    Unsupported(MessageFrame),
    /// The last event of a connection. Requests that are still open get no answer any more.
    Closed(CloseReason),
}
