//! Messages by type, and their bodies.
//!
//! [`Message`] is what was received: it borrows, decoding it checks the whole body at once and allocates nothing, and it
//! keeps elements without a meaning where they are. [`OwnedMessage`] and the types in [`bodies`] are what an application
//! builds and keeps.

pub mod bodies;

mod kind;
mod measurement;
mod view;

pub use bodies::{
    Capability, Disconnect, Echo, ServiceSubscribeRequest, ServiceSubscribeResponse, SubscribeOutcome,
};
pub use kind::{Message, MessageType, OwnedMessage, Sender};
#[cfg(feature = "tokio")]
pub(crate) use measurement::CommonMeasurements;
pub use measurement::{
    EncodedMeasurement, MeasurementNotification, StationMeasurementRef, write_encoded_measurements,
    write_measurement,
};
pub use view::View;

pub use super::elements::{AccessPointReading, Measurement};
pub use super::timestamp::Timestamp;

use super::numbers::MessageId;
use super::text::Octets;

/// A received message without a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMessage<'a> {
    /// The message identifier.
    pub id: MessageId,
    /// The body.
    pub body: &'a [u8],
}

/// A message without a name, with a body of its own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UnknownOwned {
    /// The message identifier.
    pub id: u16,
    /// The body.
    pub body: Octets,
}
