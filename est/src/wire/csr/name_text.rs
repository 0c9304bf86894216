//! Distinguished names as text (RFC 4514).

use core::fmt::Write as _;

use const_oid::ObjectIdentifier;
use der::asn1::Any;
use der::{Tag, Tagged as _};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::RdnSequence;

/// The attributes that subjects are made of, by the names that `x509-cert` writes. It looks them up in a database of
/// all object identifiers, from front to end and for each attribute, which took a tenth of an enrolment.
const NAMES: [(ObjectIdentifier, &str); 11] = [
    (ObjectIdentifier::new_unwrap("2.5.4.3"), "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "SERIALNUMBER"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
    (ObjectIdentifier::new_unwrap("2.5.4.12"), "TITLE"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1"), "EMAIL"),
];

/// The name as `x509-cert` writes it, the most specific part first.
pub(super) fn name_text(name: &RdnSequence) -> String {
    let mut text = String::new();
    for (position, part) in name.0.iter().rev().enumerate() {
        if position > 0 {
            text.push(',');
        }
        for (position, attribute) in part.0.iter().enumerate() {
            if position > 0 {
                text.push('+');
            }
            add(attribute, &mut text);
        }
    }
    text
}

fn add(attribute: &AttributeTypeAndValue, text: &mut String) {
    let known = NAMES.iter().find(|(oid, _)| *oid == attribute.oid);
    match (known, plain(&attribute.value)) {
        (Some((_, name)), Some(value)) => {
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        _ => {
            // Writing into a String cannot fail.
            let _ = write!(text, "{attribute}");
        }
    }
}

/// The value when it is text that stands for itself: nothing in it is escaped, and every string type has its
/// characters.
fn plain(value: &Any) -> Option<&str> {
    let is_text = matches!(
        value.tag(),
        Tag::PrintableString | Tag::Utf8String | Tag::Ia5String
    );
    let bytes = value.value();
    let outside_printable = value.tag() != Tag::PrintableString;
    let stands_for_itself = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'/' => true,
        b'_' | b'@' | b'*' => outside_printable,
        _ => false,
    };
    if is_text && bytes.iter().all(stands_for_itself) {
        core::str::from_utf8(bytes).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_cert::name::RelativeDistinguishedName;

    fn name(parts: &[(ObjectIdentifier, Tag, &[u8])]) -> RdnSequence {
        let part = |(oid, tag, value): &(ObjectIdentifier, Tag, &[u8])| {
            let value = Any::new(*tag, *value).unwrap();
            let attribute = AttributeTypeAndValue { oid: *oid, value };
            RelativeDistinguishedName(vec![attribute].try_into().unwrap())
        };
        RdnSequence(parts.iter().map(part).collect())
    }

    #[test]
    fn writes_every_attribute_as_x509_cert_does() {
        let unknown = ObjectIdentifier::new_unwrap("1.2.3.4");
        let surname = ObjectIdentifier::new_unwrap("2.5.4.4");
        let values: [&[u8]; 10] = [
            b"lab",
            b"AP-00:50:56.9c/7",
            b"",
            b"a_b@c*d",
            b" a b ",
            b"#1",
            b"a,b+c\"d\\e;<>",
            b"a\x00b\x7f",
            "\u{e4}".as_bytes(),
            b"\xff",
        ];
        let tags = [
            Tag::PrintableString,
            Tag::Utf8String,
            Tag::Ia5String,
            Tag::TeletexString,
            Tag::BmpString,
        ];
        for oid in NAMES.map(|(oid, _)| oid).into_iter().chain([unknown, surname]) {
            for (tag, value) in tags.into_iter().flat_map(|tag| values.map(|value| (tag, value))) {
                let name = name(&[
                    (oid, tag, value),
                    (surname, Tag::Utf8String, b"x"),
                    (oid, tag, value),
                ]);
                assert_eq!(name_text(&name), name.to_string(), "{oid} {tag} {value:?}");
            }
        }
    }

    #[test]
    fn joins_the_attributes_of_one_part_with_a_plus() {
        let name: RdnSequence = "CN=a+OU=b,O=c".parse().unwrap();
        assert_eq!(name_text(&name), name.to_string());
        assert_eq!(name_text(&name).matches('+').count(), 1);
    }
}
