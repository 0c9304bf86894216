//! The forms a field can have on the wire, and their values without a Rust type of their own.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use pki_common::MacAddr;

use super::FieldSchema;
use crate::wire::elements::location::{civic, geodetic};
use crate::wire::error::{DecodeError, EncodeError};
use crate::wire::profile::WireProfile;
use crate::wire::reader::Reader;
use crate::wire::services::Services;
use crate::wire::text::{Octets, Text};
use crate::wire::timestamp::Timestamp;
use crate::wire::writer::Writer;

/// The form of a field.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A MAC address, 6 bytes in transmission order.
    Mac,
    /// A number without a sign, 1 to 8 bytes.
    Unsigned(u8),
    /// A number in two's complement, 1 to 8 bytes.
    Signed(u8),
    /// Milliseconds since 1970-01-01T00:00:00Z, 8 bytes.
    Timestamp,
    /// An IPv4 address, 4 bytes in network order.
    Ipv4,
    /// An IPv6 address, 16 bytes in network order.
    Ipv6,
    /// A service mask, 8 bytes, its bits moved as the profile says.
    Services,
    /// A number whose values have names.
    Number {
        /// Width in bytes, 1 or 2.
        width: u8,
        /// What the number says, the title of its table.
        what: &'static str,
        /// The values with names.
        names: &'static [(u16, &'static str)],
    },
    /// A number whose bits have names.
    Flags {
        /// Width in bytes, 1 or 2.
        width: u8,
        /// What the bits say, the title of their table.
        what: &'static str,
        /// The bits with names, as masks.
        names: &'static [(u16, &'static str)],
    },
    /// Text to the end of the value, UTF-8 by convention.
    Text,
    /// Bytes to the end of the value.
    Octets,
    /// A count of 2 bytes, and that many records of the same length.
    Records(&'static RecordSchema),
    /// A civic address to the end of the value (RFC 4776).
    Civic,
    /// A geodetic location, 16 bytes (RFC 6225).
    Geodetic,
}

/// A record of fixed length.
#[derive(Clone, Copy, Debug)]
pub struct RecordSchema {
    /// Its name.
    pub name: &'static str,
    /// Its length in bytes.
    pub length: usize,
    /// Its fields, each of fixed length.
    pub fields: &'static [FieldSchema],
}

impl Kind {
    /// The length on the wire in bytes; `None` if it depends on the value.
    #[must_use]
    pub const fn fixed_length(&self) -> Option<usize> {
        Some(match self {
            Self::Mac => 6,
            Self::Unsigned(width)
            | Self::Signed(width)
            | Self::Number { width, .. }
            | Self::Flags { width, .. } => widen(*width),
            Self::Timestamp | Self::Services => 8,
            Self::Ipv4 => 4,
            Self::Ipv6 | Self::Geodetic => 16,
            Self::Text | Self::Octets | Self::Records(_) | Self::Civic => return None,
        })
    }

    /// Steps over a field after checking it.
    pub(crate) fn check(&self, reader: &mut Reader<'_>, field: &'static str) -> Result<(), DecodeError> {
        match self {
            Self::Text | Self::Octets => {
                reader.rest();
            }
            Self::Records(record) => {
                let count = usize::from(reader.u16(field)?);
                reader.take(count.saturating_mul(record.length), record.name)?;
            }
            Self::Civic => civic::check(reader)?,
            _ => {
                reader.take(self.fixed_length().unwrap_or_default(), field)?;
            }
        }
        Ok(())
    }

    /// Reads a field that is not a list of records.
    pub(crate) fn value<'a>(
        &self,
        reader: &mut Reader<'a>,
        profile: &WireProfile,
        field: &'static str,
    ) -> Result<Value<'a>, DecodeError> {
        Ok(match self {
            Self::Mac => Value::Mac(reader.mac(field)?),
            Self::Unsigned(width) => Value::Unsigned(reader.unsigned(*width, field)?),
            Self::Signed(width) => Value::Signed(reader.signed(*width, field)?),
            Self::Timestamp => Value::Timestamp(Timestamp(reader.u64(field)?)),
            Self::Ipv4 => Value::Ipv4(Ipv4Addr::from(reader.array::<4>(field)?)),
            Self::Ipv6 => Value::Ipv6(Ipv6Addr::from(reader.array::<16>(field)?)),
            Self::Services => Value::Services(profile.services_from_wire(reader.u64(field)?)),
            Self::Number { width, names, .. } => Value::Number(reader.unsigned(*width, field)?, names),
            Self::Flags { width, names, .. } => Value::Flags(reader.unsigned(*width, field)?, names),
            Self::Text => Value::Text(reader.rest()),
            Self::Octets | Self::Records(_) => Value::Octets(reader.rest()),
            Self::Civic => {
                let mut ahead = reader.clone();
                civic::check(&mut ahead)?;
                Value::Civic(reader.rest())
            }
            Self::Geodetic => Value::Geodetic(geodetic::GeodeticLocation::from_bytes(reader.array(field)?)),
        })
    }

    /// Writes a value that was read from a field of this kind.
    pub(crate) fn write(&self, value: &Value<'_>, writer: &mut Writer<'_>) {
        let width = self.fixed_length().unwrap_or_default();
        match value {
            Value::Mac(mac) => writer.mac(*mac),
            Value::Unsigned(number) | Value::Number(number, _) | Value::Flags(number, _) => {
                writer.unsigned(*number, width);
            }
            Value::Signed(number) => writer.unsigned(u64::from_be_bytes(number.to_be_bytes()), width),
            Value::Timestamp(time) => writer.u64(time.0),
            Value::Ipv4(address) => writer.bytes(&address.octets()),
            Value::Ipv6(address) => writer.bytes(&address.octets()),
            Value::Services(services) => writer.u64(writer.profile().services_to_wire(*services)),
            Value::Text(bytes) | Value::Octets(bytes) | Value::Civic(bytes) => writer.bytes(bytes),
            Value::Geodetic(location) => writer.bytes(&location.to_bytes()),
        }
    }

    /// Reads a field and writes it again.
    pub(crate) fn again(
        &self,
        reader: &mut Reader<'_>,
        writer: &mut Writer<'_>,
        field: &'static str,
    ) -> Result<(), EncodeError> {
        let profile = writer.profile();
        let checked = EncodeError::NotDecoded;
        if let Self::Records(record) = self {
            let count = reader.u16(field).map_err(checked)?;
            writer.u16(count);
            for _ in 0..count {
                for field in record.fields {
                    field.kind.again(reader, writer, field.name)?;
                }
            }
            return Ok(());
        }
        let value = self.value(reader, profile, field).map_err(checked)?;
        self.write(&value, writer);
        Ok(())
    }
}

#[expect(
    clippy::as_conversions,
    reason = "from u8 to usize nothing is lost; `From` is not const"
)]
const fn widen(width: u8) -> usize {
    width as usize
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A MAC address.
    Mac(MacAddr),
    /// A number without a sign.
    Unsigned(u64),
    /// A number with a sign.
    Signed(i64),
    /// A time.
    Timestamp(Timestamp),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// A set of services.
    Services(Services),
    /// A number, with the names that its values have.
    Number(u64, &'static [(u16, &'static str)]),
    /// Bits, with their names.
    Flags(u64, &'static [(u16, &'static str)]),
    /// Text.
    Text(&'a [u8]),
    /// Bytes.
    Octets(&'a [u8]),
    /// A civic address, in the form of RFC 4776.
    Civic(&'a [u8]),
    /// A geodetic location.
    Geodetic(geodetic::GeodeticLocation),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Unsigned(number) => number.fmt(f),
            Self::Signed(number) => number.fmt(f),
            Self::Timestamp(time) => time.fmt(f),
            Self::Ipv4(address) => address.fmt(f),
            Self::Ipv6(address) => address.fmt(f),
            Self::Services(services) => services.fmt(f),
            Self::Number(number, names) => {
                match names.iter().find(|(value, _)| u64::from(*value) == *number) {
                    Some((_, name)) => write!(f, "{name} ({number})"),
                    None => write!(f, "{number} (without a name)"),
                }
            }
            Self::Flags(bits, names) => {
                write!(f, "{bits:#x}")?;
                let mut separator = " (";
                for (_, name) in names.iter().filter(|(mask, _)| bits & u64::from(*mask) != 0) {
                    write!(f, "{separator}{name}")?;
                    separator = ", ";
                }
                if separator == ", " {
                    f.write_str(")")
                } else {
                    Ok(())
                }
            }
            Self::Text(bytes) => write!(f, "\"{}\"", Text::from(*bytes)),
            Self::Octets(bytes) => Octets::from(*bytes).fmt(f),
            Self::Civic(bytes) => civic::display(bytes, f),
            Self::Geodetic(location) => location.fmt(f),
        }
    }
}
