//! Bodies of every family, made from the schema: whatever is declared occurs sooner or later.

use bytes::BytesMut;
use nmsp::wire::frame::{Header, encode_message};
use nmsp::wire::schema::{Child, Element, FieldSchema, Kind, Occurrence};
use nmsp::wire::{EncodeError, MessageType, TlvType, WireProfile, Writer};

/// A small generator; the seed is the only randomness.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A whole message with a body of this family; `None` if the profile cannot say it.
pub(crate) fn message(profile: &WireProfile, kind: MessageType, seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    let mut header = Header::new(profile.message_id(kind)?, u32::try_from(seed % 1000).unwrap());
    header.opaque = [0; 16];
    let mut out = BytesMut::new();
    encode_message(header, profile, &mut out, |writer| {
        elements(kind.elements(), writer, &mut random)
    })
    .ok()?;
    Some(out.to_vec())
}

fn elements(children: &[Child], writer: &mut Writer<'_>, random: &mut Random) -> Result<(), EncodeError> {
    let mut chosen: Vec<Element> = Vec::new();
    for child in children {
        let count = match child.occurrence {
            Occurrence::Required => 1,
            Occurrence::Optional => random.below(2),
            Occurrence::Many => random.below(3),
        };
        chosen.extend(vec![child.element; count]);
    }
    // Any order, with elements of other families and without a meaning between them.
    for index in (1..chosen.len()).rev() {
        chosen.swap(index, random.below(index + 1));
    }
    for element in chosen {
        if random.below(4) == 0 {
            unknown(writer, random)?;
        }
        // An element that the profile leaves out cannot be written; required ones make the message impossible.
        writer.tlv(element, |writer| value(element, writer, random))?;
    }
    Ok(())
}

fn unknown(writer: &mut Writer<'_>, random: &mut Random) -> Result<(), EncodeError> {
    let number = (0..=255)
        .rev()
        .map(TlvType)
        .find(|number| writer.profile().element(*number).is_none())
        .unwrap();
    let length = random.below(6);
    let value = random.bytes(length);
    writer.unchanged(&nmsp::wire::Tlv {
        number,
        value: &value,
        offset: 0,
        value_offset: 0,
    })
}

fn value(element: Element, writer: &mut Writer<'_>, random: &mut Random) -> Result<(), EncodeError> {
    let schema = element.schema();
    for each in schema.fields {
        field(each, writer, random);
    }
    if schema.exact {
        return Ok(());
    }
    elements(schema.children, writer, random)
}

fn field(field: &FieldSchema, writer: &mut Writer<'_>, random: &mut Random) {
    match field.kind {
        Kind::Text | Kind::Octets => {
            let length = random.below(20);
            writer.bytes(&random.bytes(length));
        }
        Kind::Records(record) => {
            let count = random.below(5);
            writer.u16(u16::try_from(count).unwrap());
            writer.bytes(&random.bytes(count * record.length));
        }
        Kind::Civic => {
            writer.bytes(&random.bytes(3));
            for _ in 0..random.below(4) {
                let length = random.below(9);
                writer.bytes(&random.bytes(1));
                writer.u8(u8::try_from(length).unwrap());
                writer.bytes(&random.bytes(length));
            }
        }
        Kind::Number { width: 1, names, .. } if random.below(2) == 0 => {
            writer.u8(u8::try_from(names[random.below(names.len())].0).unwrap());
        }
        kind => writer.bytes(&random.bytes(kind.fixed_length().unwrap())),
    }
}
