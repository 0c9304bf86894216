//! Distinguished names as text (RFC 4514).

use core::fmt::Write as _;

use const_oid::ObjectIdentifier;
use der::{Tag, Tagged as _};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::RdnSequence;

use crate::wire::asn1::{Element, Rules, tag};

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
    match (known, plain(attribute.value.tag(), attribute.value.value())) {
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

/// [`name_text`] of the usual name, without decoding it first: every part has one attribute, of a type in [`NAMES`],
/// with a plain value. `None` for any other.
pub(super) fn plain_name_text(name: &Element<'_>) -> Option<String> {
    let mut parts: [Option<(&str, &str)>; MOST_PLAIN_PARTS] = [None; MOST_PLAIN_PARTS];
    let mut reader = name.reader(Rules::Der);
    let (mut length, mut count) = (0, 0);
    while !reader.is_empty() {
        let (name, value) = plain_attribute(reader.any("part").ok()?)?;
        *parts.get_mut(count)? = Some((name, value));
        count += 1;
        length += name.len() + value.len() + 2;
    }
    let mut text = String::with_capacity(length);
    for (name, value) in parts.iter().take(count).rev().flatten() {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    Some(text)
}

/// Parts of a name that is written without decoding it; subjects of devices have three to six.
const MOST_PLAIN_PARTS: usize = 12;

/// The type by its short name, and the value, of a RelativeDistinguishedName with one plain attribute.
fn plain_attribute(part: Element<'_>) -> Option<(&'static str, &str)> {
    if part.tag != tag::SET {
        return None;
    }
    let mut attributes = part.reader(Rules::Der);
    let attribute = attributes.sequence("attribute").ok()?;
    let mut fields = attribute.reader(Rules::Der);
    let (oid, value) = (fields.any("type").ok()?, fields.any("value").ok()?);
    if !attributes.is_empty() || !fields.is_empty() || oid.tag != tag::OBJECT_IDENTIFIER {
        return None;
    }
    let (_, name) = NAMES.iter().find(|(known, _)| known.as_bytes() == oid.content)?;
    let value = plain(Tag::try_from(value.tag).ok()?, value.content)?;
    Some((name, value))
}

/// The value when it is text that stands for itself: nothing in it is escaped, and every string type has its
/// characters.
fn plain(tag: Tag, bytes: &[u8]) -> Option<&str> {
    let is_text = matches!(tag, Tag::PrintableString | Tag::Utf8String | Tag::Ia5String);
    let outside_printable = tag != Tag::PrintableString;
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
    use crate::wire::asn1::Reader;
    use der::Encode as _;
    use der::asn1::Any;
    use x509_cert::name::RelativeDistinguishedName;

    /// The text of the undecoded name, where there is one, is that of the decoded one.
    fn check_plain(name: &RdnSequence) -> bool {
        let der = name.to_der().unwrap();
        let element = Reader::new(&der, Rules::Der).sequence("name").unwrap();
        let text = plain_name_text(&element);
        let is_plain = text.is_some();
        assert_eq!(text.unwrap_or_else(|| name_text(name)), name.to_string());
        is_plain
    }

    #[test]
    fn writes_a_usual_name_without_decoding_it() {
        for (text, is_plain) in [
            ("CN=SEP0050569C7F01,OU=lab,O=example,C=DE,DC=example,DC=com", true),
            ("CN=a", true),
            ("CN=a b", false),
            ("CN=a+OU=b,O=c", false),
            (
                "CN=1,CN=2,CN=3,CN=4,CN=5,CN=6,CN=7,CN=8,CN=9,CN=10,CN=11,CN=12",
                true,
            ),
            (
                "CN=1,CN=2,CN=3,CN=4,CN=5,CN=6,CN=7,CN=8,CN=9,CN=10,CN=11,CN=12,CN=13",
                false,
            ),
        ] {
            assert_eq!(check_plain(&text.parse().unwrap()), is_plain, "{text}");
        }
    }

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
                check_plain(&name);
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
