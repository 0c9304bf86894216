//! Text and bytes of a peer, kept as they came.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{DecodeError, EncodeError};
use super::profile::WireProfile;
use super::reader::Reader;
use super::schema::{FieldType, Kind};
use super::writer::Writer;

/// Text of a peer: UTF-8 by convention, but other bytes survive (an SSID may be anything). Printing escapes what could
/// disturb a terminal or a log. In JSON it is a string, or an array of numbers if it is not UTF-8.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Vec<u8>);

impl Text {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", pki_common::Escaped::new(chunk.valid()))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextOrBytes {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match TextOrBytes::deserialize(deserializer)? {
            TextOrBytes::Text(text) => text.into_bytes(),
            TextOrBytes::Bytes(bytes) => bytes,
        }))
    }
}

impl FieldType for Text {
    const KIND: Kind = Kind::Text;

    fn read(reader: &mut Reader<'_>, _: &WireProfile, _: &'static str) -> Result<Self, DecodeError> {
        Ok(Self(reader.rest().to_vec()))
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.0);
        Ok(())
    }
}

/// Bytes that nobody here gives a meaning to. Printed, and in JSON, as hexadecimal digits.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(Vec<u8>);

impl Octets {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Octets {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hexadecimal(&self.0))
    }
}

/// Two lower-case digits for each byte. Most of what `nmsp decode` prints is made here, so it does not go through the
/// formatting of numbers.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| {
        char::from(if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' - 10 + nibble
        })
    };
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        digits.push(digit(byte >> 4));
        digits.push(digit(byte & 0xf));
    }
    digits
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        let bytes = digits
            .filter(|digits| digits.len().is_multiple_of(2))
            .map(|digits| {
                let (pairs, _) = digits.as_chunks::<2>();
                pairs
                    .iter()
                    .map(|[high, low]| u8::try_from(high * 16 + low).unwrap_or_default())
                    .collect()
            });
        bytes
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not pairs of hexadecimal digits")))
    }
}

impl FieldType for Octets {
    const KIND: Kind = Kind::Octets;

    fn read(reader: &mut Reader<'_>, _: &WireProfile, _: &'static str) -> Result<Self, DecodeError> {
        Ok(Self(reader.rest().to_vec()))
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_prints_control_characters_escaped_and_keeps_every_byte() {
        let text = Text::from(&b"lobby\x1b[2J\xff"[..]);
        let shown = text.to_string();
        assert!(!shown.contains('\x1b') && shown.ends_with("\\xff"), "{shown}");
        assert_eq!((text.as_str(), text.as_bytes().len()), (None, 10));
        for text in [text, Text::from("München")] {
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text, "{json}");
        }
    }

    #[test]
    fn octets_are_hexadecimal_digits_in_json() {
        let octets = Octets::from(&[0xa0, 0x0f][..]);
        let json = serde_json::to_string(&octets).unwrap();
        assert_eq!(json, "\"a00f\"");
        assert_eq!(serde_json::from_str::<Octets>(&json).unwrap(), octets);
        assert!(serde_json::from_str::<Octets>("\"a0f\"").is_err());
    }
}
