//! Distinguished names: the one-line form, common names and the MAC address in them.

use std::fmt::Write as _;

use x509_parser::asn1_rs::{Any, Oid, Tag, oid};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::mac::{MacAddr, MacFormat};

const COMMON_NAME: Oid<'static> = oid!(2.5.4.3);
const ORGANIZATION: Oid<'static> = oid!(2.5.4.10);

/// The short names OpenSSL prints.
const SHORT_NAMES: [(Oid<'static>, &str); 21] = [
    (COMMON_NAME, "CN"),
    (oid!(2.5.4.4), "SN"),
    (oid!(2.5.4.5), "serialNumber"),
    (oid!(2.5.4.6), "C"),
    (oid!(2.5.4.7), "L"),
    (oid!(2.5.4.8), "ST"),
    (oid!(2.5.4.9), "street"),
    (ORGANIZATION, "O"),
    (oid!(2.5.4.11), "OU"),
    (oid!(2.5.4.12), "title"),
    (oid!(2.5.4.13), "description"),
    (oid!(2.5.4.17), "postalCode"),
    (oid!(2.5.4.41), "name"),
    (oid!(2.5.4.42), "GN"),
    (oid!(2.5.4.43), "initials"),
    (oid!(2.5.4.46), "dnQualifier"),
    (oid!(2.5.4.65), "pseudonym"),
    (oid!(0.9.2342.19200300.100.1.1), "UID"),
    (oid!(0.9.2342.19200300.100.1.25), "DC"),
    (oid!(1.2.840.113549.1.9.1), "emailAddress"),
    (oid!(1.2.840.113549.1.9.2), "unstructuredName"),
];

/// A name as `X509_NAME_oneline` of OpenSSL writes it: `/type=value` in certificate order, every byte outside
/// printable ASCII as `\xHH`.
pub(crate) fn oneline(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    for attribute in name.iter_attributes() {
        let short = SHORT_NAMES
            .iter()
            .find(|(oid, _)| oid == attribute.attr_type())
            .map(|(_, short)| *short);
        text.push('/');
        match short {
            Some(short) => text.push_str(short),
            None => text.push_str(&attribute.attr_type().to_id_string()),
        }
        text.push('=');
        for byte in attribute.attr_value().data {
            if matches!(byte, b' '..=b'~') {
                text.push(char::from(*byte));
            } else {
                // Writing into a String cannot fail.
                let _ = write!(text, "\\x{byte:02X}");
            }
        }
    }
    text
}

/// The subject's common names that are text, in their order.
pub(super) fn common_names(name: &X509Name<'_>) -> Vec<String> {
    texts(name, &COMMON_NAME)
}

/// The organisations that are text, in their order.
pub(super) fn organizations(name: &X509Name<'_>) -> Vec<String> {
    texts(name, &ORGANIZATION)
}

fn texts(name: &X509Name<'_>, oid: &Oid<'_>) -> Vec<String> {
    name.iter_attributes()
        .filter(|attribute| attribute.attr_type() == oid)
        .filter_map(|attribute: &AttributeTypeAndValue<'_>| decode(attribute.attr_value()))
        .collect()
}

/// The text of a directory string (RFC 5280 section 4.1.2.4) or IA5String.
fn decode(value: &Any<'_>) -> Option<String> {
    let bytes = value.data;
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        }
        // T.61 is read as ISO 8859-1, as OpenSSL does.
        Tag::T61String => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
        }
        Tag::UniversalString => {
            let (quads, rest) = bytes.as_chunks::<4>();
            rest.is_empty()
                .then(|| {
                    quads
                        .iter()
                        .map(|quad| char::from_u32(u32::from_be_bytes(*quad)))
                        .collect()
                })
                .flatten()
        }
        _ => None,
    }
}

/// The one MAC address that the common names carry.
pub(super) fn mac_address(name: &X509Name<'_>) -> Option<MacAddr> {
    let mut found = None;
    for mac in common_names(name)
        .iter()
        .filter_map(|common_name| mac_at_end(common_name))
    {
        match found {
            Some(other) if other != mac => return None,
            _ => found = Some(mac),
        }
    }
    found
}

/// The MAC address that `common_name` is, or ends with after a hyphen.
fn mac_at_end(common_name: &str) -> Option<MacAddr> {
    MacFormat::ALL.iter().find_map(|format| {
        let length = format.length();
        let (before, tail) = common_name.split_at_checked(common_name.len().checked_sub(length)?)?;
        (before.is_empty() || before.ends_with('-'))
            .then(|| tail.parse().ok())
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_mac_at_the_end_of_a_common_name() {
        let mac = Some(MacAddr::from([0x00, 0x14, 0x6a, 0x1b, 0x37, 0x44]));
        for (common_name, expected) in [
            ("C1130-00146a1b3744", mac),
            ("C1130-00146A1B3744", mac),
            ("00146a1b3744", mac),
            ("00:14:6a:1b:37:44", mac),
            ("0014.6a1b.3744", mac),
            ("00-14-6a-1b-37-44", mac),
            ("mse-00-14-6A-1B-37-44", mac),
            ("mse-0014.6a1b.3744", mac),
            ("-00146a1b3744", mac),
            ("C113000146a1b3744", None),
            ("C1130 00146a1b3744", None),
            ("C1130-00146a1b3744 ", None),
            ("C1130-00146a1b374", None),
            ("SEP00146a1b3744", None),
            ("é0146a1b3744", None),
            ("", None),
            ("Cisco Manufacturing CA", None),
        ] {
            assert_eq!(mac_at_end(common_name), expected, "{common_name:?}");
        }
    }
}
