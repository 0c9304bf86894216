//! Serial numbers (RFC 5280 section 4.1.2.2).

use std::fmt;
use std::str::FromStr;

use pki_common::{Diagnose, Failure, Rung};

/// A serial number below 2^160: all that the 20 octets of RFC 5280 can hold.
///
/// Those that the embedded authority draws are 20 octets long, positive, with 158 random bits: the top bit is clear
/// (positive) and the next one set, so that none needs a leading zero octet in DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber([u8; Self::LENGTH]);

impl SerialNumber {
    /// Greatest length in octets.
    pub const LENGTH: usize = 20;

    /// Makes a serial number out of random octets; two of the bits are overwritten.
    pub fn from_random(mut octets: [u8; Self::LENGTH]) -> Self {
        let [first, ..] = &mut octets;
        *first = (*first & 0x7f) | 0x40;
        Self(octets)
    }

    /// The number in 20 octets, big-endian.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Takes 20 octets as [`Self::from_random`] makes them; `None` for any others.
    pub fn from_bytes(octets: &[u8]) -> Option<Self> {
        let octets: [u8; Self::LENGTH] = octets.try_into().ok()?;
        let number = Self(octets);
        (Self::from_random(octets) == number).then_some(number)
    }

    /// A number of any authority, from its octets, big-endian, such as the content of a positive DER INTEGER; `None`
    /// when it needs more than 20.
    pub fn from_unsigned(octets: &[u8]) -> Option<Self> {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let significant = octets.get(zeros..)?;
        let mut number = [0; Self::LENGTH];
        let start = Self::LENGTH.checked_sub(significant.len())?;
        number.get_mut(start..)?.copy_from_slice(significant);
        Some(Self(number))
    }
}

/// Lower-case hexadecimal, two digits an octet, without leading zero octets: 40 digits for those drawn here.
impl fmt::Display for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeros = self.0.iter().take_while(|octet| **octet == 0).count();
        self.0
            .iter()
            .skip(zeros.min(Self::LENGTH - 1))
            .try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SerialNumber({self})")
    }
}

/// Takes hexadecimal as OpenSSL and browsers print it: either case, with or without colons.
impl FromStr for SerialNumber {
    type Err = SerialNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digits = hexadecimal(text).ok_or(SerialNumberError(()))?;
        if digits.is_empty() {
            return Err(SerialNumberError(()));
        }
        if digits.len() % 2 == 1 {
            digits.insert(0, 0);
        }
        Self::from_unsigned(&octets(&digits)).ok_or(SerialNumberError(()))
    }
}

/// The digits of a text of hexadecimal digits and colons.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .filter(|character| *character != ':')
        .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect()
}

fn octets(digits: &[u8]) -> Vec<u8> {
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |value, digit| (value << 4) | digit))
        .collect()
}

/// The first digits of a serial number of the embedded authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialPrefix(Vec<u8>);

impl SerialPrefix {
    /// Takes up to 40 hexadecimal digits, in either case, with or without colons; none at all fit every number.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = hexadecimal(text)?;
        (digits.len() <= SerialNumber::LENGTH * 2).then_some(Self(digits))
    }

    /// The lowest number that begins with these digits.
    pub fn lowest(&self) -> [u8; SerialNumber::LENGTH] {
        self.filled_with(0)
    }

    /// The highest number that begins with these digits.
    pub fn highest(&self) -> [u8; SerialNumber::LENGTH] {
        self.filled_with(0xf)
    }

    fn filled_with(&self, digit: u8) -> [u8; SerialNumber::LENGTH] {
        let mut digits = self.0.clone();
        digits.resize(SerialNumber::LENGTH * 2, digit);
        let mut number = [0; SerialNumber::LENGTH];
        number.copy_from_slice(&octets(&digits));
        number
    }
}

/// A text that is no serial number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is 1 to 40 hexadecimal digits")]
pub struct SerialNumberError(());

impl Diagnose for SerialNumberError {
    fn diagnose(&self) -> Failure {
        let remedy = "Copy the number as `openssl x509 -serial` prints it.";
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_always_positive_and_twenty_octets_long() {
        for filler in [0x00, 0x3f, 0x7f, 0x80, 0xff] {
            let serial = SerialNumber::from_random([filler; 20]);
            assert!((0x40..=0x7f).contains(&serial.as_bytes()[0]));
            assert_eq!(SerialNumber::from_bytes(serial.as_bytes()), Some(serial));
            assert_eq!(serial.to_string().parse(), Ok(serial));
            assert_eq!(serial.to_string().to_uppercase().parse(), Ok(serial));
        }
        assert_eq!(SerialNumber::from_bytes(&[0xff; 20]), None);
        assert_eq!(SerialNumber::from_bytes(&[0x40; 19]), None);
        assert!(format!("{:042}", 1).parse::<SerialNumber>().is_ok());
        assert!(format!("1{:040}", 0).parse::<SerialNumber>().is_err());
        assert!("".parse::<SerialNumber>().is_err());
        assert!("xyz".parse::<SerialNumber>().is_err());
    }

    #[test]
    fn holds_the_numbers_of_other_authorities() {
        for (octets, shown) in [
            (&[0x01][..], "01"),
            (&[0x00, 0x80, 0x01], "8001"),
            (&[], "00"),
            (&[0xff; 20], "ffffffffffffffffffffffffffffffffffffffff"),
        ] {
            let serial = SerialNumber::from_unsigned(octets).unwrap();
            assert_eq!(serial.to_string(), shown);
            assert_eq!(shown.parse(), Ok(serial));
        }
        assert_eq!(SerialNumber::from_unsigned(&[1; 21]), None);
        assert_eq!("1".parse(), Ok(SerialNumber::from_unsigned(&[1]).unwrap()));
    }

    #[test]
    fn a_prefix_spans_the_numbers_that_begin_with_it() {
        let prefix = SerialPrefix::parse("4A:b").unwrap();
        assert_eq!(prefix.lowest()[..3], [0x4a, 0xb0, 0]);
        assert_eq!(prefix.highest()[..3], [0x4a, 0xbf, 0xff]);
        assert_eq!(SerialPrefix::parse("").unwrap().highest(), [0xff; 20]);
        assert_eq!(SerialPrefix::parse("x"), None);
        assert_eq!(SerialPrefix::parse(&"0".repeat(41)), None);
    }
}
