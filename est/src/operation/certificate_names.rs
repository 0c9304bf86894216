//! Compares the names in a request with those in a certificate.

use const_oid::ObjectIdentifier;

use crate::error::WireError;
use crate::wire::asn1::{Element, Reader, Rules, tag};
use crate::wire::csr::{CertificationRequest, directory_string};

pub(super) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// Most elements of a name that are compared; beyond that only equal bytes are equal names. Bounds the work on a
/// request of the peer's making.
const MAX_ELEMENTS: usize = 256;

/// The value of an extension in a certificate, `None` when it has no such extension.
pub(super) fn extension(certificate: &[u8], wanted: &ObjectIdentifier) -> Option<Vec<u8>> {
    find_extension(certificate, wanted).ok().flatten()
}

fn find_extension(certificate: &[u8], wanted: &ObjectIdentifier) -> Result<Option<Vec<u8>>, WireError> {
    // [3] EXPLICIT Extensions of a TBSCertificate (RFC 5280, section 4.1).
    const EXTENSIONS: u8 = 0xa3;
    let mut reader = Reader::new(certificate, Rules::Der)
        .sequence("Certificate")?
        .reader(Rules::Der);
    let mut fields = reader.sequence("tbsCertificate")?.reader(Rules::Der);
    while !fields.is_empty() {
        let field = fields.any("tbsCertificate")?;
        if field.tag != EXTENSIONS {
            continue;
        }
        let mut list = field
            .reader(Rules::Der)
            .sequence("extensions")?
            .reader(Rules::Der);
        while !list.is_empty() {
            let mut parts = list.sequence("extension")?.reader(Rules::Der);
            let oid = parts.any("extnID")?.object_identifier("extnID")?;
            parts.optional(tag::BOOLEAN, "critical")?;
            let value = parts.expect(tag::OCTET_STRING, "an OCTET STRING", "extnValue")?;
            if oid == *wanted {
                return Ok(Some(value.content.to_vec()));
            }
        }
    }
    Ok(None)
}

/// The requested subjectAltName: the extension's value.
pub(super) fn requested_names(request: &CertificationRequest) -> Option<&[u8]> {
    request
        .requested_extensions()
        .iter()
        .find(|extension| extension.oid == SUBJECT_ALT_NAME)
        .map(|extension| extension.value.as_slice())
}

/// Whether two Names are the same for RFC 5280, section 7.1: the same attributes in the same order of parts, their
/// texts compared without regard to case, to the string type and to runs of blanks.
pub(crate) fn same_subject(one: &[u8], other: &[u8]) -> bool {
    one == other || matches!((folded_name(one), folded_name(other)), (Some(one), Some(other)) if one == other)
}

/// A part of a name as a sorted list of attribute type and folded value.
type FoldedPart = Vec<(Vec<u8>, Vec<u8>)>;

fn folded_name(name: &[u8]) -> Option<Vec<FoldedPart>> {
    let mut parts = Reader::new(name, Rules::Der)
        .sequence("name")
        .ok()?
        .reader(Rules::Der);
    let mut folded = Vec::new();
    while !parts.is_empty() {
        let mut attributes = parts.any("part of a name").ok()?.reader(Rules::Der);
        let mut part = Vec::new();
        while !attributes.is_empty() {
            let mut attribute = attributes.sequence("attribute").ok()?.reader(Rules::Der);
            let kind = attribute.any("attribute type").ok()?.raw.to_vec();
            part.push((kind, folded_value(&attribute.any("attribute value").ok()?)));
            if folded.len() + part.len() > MAX_ELEMENTS {
                return None;
            }
        }
        part.sort();
        folded.push(part);
    }
    Some(folded)
}

fn folded_value(value: &Element<'_>) -> Vec<u8> {
    match directory_string(value) {
        Some(text) => {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ").into_bytes()
        }
        None => value.raw.to_vec(),
    }
}

/// Whether two subjectAltName values hold the same names, in any order; host names, those of mail addresses too, without
/// regard to case (RFC 5280, sections 7.2 and 7.5: what stands before the `@` is compared exactly). An absent extension is the same as none of them.
pub(super) fn same_alternative_names(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    let folded = |value: Option<&[u8]>| match value {
        None => Some(Vec::new()),
        Some(value) => folded_names(value),
    };
    one == other || matches!((folded(one), folded(other)), (Some(one), Some(other)) if one == other)
}

fn folded_names(value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut names = Reader::new(value, Rules::Der)
        .sequence("subjectAltName")
        .ok()?
        .reader(Rules::Der);
    let mut folded = Vec::new();
    while !names.is_empty() {
        let name = names.any("general name").ok()?;
        let mut bytes = name.raw.to_vec();
        let host = match name.tag {
            HOST => Some(0),
            MAIL => bytes.iter().rposition(|byte| *byte == b'@'),
            _ => None,
        };
        if let Some(host) = host.and_then(|start| bytes.get_mut(start..)) {
            host.make_ascii_lowercase();
        }
        folded.push(bytes);
        if folded.len() > MAX_ELEMENTS {
            return None;
        }
    }
    folded.sort();
    Some(folded)
}

// Tags of GeneralName (RFC 5280, section 4.2.1.6).
const MAIL: u8 = 0x81;
const HOST: u8 = 0x82;
const URI: u8 = 0x86;
const ADDRESS: u8 = 0x87;

/// `DNS:a.example, IP:192.0.2.1`, or `none`.
pub(super) fn describe_alternative_names(value: Option<&[u8]>) -> String {
    let Some(value) = value else {
        return "none".to_owned();
    };
    let Ok(names) = Reader::new(value, Rules::Der).sequence("subjectAltName") else {
        return "unreadable".to_owned();
    };
    let mut names = names.reader(Rules::Der);
    let mut shown = Vec::new();
    while let (false, Ok(name)) = (names.is_empty() || shown.len() > 16, names.any("general name")) {
        shown.push(describe(&name));
    }
    if shown.is_empty() {
        return "none".to_owned();
    }
    shown.join(", ")
}

fn describe(name: &Element<'_>) -> String {
    let text = || String::from_utf8_lossy(name.content).escape_debug().to_string();
    match name.tag {
        MAIL => format!("email:{}", text()),
        HOST => format!("DNS:{}", text()),
        URI => format!("URI:{}", text()),
        ADDRESS => match (
            <[u8; 4]>::try_from(name.content),
            <[u8; 16]>::try_from(name.content),
        ) {
            (Ok(octets), _) => format!("IP:{}", std::net::Ipv4Addr::from(octets)),
            (_, Ok(octets)) => format!("IP:{}", std::net::Ipv6Addr::from(octets)),
            _ => "an IP address of a wrong length".to_owned(),
        },
        other => format!("a name with tag 0x{other:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::asn1::encode;

    fn name(attributes: &[(u8, &str)]) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = attributes
            .iter()
            .map(|(string_type, text)| {
                let oid = ObjectIdentifier::new_unwrap("2.5.4.3");
                let oid = encode(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()]);
                let value = encode(*string_type, &[text.as_bytes()]);
                encode(tag::SET, &[&encode(tag::SEQUENCE, &[&oid, &value])])
            })
            .collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        encode(tag::SEQUENCE, &parts)
    }

    #[test]
    fn names_are_the_same_whatever_their_case_string_type_and_blanks() {
        let one = name(&[(0x13, "AP  Seven"), (0x0c, "lab")]);
        assert!(same_subject(&one, &name(&[(0x0c, "ap seven "), (0x13, "LAB")])));
        assert!(!same_subject(&one, &name(&[(0x0c, "lab"), (0x13, "ap seven")])));
        assert!(!same_subject(&one, &name(&[(0x0c, "apseven"), (0x13, "lab")])));
        assert!(!same_subject(&one, &name(&[(0x0c, "ap seven")])));
    }

    #[test]
    fn alternative_names_are_the_same_in_any_order() {
        let names = |names: &[(u8, &[u8])]| {
            let names: Vec<Vec<u8>> = names.iter().map(|(tag, text)| encode(*tag, &[text])).collect();
            let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
            encode(tag::SEQUENCE, &names)
        };
        let one = names(&[(HOST, b"a.example"), (ADDRESS, &[192, 0, 2, 1])]);
        let same = names(&[(ADDRESS, &[192, 0, 2, 1]), (HOST, b"A.Example")]);
        assert!(same_alternative_names(Some(&one), Some(&same)));
        assert!(!same_alternative_names(
            Some(&one),
            Some(&names(&[(HOST, b"a.example")]))
        ));
        assert!(!same_alternative_names(Some(&one), None));
        let mail = |text: &[u8]| names(&[(MAIL, text)]);
        let alice = mail(b"Alice@a.example");
        assert!(same_alternative_names(
            Some(&alice),
            Some(&mail(b"Alice@A.Example"))
        ));
        assert!(!same_alternative_names(
            Some(&alice),
            Some(&mail(b"alice@a.example"))
        ));
        assert!(!same_alternative_names(
            Some(&mail(b"A.Example")),
            Some(&mail(b"a.example"))
        ));
        assert!(same_alternative_names(None, Some(&names(&[]))));
        let twice = names(&[(HOST, b"a"), (HOST, b"a")]);
        assert!(!same_alternative_names(
            Some(&twice),
            Some(&names(&[(HOST, b"a")]))
        ));
        assert_eq!(
            describe_alternative_names(Some(&one)),
            "DNS:a.example, IP:192.0.2.1"
        );
        assert_eq!(describe_alternative_names(None), "none");
    }
}
