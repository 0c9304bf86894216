//! Cutting a byte stream into messages: header and body.

use bytes::{Bytes, BytesMut};

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::numbers::MessageId;
use super::profile::{LengthCounts, MAX_OPAQUE_HEADER_BYTES, WireProfile};
use super::writer::Writer;

/// The longest message a receiver takes unless told otherwise, header included.
///
/// A station heard by 300 access points takes under 6 KiB, so a message of 64 KiB still carries many stations; and a
/// peer that announces the maximum and sends it slowly can make a connection hold no more than this.
pub const DEFAULT_MAX_MESSAGE_LENGTH: usize = 65_536;

/// The length of the header in the common layout.
const COMMON_HEADER: usize = 12;

/// The fields of a message header, except for the length, which follows from the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message identifier.
    pub id: MessageId,
    /// The transaction: a response carries that of its request, a notification carries its sequence number.
    pub transaction: u32,
    /// Header bytes that no field of the profile covers, in the order of the wire; unused places are zero.
    pub opaque: [u8; MAX_OPAQUE_HEADER_BYTES],
}

impl Header {
    /// A header as this crate sends it: opaque bytes are zero.
    #[must_use]
    pub const fn new(id: MessageId, transaction: u32) -> Self {
        Self {
            id,
            transaction,
            opaque: [0; MAX_OPAQUE_HEADER_BYTES],
        }
    }

    /// Appends the header of a message with a body of `body_length` bytes.
    ///
    /// # Errors
    /// If the length or the transaction does not fit its field. Nothing is appended then.
    pub fn encode(
        &self,
        profile: &WireProfile,
        body_length: usize,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        out.resize(start + usize::from(profile.header().length), 0);
        let outcome = self.write(profile, body_length, out.get_mut(start..).unwrap_or_default());
        if outcome.is_err() {
            out.truncate(start);
        }
        outcome
    }

    /// Writes the header of a message with a body of `body_length` bytes to where room was left for it.
    ///
    /// # Errors
    /// If the length or the transaction does not fit its field.
    pub(crate) fn write(
        &self,
        profile: &WireProfile,
        body_length: usize,
        place: &mut [u8],
    ) -> Result<(), EncodeError> {
        if profile.has_common_header()
            && let Ok(length) = u32::try_from(COMMON_HEADER + body_length)
            && let Some(place) = place.first_chunk_mut()
        {
            *place = self.common(profile, length);
            return Ok(());
        }
        let layout = profile.header();
        let length = match layout.length_counts {
            LengthCounts::Everything => usize::from(layout.length) + body_length,
            LengthCounts::Payload => body_length,
        };
        self.write_fields(profile, length, place)
    }

    /// The header in the common layout, that of the built-in profile.
    #[inline]
    fn common(&self, profile: &WireProfile, length: u32) -> [u8; COMMON_HEADER] {
        let [version, ..] = profile.header().version_spoken.to_le_bytes();
        let ([a, b], [c, d, e, f]) = (self.id.0.to_be_bytes(), length.to_be_bytes());
        let ([g, h, i, j], [opaque, ..]) = (self.transaction.to_be_bytes(), self.opaque);
        [version, opaque, a, b, c, d, e, f, g, h, i, j]
    }

    /// Reads a header in the common layout; `None` leaves the judgement to the general code.
    #[inline]
    fn decode_common(profile: &WireProfile, limit: usize, bytes: &[u8]) -> Option<(Self, usize)> {
        let [version, first_opaque, a, b, c, d, e, f, g, h, i, j] = *bytes.first_chunk::<COMMON_HEADER>()?;
        let length = usize::try_from(u32::from_be_bytes([c, d, e, f])).ok()?;
        if u32::from(version) != profile.header().version_spoken || length < COMMON_HEADER || length > limit {
            return None;
        }
        let mut opaque = [0; MAX_OPAQUE_HEADER_BYTES];
        if let Some(slot) = opaque.first_mut() {
            *slot = first_opaque;
        }
        let header = Self {
            id: MessageId(u16::from_be_bytes([a, b])),
            transaction: u32::from_be_bytes([g, h, i, j]),
            opaque,
        };
        Some((header, length))
    }

    fn write_fields(
        &self,
        profile: &WireProfile,
        length: usize,
        header: &mut [u8],
    ) -> Result<(), EncodeError> {
        let layout = profile.header();
        let length_width = layout.message_length.width;
        let too_long = EncodeError::TooLong {
            what: "message",
            length,
            width: length_width,
        };
        let length = u32::try_from(length).map_err(|_| too_long.clone())?;
        if length > super::profile::field_maximum(length_width) {
            return Err(too_long);
        }
        let values = [
            layout.version_spoken,
            u32::from(self.id.0),
            length,
            self.transaction,
        ];
        for ((field, layout), value) in layout.fields().into_iter().zip(values) {
            if value > super::profile::field_maximum(layout.width) {
                return Err(EncodeError::OutOfRange {
                    field,
                    value: value.into(),
                    width: layout.width,
                });
            }
            if let Some(place) = header.get_mut(layout.range()) {
                profile.byte_order().write_uint(value, place);
            }
        }
        for (position, byte) in profile.opaque_header_bytes().iter().zip(self.opaque) {
            if let Some(place) = header.get_mut(usize::from(*position)) {
                *place = byte;
            }
        }
        Ok(())
    }

    /// Reads a header and the length of the whole message. `Ok(None)` if the header is not complete yet; nothing is
    /// judged before it is, so that the verdict does not depend on how the bytes arrive.
    #[inline]
    fn decode(
        profile: &WireProfile,
        limit: usize,
        bytes: &[u8],
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        if profile.has_common_header()
            && let Some(decoded) = Self::decode_common(profile, limit, bytes)
        {
            return Ok(Some(decoded));
        }
        let layout = profile.header();
        let Some(header) = bytes.get(..usize::from(layout.length)) else {
            return Ok(None);
        };
        // The profile check keeps every field inside the header, so `get` always answers.
        let field = |place: super::profile::FieldLayout| {
            profile
                .byte_order()
                .uint(header.get(place.range()).unwrap_or_default())
        };
        let version = field(layout.version);
        if version != layout.version_spoken {
            let kind = DecodeErrorKind::UnsupportedVersion {
                found: version,
                expected: layout.version_spoken,
            };
            return Err(DecodeError::new(
                usize::from(layout.version.offset),
                "version",
                kind,
            ));
        }
        let announced = u64::from(field(layout.message_length));
        let length = match layout.length_counts {
            LengthCounts::Everything => announced,
            LengthCounts::Payload => announced + u64::from(layout.length),
        };
        let length_error =
            |kind| DecodeError::new(usize::from(layout.message_length.offset), "message length", kind);
        if length < u64::from(layout.length) {
            return Err(length_error(DecodeErrorKind::LengthBelowHeader {
                length,
                header: header.len(),
            }));
        }
        let length = match usize::try_from(length) {
            Ok(length) if length <= limit => length,
            _ => return Err(length_error(DecodeErrorKind::MessageTooLong { length, limit })),
        };
        let id = u16::try_from(field(layout.message_id)).unwrap_or(u16::MAX);
        let mut decoded = Self::new(MessageId(id), field(layout.transaction));
        for (position, slot) in profile.opaque_header_bytes().iter().zip(&mut decoded.opaque) {
            *slot = header.get(usize::from(*position)).copied().unwrap_or_default();
        }
        Ok(Some((decoded, length)))
    }
}

/// One message cut from a byte stream: the header is read, the body is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The header.
    pub header: Header,
    /// What follows the header.
    pub body: &'a [u8],
    /// Where the body starts, in bytes from the start of the message.
    pub body_offset: usize,
}

impl<'a> Frame<'a> {
    /// Cuts the first message from `bytes`; also returns its whole length. `Ok(None)` if it is not complete yet.
    ///
    /// ```
    /// use nmsp::wire::{Frame, MessageId, WireProfile, DEFAULT_MAX_MESSAGE_LENGTH};
    ///
    /// let bytes = [1, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 7, 99];
    /// let (frame, length) = Frame::cut(WireProfile::built_in(), DEFAULT_MAX_MESSAGE_LENGTH, &bytes)?.expect("complete");
    /// assert_eq!((frame.header.id, frame.header.transaction, length), (MessageId(1), 7, 12));
    /// # Ok::<(), nmsp::wire::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// If the version is not the profile's, or the length is below the header's or above `limit`. The stream cannot be
    /// cut any further after an error.
    pub fn cut(
        profile: &WireProfile,
        limit: usize,
        bytes: &'a [u8],
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let Some((header, length)) = Header::decode(profile, limit, bytes)? else {
            return Ok(None);
        };
        let body_offset = usize::from(profile.header().length);
        Ok(bytes.get(body_offset..length).map(|body| {
            (
                Self {
                    header,
                    body,
                    body_offset,
                },
                length,
            )
        }))
    }
}

/// A received message that owns its body. The body shares the receive buffer; nothing is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    /// The header.
    pub header: Header,
    /// What follows the header.
    pub body: Bytes,
    /// Where the body starts, in bytes from the start of the message.
    pub body_offset: usize,
}

impl OwnedFrame {
    /// The same message, borrowed.
    #[must_use]
    pub fn borrow(&self) -> Frame<'_> {
        Frame {
            header: self.header,
            body: &self.body,
            body_offset: self.body_offset,
        }
    }
}

/// Collects bytes as they arrive and cuts messages from them. Holds at most one incomplete message beyond what the last
/// [`extend`](Self::extend) brought.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    buffer: BytesMut,
}

impl FrameBuffer {
    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer, with room for at least a quarter of `size` further bytes; if there is less, room for `size` is made.
    #[cfg(feature = "tokio")]
    pub(crate) fn room(&mut self, size: usize) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < size / 4 {
            self.buffer.reserve(size);
        }
        &mut self.buffer
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the stream stands between two messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Cuts the next complete message.
    ///
    /// # Errors
    /// As [`Frame::cut`].
    pub fn next_frame(
        &mut self,
        profile: &WireProfile,
        limit: usize,
    ) -> Result<Option<OwnedFrame>, DecodeError> {
        let Some((header, length)) = Header::decode(profile, limit, &self.buffer)? else {
            return Ok(None);
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        let body_offset = usize::from(profile.header().length);
        let mut message = self.buffer.split_to(length).freeze();
        let body = message.split_off(body_offset);
        Ok(Some(OwnedFrame {
            header,
            body,
            body_offset,
        }))
    }
}

/// Appends a whole message whose body is what `body` writes.
///
/// # Errors
/// If the body fails or does not fit; nothing is appended then.
pub fn encode_message(
    header: Header,
    profile: &WireProfile,
    out: &mut BytesMut,
    body: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    let outcome = leave_room(profile, out, |out| body(&mut Writer::new(out, profile)))
        .and_then(|length| header.write(profile, length, out.get_mut(start..).unwrap_or_default()));
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Leaves room for a header, which follows from the body, and has the body appended; the length of the body.
pub(crate) fn leave_room<E>(
    profile: &WireProfile,
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut) -> Result<(), E>,
) -> Result<usize, E> {
    if profile.has_common_header() {
        out.extend_from_slice(&[0; COMMON_HEADER]);
    } else {
        out.resize(out.len() + usize::from(profile.header().length), 0);
    }
    let start = out.len();
    body(out)?;
    Ok(out.len() - start)
}
