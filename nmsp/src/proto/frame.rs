//! A received message.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::wire::elements::Part;
use crate::wire::frame::{Frame, Header, OwnedFrame};
use crate::wire::message::{MeasurementNotification, StationMeasurementRef, UnknownOwned};
use crate::wire::numbers::StatusCode;
use crate::wire::schema::ElementValue;
use crate::wire::tlv::{Elements, Tlv};
use crate::wire::{Element, Message, MessageId, MessageType, OwnedMessage, WireProfile};

/// A received message, checked. It shares the receive buffer: nothing is copied until [`to_owned`](Self::to_owned) or a
/// station's `to_owned` is called. It keeps as much of the buffer alive as arrived with it, so whoever stores messages for
/// long copies what it needs.
#[derive(Clone)]
pub struct MessageFrame {
    pub(super) frame: OwnedFrame,
    pub(super) profile: Arc<WireProfile>,
    pub(super) message: Option<MessageType>,
}

impl MessageFrame {
    /// Which message it is; `None` if the profile does not know the identifier.
    #[must_use]
    pub const fn message_type(&self) -> Option<MessageType> {
        self.message
    }

    /// The message identifier.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.frame.header.id
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> Header {
        self.frame.header
    }

    /// The transaction of a request or response.
    #[must_use]
    pub const fn transaction(&self) -> u32 {
        self.frame.header.transaction
    }

    /// The sequence number that the sender gave a notification. Each subscriber has its own sequence, starting at 1; a gap
    /// means that the controller dropped notifications because this side was slow.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.frame.header.transaction
    }

    /// The body, as received.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.frame.body
    }

    /// The length of the whole message with its header, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.frame.body_offset + self.frame.body.len()
    }

    /// Header and body as [`Message::decode`] and [`nmsp::wire::describe`](crate::wire::describe) take them.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        self.frame.borrow()
    }

    /// The message. It was checked on receipt, so this cannot fail.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        Message::checked(&self.frame.borrow(), &self.profile)
    }

    /// The message with values of its own. Elements without a meaning are not part of it.
    #[must_use]
    pub fn to_owned(&self) -> OwnedMessage {
        // It was checked, so it can be read; an oracle holds that both agree.
        self.message().to_owned().unwrap_or_else(|_| {
            OwnedMessage::Unknown(UnknownOwned {
                id: self.frame.header.id.0,
                body: self.frame.body.as_ref().into(),
            })
        })
    }

    /// The stations of a Measurement Notification; `None` for any other message.
    #[must_use]
    pub fn measurement(&self) -> Option<MeasurementNotification<'_>> {
        match self.message {
            Some(MessageType::MeasurementNotification) => Some(MeasurementNotification::checked(
                &self.frame.body,
                self.frame.body_offset,
                &self.profile,
            )),
            _ => None,
        }
    }

    /// Each station of a Measurement Notification; of any other message none.
    pub fn measured_stations(&self) -> impl Iterator<Item = StationMeasurementRef<'_>> {
        self.measurement()
            .into_iter()
            .flat_map(|measurement| measurement.stations())
    }

    /// Which part of an answer in several messages this is; `None` if it is the whole.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        self.element(Element::PART)
    }

    /// What became of the request, if this is a response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.element(Element::STATUS)
    }

    /// The first element with this meaning.
    pub(super) fn element<T: ElementValue>(&self, wanted: Element) -> Option<T> {
        // A message without a name may have any bytes for a body.
        self.message?;
        let elements = Elements::checked(&self.frame.body, self.frame.body_offset, &self.profile);
        let is_wanted = |(meaning, _): &(Option<Element>, Tlv<'_>)| *meaning == Some(wanted);
        let (_, tlv) = elements.iter().find(is_wanted)?;
        T::read_value(tlv.reader(&self.profile), &self.profile, wanted.name()).ok()
    }
}

impl fmt::Debug for MessageFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageFrame")
            .field("transaction", &self.frame.header.transaction)
            .field("message", &self.message())
            .finish()
    }
}

impl PartialEq for MessageFrame {
    /// The same bytes in the header and the body.
    fn eq(&self, other: &Self) -> bool {
        self.frame == other.frame
    }
}
