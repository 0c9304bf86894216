//! The one way in which encoders put bytes down.

use bytes::{BufMut, BytesMut};

use pki_common::MacAddr;

use super::error::EncodeError;
use super::profile::{ByteOrder, LengthCounts, WireProfile, field_maximum};
use super::schema::{Element, ElementValue};
use super::tlv::Tlv;

/// Appends to a buffer under a profile. The buffer is the caller's and is reused, so writing does not allocate once
/// the buffer has grown.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
    profile: &'a WireProfile,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub const fn new(out: &'a mut BytesMut, profile: &'a WireProfile) -> Self {
        Self { out, profile }
    }

    /// The profile in force.
    #[must_use]
    pub const fn profile(&self) -> &'a WireProfile {
        self.profile
    }

    /// Writes a TLV whose value is what `value` writes. The length is written last: until then the field holds the
    /// greatest length it can, which no receiver could satisfy. If anything fails, nothing stays in the buffer.
    ///
    /// # Errors
    /// If the profile has no number for the element, the value is too long for the length field, or `value` fails.
    pub fn tlv<E>(
        &mut self,
        element: Element,
        value: impl FnOnce(&mut Writer<'_>) -> Result<(), E>,
    ) -> Result<(), E>
    where
        E: From<EncodeError>,
    {
        let number = self
            .profile
            .tlv_type(element)
            .ok_or(EncodeError::NotInProfile(element.name()))?;
        self.tlv_numbered(number.0, value)
    }

    /// Writes an element with this value.
    ///
    /// # Errors
    /// As [`tlv`](Self::tlv).
    pub fn element<T: ElementValue>(&mut self, element: Element, value: &T) -> Result<(), EncodeError> {
        self.tlv(element, |writer| value.write_value(writer))
    }

    /// Appends a head and records of a fixed length. Room for all of them is made once.
    #[inline]
    pub(crate) fn records<const N: usize>(
        &mut self,
        head: &[u8],
        records: impl ExactSizeIterator<Item = [u8; N]>,
    ) {
        self.block(head.len() + records.len() * N, |block| {
            if let Some((place, rest)) = block.split_at_mut_checked(head.len()) {
                place.copy_from_slice(head);
                let (places, _) = rest.as_chunks_mut::<N>();
                places
                    .iter_mut()
                    .zip(records)
                    .for_each(|(place, record)| *place = record);
            }
        });
    }

    /// Appends a block of a known length, filled by `fill`.
    #[inline]
    pub(crate) fn block(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        let start = self.out.len();
        self.out.resize(start + length, 0);
        fill(self.out.get_mut(start..).unwrap_or_default());
    }

    /// The buffer, for whoever has bytes that are encoded already.
    #[cfg(feature = "tokio")]
    pub(crate) const fn buffer(&mut self) -> &mut BytesMut {
        self.out
    }

    /// Takes back what was written behind a position.
    pub(crate) fn truncate(&mut self, position: usize) {
        self.out.truncate(position);
    }

    /// Writes a TLV as it was received, with whatever number it has.
    ///
    /// # Errors
    /// If the value is too long for the length field.
    pub fn unchanged(&mut self, tlv: &Tlv<'_>) -> Result<(), EncodeError> {
        self.tlv_numbered(tlv.number.0, |writer| {
            writer.bytes(tlv.value);
            Ok(())
        })
    }

    fn tlv_numbered<E: From<EncodeError>>(
        &mut self,
        number: u16,
        value: impl FnOnce(&mut Writer<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let layout = self.profile.tlv();
        let start = self.out.len();
        self.uint(u32::from(number), layout.type_width);
        let length_at = self.out.len();
        self.uint(u32::MAX, layout.length_width);
        let value_at = self.out.len();
        let outcome = value(&mut Writer::new(self.out, self.profile)).and_then(|()| {
            let from = match layout.length_counts {
                LengthCounts::Payload => value_at,
                LengthCounts::Everything => start,
            };
            self.patch_length(length_at, layout.length_width, self.out.len() - from, "TLV")
                .map_err(E::from)
        });
        if outcome.is_err() {
            self.out.truncate(start);
        }
        outcome
    }

    /// Overwrites the length field at `at` with `length`.
    pub(crate) fn patch_length(
        &mut self,
        at: usize,
        width: u8,
        length: usize,
        what: &'static str,
    ) -> Result<(), EncodeError> {
        let value = u32::try_from(length)
            .ok()
            .filter(|value| *value <= field_maximum(width));
        let field = self.out.get_mut(at..at + usize::from(width));
        let (Some(value), Some(field)) = (value, field) else {
            return Err(EncodeError::TooLong { what, length, width });
        };
        self.profile.byte_order().write_uint(value, field);
        Ok(())
    }

    /// The low bytes of a number, in the profile's byte order.
    #[inline]
    fn uint(&mut self, value: u32, width: u8) {
        let width = usize::from(width);
        let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
        let low_bytes = match self.profile.byte_order() {
            ByteOrder::BigEndian => big.get(big.len().saturating_sub(width)..),
            ByteOrder::LittleEndian => little.get(..width),
        };
        // The profile check allows no field wider than four bytes.
        self.out.put_slice(low_bytes.unwrap_or_default());
    }

    /// The low bytes of a number, 1 to 8, in the profile's byte order.
    pub(crate) fn unsigned(&mut self, value: u64, width: usize) {
        let (big, little) = (value.to_be_bytes(), value.to_le_bytes());
        let low_bytes = match self.profile.byte_order() {
            ByteOrder::BigEndian => big.get(big.len().saturating_sub(width)..),
            ByteOrder::LittleEndian => little.get(..width),
        };
        self.out.put_slice(low_bytes.unwrap_or_default());
    }

    /// Bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    /// One byte in two's complement.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.out.put_i8(value);
    }

    /// Two bytes in the profile's byte order.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        match self.profile.byte_order() {
            ByteOrder::BigEndian => self.out.put_u16(value),
            ByteOrder::LittleEndian => self.out.put_u16_le(value),
        }
    }

    /// Four bytes in the profile's byte order.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        match self.profile.byte_order() {
            ByteOrder::BigEndian => self.out.put_u32(value),
            ByteOrder::LittleEndian => self.out.put_u32_le(value),
        }
    }

    /// Two bytes in the profile's byte order, in two's complement.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.u16(u16::from_be_bytes(value.to_be_bytes()));
    }

    /// Four bytes in the profile's byte order, in two's complement.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.u32(u32::from_be_bytes(value.to_be_bytes()));
    }

    /// Eight bytes in the profile's byte order.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        match self.profile.byte_order() {
            ByteOrder::BigEndian => self.out.put_u64(value),
            ByteOrder::LittleEndian => self.out.put_u64_le(value),
        }
    }

    /// A MAC address in transmission order.
    #[inline]
    pub fn mac(&mut self, mac: MacAddr) {
        self.out.put_slice(&mac.octets());
    }

    /// How many bytes the buffer holds.
    #[must_use]
    pub fn position(&self) -> usize {
        self.out.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_nested_lengths_after_their_values() {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&mut out, WireProfile::built_in());
        writer
            .tlv(Element::STATION_MEASUREMENT, |outer| {
                outer.u8(9);
                outer.tlv(Element::STATION_STATE, |inner| {
                    inner.u8(1);
                    Ok::<(), EncodeError>(())
                })
            })
            .unwrap();
        assert_eq!(hex::encode(&out), "001000060900110001 01".replace(' ', ""));
    }

    #[test]
    fn leaves_nothing_behind_when_a_value_is_too_long() {
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = Writer::new(&mut out, WireProfile::built_in());
        let error = writer
            .tlv(Element::SERVICES, |value| {
                value.bytes(&vec![0; 65_536]);
                Ok::<(), EncodeError>(())
            })
            .unwrap_err();
        assert_eq!(
            error,
            EncodeError::TooLong {
                what: "TLV",
                length: 65_536,
                width: 2
            }
        );
        assert_eq!(&out[..], b"before");
    }
}
