//! The attributes of a certification request: requested extensions, challenge password, and whatever else is there.

use std::fmt;

use const_oid::ObjectIdentifier;

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::csr::CsrLimits;

/// `extensionRequest` (RFC 2985 section 5.4.2).
pub(super) const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
/// Microsoft's `szOID_CERT_EXTENSIONS`: the same under the number that older Windows clients use.
pub(crate) const MICROSOFT_CERT_EXTENSIONS: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.1.14");
/// `subjectAltName` (RFC 5280 section 4.2.1.6).
pub(super) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// `challengePassword` (RFC 2985 section 5.4.1).
pub(super) const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

/// `id-aa-estIdentityLinking` (RFC 7894 section 3.3).
const EST_IDENTITY_LINKING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.58");

/// `id-cmc-popLinkWitness` and `id-cmc-popLinkWitnessV2` (RFC 5272 sections 6.3.1.2 and 6.3.1.1): made anew for each message,
/// over its popLinkRandom.
const POP_LINK_WITNESSES: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.7.23"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.7.33"),
];

/// Attributes that prove who asks and over which connection, and say nothing of the certificate.
pub(crate) const PROOFS: [ObjectIdentifier; 4] = [
    CHALLENGE_PASSWORD,
    EST_IDENTITY_LINKING,
    POP_LINK_WITNESSES[0],
    POP_LINK_WITNESSES[1],
];

/// An attribute of a certification request, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute type.
    pub oid: ObjectIdentifier,
    /// The values, each a complete DER element, in the order they were sent.
    pub values: Vec<Vec<u8>>,
}

impl Attribute {
    pub(super) fn parse(element: &Element<'_>, limits: &CsrLimits) -> Result<Self, WireError> {
        let mut reader = element.reader(Rules::Der);
        let oid = reader
            .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "attribute type")?
            .object_identifier("attribute type")?;
        let mut set = reader
            .expect(tag::SET, "a SET", "attribute values")?
            .reader(Rules::Der);
        reader.finish("attribute")?;
        let mut values = Vec::new();
        while !set.is_empty() {
            if values.len() >= limits.attributes {
                return Err(WireError::TooMany {
                    what: "values of one attribute",
                    limit: limits.attributes,
                });
            }
            values.push(set.any("attribute value")?.raw.to_vec());
        }
        Ok(Self { oid, values })
    }

    /// The attribute in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[self.oid.as_bytes()]);
        let values: Vec<&[u8]> = self.values.iter().map(Vec::as_slice).collect();
        asn1::encode(tag::SEQUENCE, &[&oid, &asn1::encode(tag::SET, &values)])
    }
}

/// An extension that the requester wants in the certificate (RFC 5280 section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedExtension {
    /// The extension's identifier.
    pub oid: ObjectIdentifier,
    /// Whether the requester marked it critical.
    pub critical: bool,
    /// The extension's value: the content of its OCTET STRING.
    pub value: Vec<u8>,
}

impl RequestedExtension {
    pub(crate) fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        let mut reader = element.reader(Rules::Der);
        let oid = reader
            .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "extnID")?
            .object_identifier("extnID")?;
        let critical = match reader.optional(tag::BOOLEAN, "critical")? {
            None => false,
            Some(flag) => match flag.content {
                [0x00] => false,
                [_] => true,
                _ => return Err(flag.problem("critical", DerProblem::Value("not a BOOLEAN".to_owned()))),
            },
        };
        let value = reader
            .expect(tag::OCTET_STRING, "an OCTET STRING", "extnValue")?
            .content
            .to_vec();
        reader.finish("extension")?;
        Ok(Self { oid, critical, value })
    }

    /// `subjectAltName (2.5.29.17)`: the name, when known, and the number.
    pub fn display_name(&self) -> String {
        name_with_oid(&self.oid)
    }
}

/// `name (number)` for the object identifiers that the registry of `const-oid` knows, else the number alone.
pub(crate) fn name_with_oid(oid: &ObjectIdentifier) -> String {
    let name = match const_oid::db::DB.by_oid(oid) {
        Some("id-ce-subjectAltName") => Some("subjectAltName"),
        Some(name) => Some(
            name.strip_prefix("id-ce-")
                .or_else(|| name.strip_prefix("id-kp-"))
                .unwrap_or(name),
        ),
        None => None,
    };
    name.map_or_else(|| oid.to_string(), |name| format!("{name} ({oid})"))
}

/// The extensions in the value of an `extensionRequest` attribute, appended to `found`.
pub(super) fn parse_extensions(
    value: Element<'_>,
    limits: &CsrLimits,
    found: &mut Vec<RequestedExtension>,
) -> Result<(), WireError> {
    if value.tag != tag::SEQUENCE {
        let problem = DerProblem::WrongTag {
            expected: "a SEQUENCE",
            found: value.tag,
        };
        return Err(value.problem("extensionRequest", problem));
    }
    let mut reader: Reader<'_> = value.reader(Rules::Der);
    while !reader.is_empty() {
        if found.len() >= limits.extensions {
            return Err(WireError::TooMany {
                what: "requested extensions",
                limit: limits.extensions,
            });
        }
        let element = reader.sequence("requested extension")?;
        let extension = RequestedExtension::parse(&element)?;
        if found.iter().any(|other| other.oid == extension.oid) {
            let problem = DerProblem::Duplicate(extension.display_name());
            return Err(element.problem("requested extension", problem));
        }
        found.push(extension);
    }
    Ok(())
}

/// A `challengePassword`: a secret in the clear, or the channel binding of RFC 7030 section 3.5. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengePassword(String);

impl ChallengePassword {
    /// The password. Any DirectoryString type is accepted; the text is the same in each.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn parse(value: &Element<'_>) -> Result<Self, WireError> {
        let text = directory_string(value).ok_or_else(|| {
            value.problem(
                "challengePassword",
                DerProblem::Value("not a DirectoryString".to_owned()),
            )
        })?;
        Ok(Self(text))
    }
}

impl fmt::Debug for ChallengePassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChallengePassword(hidden)")
    }
}

/// The text of a DirectoryString (RFC 5280 appendix A.1), or of an IA5String, which old clients use instead.
pub(crate) fn directory_string(value: &Element<'_>) -> Option<String> {
    match value.tag {
        // UTF8String
        0x0c => String::from_utf8(value.content.to_vec()).ok(),
        // PrintableString, IA5String
        0x13 | 0x16 => value
            .content
            .is_ascii()
            .then(|| value.content.iter().copied().map(char::from).collect()),
        // TeletexString, read as Latin-1 as everybody does
        0x14 => Some(value.content.iter().copied().map(char::from).collect()),
        // UniversalString
        0x1c => fixed_width(value.content, 4, |unit| {
            char::from_u32(
                unit.iter()
                    .fold(0, |number, octet| (number << 8) | u32::from(*octet)),
            )
        }),
        // BMPString: two octets a character, no surrogates
        0x1e => fixed_width(value.content, 2, |unit| {
            char::from_u32(
                unit.iter()
                    .fold(0, |number, octet| (number << 8) | u32::from(*octet)),
            )
        }),
        _ => None,
    }
}

fn fixed_width(octets: &[u8], width: usize, character: impl Fn(&[u8]) -> Option<char>) -> Option<String> {
    let units = octets.chunks_exact(width);
    if !units.remainder().is_empty() {
        return None;
    }
    units.map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_challenge_password_in_every_string_type() {
        let table: [(u8, &[u8]); 6] = [
            (0x0c, b"ab"),
            (0x13, b"ab"),
            (0x16, b"ab"),
            (0x14, b"ab"),
            (0x1c, b"\0\0\0a\0\0\0b"),
            (0x1e, b"\0a\0b"),
        ];
        for (tag, content) in table {
            let encoded = asn1::encode(tag, &[content]);
            let element = Reader::new(&encoded, Rules::Der).any("test").unwrap();
            assert_eq!(ChallengePassword::parse(&element).unwrap().expose(), "ab");
        }
        let encoded = asn1::encode(tag::INTEGER, &[b"ab"]);
        let element = Reader::new(&encoded, Rules::Der).any("test").unwrap();
        assert!(ChallengePassword::parse(&element).is_err());
        let encoded = asn1::encode(0x1e, &[b"abc"]);
        let element = Reader::new(&encoded, Rules::Der).any("test").unwrap();
        assert!(ChallengePassword::parse(&element).is_err());
    }

    #[test]
    fn does_not_show_the_challenge_password_in_debug() {
        let encoded = asn1::encode(0x0c, &[b"secret"]);
        let element = Reader::new(&encoded, Rules::Der).any("test").unwrap();
        assert!(!format!("{:?}", ChallengePassword::parse(&element).unwrap()).contains("secret"));
    }
}
