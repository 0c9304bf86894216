//! Octets as hexadecimal digits, two for each.

use core::fmt::Write as _;

/// Digits in lower case.
pub(crate) fn encode(octets: &[u8]) -> String {
    let mut digits = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // Writing into a String cannot fail.
        let _written = write!(digits, "{octet:02x}");
    }
    digits
}

/// The octets of digits in either case; `None` for anything else. They may be a key: no copy of them is left behind.
pub(crate) fn decode(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut octets = Vec::with_capacity(digits.len() / 2);
    for pair in digits.as_bytes().chunks_exact(2) {
        octets.push(u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digits_in_either_case_and_writes_lower_case() {
        assert_eq!(decode("00fFA0").unwrap(), [0, 0xff, 0xa0]);
        assert_eq!(encode(&[0, 0xff, 0xa0]), "00ffa0");
        assert_eq!((decode(""), encode(&[])), (Some(Vec::new()), String::new()));
        for bad in ["0", "000", "0g", "+1", " 1", "0x11", "\u{e9}"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
