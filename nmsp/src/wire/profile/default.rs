//! The built-in profile: every number of the protocol, in one place.

use super::{
    ByteOrder, ElementNumber, FieldLayout, HeaderLayout, LengthCounts, MessageNumber, ProfileDefinition,
    Provenance, ServiceBit, TlvLayout,
};
use crate::wire::message::MessageType as M;
use crate::wire::services::Service;
use crate::wire::tlv::Element as E;

use Provenance::{Known, Ours, Recalled};

/// Numbers printed by `show nmsp statistics connection` in the Catalyst 9800 configuration guide.
const MESSAGES: [(M, u16, Provenance); 15] = [
    (M::EchoRequest, 1, Recalled),
    (M::EchoResponse, 2, Recalled),
    (M::CapabilityNotification, 7, Recalled),
    (M::MeasurementRequest, 13, Recalled),
    (M::MeasurementResponse, 14, Recalled),
    (M::MeasurementNotification, 15, Recalled),
    (M::InformationRequest, 16, Recalled),
    (M::InformationResponse, 17, Recalled),
    (M::InformationNotification, 18, Recalled),
    (M::StatisticsRequest, 20, Recalled),
    (M::StatisticsResponse, 21, Recalled),
    (M::StatisticsNotification, 22, Recalled),
    (M::ServiceSubscribeRequest, 30, Recalled),
    (M::ServiceSubscribeResponse, 31, Recalled),
    (M::ApInfoNotification, 67, Recalled),
];

const ELEMENTS: [(E, u16, Provenance); 8] = [
    (E::ProtocolVersion, 0x01, Ours),
    (E::Services, 0x02, Ours),
    (E::ServicesRejected, 0x03, Ours),
    (E::SubscribeStatus, 0x04, Ours),
    (E::StationMeasurement, 0x10, Ours),
    (E::AccessPointReading, 0x11, Ours),
    (E::SignalToNoise, 0x12, Ours),
    (E::Antenna, 0x13, Ours),
];

pub(super) fn definition() -> ProfileDefinition {
    ProfileDefinition {
        name: "default".to_owned(),
        byte_order: ByteOrder::BigEndian,
        byte_order_provenance: Ours,
        header: HeaderLayout {
            length: 12,
            version: FieldLayout {
                offset: 0,
                width: 1,
                provenance: Ours,
            },
            version_spoken: 1,
            message_id: FieldLayout {
                offset: 2,
                width: 2,
                provenance: Known,
            },
            message_length: FieldLayout {
                offset: 4,
                width: 4,
                provenance: Ours,
            },
            length_counts: LengthCounts::Everything,
            transaction: FieldLayout {
                offset: 8,
                width: 4,
                provenance: Ours,
            },
        },
        tlv: TlvLayout {
            type_width: 2,
            length_width: 2,
            length_counts: LengthCounts::Payload,
            provenance: Ours,
        },
        messages: MESSAGES
            .into_iter()
            .map(|(message, number, provenance)| MessageNumber {
                message,
                number,
                provenance,
            })
            .collect(),
        elements: ELEMENTS
            .into_iter()
            .map(|(element, number, provenance)| ElementNumber {
                element,
                number,
                provenance,
            })
            .collect(),
        services: Service::ALL
            .iter()
            .map(|&service| ServiceBit {
                service,
                bit: service.position(),
                provenance: Ours,
            })
            .collect(),
    }
}
