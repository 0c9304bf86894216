//! Type-length-value elements: what bodies are made of.

use core::fmt;

use super::error::{DecodeError, DecodeErrorKind};
use super::numbers::TlvType;
use super::profile::{LengthCounts, Numbered, WireProfile};
use super::reader::Reader;

/// Defines the elements once: dense index, list, name.
macro_rules! elements {
    ($($(#[$doc:meta])* $variant:ident, $name:literal;)+) => {
        /// An element that this crate gives a meaning to. Its number belongs to the profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Element {
            $($(#[$doc])* $variant,)+
        }

        impl Element {
            /// Every element with a meaning.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in `PROTOCOL.md`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

impl Numbered for Element {
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a fieldless enum, exact by definition"
    )]
    fn index(self) -> usize {
        self as usize
    }

    fn name(self) -> &'static str {
        self.name()
    }
}

elements! {
    /// Protocol version of the sender, unsigned 16 bits.
    ProtocolVersion, "Protocol Version";
    /// Service mask, 64 bits: offered, asked for, or accepted, depending on the message.
    Services, "Services";
    /// Service mask, 64 bits: what was asked for and is not offered.
    ServicesRejected, "Services Rejected";
    /// Outcome of a subscription, unsigned 16 bits.
    SubscribeStatus, "Subscribe Status";
    /// One measured station: fixed fields, then elements.
    StationMeasurement, "Station Measurement";
    /// What one antenna of one access point heard of a station: fixed fields, then elements.
    AccessPointReading, "Access Point Reading";
    /// Signal-to-noise ratio in dB, signed 8 bits.
    SignalToNoise, "Signal To Noise";
    /// Antenna number, unsigned 8 bits.
    Antenna, "Antenna";
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
        let layout = profile.tlv();
        let offset = reader.offset();
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
    /// Takes the rest of the reader as elements and shows each of them to `visit`.
    ///
    /// # Errors
    /// If an element is cut short, or the error of `visit`.
    #[inline]
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        profile: &'a WireProfile,
        mut visit: impl FnMut(Option<Element>, &Tlv<'a>) -> Result<(), DecodeError>,
    ) -> Result<Self, DecodeError> {
        let mut ahead = reader.clone();
        while !ahead.is_empty() {
            let tlv = Tlv::read(&mut ahead, profile)?;
            visit(profile.element(tlv.number), &tlv)?;
        }
        let offset = reader.offset();
        Ok(Self {
            bytes: reader.rest(),
            offset,
            profile,
        })
    }

    /// Elements that have been checked before, looked at again.
    pub(crate) const fn checked(bytes: &'a [u8], offset: usize, profile: &'a WireProfile) -> Self {
        Self {
            bytes,
            offset,
            profile,
        }
    }

    /// The elements in the order of the wire, each with its meaning under the profile.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (Option<Element>, Tlv<'a>)> + use<'a> {
        let profile = self.profile;
        let mut reader = Reader::new(self.bytes, self.offset, profile.byte_order());
        // They were checked, so the end of the iteration is the end of the bytes.
        core::iter::from_fn(move || {
            let tlv = if reader.is_empty() {
                None
            } else {
                Tlv::read(&mut reader, profile).ok()
            }?;
            Some((profile.element(tlv.number), tlv))
        })
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

/// Remembers which single-occurrence elements have been seen in one body, one bit per element.
#[derive(Clone, Copy, Default)]
pub(crate) struct Once(u64);

impl Once {
    /// Notes an element.
    ///
    /// # Errors
    /// [`DecodeErrorKind::DuplicateTlv`] at the second occurrence.
    pub(crate) fn note(&mut self, element: Element, tlv: &Tlv<'_>) -> Result<(), DecodeError> {
        let bit = 1_u64 << element.index();
        if self.0 & bit != 0 {
            return Err(DecodeError::new(
                tlv.offset,
                element.name(),
                DecodeErrorKind::DuplicateTlv(tlv.number),
            ));
        }
        self.0 |= bit;
        Ok(())
    }
}
