//! Where the fields of a header and of a TLV stand.

use super::Provenance;

/// The order of the bytes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Most significant byte first ("network order").
    BigEndian,
    /// Least significant byte first.
    LittleEndian,
}

impl ByteOrder {
    #[inline]
    pub(crate) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::BigEndian => u16::from_be_bytes(bytes),
            Self::LittleEndian => u16::from_le_bytes(bytes),
        }
    }

    #[inline]
    pub(crate) const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::BigEndian => u64::from_be_bytes(bytes),
            Self::LittleEndian => u64::from_le_bytes(bytes),
        }
    }

    /// The number that up to four bytes stand for. Two and four bytes, the usual widths, are one load.
    #[inline]
    pub(crate) fn uint(self, bytes: &[u8]) -> u32 {
        if let Ok(bytes) = <[u8; 2]>::try_from(bytes) {
            return u32::from(match self {
                Self::BigEndian => u16::from_be_bytes(bytes),
                Self::LittleEndian => u16::from_le_bytes(bytes),
            });
        }
        if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
            return match self {
                Self::BigEndian => u32::from_be_bytes(bytes),
                Self::LittleEndian => u32::from_le_bytes(bytes),
            };
        }
        let join = |value: u32, byte: &u8| (value << 8) | u32::from(*byte);
        match self {
            Self::BigEndian => bytes.iter().fold(0, join),
            Self::LittleEndian => bytes.iter().rev().fold(0, join),
        }
    }

    /// Writes the low bytes of a number into a field. The caller has checked that it fits.
    #[inline]
    pub(crate) fn write_uint(self, value: u32, field: &mut [u8]) {
        if let Ok(field) = <&mut [u8; 4]>::try_from(&mut *field) {
            *field = match self {
                Self::BigEndian => value.to_be_bytes(),
                Self::LittleEndian => value.to_le_bytes(),
            };
            return;
        }
        let low_first = value.to_le_bytes().into_iter();
        match self {
            Self::BigEndian => field
                .iter_mut()
                .rev()
                .zip(low_first)
                .for_each(|(to, from)| *to = from),
            Self::LittleEndian => field.iter_mut().zip(low_first).for_each(|(to, from)| *to = from),
        }
    }
}

/// What a length field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthCounts {
    /// The header (of the message or of the TLV) and what follows it.
    Everything,
    /// Only what follows the header.
    Payload,
}

/// One number in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLayout {
    /// Distance in bytes from the start of the message.
    pub offset: u8,
    /// Width in bytes, 1 to 4.
    pub width: u8,
    /// How well the width is known. Where the field stands is ours in every case.
    pub provenance: Provenance,
}

impl FieldLayout {
    pub(crate) fn range(self) -> core::ops::Range<usize> {
        let offset = usize::from(self.offset);
        offset..offset + usize::from(self.width)
    }
}

/// The message header. Bytes that no field covers are opaque: sent as zero, and preserved when a message is re-encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLayout {
    /// Length of the header in bytes.
    pub length: u8,
    /// The protocol version.
    pub version: FieldLayout,
    /// The version this profile speaks. A message with another one ends the connection.
    pub version_spoken: u32,
    /// The message identifier.
    pub message_id: FieldLayout,
    /// The message length.
    pub message_length: FieldLayout,
    /// What the message length counts.
    pub length_counts: LengthCounts,
    /// The transaction number: a response carries that of its request, a notification carries its sequence number.
    pub transaction: FieldLayout,
}

impl HeaderLayout {
    /// The fields with the names they have in `PROTOCOL.md`.
    pub(crate) const fn fields(&self) -> [(&'static str, FieldLayout); 4] {
        [
            ("version", self.version),
            ("message id", self.message_id),
            ("message length", self.message_length),
            ("transaction", self.transaction),
        ]
    }
}

/// The two numbers in front of every TLV value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlvLayout {
    /// Width of the type number in bytes, 1 or 2.
    pub type_width: u8,
    /// Width of the length in bytes, 1 to 4.
    pub length_width: u8,
    /// What the length counts.
    pub length_counts: LengthCounts,
    /// How well this is known.
    pub provenance: Provenance,
}

impl TlvLayout {
    /// Length of type and length together.
    #[inline]
    pub(crate) fn header_length(self) -> usize {
        usize::from(self.type_width) + usize::from(self.length_width)
    }
}

/// The largest number a field of this many bytes (at most 4) can hold.
#[inline]
pub(crate) const fn field_maximum(width: u8) -> u32 {
    match width {
        0 => 0,
        1 => 0xff,
        2 => 0xffff,
        3 => 0xff_ffff,
        _ => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_numbers_of_every_width_in_both_orders() {
        for order in [ByteOrder::BigEndian, ByteOrder::LittleEndian] {
            for width in 1..=4_u8 {
                let value = 0x0102_0304 & field_maximum(width);
                let mut field = vec![0; usize::from(width)];
                order.write_uint(value, &mut field);
                assert_eq!(order.uint(&field), value);
            }
        }
        let mut field = [0; 3];
        ByteOrder::BigEndian.write_uint(0x0001_0203, &mut field);
        assert_eq!(field, [1, 2, 3]);
    }
}
