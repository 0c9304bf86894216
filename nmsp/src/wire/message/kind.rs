//! The messages that have a name: one table for numbers, directions and bodies.

use core::fmt;

use bytes::BytesMut;

use super::bodies;
use super::view::View;
use super::{UnknownMessage, UnknownOwned};
use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::frame::{Frame, Header, encode_message};
use crate::wire::numbers::MessageId;
use crate::wire::profile::{Numbered, Provenance, WireProfile};
use crate::wire::reader::Reader;
use crate::wire::schema::{Child, ElementValue};

/// Who may send a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Only the controller.
    Controller,
    /// Only the location server.
    LocationServer,
    /// Both.
    Both,
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "controller",
            Self::LocationServer => "location server",
            Self::Both => "both",
        })
    }
}

/// Defines the messages once: type, number in the built-in profile, name, sender, body.
macro_rules! messages {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal $provenance:ident, $name:literal, $sender:ident, $body:ident;)+) => {
        /// A message with a name. Its number belongs to the profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum MessageType {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl MessageType {
            /// Every message with a name, in the order of the built-in numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The vendor's name, or ours where there is none.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What it is for.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+)),+ }.trim()
            }

            /// Who may send it (recalled for the messages whose number is recalled, ours for the others).
            #[must_use]
            pub const fn sender(self) -> Sender {
                match self { $(Self::$variant => Sender::$sender),+ }
            }

            /// The number in the built-in profile.
            #[must_use]
            pub const fn built_in_number(self) -> u16 {
                match self { $(Self::$variant => $number),+ }
            }

            /// How well that number is known.
            #[must_use]
            pub const fn provenance(self) -> Provenance {
                match self { $(Self::$variant => Provenance::$provenance),+ }
            }

            /// The name of the body, a type in [`bodies`](super::bodies).
            #[must_use]
            pub const fn body_name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($body)),+ }
            }

            /// The elements of the body.
            #[must_use]
            pub const fn elements(self) -> &'static [Child] {
                match self { $(Self::$variant => <bodies::$body as ElementValue>::CHILDREN),+ }
            }
        }

        /// A decoded message. It borrows the body; decoding allocates nothing.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Message<'a> {
            $($(#[doc = $doc])+ $variant(View<'a, bodies::$body>),)+
            /// A message without a name. It survives byte for byte.
            Unknown(UnknownMessage<'a>),
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
                if message == Some(MessageType::MeasurementNotification) {
                    return View::of_measurements(frame, profile).map(Self::MeasurementNotification);
                }
                Ok(match message {
                    $(Some(MessageType::$variant) => Self::$variant(View::decode(frame, profile)?),)+
                    None => Self::Unknown(UnknownMessage { id: frame.header.id, body: frame.body }),
                })
            }

            /// Looks again at a message that [`decode`](Self::decode) has accepted before.
            pub(crate) fn checked(frame: &Frame<'a>, profile: &'a WireProfile) -> Self {
                match profile.message_type(frame.header.id) {
                    $(Some(MessageType::$variant) => {
                        Self::$variant(View::checked(frame.body, frame.body_offset, profile))
                    })+
                    None => Self::Unknown(UnknownMessage { id: frame.header.id, body: frame.body }),
                }
            }

            /// Which message it is; `None` if the profile does not know the identifier.
            #[must_use]
            pub const fn message_type(&self) -> Option<MessageType> {
                match self {
                    $(Self::$variant(_) => Some(MessageType::$variant),)+
                    Self::Unknown(_) => None,
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
                    $(Self::$variant(view) => view.encode(writer),)+
                    Self::Unknown(unknown) => {
                        writer.bytes(unknown.body);
                        Ok(())
                    }
                })
            }

            /// A copy that does not borrow. Elements without a meaning are not part of it.
            ///
            /// # Errors
            /// None for a message that [`decode`](Self::decode) returned.
            pub fn to_owned(&self) -> Result<OwnedMessage, DecodeError> {
                Ok(match self {
                    $(Self::$variant(view) => OwnedMessage::$variant(view.read()?),)+
                    Self::Unknown(unknown) => OwnedMessage::Unknown(UnknownOwned {
                        id: unknown.id.0,
                        body: unknown.body.into(),
                    }),
                })
            }
        }

        /// A message with values of its own: what an application builds and keeps. In JSON `{"message": ..., "body": ...}`.
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "message", content = "body", rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum OwnedMessage {
            $($(#[doc = $doc])+ $variant(bodies::$body),)+
            /// A message without a name.
            Unknown(UnknownOwned),
        }

        impl OwnedMessage {
            /// Which message it is; `None` for one without a name.
            #[must_use]
            pub const fn message_type(&self) -> Option<MessageType> {
                match self {
                    $(Self::$variant(_) => Some(MessageType::$variant),)+
                    Self::Unknown(_) => None,
                }
            }

            /// Reads a message to its values at once. The same as [`Message::decode`] and [`Message::to_owned`], without the
            /// view between them.
            ///
            /// # Errors
            /// As [`Message::decode`].
            pub fn decode(frame: &Frame<'_>, profile: &WireProfile) -> Result<Self, DecodeError> {
                let reader = Reader::new(frame.body, frame.body_offset, profile.byte_order());
                Ok(match profile.message_type(frame.header.id) {
                    $(Some(MessageType::$variant) => {
                        Self::$variant(ElementValue::read_value(reader, profile, "body")?)
                    })+
                    None => Self::Unknown(UnknownOwned { id: frame.header.id.0, body: frame.body.into() }),
                })
            }

            /// Appends the whole message. The header's identifier is that of the message; what it carries is given by the
            /// caller: the transaction of the request, or a sequence number.
            ///
            /// # Errors
            /// If the profile has no number for the message, or something does not fit its fields; nothing is appended then.
            pub fn encode(
                &self,
                transaction: u32,
                profile: &WireProfile,
                out: &mut BytesMut,
            ) -> Result<(), EncodeError> {
                let id = match self {
                    Self::Unknown(unknown) => MessageId(unknown.id),
                    $(Self::$variant(_) => profile
                        .message_id(MessageType::$variant)
                        .ok_or(EncodeError::NotInProfile($name))?,)+
                };
                encode_message(Header::new(id, transaction), profile, out, |writer| self.write_body(writer))
            }

            /// Appends the body.
            ///
            /// # Errors
            /// If something does not fit the profile's fields.
            pub fn write_body(&self, writer: &mut crate::wire::Writer<'_>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$variant(body) => body.write_value(writer),)+
                    Self::Unknown(unknown) => {
                        writer.bytes(unknown.body.as_bytes());
                        Ok(())
                    }
                }
            }
        }
    };
}

// Numbers below 128 are printed by `show nmsp statistics connection` in the Catalyst 9800 configuration guide; from 128 on
// they are ours, where no number of the vendor is known.
messages! {
    /// Asks whether the peer is alive.
    EchoRequest = 1 Recalled, "Echo Request", LocationServer, Echo;
    /// Answers an echo request.
    EchoResponse = 2 Recalled, "Echo Response", Controller, Echo;
    /// What the sender can do.
    CapabilityNotification = 7 Recalled, "Capability Notification", Both, Capability;
    /// Asks for measurements.
    MeasurementRequest = 13 Recalled, "Measurement Request", LocationServer, StationRequest;
    /// Answers a measurement request.
    MeasurementResponse = 14 Recalled, "Measurement Response", Controller, MeasurementResponse;
    /// What access points heard of stations.
    MeasurementNotification = 15 Recalled, "Measurement Notification", Controller, Measurements;
    /// Asks for facts about stations.
    InformationRequest = 16 Recalled, "Information Request", LocationServer, StationRequest;
    /// Answers an information request.
    InformationResponse = 17 Recalled, "Information Response", Controller, InformationResponse;
    /// Facts about stations.
    InformationNotification = 18 Recalled, "Information Notification", Controller, InformationNotification;
    /// Asks for counters of stations.
    StatisticsRequest = 20 Recalled, "Statistics Request", LocationServer, StationRequest;
    /// Answers a statistics request.
    StatisticsResponse = 21 Recalled, "Statistics Response", Controller, StatisticsResponse;
    /// Counters of stations.
    StatisticsNotification = 22 Recalled, "Statistics Notification", Controller, StatisticsNotification;
    /// Asks for services.
    ServiceSubscribeRequest = 30 Recalled, "Service Subscribe Request", LocationServer, ServiceSubscribeRequest;
    /// Answers a subscription.
    ServiceSubscribeResponse = 31 Recalled, "Service Subscribe Response", Controller, ServiceSubscribeResponse;
    /// Facts about access points.
    ApInfoNotification = 67 Recalled, "AP Info Notification", Controller, AccessPointNotification;
    /// Ends services.
    ServiceUnsubscribeRequest = 128 Ours, "Service Unsubscribe Request", LocationServer, ServiceUnsubscribeRequest;
    /// Answers the end of services: what is still subscribed.
    ServiceUnsubscribeResponse = 129 Ours, "Service Unsubscribe Response", Controller, ServiceSubscribeResponse;
    /// The sender closes the connection, and says why.
    DisconnectNotification = 130 Ours, "Disconnect Notification", Both, Disconnect;
    /// Asks where devices are attached.
    AttachmentRequest = 131 Ours, "Attachment Request", LocationServer, AttachmentRequest;
    /// Answers an attachment request.
    AttachmentResponse = 132 Ours, "Attachment Response", Controller, AttachmentResponse;
    /// Where devices were attached or detached.
    AttachmentNotification = 133 Ours, "Attachment Notification", Controller, AttachmentNotification;
    /// Asks where something is.
    LocationRequest = 134 Ours, "Location Request", Both, LocationRequest;
    /// Answers a location request, a location subscription or the end of one.
    LocationResponse = 135 Ours, "Location Response", Both, LocationResponse;
    /// Asks for notifications when something moves.
    LocationSubscribe = 136 Ours, "Location Subscribe", Both, LocationSubscribe;
    /// Ends such notifications.
    LocationUnsubscribe = 137 Ours, "Location Unsubscribe", Both, LocationUnsubscribe;
    /// Where things are now.
    LocationNotification = 138 Ours, "Location Notification", Both, LocationNotification;
    /// The forms of location that the sender can use.
    LocationCapability = 139 Ours, "Location Capability", Both, LocationCapability;
    /// Says what access points in monitor mode are to report.
    ApMonitorSubscription = 140 Ours, "AP Monitor Subscription", LocationServer, MonitorSubscription;
    /// Answers such a subscription.
    ApMonitorResponse = 141 Ours, "AP Monitor Response", Controller, StatusResponse;
    /// What access points in monitor mode heard.
    ApMonitorNotification = 142 Ours, "AP Monitor Notification", Controller, MonitorNotification;
    /// Asks which access points there are.
    ApDiscoveryRequest = 143 Ours, "AP Discovery Request", LocationServer, AccessPointDiscoveryRequest;
    /// Answers with the access points.
    ApDiscoveryResponse = 144 Ours, "AP Discovery Response", Controller, AccessPointDiscoveryResponse;
    /// Says how path loss is to be measured.
    PathLossConfigRequest = 145 Ours, "Path Loss Config Request", LocationServer, PathLossConfiguration;
    /// Answers it.
    PathLossConfigResponse = 146 Ours, "Path Loss Config Response", Controller, StatusResponse;
    /// Asks for the present state of the spectrum.
    SpectrumRequest = 147 Ours, "Spectrum Request", LocationServer, SpectrumRequest;
    /// Answers with the state of the spectrum.
    SpectrumResponse = 148 Ours, "Spectrum Response", Controller, SpectrumResponse;
    /// What spectrum analysis found.
    SpectrumNotification = 149 Ours, "Spectrum Notification", Controller, SpectrumNotification;
    /// Asks how attacks are recognised.
    IdsGetRequest = 150 Ours, "IDS Get Request", LocationServer, IdsGetRequest;
    /// Answers with the parameters.
    IdsGetResponse = 151 Ours, "IDS Get Response", Controller, IdsGetResponse;
    /// Says how attacks are to be recognised.
    IdsSetRequest = 152 Ours, "IDS Set Request", LocationServer, IdsSetRequest;
    /// Answers it.
    IdsSetResponse = 153 Ours, "IDS Set Response", Controller, StatusResponse;
    /// Alarms of the intrusion detection.
    IdsNotification = 154 Ours, "IDS Notification", Controller, IdsNotification;
    /// Asks for everything about some devices.
    DeviceInfoRequest = 155 Ours, "Device Info Request", LocationServer, DeviceRequest;
    /// Answers with everything about them.
    DeviceInfoResponse = 156 Ours, "Device Info Response", Controller, DeviceResponse;
}

impl MessageType {
    /// The messages that a connection cannot do without; a profile must give them numbers.
    pub const NEEDED: &'static [Self] = &[
        Self::EchoRequest,
        Self::EchoResponse,
        Self::CapabilityNotification,
        Self::ServiceSubscribeRequest,
        Self::ServiceSubscribeResponse,
        Self::MeasurementNotification,
    ];

    /// A dense index, below `ALL.len()`.
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a fieldless enum, exact by definition"
    )]
    pub(crate) const fn position(self) -> usize {
        self as usize
    }
}

impl Numbered for MessageType {
    fn index(self) -> usize {
        self.position()
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
