//! Serial numbers (RFC 5280 section 4.1.2.2).

use std::fmt;
use std::str::FromStr;

use pki_common::{Diagnose, Failure, Rung};

/// The serial number of a certificate of the embedded authority: 20 octets, positive, 158 of its bits random.
///
/// 20 octets is the most that RFC 5280 allows. The top bit is clear (positive) and the next one set, so that every
/// number is 20 octets long in DER and none needs a leading zero octet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber([u8; Self::LENGTH]);

impl SerialNumber {
    /// Length in octets.
    pub const LENGTH: usize = 20;

    /// Makes a serial number out of random octets; two of the bits are overwritten.
    pub fn from_random(mut octets: [u8; Self::LENGTH]) -> Self {
        let [first, ..] = &mut octets;
        *first = (*first & 0x7f) | 0x40;
        Self(octets)
    }

    /// The number as octets, big-endian, which are also the content octets of its DER INTEGER.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Takes octets that came from [`Self::as_bytes`]; `None` for any others.
    pub fn from_bytes(octets: &[u8]) -> Option<Self> {
        let octets: [u8; Self::LENGTH] = octets.try_into().ok()?;
        let number = Self(octets);
        (Self::from_random(octets) == number).then_some(number)
    }
}

/// Lower-case hexadecimal, 40 digits.
impl fmt::Display for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
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
        let digits: Vec<u32> = text
            .chars()
            .filter(|character| *character != ':')
            .map(|character| character.to_digit(16).ok_or(SerialNumberError(())))
            .collect::<Result<_, _>>()?;
        let octets: Vec<u8> = digits
            .chunks(2)
            .filter_map(|pair| u8::try_from(pair.iter().fold(0, |value, digit| value * 16 + digit)).ok())
            .collect();
        if digits.len() != Self::LENGTH * 2 {
            return Err(SerialNumberError(()));
        }
        Self::from_bytes(&octets).ok_or(SerialNumberError(()))
    }
}

/// A text that is no serial number of the embedded authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a serial number of this authority is 40 hexadecimal digits, the first of them 4, 5, 6 or 7")]
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
        assert!("40:41".parse::<SerialNumber>().is_err());
        assert!("xyz".parse::<SerialNumber>().is_err());
    }
}
