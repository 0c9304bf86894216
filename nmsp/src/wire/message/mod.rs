//! Messages by type: one file per family.
//!
//! Decoding checks the whole body at once; the accessors of a decoded message cannot fail. Elements without a meaning
//! stay where they are, in the order of the wire.

mod capability;
mod echo;
mod kind;
mod measurement;
mod subscribe;

use bytes::BytesMut;

pub use capability::{Capability, CapabilityNotification};
pub use echo::Echo;
pub use kind::{MessageType, Sender};
pub use measurement::{
    AccessPointReading, AccessPointReadingRef, Measurement, MeasurementNotification, StationMeasurementRef,
    Timestamp, write_measurement,
};
pub use subscribe::{ServiceSubscribeRequest, ServiceSubscribeResponse, SubscribeOutcome};

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::frame::{Frame, Header, encode_message};
use super::numbers::MessageId;
use super::profile::WireProfile;
use super::reader::Reader;
use super::tlv::{Element, Tlv};
use super::writer::Writer;

/// A decoded message. It borrows the body; decoding allocates nothing.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// The location server asks whether the controller is alive.
    EchoRequest(Echo<'a>),
    /// The controller is.
    EchoResponse(Echo<'a>),
    /// What the sender can do.
    CapabilityNotification(CapabilityNotification<'a>),
    /// The location server says what it wants.
    ServiceSubscribeRequest(ServiceSubscribeRequest<'a>),
    /// The controller says what it will send.
    ServiceSubscribeResponse(ServiceSubscribeResponse<'a>),
    /// The controller reports what its access points heard.
    MeasurementNotification(MeasurementNotification<'a>),
    /// A message whose body this crate has no type for. It survives byte for byte.
    Unknown(UnknownMessage<'a>),
}

/// A message whose body this crate has no type for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMessage<'a> {
    /// The message identifier.
    pub id: MessageId,
    /// The message's name, if the profile has one for the identifier.
    pub message: Option<MessageType>,
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Gives a message its type and checks its body.
    ///
    /// ```
    /// use nmsp::wire::{Frame, Message, WireProfile};
    ///
    /// let profile = WireProfile::built_in();
    /// let bytes = [1, 0, 0, 2, 0, 0, 0, 12, 0, 0, 0, 1];
    /// let (frame, _) = Frame::cut(profile, 1024, &bytes)?.expect("complete");
    /// assert!(matches!(Message::decode(&frame, profile)?, Message::EchoResponse(_)));
    /// # Ok::<(), nmsp::wire::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// If an element is cut short, has the wrong length, is missing or occurs too often.
    pub fn decode(frame: &Frame<'a>, profile: &'a WireProfile) -> Result<Self, DecodeError> {
        let message = profile.message_type(frame.header.id);
        let reader = Reader::new(frame.body, frame.body_offset, profile.byte_order());
        Ok(match message {
            Some(MessageType::EchoRequest) => Self::EchoRequest(Echo::decode(reader, profile)?),
            Some(MessageType::EchoResponse) => Self::EchoResponse(Echo::decode(reader, profile)?),
            Some(MessageType::CapabilityNotification) => {
                Self::CapabilityNotification(CapabilityNotification::decode(reader, profile)?)
            }
            Some(MessageType::ServiceSubscribeRequest) => {
                Self::ServiceSubscribeRequest(ServiceSubscribeRequest::decode(reader, profile)?)
            }
            Some(MessageType::ServiceSubscribeResponse) => {
                Self::ServiceSubscribeResponse(ServiceSubscribeResponse::decode(reader, profile)?)
            }
            Some(MessageType::MeasurementNotification) => {
                Self::MeasurementNotification(MeasurementNotification::decode(reader, profile)?)
            }
            _ => Self::Unknown(UnknownMessage {
                id: frame.header.id,
                message,
                body: frame.body,
            }),
        })
    }

    /// Which message it is; `None` if the profile does not know the identifier.
    #[must_use]
    pub const fn message_type(&self) -> Option<MessageType> {
        match self {
            Self::EchoRequest(_) => Some(MessageType::EchoRequest),
            Self::EchoResponse(_) => Some(MessageType::EchoResponse),
            Self::CapabilityNotification(_) => Some(MessageType::CapabilityNotification),
            Self::ServiceSubscribeRequest(_) => Some(MessageType::ServiceSubscribeRequest),
            Self::ServiceSubscribeResponse(_) => Some(MessageType::ServiceSubscribeResponse),
            Self::MeasurementNotification(_) => Some(MessageType::MeasurementNotification),
            Self::Unknown(unknown) => unknown.message,
        }
    }

    /// Appends the message with this header, element by element from the decoded values.
    ///
    /// # Errors
    /// If something does not fit the profile's fields; nothing is appended then.
    pub fn encode(
        &self,
        header: Header,
        profile: &WireProfile,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        encode_message(header, profile, out, |writer| match self {
            Self::EchoRequest(echo) | Self::EchoResponse(echo) => echo.encode(writer),
            Self::CapabilityNotification(capability) => capability.encode(writer),
            Self::ServiceSubscribeRequest(request) => request.encode(writer),
            Self::ServiceSubscribeResponse(response) => response.encode(writer),
            Self::MeasurementNotification(measurement) => measurement.encode(writer),
            Self::Unknown(unknown) => {
                writer.bytes(unknown.body);
                Ok(())
            }
        })
    }
}

/// Reads a value that must fill its TLV exactly.
fn value<'a, T>(
    tlv: &Tlv<'a>,
    element: Element,
    profile: &WireProfile,
    read: impl FnOnce(&mut Reader<'a>, &'static str) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut reader = tlv.reader(profile);
    let value = read(&mut reader, element.name())?;
    reader.finish(element.name())?;
    Ok(value)
}

/// The error for an element that a body cannot do without, reported at the end of the body.
fn missing(element: Element, end: usize, profile: &WireProfile) -> DecodeError {
    let number = profile.tlv_type(element).unwrap_or(super::TlvType(0));
    DecodeError::new(end, element.name(), DecodeErrorKind::MissingTlv(number))
}

/// Writes a service mask in the profile's places.
fn write_services(
    writer: &mut Writer<'_>,
    element: Element,
    services: super::Services,
) -> Result<(), EncodeError> {
    writer.tlv(element, |value| {
        value.u64(value.profile().services_to_wire(services));
        Ok(())
    })
}
