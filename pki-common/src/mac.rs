//! MAC addresses as controllers, access points and location servers write them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ladder::{Diagnose, Failure, Rung};

/// A 48-bit MAC address (EUI-48).
///
/// Four spellings are read, in upper or lower case: `00:50:56:9c:34:89`, `00-50-56-9C-34-89`,
/// `0050.569c.3489` and `0050569c3489`. Separators may not be mixed.
///
/// ```
/// use pki_common::{MacAddr, MacFormat};
///
/// let mac: MacAddr = "0050.569C.3489".parse()?;
/// assert_eq!(mac.to_string(), "00:50:56:9c:34:89");
/// assert_eq!(mac.to_format(MacFormat::Bare), "0050569c3489");
/// # Ok::<(), pki_common::MacParseError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

impl MacAddr {
    /// From six octets in transmission order.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The six octets in transmission order.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Writes the address in one of the four spellings.
    pub fn to_format(self, format: MacFormat) -> String {
        use fmt::Write as _;

        let mut text = String::with_capacity(17);
        for (index, octet) in self.0.iter().enumerate() {
            if let Some(separator) = format.separator()
                && index > 0
                && (index * 2).is_multiple_of(format.digits_per_group())
            {
                text.push(separator);
            }
            // Writing into a String cannot fail.
            let _ = match format {
                MacFormat::HyphenUpper => write!(text, "{octet:02X}"),
                MacFormat::Colon | MacFormat::CiscoDotted | MacFormat::Bare => write!(text, "{octet:02x}"),
            };
        }
        text
    }
}

impl From<[u8; 6]> for MacAddr {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for MacAddr {
    type Error = MacParseError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_format(MacFormat::Colon))
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacAddr({self})")
    }
}

impl FromStr for MacAddr {
    type Err = MacParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let format = MacFormat::suggested_by(text);
        let mut octets = [0_u8; 6];
        let mut digits = 0_usize;
        let mut after_separator = true;
        for (index, character) in text.chars().enumerate() {
            let position = index + 1;
            if let Some(separator) = format.separator()
                && !after_separator
                && digits > 0
                && digits < DIGITS
                && digits.is_multiple_of(format.digits_per_group())
            {
                if character != separator {
                    return Err(MacParseError::WrongSeparator {
                        position,
                        found: character,
                        expected: separator,
                    });
                }
                after_separator = true;
                continue;
            }
            after_separator = false;
            let Some(nibble) = nibble(character) else {
                return Err(MacParseError::NotHexadecimal { position, character });
            };
            let Some(octet) = octets.get_mut(digits / 2) else {
                return Err(MacParseError::TooLong { position });
            };
            *octet = (*octet << 4) | nibble;
            digits += 1;
        }
        if digits < DIGITS {
            return Err(MacParseError::TooShort { digits });
        }
        Ok(Self(octets))
    }
}

const DIGITS: usize = 12;

/// The value of one hexadecimal digit.
pub(crate) fn nibble(character: char) -> Option<u8> {
    character.to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// A spelling of a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacFormat {
    /// `00:50:56:9c:34:89`, as `show server-auth-info` prints it.
    Colon,
    /// `00-50-56-9C-34-89`, the IEEE 802 spelling.
    HyphenUpper,
    /// `0050.569c.3489`, as IOS prints it.
    CiscoDotted,
    /// `0050569c3489`, as an IOS-XE `username` and a certificate's common name carry it.
    Bare,
}

impl MacFormat {
    /// Every spelling.
    pub const ALL: [Self; 4] = [Self::Colon, Self::HyphenUpper, Self::CiscoDotted, Self::Bare];

    const fn separator(self) -> Option<char> {
        match self {
            Self::Colon => Some(':'),
            Self::HyphenUpper => Some('-'),
            Self::CiscoDotted => Some('.'),
            Self::Bare => None,
        }
    }

    const fn digits_per_group(self) -> usize {
        match self {
            Self::Colon | Self::HyphenUpper => 2,
            Self::CiscoDotted => 4,
            Self::Bare => DIGITS,
        }
    }

    /// Characters of an address in this spelling.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::Colon | Self::HyphenUpper => 17,
            Self::CiscoDotted => 14,
            Self::Bare => DIGITS,
        }
    }

    /// The spelling that the first separator of `text` belongs to.
    fn suggested_by(text: &str) -> Self {
        // No spelling has its first separator behind the fifth character.
        text.chars()
            .take(5)
            .find_map(|character| match character {
                ':' => Some(Self::Colon),
                '-' => Some(Self::HyphenUpper),
                '.' => Some(Self::CiscoDotted),
                _ => None,
            })
            .unwrap_or(Self::Bare)
    }
}

/// Why a text is not a MAC address. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MacParseError {
    /// A character stands where a hexadecimal digit must stand.
    #[error("{character:?} at position {position} of the MAC address is not a hexadecimal digit")]
    NotHexadecimal {
        /// Where, in characters from 1.
        position: usize,
        /// What stands there.
        character: char,
    },
    /// Separators are mixed, missing or in the wrong place.
    #[error(
        "{found:?} at position {position} of the MAC address: expected the separator {expected:?}; write it \
         as 00:50:56:9c:34:89, 00-50-56-9C-34-89, 0050.569c.3489 or 0050569c3489"
    )]
    WrongSeparator {
        /// Where, in characters from 1.
        position: usize,
        /// What stands there.
        found: char,
        /// The separator the text began with.
        expected: char,
    },
    /// The text ends too early.
    #[error("the MAC address has {digits} hexadecimal digits, expected 12")]
    TooShort {
        /// Hexadecimal digits found.
        digits: usize,
    },
    /// The text goes on after the twelfth digit.
    #[error("the MAC address has more than 12 hexadecimal digits: it should end before position {position}")]
    TooLong {
        /// The first character too many, counted from 1.
        position: usize,
    },
}

impl Diagnose for MacParseError {
    fn diagnose(&self) -> Failure {
        let remedy =
            "Copy the MAC address as `show server-auth-info` prints it, for instance 00:50:56:9c:34:89.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: MacAddr = MacAddr([0x00, 0x50, 0x56, 0x9c, 0x34, 0x89]);

    #[test]
    fn reads_and_prints_each_of_the_four_forms() {
        for (format, text) in [
            (MacFormat::Colon, "00:50:56:9c:34:89"),
            (MacFormat::HyphenUpper, "00-50-56-9C-34-89"),
            (MacFormat::CiscoDotted, "0050.569c.3489"),
            (MacFormat::Bare, "0050569c3489"),
        ] {
            assert_eq!(text.parse(), Ok(EXAMPLE), "{text}");
            assert_eq!(text.to_uppercase().parse(), Ok(EXAMPLE), "{text}");
            assert_eq!(text.to_lowercase().parse(), Ok(EXAMPLE), "{text}");
            assert_eq!(EXAMPLE.to_format(format), text);
        }
        assert_eq!(EXAMPLE.to_string(), "00:50:56:9c:34:89");
    }

    #[test]
    fn says_how_many_digits_are_missing_or_too_many() {
        use MacParseError::{NotHexadecimal, TooLong, TooShort};

        for (text, expected) in [
            ("", TooShort { digits: 0 }),
            ("00:50:56:9c:34", TooShort { digits: 10 }),
            ("00:50:56:9c:34:8", TooShort { digits: 11 }),
            ("0050569c34891", TooLong { position: 13 }),
            (
                "00:50:56:9c:34:89:",
                NotHexadecimal {
                    position: 18,
                    character: ':',
                },
            ),
            ("00:50:56:9c:34:890", TooLong { position: 18 }),
        ] {
            assert_eq!(text.parse::<MacAddr>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn refuses_mixed_missing_and_misplaced_separators() {
        let wrong = |position, found, expected| MacParseError::WrongSeparator {
            position,
            found,
            expected,
        };
        for (text, expected) in [
            ("00:50-56:9c:34:89", wrong(6, '-', ':')),
            ("00:5056:9c:34:89", wrong(6, '5', ':')),
            ("0050.569c:3489", wrong(10, ':', '.')),
            ("0050-569c-3489", wrong(3, '5', '-')),
        ] {
            assert_eq!(text.parse::<MacAddr>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn names_the_character_that_is_no_digit() {
        for (text, position, character) in [
            ("0:50:56:9c:34:89", 2, ':'),
            ("00::50:56:9c:34:89", 4, ':'),
            (":0050569c3489", 1, ':'),
            ("0050569c3:489", 10, ':'),
            ("0050569c348g", 12, 'g'),
            (" 0050569c3489", 1, ' '),
            ("ü050569c3489", 1, 'ü'),
        ] {
            let expected = MacParseError::NotHexadecimal { position, character };
            assert_eq!(text.parse::<MacAddr>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn escapes_control_characters_in_the_message() {
        let error = "00\u{1b}".parse::<MacAddr>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r"'\u{1b}' at position 3 of the MAC address is not a hexadecimal digit"
        );
    }

    proptest! {
        #[test]
        fn every_address_survives_every_form(octets: [u8; 6]) {
            let mac = MacAddr::from(octets);
            for format in MacFormat::ALL {
                prop_assert_eq!(mac.to_format(format).parse(), Ok(mac));
            }
        }

        #[test]
        fn whatever_parses_is_one_of_the_four_forms(text in "[0-9a-fA-F:.\\-]{10,18}") {
            if let Ok(mac) = text.parse::<MacAddr>() {
                prop_assert!(MacFormat::ALL.iter().any(|f| mac.to_format(*f).eq_ignore_ascii_case(&text)));
            }
        }
    }
}
