//! Names of the object identifiers that occur in CSR attributes, and what kind of demand each of them is.

use const_oid::ObjectIdentifier;

use crate::wire::csr::name_with_oid;

pub(super) const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");
pub(super) const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
pub(super) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
pub(super) const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
pub(super) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
pub(super) const SUBJECT_DIRECTORY_ATTRIBUTES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.9");

/// Names that people write and that the registry of `const-oid` does not have, or has under another name.
const NAMES: [(&str, &str); 34] = [
    ("challengePassword", "1.2.840.113549.1.9.7"),
    ("extensionRequest", "1.2.840.113549.1.9.14"),
    ("extReq", "1.2.840.113549.1.9.14"),
    ("certificationRequestInfoTemplate", "1.2.840.113549.1.9.16.2.61"),
    ("extensionReqTemplate", "1.2.840.113549.1.9.16.2.62"),
    ("otpChallenge", "1.2.840.113549.1.9.16.2.56"),
    ("revocationChallenge", "1.2.840.113549.1.9.16.2.57"),
    ("estIdentityLinking", "1.2.840.113549.1.9.16.2.58"),
    ("DecryptKeyIdentifier", "1.2.840.113549.1.9.16.2.37"),
    ("AsymmetricDecryptKeyIdentifier", "1.2.840.113549.1.9.16.2.54"),
    ("macAddress", "1.3.6.1.1.1.1.22"),
    ("friendlyName", "1.2.840.113549.1.9.20"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("unstructuredName", "1.2.840.113549.1.9.2"),
    ("unstructuredAddress", "1.2.840.113549.1.9.8"),
    ("ecPublicKey", "1.2.840.10045.2.1"),
    ("prime256v1", "1.2.840.10045.3.1.7"),
    ("secp256r1", "1.2.840.10045.3.1.7"),
    ("P-256", "1.2.840.10045.3.1.7"),
    ("P-384", "1.3.132.0.34"),
    ("P-521", "1.3.132.0.35"),
    ("secp521r1", "1.3.132.0.35"),
    ("Ed25519", "1.3.101.112"),
    ("Ed448", "1.3.101.113"),
    ("RSASSA-PSS", "1.2.840.113549.1.1.10"),
    ("sha256", "2.16.840.1.101.3.4.2.1"),
    ("sha384", "2.16.840.1.101.3.4.2.2"),
    ("sha512", "2.16.840.1.101.3.4.2.3"),
    ("CN", "2.5.4.3"),
    ("GN", "2.5.4.42"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SN", "2.5.4.4"),
    ("title", "2.5.4.12"),
    ("subjectDirectoryAttributes", "2.5.29.9"),
];

/// Prefixes and suffixes under which the registry files what people write without them.
const PREFIXES: [&str; 4] = ["", "id-ce-", "id-kp-", "id-"];

/// The object identifier of a name (`secp384r1`, `subjectAltName`, `serialNumber`) or of a dotted number.
pub(super) fn oid_of(text: &str) -> Option<ObjectIdentifier> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return ObjectIdentifier::new(text).ok();
    }
    if let Some((_, dotted)) = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return ObjectIdentifier::new(dotted).ok();
    }
    PREFIXES.iter().find_map(|prefix| {
        let name = format!("{prefix}{text}");
        const_oid::db::DB.by_name(&name).copied()
    })
}

/// `name (number)`, or the number alone.
pub(super) fn display(oid: &ObjectIdentifier) -> String {
    let dotted = oid.to_string();
    match NAMES.iter().find(|(_, number)| *number == dotted) {
        Some((name, _)) => format!("{name} ({dotted})"),
        None => name_with_oid(oid),
    }
}

/// What a bare object identifier asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `challengePassword`: proof of possession (RFC 7030 section 3.5).
    ChallengePassword,
    /// `extensionRequest`, without saying which extension.
    ExtensionRequest,
    /// A public key algorithm.
    Key,
    /// A curve.
    Curve,
    /// A signature algorithm.
    Signature,
    /// A hash algorithm.
    Digest,
    /// A part of the subject.
    SubjectAttribute,
    /// An X.509 extension.
    Extension,
    /// Anything else: an attribute of the request.
    Other,
}

/// Arcs under which everything is of one kind.
const ARCS: [(&str, Kind); 10] = [
    ("1.2.840.113549.1.1.", Kind::Signature),
    ("1.2.840.10045.4.", Kind::Signature),
    ("1.2.840.10045.3.1.", Kind::Curve),
    ("1.3.132.0.", Kind::Curve),
    ("1.3.36.3.3.2.8.1.1.", Kind::Curve),
    ("2.16.840.1.101.3.4.2.", Kind::Digest),
    ("2.5.4.", Kind::SubjectAttribute),
    ("0.9.2342.19200300.100.1.", Kind::SubjectAttribute),
    ("2.5.29.", Kind::Extension),
    ("1.3.6.1.5.5.7.1.", Kind::Extension),
];

pub(super) fn kind(oid: &ObjectIdentifier) -> Kind {
    match *oid {
        CHALLENGE_PASSWORD => Kind::ChallengePassword,
        EXTENSION_REQUEST => Kind::ExtensionRequest,
        EC_PUBLIC_KEY | RSA_ENCRYPTION | ED25519 | ED448 => Kind::Key,
        _ => {
            let dotted = oid.to_string();
            match dotted.as_str() {
                // SHA-1 (OIW), emailAddress, unstructuredName, unstructuredAddress
                "1.3.14.3.2.26" => Kind::Digest,
                "1.2.840.113549.1.9.1" | "1.2.840.113549.1.9.2" | "1.2.840.113549.1.9.8" => {
                    Kind::SubjectAttribute
                }
                text => ARCS
                    .iter()
                    .find(|(arc, _)| text.starts_with(arc))
                    .map_or(Kind::Other, |(_, kind)| *kind),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_names_that_the_rfcs_use() {
        let table = [
            (
                "challengePassword",
                "1.2.840.113549.1.9.7",
                Kind::ChallengePassword,
            ),
            ("ecPublicKey", "1.2.840.10045.2.1", Kind::Key),
            ("rsaEncryption", "1.2.840.113549.1.1.1", Kind::Key),
            ("secp384r1", "1.3.132.0.34", Kind::Curve),
            ("ecdsa-with-SHA384", "1.2.840.10045.4.3.3", Kind::Signature),
            (
                "sha256WithRSAEncryption",
                "1.2.840.113549.1.1.11",
                Kind::Signature,
            ),
            ("sha256", "2.16.840.1.101.3.4.2.1", Kind::Digest),
            ("serialNumber", "2.5.4.5", Kind::SubjectAttribute),
            (
                "favouriteDrink",
                "0.9.2342.19200300.100.1.5",
                Kind::SubjectAttribute,
            ),
            ("subjectAltName", "2.5.29.17", Kind::Extension),
            ("keyUsage", "2.5.29.15", Kind::Extension),
            ("extKeyUsage", "2.5.29.37", Kind::Extension),
            ("basicConstraints", "2.5.29.19", Kind::Extension),
            ("macAddress", "1.3.6.1.1.1.1.22", Kind::Other),
            ("clientAuth", "1.3.6.1.5.5.7.3.2", Kind::Other),
            ("1.2.3.4", "1.2.3.4", Kind::Other),
        ];
        for (name, dotted, expected) in table {
            let oid = oid_of(name).unwrap_or_else(|| panic!("{name} is not known"));
            assert_eq!(oid.to_string(), dotted, "{name}");
            assert_eq!(kind(&oid), expected, "{name}");
        }
        assert_eq!(oid_of("noSuchName"), None);
        assert_eq!(oid_of("1.2.x"), None);
    }

    #[test]
    fn every_name_of_the_table_has_a_number() {
        for (name, dotted) in NAMES {
            assert_eq!(oid_of(name).unwrap().to_string(), dotted);
        }
    }
}
