//! Type-length-value elements: what bodies are made of.

use core::fmt;

use super::error::{DecodeError, DecodeErrorKind};
use super::numbers::TlvType;
use super::profile::{LengthCounts, WireProfile};
use super::reader::Reader;
use super::schema::Element;

/// One element as it stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The type number.
    pub number: TlvType,
    /// The value, without type and length.
    pub value: &'a [u8],
    /// Where the element starts, in bytes from the start of the message.
    pub offset: usize,
    /// Where the value starts, in bytes from the start of the message.
    pub value_offset: usize,
}

impl<'a> Tlv<'a> {
    /// Reads the next element.
    ///
    /// # Errors
    /// If type, length or value are cut short, or the length is less than the TLV header it counts.
    #[inline]
    pub fn read(reader: &mut Reader<'a>, profile: &WireProfile) -> Result<Self, DecodeError> {
        let offset = reader.offset();
        if profile.has_common_tlvs()
            && let Some(head) = reader.peek::<4>()
        {
            let [type_0, type_1, length_0, length_1] = head;
            reader.take(4, "TLV type")?;
            let length = usize::from(u16::from_be_bytes([length_0, length_1]));
            return Ok(Self {
                number: TlvType(u16::from_be_bytes([type_0, type_1])),
                value_offset: reader.offset(),
                value: reader.take(length, "TLV value")?,
                offset,
            });
        }
        let layout = profile.tlv();
        let number = reader.uint(layout.type_width, "TLV type")?;
        let length_offset = reader.offset();
        let announced = reader.uint(layout.length_width, "TLV length")?;
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let length = match layout.length_counts {
            LengthCounts::Payload => announced,
            LengthCounts::Everything => announced.checked_sub(layout.header_length()).ok_or_else(|| {
                let kind = DecodeErrorKind::Truncated {
                    needed: layout.header_length(),
                    available: announced,
                };
                DecodeError::new(length_offset, "TLV length", kind)
            })?,
        };
        let value_offset = reader.offset();
        let value = reader.take(length, "TLV value")?;
        // The profile check allows type fields of one or two bytes.
        let number = TlvType(u16::try_from(number).unwrap_or(u16::MAX));
        Ok(Self {
            number,
            value,
            offset,
            value_offset,
        })
    }

    /// A reader over the value.
    #[must_use]
    #[inline]
    pub fn reader(&self, profile: &WireProfile) -> Reader<'a> {
        Reader::new(self.value, self.value_offset, profile.byte_order())
    }
}

/// A run of elements, already known to be well formed.
#[derive(Clone, Copy)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    offset: usize,
    profile: &'a WireProfile,
}

impl<'a> Elements<'a> {
    /// Elements that have been checked before, looked at again.
    pub(crate) const fn checked(bytes: &'a [u8], offset: usize, profile: &'a WireProfile) -> Self {
        Self {
            bytes,
            offset,
            profile,
        }
    }

    /// The elements in the order of the wire, each with its meaning under the profile.
    #[must_use]
    #[inline]
    pub const fn iter(&self) -> ElementsIter<'a> {
        ElementsIter {
            reader: self.reader(),
            profile: self.profile,
        }
    }

    /// A reader over them.
    #[inline]
    pub(crate) const fn reader(&self) -> Reader<'a> {
        Reader::new(self.bytes, self.offset, self.profile.byte_order())
    }

    /// The elements that this crate or the profile has no meaning for, in the order of the wire.
    pub fn unknown(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        self.iter()
            .filter(|(meaning, _)| meaning.is_none())
            .map(|(_, tlv)| tlv)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) const fn profile(&self) -> &'a WireProfile {
        self.profile
    }
}

/// The elements of a run, see [`Elements::iter`].
#[derive(Clone, Debug)]
pub struct ElementsIter<'a> {
    reader: Reader<'a>,
    profile: &'a WireProfile,
}

impl<'a> Iterator for ElementsIter<'a> {
    type Item = (Option<Element>, Tlv<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        // They were checked, so the end of the iteration is the end of the bytes.
        let tlv = Tlv::read(&mut self.reader, self.profile).ok()?;
        Some((self.profile.element(tlv.number), tlv))
    }
}

impl PartialEq for Elements<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Elements<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
