//! DER, written in parts.

use super::der_tree::length;

/// The universal tags that the formats use.
pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(in super::super) const UTF8_STRING: u8 = 0x0c;
    pub(in super::super) const PRINTABLE_STRING: u8 = 0x13;
    pub(in super::super) const IA5_STRING: u8 = 0x16;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;
}

/// An element of these parts.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content: Vec<u8> = parts.concat();
    let mut written = vec![tag];
    written.extend(length(content.len()));
    written.extend(content);
    written
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(tag::SEQUENCE, parts)
}

pub(super) fn set(parts: &[&[u8]]) -> Vec<u8> {
    element(tag::SET, parts)
}

/// `[number] EXPLICIT`, or `IMPLICIT` of a constructed type.
pub(super) fn context(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    element(0xa0 | number, parts)
}

pub(super) fn octet_string(content: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, &[content])
}

/// A BIT STRING of whole octets.
pub(super) fn bit_string(content: &[u8]) -> Vec<u8> {
    element(tag::BIT_STRING, &[&[0], content])
}

/// The INTEGER with this magnitude, big end first; not negative.
pub(super) fn integer(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude
        .iter()
        .position(|octet| *octet != 0)
        .unwrap_or(magnitude.len());
    let significant = magnitude.get(start..).unwrap_or_default();
    match significant.first() {
        Some(first) if *first < 0x80 => element(tag::INTEGER, &[significant]),
        _ => element(tag::INTEGER, &[&[0], significant]),
    }
}

pub(super) fn utf8(text: &str) -> Vec<u8> {
    element(tag::UTF8_STRING, &[text.as_bytes()])
}

/// An OBJECT IDENTIFIER of at least two arcs.
pub(super) fn object_identifier(arcs: &[u64]) -> Vec<u8> {
    let mut content = Vec::new();
    if let [first, second, rest @ ..] = arcs {
        content.extend(arc(first * 40 + second));
        rest.iter().for_each(|value| content.extend(arc(*value)));
    }
    element(tag::OBJECT_IDENTIFIER, &[&content])
}

fn arc(mut value: u64) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        octets.push(if octets.is_empty() { low } else { low | 0x80 });
        value >>= 7;
        if value == 0 {
            octets.reverse();
            return octets;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_openssl_writes() {
        // `openssl asn1parse -genstr OID:1.2.840.113549.1.9.7` and the like.
        assert_eq!(
            object_identifier(&[1, 2, 840, 113_549, 1, 9, 7]),
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7]
        );
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
        assert_eq!(integer(&[0x7f, 1]), [2, 2, 0x7f, 1]);
    }
}
