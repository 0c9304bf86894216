//! The built-in profile. The numbers of messages and elements stand in their declarations.

use super::{
    ByteOrder, ElementNumber, FieldLayout, HeaderLayout, LengthCounts, MessageNumber, ProfileDefinition,
    Provenance, ServiceBit, TlvLayout,
};
use crate::wire::message::MessageType;
use crate::wire::schema::Element;
use crate::wire::services::Service;

use Provenance::{Known, Ours};

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
        messages: MessageType::ALL
            .iter()
            .map(|&message| MessageNumber {
                message,
                number: message.built_in_number(),
                provenance: message.provenance(),
            })
            .collect(),
        elements: Element::ALL
            .iter()
            .map(|&element| ElementNumber {
                element,
                number: element.built_in_number().into(),
                provenance: element.schema().provenance,
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
