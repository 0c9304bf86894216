//! Subjects as people write them, into the exact names that a request carries.

use core::fmt;
use core::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::asn1::{Any, Ia5StringRef, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Decode as _, Encode as _};
use pki_common::MacAddr;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};

/// The most relative distinguished names in a subject; five is usual.
const MAX_RDNS: usize = 64;

/// PKCS #9 emailAddress (RFC 2985, section 5.2.1).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// A subject, its relative distinguished names in the order in which they were written.
///
/// Two forms are read, both from the most general name to the most specific, the order in which they stand in a
/// certificate: `DC=com,DC=example,OU=eng,OU=lab,CN=name` and OpenSSL's `/DC=com/DC=example/OU=eng/OU=lab/CN=name`.
/// Nothing is sorted, merged or dropped. `\` takes the next character literally or two hexadecimal digits as a byte;
/// `+` joins the parts of a multi-valued name. (RFC 4514 writes the reverse order; it cannot be told apart from this
/// one.)
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    name: RdnSequence,
    /// As it stands in a certificate: encoding `name` again would sort what somebody else left unsorted.
    der: Vec<u8>,
}

impl Subject {
    /// The subject of a device that its peers know by its MAC address: `CN=<prefix>-<12 hexadecimal digits>`, the form
    /// in which the controllers of Cisco document 70341 look for it.
    #[must_use]
    pub fn for_mac(prefix: &str, mac: MacAddr) -> Self {
        let common_name = format!("{prefix}-{}", mac.to_format(pki_common::MacFormat::Bare));
        let value = Any::new(der::Tag::Utf8String, common_name.into_bytes())
            .expect("a name of some dozen bytes is within the 256 MiB of the encoder");
        let mut set = SetOfVec::new();
        set.insert(AttributeTypeAndValue {
            oid: rfc4519::CN,
            value,
        })
        .expect("a set of one element has no order to violate");
        Self::encoded(RdnSequence(vec![RelativeDistinguishedName(set)]))
    }

    /// The subject with exactly these bytes of DER, for instance that of a certificate to be renewed.
    ///
    /// # Errors
    /// What the decoder says of bytes that are no Name (RFC 5280, section 4.1.2.4).
    pub fn from_der(der: &[u8]) -> Result<Self, der::Error> {
        Ok(Self {
            name: RdnSequence::from_der(der)?,
            der: der.to_vec(),
        })
    }

    fn encoded(name: RdnSequence) -> Self {
        let der = name
            .to_der()
            .expect("the parts of the name were encoded when they were read");
        Self { name, der }
    }

    /// The DER of the name.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        self.der.clone()
    }

    /// The name of the x509-cert crate.
    #[must_use]
    pub const fn as_rdn_sequence(&self) -> &RdnSequence {
        &self.name
    }

    /// The name as RFC 4514 writes it, most specific first, each value as `#` and the hexadecimal DER, so that its
    /// string type survives.
    #[must_use]
    pub fn to_rfc4514(&self) -> String {
        let part = |part: &AttributeTypeAndValue| {
            let der = part.value.to_der().unwrap_or_default();
            let digits: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{}=#{digits}", part.oid)
        };
        let rdn = |rdn: &RelativeDistinguishedName| rdn.0.iter().map(part).collect::<Vec<_>>().join("+");
        self.name.0.iter().rev().map(rdn).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Subject {
    /// In OpenSSL's form, as [`pki_common::Certificate::subject`] prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rdn in &self.name.0 {
            for (part, separator) in rdn
                .0
                .iter()
                .zip(core::iter::once('/').chain(core::iter::repeat('+')))
            {
                let value = String::from_utf8_lossy(part.value.value());
                write!(f, "{separator}{}={value}", short_name(part.oid))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({self})")
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let (separator, rest, start) = match text.strip_prefix('/') {
            Some(rest) => ('/', rest, 1),
            None => (',', text, 0),
        };
        let mut rdns = Vec::new();
        for (position, part) in split(rest, separator) {
            let position = start + position;
            if rdns.len() >= MAX_RDNS {
                return Err(SubjectError {
                    position,
                    problem: SubjectProblem::TooMany,
                });
            }
            rdns.push(read_rdn(part, position)?);
        }
        Ok(Self::encoded(RdnSequence(rdns)))
    }
}

fn read_rdn(text: &str, start: usize) -> Result<RelativeDistinguishedName, SubjectError> {
    let mut set = SetOfVec::new();
    for (position, part) in split(text, '+') {
        let position = start + position;
        let fault = |problem| SubjectError { position, problem };
        let (key, value) = part.split_once('=').ok_or(fault(SubjectProblem::NoEquals))?;
        let oid =
            oid_of(key.trim()).ok_or_else(|| fault(SubjectProblem::UnknownType(key.trim().to_owned())))?;
        let value = unescape(value.trim_start()).ok_or(fault(SubjectProblem::BadEscape))?;
        if value.is_empty() {
            return Err(fault(SubjectProblem::EmptyValue));
        }
        let value = encode(oid, &value).ok_or(fault(SubjectProblem::BadCharacter))?;
        set.insert(AttributeTypeAndValue { oid, value })
            .map_err(|_| fault(SubjectProblem::Repeated))?;
    }
    Ok(RelativeDistinguishedName(set))
}

/// The parts between separators that no backslash protects, each with its byte position.
fn split(text: &str, separator: char) -> impl Iterator<Item = (usize, &str)> {
    let mut escaped = false;
    let mut position = 0;
    text.split(move |character| {
        let protected = core::mem::replace(&mut escaped, false);
        if !protected && character == '\\' {
            escaped = true;
        }
        !protected && character == separator
    })
    .map(move |part| {
        let start = position;
        position += part.len() + separator.len_utf8();
        (start, part)
    })
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = after
            .get(..2)
            // from_str_radix would take a sign for part of the number.
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = if let Some(byte) = hex {
            bytes.push(byte);
            after.get(2..)?
        } else {
            let character = after.chars().next()?;
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            after.get(character.len_utf8()..)?
        };
    }
    // Blanks at the end are layout unless escaped.
    let last = if bytes.is_empty() && !text.contains('\\') {
        rest.trim()
    } else {
        rest.trim_end()
    };
    bytes.extend_from_slice(last.as_bytes());
    String::from_utf8(bytes).ok()
}

const SHORT_NAMES: [(&str, ObjectIdentifier); 16] = [
    ("CN", rfc4519::CN),
    ("C", rfc4519::C),
    ("ST", rfc4519::ST),
    ("L", rfc4519::L),
    ("O", rfc4519::O),
    ("OU", rfc4519::OU),
    ("DC", rfc4519::DC),
    ("UID", rfc4519::UID),
    ("serialNumber", rfc4519::SERIAL_NUMBER),
    ("title", rfc4519::TITLE),
    ("SN", rfc4519::SN),
    ("GN", rfc4519::GIVEN_NAME),
    ("street", rfc4519::STREET),
    ("description", rfc4519::DESCRIPTION),
    ("emailAddress", EMAIL_ADDRESS),
    ("E", EMAIL_ADDRESS),
];

fn oid_of(name: &str) -> Option<ObjectIdentifier> {
    let known = SHORT_NAMES
        .iter()
        .find(|(short, _)| short.eq_ignore_ascii_case(name));
    known
        .map(|(_, oid)| *oid)
        .or_else(|| ObjectIdentifier::new(name).ok())
}

fn short_name(oid: ObjectIdentifier) -> String {
    let known = SHORT_NAMES.iter().find(|(_, known)| *known == oid);
    known.map_or_else(|| oid.to_string(), |(short, _)| (*short).to_owned())
}

/// The string type that RFC 5280, appendix A, gives the attribute; UTF8String where it leaves the choice.
fn encode(oid: ObjectIdentifier, value: &str) -> Option<Any> {
    let encoded = if oid == rfc4519::C || oid == rfc4519::SERIAL_NUMBER {
        PrintableStringRef::new(value).ok()?.to_der()
    } else if oid == rfc4519::DC || oid == EMAIL_ADDRESS {
        Ia5StringRef::new(value).ok()?.to_der()
    } else {
        Utf8StringRef::new(value).ok()?.to_der()
    };
    Any::from_der(&encoded.ok()?).ok()
}

/// A subject that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the subject is not readable at byte {position}: {problem}")]
pub struct SubjectError {
    /// Byte offset in the text.
    pub position: usize,
    /// What is wrong there.
    pub problem: SubjectProblem,
}

impl pki_common::Diagnose for SubjectError {
    fn diagnose(&self) -> pki_common::Failure {
        pki_common::Failure::new(
            pki_common::Rung::Local,
            self.to_string(),
            "Write the subject like DC=com,DC=example,OU=lab,CN=name, the most general name first.",
        )
    }
}

/// What is wrong with a subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectProblem {
    /// A part without `=`.
    #[error("a part has no `=` between type and value")]
    NoEquals,
    /// Neither a known short name nor an object identifier.
    #[error(
        "{0:?} is no attribute type; known are CN, C, ST, L, O, OU, DC, UID, serialNumber and dotted numbers"
    )]
    UnknownType(String),
    /// A type without a value.
    #[error("a value is empty")]
    EmptyValue,
    /// A backslash at the end, or bytes that are not UTF-8.
    #[error("a backslash sequence is not valid")]
    BadEscape,
    /// A character that the attribute cannot hold: C and serialNumber take letters, digits and some signs, DC and
    /// emailAddress take ASCII.
    #[error("the value has a character that this attribute cannot hold")]
    BadCharacter,
    /// The same type and value twice in one multi-valued name.
    #[error("a multi-valued name has the same part twice")]
    Repeated,
    /// More names than a subject can sensibly have.
    #[error("there are more than {MAX_RDNS} names")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::Tagged as _;

    #[test]
    fn keeps_repeated_names_in_their_order() {
        let text = "DC=com,DC=example,OU=eng,OU=lab,CN=x";
        let subject: Subject = text.parse().unwrap();
        assert_eq!(subject.to_string(), "/DC=com/DC=example/OU=eng/OU=lab/CN=x");
        assert_eq!(subject.to_string().parse::<Subject>().unwrap(), subject);
        let tags: Vec<_> = subject
            .name
            .0
            .iter()
            .map(|rdn| rdn.0.get(0).unwrap().value.tag().octet())
            .collect();
        assert_eq!(tags, [0x16, 0x16, 0x0c, 0x0c, 0x0c]);
    }

    #[test]
    fn a_sign_behind_a_backslash_is_a_character_and_no_number() {
        for (text, value) in [("CN=a\\+5", "a+5"), ("CN=a\\-5", "a-5"), ("CN=a\\2b5", "a+5")] {
            let subject: Subject = text.parse().unwrap();
            assert_eq!(subject.to_string(), format!("/CN={value}"), "{text}");
        }
    }

    /// `openssl req -new -subj /DC=com/CN=a -utf8` and `openssl asn1parse`.
    #[test]
    fn encodes_as_openssl_does() {
        let der = "/DC=com/CN=a".parse::<Subject>().unwrap().to_der();
        let expected = b"\x30\x21\x31\x13\x30\x11\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19\x16\x03com\
            \x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01a";
        assert_eq!(der, expected);
    }

    #[test]
    fn the_exact_form_of_rfc_4514_gives_the_same_name() {
        let subject: Subject = "DC=com,OU=eng,CN=a+serialNumber=7".parse().unwrap();
        let again: RdnSequence = subject.to_rfc4514().parse().unwrap();
        assert_eq!(again, *subject.as_rdn_sequence());
    }

    #[test]
    fn unescapes_values() {
        for (text, expected) in [
            (r"CN=a\,b", "/CN=a,b"),
            (r"CN=a\2Cb", "/CN=a,b"),
            (r"CN= spaced out ", "/CN=spaced out"),
            (r"/CN=a\/b", "/CN=a/b"),
            (r"CN=Z\C3\BCrich", "/CN=Zürich"),
            (r"CN=a=b", "/CN=a=b"),
            (r"2.5.4.3=a", "/CN=a"),
        ] {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn names_the_place_and_the_fault() {
        for (text, position, problem) in [
            ("", 0, SubjectProblem::NoEquals),
            ("CN=a,", 5, SubjectProblem::NoEquals),
            ("CN=a,XY=b", 5, SubjectProblem::UnknownType("XY".into())),
            ("/C=DE/CN=", 6, SubjectProblem::EmptyValue),
            ("C=D_E", 0, SubjectProblem::BadCharacter),
            ("DC=ü", 0, SubjectProblem::BadCharacter),
            ("CN=a\\", 0, SubjectProblem::BadEscape),
            ("CN=a+CN=a", 5, SubjectProblem::Repeated),
        ] {
            assert_eq!(
                text.parse::<Subject>(),
                Err(SubjectError { position, problem }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_device_is_named_by_its_mac() {
        let mac = "00:50:56:9c:34:89".parse().unwrap();
        assert_eq!(Subject::for_mac("AP", mac).to_string(), "/CN=AP-0050569c3489");
    }
}
