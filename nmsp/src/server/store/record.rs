//! The bytes of one record.

use core::ops::Deref;

use bytes::BytesMut;

/// Records up to this length stand in the table itself: reaching one takes no second look into memory, and copying one is a
/// handful of instructions whatever its length. A station that six access points hear fits.
const SHORT: usize = 94;

/// What is copied of those that are shorter still: a station that four access points hear fits.
const SHORTER: usize = 72;

/// An element in the form of the wire.
#[derive(Debug)]
pub(in crate::server) enum Record {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Vec<u8>),
}

impl Default for Record {
    fn default() -> Self {
        Self::Short {
            length: 0,
            bytes: [0; SHORT],
        }
    }
}

impl Record {
    /// The place for a new content of this length; what stands there is to be overwritten.
    #[inline(always)]
    pub(super) fn place(&mut self, length: usize) -> &mut [u8] {
        match u8::try_from(length) {
            Ok(short) if length <= SHORT => {
                if let Self::Long(_) = self {
                    *self = Self::default();
                }
                if let Self::Short { length, .. } = self {
                    *length = short;
                }
            }
            _ => self.make_long(length),
        }
        match self {
            Self::Short { bytes, .. } => bytes.get_mut(..length).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    fn make_long(&mut self, length: usize) {
        match self {
            Self::Short { .. } => *self = Self::Long(vec![0; length]),
            Self::Long(bytes) => bytes.resize(length, 0),
        }
    }

    /// Appends it to a buffer.
    #[inline(always)]
    pub(in crate::server) fn append_to(&self, out: &mut BytesMut) {
        match self {
            Self::Short { length, bytes } => {
                // More than there is, because copying a known number of bytes is faster than copying as many as there are.
                let length = usize::from(*length);
                let end = out.len() + length;
                match bytes.first_chunk::<SHORTER>() {
                    Some(bytes) if length <= SHORTER => out.extend_from_slice(bytes),
                    _ => out.extend_from_slice(bytes),
                }
                out.truncate(end);
            }
            Self::Long(bytes) => out.extend_from_slice(bytes),
        }
    }
}

impl Deref for Record {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Short { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_there_last_whatever_its_length_and_that_before() {
        let mut record = Record::default();
        let lengths = [
            0,
            69,
            SHORTER,
            SHORTER + 1,
            SHORT,
            SHORT + 1,
            300,
            1000,
            SHORT + 1,
            SHORT,
            5,
            0,
            65_535,
        ];
        for (turn, length) in (1_u8..).zip(lengths) {
            record.place(length).fill(turn);
            assert_eq!(*record, *vec![turn; length]);
            let mut out = BytesMut::from(&b"before"[..]);
            record.append_to(&mut out);
            assert_eq!(out, [&b"before"[..], &vec![turn; length]].concat());
        }
    }

    #[test]
    fn a_slot_with_a_short_record_is_two_cache_lines() {
        assert_eq!(size_of::<super::super::Slot>(), 128);
    }
}
