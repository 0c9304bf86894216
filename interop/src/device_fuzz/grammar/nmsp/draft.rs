//! A message on its way to bytes, with places where the bytes can say something else than what is there.

use fastrand::Rng;
use nmsp::wire::frame::Header;
use nmsp::wire::profile::{ByteOrder, FieldLayout, LengthCounts};
use nmsp::wire::schema::{Child, Element, FieldSchema, Kind, Occurrence};
use nmsp::wire::{MessageId, MessageType, WireProfile};

/// Nothing that is generated stands deeper; the schema is far below.
const DEEPEST: usize = 12;

/// The number of an element that no profile has given a meaning to so far; also where types are one byte wide.
pub(super) const UNKNOWN: u16 = 0xfffe;

/// Which values fields get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// As a device has them.
    Ordinary,
    /// The least, the greatest, and what stands beside them.
    Limits,
}

/// An element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Its number on the wire.
    pub(super) number: u16,
    /// What is announced instead of the length.
    pub(super) announced: Option<u32>,
    /// The fixed fields.
    pub(super) fields: Vec<u8>,
    /// The elements behind them.
    pub(super) children: Vec<Self>,
}

impl Node {
    /// An element with a value.
    pub(super) fn leaf(number: u16, value: impl Into<Vec<u8>>) -> Self {
        Self {
            number,
            announced: None,
            fields: value.into(),
            children: Vec::new(),
        }
    }

    /// Appends type, length and value.
    pub(super) fn write(&self, profile: &WireProfile, out: &mut Vec<u8>) {
        let layout = profile.definition().tlv;
        let order = profile.definition().byte_order;
        let mut value = self.fields.clone();
        for child in &self.children {
            child.write(profile, &mut value);
        }
        let head = usize::from(layout.type_width) + usize::from(layout.length_width);
        let length = match layout.length_counts {
            LengthCounts::Payload => value.len(),
            LengthCounts::Everything => value.len() + head,
        };
        let length = self
            .announced
            .unwrap_or(u32::try_from(length).unwrap_or(u32::MAX));
        out.extend(number(order, u32::from(self.number), layout.type_width));
        out.extend(number(order, length, layout.length_width));
        out.append(&mut value);
    }
}

/// The lower bytes of a number.
fn number(order: ByteOrder, value: u32, width: u8) -> Vec<u8> {
    let width = usize::from(width).min(4);
    match order {
        ByteOrder::BigEndian => value.to_be_bytes().split_at(4 - width).1.to_vec(),
        ByteOrder::LittleEndian => value.to_le_bytes().split_at(width).0.to_vec(),
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    /// The identifier.
    pub(super) id: u16,
    /// The transaction.
    pub(super) transaction: u32,
    /// What stands in the header where no field is.
    pub(super) opaque: u8,
    /// A version other than the profile's.
    pub(super) version: Option<u32>,
    /// What is announced instead of the length.
    pub(super) announced: Option<u32>,
    /// The body.
    pub(super) nodes: Vec<Node>,
    /// Bytes behind the elements.
    pub(super) tail: Vec<u8>,
}

impl Draft {
    /// A message without a body.
    pub(super) const fn new(id: u16, transaction: u32) -> Self {
        Self {
            id,
            transaction,
            opaque: 0,
            version: None,
            announced: None,
            nodes: Vec::new(),
            tail: Vec::new(),
        }
    }

    /// The whole message.
    pub(super) fn bytes(&self, profile: &WireProfile) -> Vec<u8> {
        let mut body = Vec::new();
        for node in &self.nodes {
            node.write(profile, &mut body);
        }
        body.extend_from_slice(&self.tail);
        let layout = &profile.definition().header;
        let mut header = Header::new(MessageId(self.id), self.transaction);
        header.opaque.fill(self.opaque);
        let mut head = bytes::BytesMut::new();
        if header.encode(profile, body.len(), &mut head).is_err() {
            // The body is longer than its length can say, or the transaction does not fit.
            head.clear();
            head.resize(usize::from(layout.length), 0);
            patch(profile, &mut head, layout.message_id, u32::from(self.id));
            patch(profile, &mut head, layout.message_length, u32::MAX);
        }
        if let Some(version) = self.version {
            patch(profile, &mut head, layout.version, version);
        }
        if let Some(announced) = self.announced {
            patch(profile, &mut head, layout.message_length, announced);
        }
        let mut message = head.to_vec();
        message.append(&mut body);
        message
    }
}

fn patch(profile: &WireProfile, head: &mut [u8], field: FieldLayout, value: u32) {
    let bytes = number(profile.definition().byte_order, value, field.width);
    let start = usize::from(field.offset);
    if let Some(place) = head.get_mut(start..start + bytes.len()) {
        place.copy_from_slice(&bytes);
    }
}

/// A message with a valid body; `None` if the profile has no number for it.
pub(super) fn draft(
    profile: &WireProfile,
    message: MessageType,
    values: Values,
    random: &mut Rng,
) -> Option<Draft> {
    let id = profile.message_id(message)?;
    let mut draft = Draft::new(id.0, random.u32(1..0x7fff_ffff));
    draft.nodes = nodes(profile, message.elements(), values, random, 0);
    if matches!(message, MessageType::EchoRequest | MessageType::EchoResponse) {
        draft.nodes.push(marker(random));
    }
    Some(draft)
}

/// The element that an echo carries, to be known again: one without a meaning.
pub(super) fn marker(random: &mut Rng) -> Node {
    Node::leaf(UNKNOWN, bytes(random, 8))
}

fn nodes(
    profile: &WireProfile,
    children: &[Child],
    values: Values,
    random: &mut Rng,
    depth: usize,
) -> Vec<Node> {
    let mut nodes = Vec::new();
    for child in children {
        let count = match (child.occurrence, values) {
            (Occurrence::Required, _) => 1,
            (Occurrence::Optional, _) => random.usize(0..=1),
            (Occurrence::Many, Values::Ordinary) => random.usize(0..=2),
            (Occurrence::Many, Values::Limits) => *random.choice([0, 1, 2, 17].iter()).unwrap_or(&1),
        };
        for _ in 0..count {
            nodes.extend(node(profile, child.element, values, random, depth));
        }
    }
    nodes
}

/// An element with a value; `None` if the profile has no number for it.
pub(super) fn node(
    profile: &WireProfile,
    element: Element,
    values: Values,
    random: &mut Rng,
    depth: usize,
) -> Option<Node> {
    let mut node = Node::leaf(profile.tlv_type(element)?.0, Vec::new());
    let schema = element.schema();
    for each in schema.fields {
        field(profile, each, values, random, &mut node.fields);
    }
    if !schema.exact && depth < DEEPEST {
        node.children = nodes(profile, schema.children, values, random, depth + 1);
    }
    Some(node)
}

fn field(profile: &WireProfile, field: &FieldSchema, values: Values, random: &mut Rng, out: &mut Vec<u8>) {
    match field.kind {
        Kind::Text => out.extend(text(values, random)),
        Kind::Octets => {
            let length = length(values, random);
            out.extend(bytes(random, length));
        }
        Kind::Records(record) => {
            let count = random.u16(0..4);
            out.extend(number(profile.definition().byte_order, u32::from(count), 2));
            for _ in 0..count {
                for each in record.fields {
                    self::field(profile, each, values, random, out);
                }
            }
        }
        Kind::Civic => {
            out.extend(bytes(random, 3));
            for _ in 0..random.u8(0..4) {
                let length = random.u8(0..9);
                out.extend([random.u8(..), length]);
                out.extend(bytes(random, usize::from(length)));
            }
        }
        Kind::Number { width, names, .. } if values == Values::Ordinary => {
            let named = random
                .choice(names.iter())
                .map_or(0, |(value, _)| u32::from(*value));
            out.extend(number(profile.definition().byte_order, named, width));
        }
        kind => {
            let width = kind.fixed_length().unwrap_or_default();
            out.extend(match values {
                Values::Ordinary => bytes(random, width),
                Values::Limits => limit(random, width),
            });
        }
    }
}

/// Zero, one, the greatest, and both sides of the sign.
fn limit(random: &mut Rng, width: usize) -> Vec<u8> {
    let mut bytes = vec![*random.choice([0, 0, 0xff, 0xff].iter()).unwrap_or(&0); width];
    let (choice, all) = (random.u8(0..4), bytes.first().copied().unwrap_or_default());
    match (choice, bytes.first_mut()) {
        (0, Some(first)) => *first ^= 0x80,
        (1, Some(_)) => {
            if let Some(last) = bytes.last_mut() {
                *last = all ^ 1;
            }
        }
        _ => {}
    }
    bytes
}

fn text(values: Values, random: &mut Rng) -> Vec<u8> {
    const ODD: [&[u8]; 10] = [
        b"",
        b"\0",
        b"%s%n%x%n",
        b"'; DROP TABLE stations;--",
        b"<script>alert(1)</script>",
        b"../../../../etc/passwd",
        b"\xff\xfe\xc0\xaf",
        "\u{202e}\u{0301}\u{1f4a3}".as_bytes(),
        b"line\r\nnext: line",
        b"$(reboot)`reboot`",
    ];
    if values == Values::Limits {
        return match random.u8(0..4) {
            0 => vec![b'A'; length(values, random)],
            _ => random
                .choice(ODD.iter())
                .map(|text| text.to_vec())
                .unwrap_or_default(),
        };
    }
    (0..random.usize(1..12))
        .map(|_| u8::try_from(random.lowercase()).unwrap_or(b'a'))
        .collect()
}

fn length(values: Values, random: &mut Rng) -> usize {
    match values {
        Values::Ordinary => random.usize(0..20),
        Values::Limits => *random
            .choice([0, 1, 255, 256, 1023, 4096, 20_000].iter())
            .unwrap_or(&0),
    }
}

/// Random bytes.
pub(super) fn bytes(random: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}
