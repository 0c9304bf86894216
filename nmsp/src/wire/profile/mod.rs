//! The wire profile: layout and numbers of the protocol as data.

mod default;
mod describe;
mod file;
mod file_text;
mod layout;
mod numbering;

use core::fmt;
use std::sync::{Arc, LazyLock};

use pki_common::{Diagnose, Failure, Rung};

pub use file::{ProfileFileError, ProfileProblem};
pub use layout::{ByteOrder, FieldLayout, HeaderLayout, LengthCounts, TlvLayout};

pub(crate) use layout::field_maximum;
pub(crate) use numbering::Numbered;

use super::message::MessageType;
use super::numbers::{MessageId, TlvType};
use super::schema::Element;
use super::services::{Service, Services};
use numbering::Numbering;

/// How well a number is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Printed in vendor documentation or in the vendor's published YANG model.
    Known,
    /// From vendor documentation, recalled and not read again.
    Recalled,
    /// Defined by this project, because nobody outside the vendor has published it.
    Ours,
    /// Set by a profile file.
    File,
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Known => "known",
            Self::Recalled => "recalled",
            Self::Ours => "ours",
            Self::File => "file",
        })
    }
}

/// The number of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageNumber {
    /// The message.
    pub message: MessageType,
    /// Its identifier on the wire.
    pub number: u16,
    /// How well the number is known.
    pub provenance: Provenance,
}

/// The number of one TLV element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementNumber {
    /// The element.
    pub element: Element,
    /// Its type on the wire.
    pub number: u16,
    /// How well the number is known.
    pub provenance: Provenance,
}

/// The place of one sub-service in the 64-bit mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceBit {
    /// The sub-service.
    pub service: Service,
    /// The bit, 0 being the least significant.
    pub bit: u8,
    /// How well the position is known.
    pub provenance: Provenance,
}

/// Everything a profile says, not yet checked. [`WireProfile::new`] checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDefinition {
    /// A name for messages to people.
    pub name: String,
    /// The byte order of every number, in the header and in the bodies.
    pub byte_order: ByteOrder,
    /// How well the byte order is known.
    pub byte_order_provenance: Provenance,
    /// The message header.
    pub header: HeaderLayout,
    /// Type and length of the TLV elements.
    pub tlv: TlvLayout,
    /// The message numbers.
    pub messages: Vec<MessageNumber>,
    /// The TLV numbers.
    pub elements: Vec<ElementNumber>,
    /// The service bits.
    pub services: Vec<ServiceBit>,
}

/// Why a definition is not a usable profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The header is longer than [`MAX_HEADER_LENGTH`].
    #[error("the header is {found} bytes long, at most {MAX_HEADER_LENGTH} are supported")]
    HeaderTooLong {
        /// The length in the definition.
        found: u8,
    },
    /// A field has a width that its number cannot have.
    #[error("{field} is {width} bytes wide, supported are 1 to {maximum}")]
    UnsupportedWidth {
        /// The field.
        field: &'static str,
        /// Its width in the definition.
        width: u8,
        /// The greatest width it can have.
        maximum: u8,
    },
    /// A field reaches beyond the header.
    #[error("{field} ends at byte {end}, the header at byte {header}")]
    FieldOutsideHeader {
        /// The field.
        field: &'static str,
        /// Where it ends.
        end: usize,
        /// Where the header ends.
        header: u8,
    },
    /// Two fields share a byte.
    #[error("{first} and {second} overlap in the header")]
    OverlappingFields {
        /// The field that comes first in the definition.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
    /// More header bytes are covered by no field than a message can carry along ([`MAX_OPAQUE_HEADER_BYTES`]).
    #[error("{found} header bytes belong to no field, at most {MAX_OPAQUE_HEADER_BYTES} are supported")]
    TooManyOpaqueBytes {
        /// How many there are.
        found: usize,
    },
    /// The version does not fit its field.
    #[error("version {version} does not fit its field")]
    VersionTooLarge {
        /// The version in the definition.
        version: u32,
    },
    /// A number is given to two things, or two numbers to one thing.
    #[error("the {kind} number {number} ({name}) is given twice")]
    DuplicateNumber {
        /// Message, TLV or service.
        kind: &'static str,
        /// The number.
        number: u16,
        /// What it was given to the second time.
        name: &'static str,
    },
    /// A number that does not fit the field it travels in.
    #[error("the {kind} number {number} of {name} does not fit its field")]
    NumberTooLarge {
        /// Message, TLV or service.
        kind: &'static str,
        /// The number.
        number: u16,
        /// What it belongs to.
        name: &'static str,
    },
    /// Something the connection cannot do without has no number.
    #[error("the {kind} {name} has no number and is needed")]
    MissingNumber {
        /// Message, TLV or service.
        kind: &'static str,
        /// What lacks a number.
        name: &'static str,
    },
}

impl ProfileError {
    /// What to do.
    const fn remedy(&self) -> &'static str {
        match self {
            Self::HeaderTooLong { .. } | Self::TooManyOpaqueBytes { .. } => {
                "shorten the header in the profile's definition, or say what its bytes mean"
            }
            Self::UnsupportedWidth { .. }
            | Self::FieldOutsideHeader { .. }
            | Self::OverlappingFields { .. } => {
                "correct offset and width of the field in the profile's definition"
            }
            Self::VersionTooLarge { .. } | Self::NumberTooLarge { .. } => {
                "choose a smaller number, or widen the field in the profile's definition"
            }
            Self::DuplicateNumber { .. } => {
                "give each thing one number of its own in the profile's definition"
            }
            Self::MissingNumber { .. } => "add the number to the profile's definition",
        }
    }
}

impl Diagnose for ProfileError {
    fn diagnose(&self) -> Failure {
        Failure::new(Rung::Local, format!("wire profile: {self}"), self.remedy())
    }
}

/// The key of a name in a profile file: `Echo Request` is `echo-request`.
pub(crate) fn key_of(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// The longest header a profile may describe. Real protocols of this kind stay well below.
pub const MAX_HEADER_LENGTH: u8 = 64;

/// How many header bytes may belong to no field; they travel with every decoded header, without allocation.
pub const MAX_OPAQUE_HEADER_BYTES: usize = 16;

/// A checked profile. Decoding and encoding take a reference to one, at run time.
///
/// ```
/// use nmsp::wire::{MessageId, MessageType, WireProfile};
///
/// let profile = WireProfile::built_in();
/// assert_eq!(profile.message_type(MessageId(15)), Some(MessageType::MeasurementNotification));
/// ```
#[derive(Clone, Debug)]
pub struct WireProfile {
    definition: ProfileDefinition,
    messages: Numbering<MessageType>,
    elements: Numbering<Element>,
    opaque_header_bytes: Vec<u8>,
    bit_to_wire: [u8; 64],
    wire_to_bit: [u8; 64],
    bits_in_place: bool,
    /// Whether TLVs have types and lengths of two big-endian bytes each, and the length counts the value.
    common_tlvs: bool,
    /// Whether the header is laid out as in the built-in profile; the version may differ.
    common_header: bool,
}

impl WireProfile {
    /// The built-in default profile.
    #[must_use]
    pub fn built_in() -> &'static Arc<Self> {
        static BUILT_IN: LazyLock<Arc<WireProfile>> = LazyLock::new(|| {
            Arc::new(
                WireProfile::new(default::definition())
                    .expect("the built-in profile is valid, a test checks it"),
            )
        });
        &BUILT_IN
    }

    /// Checks a definition.
    ///
    /// # Errors
    /// [`ProfileError`] names the first thing that is wrong.
    pub fn new(definition: ProfileDefinition) -> Result<Self, ProfileError> {
        let opaque_header_bytes = check_header(&definition.header)?;
        check_width("TLV type", definition.tlv.type_width, 2)?;
        check_width("TLV length", definition.tlv.length_width, 4)?;
        let messages = Numbering::new(
            "message",
            definition.header.message_id.width,
            definition
                .messages
                .iter()
                .map(|entry| (entry.message, entry.number)),
        )?;
        let elements = Numbering::new(
            "TLV",
            definition.tlv.type_width,
            definition
                .elements
                .iter()
                .map(|entry| (entry.element, entry.number)),
        )?;
        messages.require(MessageType::NEEDED)?;
        elements.require(Element::NEEDED)?;
        let (bit_to_wire, wire_to_bit) = service_permutation(&definition.services)?;
        let bits_in_place = bit_to_wire.iter().zip(0_u8..).all(|(wire, bit)| *wire == bit);
        let common_tlvs = definition.byte_order == ByteOrder::BigEndian
            && definition.tlv.type_width == 2
            && definition.tlv.length_width == 2
            && definition.tlv.length_counts == LengthCounts::Payload;
        let common_header = is_common_header(&definition);
        Ok(Self {
            common_header,
            common_tlvs,
            definition,
            messages,
            elements,
            opaque_header_bytes,
            bit_to_wire,
            wire_to_bit,
            bits_in_place,
        })
    }

    /// Reads a profile from a TOML file. What the file does not mention stays as it is built in.
    ///
    /// ```
    /// use nmsp::wire::{MessageId, MessageType, WireProfile};
    ///
    /// let profile = WireProfile::from_toml("[messages]\nmeasurement-notification = 0x115")?;
    /// assert_eq!(profile.message_id(MessageType::MeasurementNotification), Some(MessageId(0x115)));
    /// let error = WireProfile::from_toml("[messages]\nmeasurement-notification = 16").unwrap_err();
    /// assert!(error.to_string().starts_with("line 2: messages.measurement-notification: 16 belongs to"));
    /// # Ok::<(), nmsp::wire::profile::ProfileFileError>(())
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with the file, each with line, key and remedy.
    pub fn from_toml(text: &str) -> Result<Self, ProfileFileError> {
        file::read(text)
    }

    /// The profile as a TOML file that [`from_toml`](Self::from_toml) reads as the same profile.
    #[must_use]
    pub fn to_toml(&self) -> String {
        file_text::write(&self.definition)
    }

    /// What the profile was made from.
    #[must_use]
    pub const fn definition(&self) -> &ProfileDefinition {
        &self.definition
    }

    /// The message a number stands for; `None` if the profile does not know the number.
    #[must_use]
    #[inline]
    pub fn message_type(&self, id: MessageId) -> Option<MessageType> {
        self.messages.meaning(id.0)
    }

    /// The number of a message; `None` if the profile gives it none.
    #[must_use]
    #[inline]
    pub fn message_id(&self, message: MessageType) -> Option<MessageId> {
        self.messages.number(message).map(MessageId)
    }

    /// The element a TLV number stands for; `None` if the profile does not know the number.
    #[must_use]
    #[inline]
    pub fn element(&self, number: TlvType) -> Option<Element> {
        self.elements.meaning(number.0)
    }

    /// The number of a TLV element; `None` if the profile gives it none.
    #[must_use]
    #[inline]
    pub fn tlv_type(&self, element: Element) -> Option<TlvType> {
        self.elements.number(element).map(TlvType)
    }

    /// Moves the bits of a set to where this profile has them. The move is a permutation of all 64 bits, so bits
    /// without a name survive a round trip.
    #[must_use]
    pub fn services_to_wire(&self, services: Services) -> u64 {
        if self.bits_in_place {
            services.0
        } else {
            permute(services.0, &self.bit_to_wire)
        }
    }

    /// The opposite of [`services_to_wire`](Self::services_to_wire).
    #[must_use]
    pub fn services_from_wire(&self, mask: u64) -> Services {
        Services(if self.bits_in_place {
            mask
        } else {
            permute(mask, &self.wire_to_bit)
        })
    }

    /// The tables of `PROTOCOL.md` and of `nmsp profile`, as Markdown: header, TLV layout, messages, TLVs, services,
    /// values; each number with its provenance.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::tables(&self.definition)
    }

    #[inline]
    pub(crate) const fn has_common_tlvs(&self) -> bool {
        self.common_tlvs
    }

    #[inline]
    pub(crate) const fn has_common_header(&self) -> bool {
        self.common_header
    }

    /// The number of an element, if TLVs have the common layout.
    #[inline]
    pub(crate) fn common_tlv_type(&self, element: Element) -> Option<u16> {
        if self.common_tlvs {
            self.elements.number(element)
        } else {
            None
        }
    }

    #[inline]
    pub(crate) const fn header(&self) -> &HeaderLayout {
        &self.definition.header
    }

    #[inline]
    pub(crate) const fn tlv(&self) -> TlvLayout {
        self.definition.tlv
    }

    #[inline]
    pub(crate) const fn byte_order(&self) -> ByteOrder {
        self.definition.byte_order
    }

    /// The positions of header bytes that belong to no field.
    pub(crate) fn opaque_header_bytes(&self) -> &[u8] {
        &self.opaque_header_bytes
    }
}

fn is_common_header(definition: &ProfileDefinition) -> bool {
    let (own, built_in) = (&definition.header, default::definition());
    let places = |header: &HeaderLayout| header.fields().map(|(_, field)| field.range());
    definition.byte_order == built_in.byte_order
        && own.length == built_in.header.length
        && own.length_counts == built_in.header.length_counts
        && places(own) == places(&built_in.header)
}

/// Checks the header and returns the positions of bytes that belong to no field.
fn check_header(header: &HeaderLayout) -> Result<Vec<u8>, ProfileError> {
    if header.length > MAX_HEADER_LENGTH {
        return Err(ProfileError::HeaderTooLong { found: header.length });
    }
    let fields = header.fields();
    for (index, (name, field)) in fields.iter().enumerate() {
        check_width(name, field.width, if *name == "message id" { 2 } else { 4 })?;
        let range = field.range();
        if range.end > usize::from(header.length) {
            return Err(ProfileError::FieldOutsideHeader {
                field: name,
                end: range.end,
                header: header.length,
            });
        }
        for (other_name, other) in fields.iter().skip(index + 1) {
            if range.start < other.range().end && other.range().start < range.end {
                return Err(ProfileError::OverlappingFields {
                    first: name,
                    second: other_name,
                });
            }
        }
    }
    if header.version_spoken > field_maximum(header.version.width) {
        return Err(ProfileError::VersionTooLarge {
            version: header.version_spoken,
        });
    }
    let covered = |position: &u8| {
        fields
            .iter()
            .any(|(_, field)| field.range().contains(&usize::from(*position)))
    };
    let opaque: Vec<u8> = (0..header.length).filter(|position| !covered(position)).collect();
    if opaque.len() > MAX_OPAQUE_HEADER_BYTES {
        return Err(ProfileError::TooManyOpaqueBytes { found: opaque.len() });
    }
    Ok(opaque)
}

const fn check_width(field: &'static str, width: u8, maximum: u8) -> Result<(), ProfileError> {
    if width == 0 || width > maximum {
        return Err(ProfileError::UnsupportedWidth {
            field,
            width,
            maximum,
        });
    }
    Ok(())
}

/// Completes the given positions to a permutation of all 64 bits: unnamed bits take the free places in ascending order.
fn service_permutation(services: &[ServiceBit]) -> Result<([u8; 64], [u8; 64]), ProfileError> {
    let mut to_wire: [Option<u8>; 64] = [None; 64];
    let mut from_wire: [Option<u8>; 64] = [None; 64];
    for ServiceBit { service, bit, .. } in services {
        let (number, name) = (u16::from(*bit), service.name());
        let (Some(wire), Some(own)) = (
            from_wire.get_mut(usize::from(*bit)),
            to_wire.get_mut(usize::from(service.position())),
        ) else {
            return Err(ProfileError::NumberTooLarge {
                kind: "service",
                number,
                name,
            });
        };
        if wire.is_some() || own.is_some() {
            return Err(ProfileError::DuplicateNumber {
                kind: "service",
                number,
                name,
            });
        }
        *wire = Some(service.position());
        *own = Some(*bit);
    }
    if let Some(missing) = Service::ALL
        .iter()
        .find(|s| !services.iter().any(|entry| entry.service == **s))
    {
        return Err(ProfileError::MissingNumber {
            kind: "service",
            name: missing.name(),
        });
    }
    let free_on_wire: Vec<u8> = (0_u8..)
        .zip(&from_wire)
        .filter(|(_, own)| own.is_none())
        .map(|(bit, _)| bit)
        .collect();
    let free_own: Vec<u8> = (0_u8..)
        .zip(&to_wire)
        .filter(|(_, wire)| wire.is_none())
        .map(|(bit, _)| bit)
        .collect();
    for (own, wire) in free_own.into_iter().zip(free_on_wire) {
        if let (Some(to), Some(from)) = (
            to_wire.get_mut(usize::from(own)),
            from_wire.get_mut(usize::from(wire)),
        ) {
            (*to, *from) = (Some(wire), Some(own));
        }
    }
    Ok((
        to_wire.map(Option::unwrap_or_default),
        from_wire.map(Option::unwrap_or_default),
    ))
}

fn permute(mask: u64, places: &[u8; 64]) -> u64 {
    places
        .iter()
        .enumerate()
        .fold(0, |moved, (bit, place)| moved | ((mask >> bit) & 1) << place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profile_is_valid_and_has_the_published_ids() {
        let profile = WireProfile::built_in();
        for (number, message) in [
            (1, MessageType::EchoRequest),
            (2, MessageType::EchoResponse),
            (7, MessageType::CapabilityNotification),
            (15, MessageType::MeasurementNotification),
            (30, MessageType::ServiceSubscribeRequest),
            (31, MessageType::ServiceSubscribeResponse),
            (67, MessageType::ApInfoNotification),
        ] {
            assert_eq!(profile.message_type(MessageId(number)), Some(message));
            assert_eq!(profile.message_id(message), Some(MessageId(number)));
        }
        assert_eq!(profile.message_type(MessageId(3)), None);
    }

    #[test]
    fn refuses_definitions_that_cannot_work() {
        let refuse = |change: fn(&mut ProfileDefinition)| {
            let mut definition = default::definition();
            change(&mut definition);
            WireProfile::new(definition).unwrap_err().to_string()
        };
        assert!(refuse(|d| d.header.transaction.offset = 6).contains("overlap"));
        assert!(refuse(|d| d.header.transaction.offset = 10).contains("ends at byte 14"));
        assert!(refuse(|d| d.header.message_id.width = 3).contains("3 bytes wide"));
        assert!(refuse(|d| d.header.length = 65).contains("65 bytes long"));
        assert!(refuse(|d| d.header.length = 40).contains("29 header bytes"));
        assert!(refuse(|d| d.header.version_spoken = 256).contains("version 256"));
        assert!(refuse(|d| d.tlv.length_width = 0).contains("TLV length"));
        assert!(refuse(|d| d.messages[0].number = 2).contains("given twice"));
        assert!(refuse(|d| d.elements.retain(|e| e.number != 1)).contains("has no number"));
        assert!(refuse(|d| d.services[3].bit = 64).contains("does not fit"));
        assert!(refuse(|d| d.services[3].bit = 2).contains("given twice"));
    }

    #[test]
    fn moved_service_bits_keep_unnamed_bits() {
        let mut definition = default::definition();
        for (place, entry) in (40_u8..).zip(&mut definition.services) {
            entry.bit = place;
        }
        let profile = WireProfile::new(definition).unwrap();
        assert_eq!(profile.services_to_wire(Services::RSSI_MS), 1 << 40);
        for bit in 0..64 {
            let wire = 1_u64 << bit;
            assert_eq!(profile.services_to_wire(profile.services_from_wire(wire)), wire);
        }
    }
}
