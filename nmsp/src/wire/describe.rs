//! A message taken apart for people: every byte with its place, name and value, made from the schema.
//!
//! The walk never fails. What is malformed is a part of its own, with the reason as its value.

use super::error::DecodeError;
use super::frame::Frame;
use super::message::MessageType;
use super::numbers::MessageId;
use super::profile::{LengthCounts, WireProfile};
use super::reader::Reader;
use super::schema::{ElementSchema, FieldSchema, Kind, RecordSchema};
use super::text::hexadecimal;
use super::tlv::Tlv;

/// A part of a message. The parts that are [`leaf`](Self::leaf) cover every byte exactly once, in the order of the wire;
/// the others announce the parts inside them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part<'a> {
    /// Where it starts, in bytes from the start of the message.
    pub offset: usize,
    /// How deep it stands: 0 for the message itself, 1 for header fields and elements of the body, and so on.
    pub depth: usize,
    /// The name in `PROTOCOL.md`, or what it is.
    pub name: String,
    /// The value with its unit, or a summary.
    pub value: String,
    /// The bytes. Those of a part with parts inside are the bytes of them all.
    pub bytes: &'a [u8],
    /// Whether no part stands inside it.
    pub leaf: bool,
    /// Whether the bytes are not what the profile declares.
    pub malformed: bool,
}

/// Takes a message apart. `bytes` is a whole message as it was cut from the stream, or what there is of it.
///
/// ```
/// use nmsp::wire::{WireProfile, describe::describe};
///
/// let bytes = [1, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 7];
/// let parts = describe(WireProfile::built_in(), &bytes);
/// assert_eq!(parts[0].value, "Echo Request (1), 12 bytes");
/// assert_eq!(parts.iter().filter(|part| part.leaf).map(|part| part.bytes.len()).sum::<usize>(), 12);
/// ```
#[must_use]
pub fn describe<'a>(profile: &WireProfile, bytes: &'a [u8]) -> Vec<Part<'a>> {
    let mut walk = Walk {
        profile,
        parts: Vec::new(),
    };
    let length = usize::from(profile.header().length);
    let Some((header, body)) = bytes.split_at_checked(length) else {
        walk.malformed(
            0,
            0,
            bytes,
            &format!("incomplete header, {length} bytes are needed"),
        );
        return walk.parts;
    };
    let id = header_field(profile, header, profile.header().message_id.range());
    let id = MessageId(u16::try_from(id).unwrap_or(u16::MAX));
    let message = profile.message_type(id);
    let name = message.map_or("unknown message", MessageType::name);
    let summary = format!("{name} ({id}), {} bytes", bytes.len());
    walk.branch(0, 0, "message", summary, bytes);
    walk.header(header, message, bytes.len());
    match message {
        Some(_) => walk.elements(&mut Reader::new(body, length, profile.byte_order()), 1),
        None if body.is_empty() => {}
        None => walk.leaf(length, 1, "body", hexadecimal(body), body),
    }
    walk.parts
}

/// Takes a stream of messages apart, one list of parts per message. What follows a broken header is one malformed part.
#[must_use]
pub fn describe_stream<'a>(
    profile: &WireProfile,
    limit: usize,
    mut bytes: &'a [u8],
) -> Vec<(usize, Vec<Part<'a>>)> {
    let (mut messages, mut start) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let length = match Frame::cut(profile, limit, bytes) {
            Ok(Some((_, length))) => length,
            Ok(None) => bytes.len(),
            Err(error) => {
                let mut walk = Walk {
                    profile,
                    parts: Vec::new(),
                };
                walk.malformed(0, 0, bytes, &error.to_string());
                messages.push((start, walk.parts));
                return messages;
            }
        };
        let (message, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        messages.push((start, describe(profile, message)));
        (bytes, start) = (rest, start + length);
    }
    messages
}

fn header_field(profile: &WireProfile, header: &[u8], range: core::ops::Range<usize>) -> u32 {
    profile.byte_order().uint(header.get(range).unwrap_or_default())
}

struct Walk<'p, 'a> {
    profile: &'p WireProfile,
    parts: Vec<Part<'a>>,
}

impl<'a> Walk<'_, 'a> {
    fn push(&mut self, offset: usize, depth: usize, name: &str, value: String, bytes: &'a [u8], leaf: bool) {
        self.parts.push(Part {
            offset,
            depth,
            name: name.to_owned(),
            value,
            bytes,
            leaf,
            malformed: false,
        });
    }

    fn leaf(&mut self, offset: usize, depth: usize, name: &str, value: String, bytes: &'a [u8]) {
        self.push(offset, depth, name, value, bytes, true);
    }

    fn branch(&mut self, offset: usize, depth: usize, name: &str, value: String, bytes: &'a [u8]) {
        self.push(offset, depth, name, value, bytes, false);
    }

    fn malformed(&mut self, offset: usize, depth: usize, bytes: &'a [u8], reason: &str) {
        self.leaf(offset, depth, "malformed", reason.to_owned(), bytes);
        if let Some(part) = self.parts.last_mut() {
            part.malformed = true;
        }
    }

    /// The rest of a reader cannot be read.
    fn broken(&mut self, reader: &mut Reader<'a>, depth: usize, error: &DecodeError) {
        let offset = reader.offset();
        let rest = reader.rest();
        self.malformed(offset, depth, rest, &error.to_string());
    }

    fn header(&mut self, header: &'a [u8], message: Option<MessageType>, whole: usize) {
        let layout = *self.profile.header();
        let mut offset = 0;
        while offset < header.len() {
            let field = layout
                .fields()
                .into_iter()
                .find(|(_, place)| usize::from(place.offset) == offset);
            let (name, range) = match field {
                Some((name, place)) => (name, place.range()),
                None => ("unused header byte", offset..offset + 1),
            };
            let bytes = header.get(range.clone()).unwrap_or_default();
            let number = header_field(self.profile, header, range.clone());
            let value = match name {
                "message id" => {
                    format!("{number} ({})", message.map_or("unknown", MessageType::name))
                }
                "message length" => {
                    let counted = match layout.length_counts {
                        LengthCounts::Everything => whole,
                        LengthCounts::Payload => whole.saturating_sub(header.len()),
                    };
                    match u32::try_from(counted) {
                        Ok(counted) if counted == number => format!("{number} bytes"),
                        _ => format!("{number} bytes, but there are {counted}"),
                    }
                }
                _ => number.to_string(),
            };
            self.leaf(offset, 1, name, value, bytes);
            offset = range.end.max(offset + 1);
        }
    }

    fn elements(&mut self, reader: &mut Reader<'a>, depth: usize) {
        while !reader.is_empty() {
            let before = reader.clone();
            let tlv = match Tlv::read(reader, self.profile) {
                Ok(tlv) => tlv,
                Err(error) => {
                    *reader = before;
                    self.broken(reader, depth, &error);
                    return;
                }
            };
            self.element(before, &tlv, depth);
        }
    }

    /// `before` stands at the start of the element.
    fn element(&mut self, mut before: Reader<'a>, tlv: &Tlv<'a>, depth: usize) {
        let layout = self.profile.tlv();
        let (width, header) = (usize::from(layout.type_width), layout.header_length());
        let length = header + tlv.value.len();
        // The element was read, so its bytes are there.
        let whole = before.take(length, "TLV").unwrap_or_default();
        let element = self.profile.element(tlv.number);
        let name = element.map_or_else(|| format!("unknown element {}", tlv.number), |e| e.to_string());
        self.branch(tlv.offset, depth, &name, format!("{length} bytes"), whole);
        let (number, rest) = whole.split_at_checked(width).unwrap_or_default();
        let (announced, _) = rest
            .split_at_checked(header.saturating_sub(width))
            .unwrap_or_default();
        let announced_value = self.profile.byte_order().uint(announced);
        self.leaf(tlv.offset, depth + 1, "TLV type", tlv.number.to_string(), number);
        let offset = tlv.offset + width;
        self.leaf(
            offset,
            depth + 1,
            "TLV length",
            announced_value.to_string(),
            announced,
        );
        match element {
            Some(element) => self.value(element.schema(), &mut tlv.reader(self.profile), depth + 1),
            None if tlv.value.is_empty() => {}
            None => {
                let value = hexadecimal(tlv.value);
                self.leaf(tlv.value_offset, depth + 1, "value", value, tlv.value);
            }
        }
    }

    fn value(&mut self, schema: &'static ElementSchema, reader: &mut Reader<'a>, depth: usize) {
        for field in schema.fields {
            if let Err(error) = self.field(field, reader, depth) {
                self.broken(reader, depth, &error);
                return;
            }
        }
        if schema.exact {
            if let Err(error) = reader.clone().finish(schema.name) {
                self.broken(reader, depth, &error);
            }
        } else {
            self.elements(reader, depth);
        }
    }

    fn field(
        &mut self,
        field: &FieldSchema,
        reader: &mut Reader<'a>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        if let Kind::Records(record) = field.kind {
            return self.records(record, reader, depth);
        }
        let mut ahead = reader.clone();
        let value = field.kind.value(&mut ahead, self.profile, field.name)?;
        let text = match (field.kind, unit(field)) {
            (Kind::Unsigned(_) | Kind::Signed(_), Some(unit)) => format!("{value} {unit}"),
            _ => value.to_string(),
        };
        let (offset, length) = (reader.offset(), ahead.offset() - reader.offset());
        let bytes = reader.take(length, field.name)?;
        if length > 0 {
            self.leaf(offset, depth, field.name, text, bytes);
        }
        Ok(())
    }

    fn records(
        &mut self,
        record: &'static RecordSchema,
        reader: &mut Reader<'a>,
        depth: usize,
    ) -> Result<(), DecodeError> {
        let name = format!("number of {} records", record.name);
        let (offset, mut ahead) = (reader.offset(), reader.clone());
        let count = ahead.u16("count")?;
        let counted = reader.take(2, "count")?;
        self.leaf(offset, depth, &name, count.to_string(), counted);
        for number in 1..=count {
            let offset = reader.offset();
            let bytes = reader.clone().take(record.length, record.name)?;
            self.branch(offset, depth, record.name, format!("{number} of {count}"), bytes);
            for field in record.fields {
                self.field(field, reader, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// The unit of a field, without a range.
fn unit(field: &FieldSchema) -> Option<&'static str> {
    let unit = field.unit.split(',').next().unwrap_or_default();
    let is_range = unit.contains(" to ") || unit.starts_with("from");
    (!unit.is_empty() && !is_range).then_some(unit)
}
