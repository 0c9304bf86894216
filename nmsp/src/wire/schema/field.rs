//! The Rust types of fields and elements.

use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::kind::{Kind, RecordSchema};
use super::{Child, Element};
use crate::wire::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::services::Services;
use crate::wire::timestamp::Timestamp;
use crate::wire::tlv::Tlv;
use crate::wire::writer::Writer;

/// A type that stands for one field.
pub trait FieldType: Sized {
    /// Its form on the wire.
    const KIND: Kind;

    /// Reads the field.
    ///
    /// # Errors
    /// If there are too few bytes, or they are not of this form.
    fn read(reader: &mut Reader<'_>, profile: &WireProfile, field: &'static str)
    -> Result<Self, DecodeError>;

    /// Appends the field.
    ///
    /// # Errors
    /// If it is longer than the wire can say.
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// A type that stands for the value of an element, or for a whole body.
pub trait ElementValue: Sized {
    /// The elements that this type reads from the value; none for a single field.
    const CHILDREN: &'static [Child];

    /// Reads the value to its end.
    ///
    /// # Errors
    /// If the value does not have the form that the schema declares.
    fn read_value(reader: Reader<'_>, profile: &WireProfile, name: &'static str)
    -> Result<Self, DecodeError>;

    /// Appends the value.
    ///
    /// # Errors
    /// If something does not fit the profile's fields.
    fn write_value(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

impl<T: FieldType> ElementValue for T {
    const CHILDREN: &'static [Child] = &[];

    fn read_value(
        mut reader: Reader<'_>,
        profile: &WireProfile,
        name: &'static str,
    ) -> Result<Self, DecodeError> {
        let value = T::read(&mut reader, profile, name)?;
        reader.finish(name)?;
        Ok(value)
    }

    fn write_value(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.write(writer)
    }
}

/// Puts the value of an element that may occur once into its place.
pub(crate) fn once<T: ElementValue>(
    place: &mut Option<T>,
    element: Element,
    tlv: &Tlv<'_>,
    profile: &WireProfile,
) -> Result<(), DecodeError> {
    if place.is_some() {
        let kind = DecodeErrorKind::DuplicateTlv(tlv.number);
        return Err(DecodeError::new(tlv.offset, element.name(), kind));
    }
    *place = Some(T::read_value(tlv.reader(profile), profile, element.name())?);
    Ok(())
}

/// The error for an element that a body cannot do without, reported at the end of the body.
pub(crate) fn missing(element: Element, end: usize, profile: &WireProfile) -> DecodeError {
    let number = profile.tlv_type(element).unwrap_or(crate::wire::TlvType(0));
    DecodeError::new(end, element.name(), DecodeErrorKind::MissingTlv(number))
}

/// A record of fixed length; many of them stand one behind the other after their count.
pub trait FixedRecord: Sized {
    /// Name, length and fields.
    const SCHEMA: RecordSchema;

    /// Reads one record.
    ///
    /// # Errors
    /// If there are too few bytes.
    fn read_record(reader: &mut Reader<'_>, profile: &WireProfile) -> Result<Self, DecodeError>;

    /// Appends one record.
    ///
    /// # Errors
    /// If something does not fit its field.
    fn write_record(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError>;
}

impl<R: FixedRecord + 'static> FieldType for Vec<R> {
    const KIND: Kind = Kind::Records(&R::SCHEMA);

    fn read(
        reader: &mut Reader<'_>,
        profile: &WireProfile,
        field: &'static str,
    ) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u16(field)?);
        // All bytes are there before anything is allocated.
        let mut records = reader.sub(count.saturating_mul(R::SCHEMA.length), R::SCHEMA.name)?;
        (0..count)
            .map(|_| R::read_record(&mut records, profile))
            .collect()
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let count = u16::try_from(self.len()).map_err(|_| EncodeError::TooLong {
            what: R::SCHEMA.name,
            length: self.len().saturating_mul(R::SCHEMA.length),
            width: 2,
        })?;
        writer.u16(count);
        self.iter().try_for_each(|record| record.write_record(writer))
    }
}

/// Types that [`Reader`] and [`Writer`] know by name.
macro_rules! plain_fields {
    ($($type:ty: $kind:expr, $reader:ident, $writer:ident;)+) => {
        $(impl FieldType for $type {
            const KIND: Kind = $kind;

            fn read(reader: &mut Reader<'_>, _: &WireProfile, field: &'static str) -> Result<Self, DecodeError> {
                reader.$reader(field)
            }

            fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
                writer.$writer(*self);
                Ok(())
            }
        })+
    };
}

plain_fields! {
    MacAddr: Kind::Mac, mac, mac;
    u8: Kind::Unsigned(1), u8, u8;
    u16: Kind::Unsigned(2), u16, u16;
    u32: Kind::Unsigned(4), u32, u32;
    u64: Kind::Unsigned(8), u64, u64;
    i8: Kind::Signed(1), i8, i8;
    i16: Kind::Signed(2), i16, i16;
    i32: Kind::Signed(4), i32, i32;
}

impl FieldType for Timestamp {
    const KIND: Kind = Kind::Timestamp;

    fn read(reader: &mut Reader<'_>, _: &WireProfile, field: &'static str) -> Result<Self, DecodeError> {
        reader.u64(field).map(Self)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u64(self.0);
        Ok(())
    }
}

impl FieldType for Services {
    const KIND: Kind = Kind::Services;

    fn read(
        reader: &mut Reader<'_>,
        profile: &WireProfile,
        field: &'static str,
    ) -> Result<Self, DecodeError> {
        Ok(profile.services_from_wire(reader.u64(field)?))
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u64(writer.profile().services_to_wire(*self));
        Ok(())
    }
}

impl FieldType for Ipv4Addr {
    const KIND: Kind = Kind::Ipv4;

    fn read(reader: &mut Reader<'_>, _: &WireProfile, field: &'static str) -> Result<Self, DecodeError> {
        reader.array::<4>(field).map(Self::from)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.octets());
        Ok(())
    }
}

impl FieldType for Ipv6Addr {
    const KIND: Kind = Kind::Ipv6;

    fn read(reader: &mut Reader<'_>, _: &WireProfile, field: &'static str) -> Result<Self, DecodeError> {
        reader.array::<16>(field).map(Self::from)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.octets());
        Ok(())
    }
}
