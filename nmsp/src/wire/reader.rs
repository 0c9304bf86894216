//! The one way in which decoders look at bytes.

use pki_common::MacAddr;

use super::error::{DecodeError, DecodeErrorKind};
use super::profile::ByteOrder;

/// A cursor over the bytes of one message. Every read names its field, so that an error can say where it stands.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    order: ByteOrder,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`, whose first byte stands `offset` bytes after the start of the message.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8], offset: usize, order: ByteOrder) -> Self {
        Self { bytes, offset, order }
    }

    /// Where the next byte stands, counted from the start of the message.
    #[inline]
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether everything has been read.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`] if fewer are left.
    #[inline]
    pub fn take(&mut self, length: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            let available = self.bytes.len();
            return Err(self.error(
                field,
                DecodeErrorKind::Truncated {
                    needed: length,
                    available,
                },
            ));
        };
        self.bytes = rest;
        self.offset += length;
        Ok(taken)
    }

    /// The next `N` bytes, which stay where they are; `None` if fewer are left.
    #[inline]
    pub(crate) fn peek<const N: usize>(&self) -> Option<[u8; N]> {
        self.bytes.first_chunk().copied()
    }

    /// A reader for the next `length` bytes alone.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Truncated`] if fewer are left.
    #[inline]
    pub fn sub(&mut self, length: usize, field: &'static str) -> Result<Self, DecodeError> {
        let (offset, order) = (self.offset, self.order);
        Ok(Reader {
            bytes: self.take(length, field)?,
            offset,
            order,
        })
    }

    /// Everything that is left.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        self.offset += self.bytes.len();
        core::mem::take(&mut self.bytes)
    }

    /// Refuses bytes that are left over.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TrailingBytes`] if there are any.
    pub fn finish(self, field: &'static str) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            count => Err(self.error(field, DecodeErrorKind::TrailingBytes { count })),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let [byte] = self.array(field)?;
        Ok(byte)
    }

    /// One byte as a two's-complement number.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn i8(&mut self, field: &'static str) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array(field)?))
    }

    /// Two bytes in the profile's byte order.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let bytes = self.array(field)?;
        Ok(match self.order {
            ByteOrder::BigEndian => u16::from_be_bytes(bytes),
            ByteOrder::LittleEndian => u16::from_le_bytes(bytes),
        })
    }

    /// Eight bytes in the profile's byte order.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let bytes = self.array(field)?;
        Ok(match self.order {
            ByteOrder::BigEndian => u64::from_be_bytes(bytes),
            ByteOrder::LittleEndian => u64::from_le_bytes(bytes),
        })
    }

    /// Four bytes in the profile's byte order.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        let bytes = self.array(field)?;
        Ok(match self.order {
            ByteOrder::BigEndian => u32::from_be_bytes(bytes),
            ByteOrder::LittleEndian => u32::from_le_bytes(bytes),
        })
    }

    /// Two bytes in the profile's byte order, in two's complement.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn i16(&mut self, field: &'static str) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.u16(field)?.to_be_bytes()))
    }

    /// Four bytes in the profile's byte order, in two's complement.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.u32(field)?.to_be_bytes()))
    }

    /// A number of 1 to 8 bytes in the profile's byte order.
    pub(crate) fn unsigned(&mut self, width: u8, field: &'static str) -> Result<u64, DecodeError> {
        let bytes = self.take(usize::from(width), field)?;
        let join = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Ok(match self.order {
            ByteOrder::BigEndian => bytes.iter().fold(0, join),
            ByteOrder::LittleEndian => bytes.iter().rev().fold(0, join),
        })
    }

    /// A number of 1 to 8 bytes in the profile's byte order, in two's complement.
    pub(crate) fn signed(&mut self, width: u8, field: &'static str) -> Result<i64, DecodeError> {
        let value = self.unsigned(width, field)?;
        let unused = 64_u32.saturating_sub(8 * u32::from(width));
        let shifted = value.checked_shl(unused).unwrap_or_default();
        Ok(i64::from_be_bytes(shifted.to_be_bytes()) >> unused.min(63))
    }

    /// A number of `width` bytes (1 to 4, as the profile has it) in the profile's byte order.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn uint(&mut self, width: u8, field: &'static str) -> Result<u32, DecodeError> {
        Ok(self.order.uint(self.take(usize::from(width), field)?))
    }

    /// A MAC address in transmission order, whatever the profile's byte order is.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn mac(&mut self, field: &'static str) -> Result<MacAddr, DecodeError> {
        Ok(MacAddr::from(self.array::<6>(field)?))
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[inline]
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((array, rest)) = self.bytes.split_first_chunk::<N>() else {
            let available = self.bytes.len();
            return Err(self.error(field, DecodeErrorKind::Truncated { needed: N, available }));
        };
        self.bytes = rest;
        self.offset += N;
        Ok(*array)
    }

    #[cold]
    const fn error(&self, field: &'static str, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.offset, field, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_offset_field_and_shortage() {
        let mut reader = Reader::new(&[1, 2, 3], 12, ByteOrder::BigEndian);
        assert_eq!(reader.u16("first"), Ok(0x0102));
        let error = reader.u64("second").unwrap_err();
        assert_eq!(
            error.to_string(),
            "byte 14 (second): 8 bytes are needed but only 1 follow"
        );
    }

    #[test]
    fn a_sub_reader_cannot_leave_its_part() {
        let mut reader = Reader::new(&[1, 2, 3, 4], 0, ByteOrder::LittleEndian);
        let mut part = reader.sub(2, "part").unwrap();
        assert_eq!(part.u16("inside"), Ok(0x0201));
        assert!(part.u8("outside").is_err());
        assert_eq!(reader.rest(), [3, 4]);
    }

    #[test]
    fn refuses_bytes_left_over() {
        let reader = Reader::new(&[1], 5, ByteOrder::BigEndian);
        assert_eq!(
            reader.finish("value").unwrap_err().to_string(),
            "byte 5 (value): 1 bytes too many"
        );
    }
}
