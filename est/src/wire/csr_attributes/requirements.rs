//! CSR attributes, put into terms of the request that they ask for.

use std::fmt;

use const_oid::ObjectIdentifier;

use super::names::{self, EC_PUBLIC_KEY, ED448, ED25519, EXTENSION_REQUEST, Kind, P256, P384, P521};
use super::template::{self, CertificationRequestInfoTemplate};
use super::{CsrAttribute, CsrAttributes, CsrAttributesLimits, EXTENSION_REQ_TEMPLATE};
use crate::wire::asn1::{Element, Reader, Rules, tag};
use crate::wire::csr::{Attribute, MICROSOFT_CERT_EXTENSIONS, PublicKeyKind};

/// What a certification request has to contain to be what the server wants.
///
/// A client honours what it understands and ignores the rest (RFC 7030 section 4.5.2). A server's list may name
/// several keys or algorithms, and a request has one key and one signature: any of those named will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsrRequirements {
    /// Keys that will do; any key when empty.
    pub keys: Vec<KeyRequirement>,
    /// Signature algorithms that will do; any when empty.
    pub signature_algorithms: Vec<ObjectIdentifier>,
    /// Hash algorithms of the signature that will do; any when empty.
    pub digests: Vec<ObjectIdentifier>,
    /// Whether proof of possession is wanted: the channel binding in `challengePassword` (RFC 7030 section 3.5).
    pub challenge_password: bool,
    /// Parts of the subject, in the server's order.
    pub subject: Vec<SubjectRequirement>,
    /// Extensions, in the server's order.
    pub extensions: Vec<ExtensionRequirement>,
    /// Whether at least one extension is wanted, whichever (a bare `extensionRequest`).
    pub any_extension: bool,
    /// Other attributes of the request, in the server's order. No values: the client fills them in.
    pub attributes: Vec<Attribute>,
}

/// A key that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRequirement {
    /// An RSA key.
    Rsa {
        /// Length of its modulus in bits; `None` when any will do.
        bits: Option<usize>,
    },
    /// A key on an elliptic curve.
    Ec {
        /// The curve; `None` when any will do.
        curve: Option<ObjectIdentifier>,
    },
    /// An Ed25519 key.
    Ed25519,
    /// A key of another algorithm.
    Other {
        /// The algorithm.
        algorithm: ObjectIdentifier,
    },
}

impl KeyRequirement {
    /// Whether a key of this kind is meant.
    pub fn accepts(&self, key: &PublicKeyKind) -> bool {
        match (self, key) {
            (Self::Rsa { bits }, PublicKeyKind::Rsa { bits: found }) => {
                bits.is_none_or(|bits| bits == *found)
            }
            (Self::Ec { curve: None }, key) => matches!(
                key,
                PublicKeyKind::EcP256
                    | PublicKeyKind::EcP384
                    | PublicKeyKind::EcP521
                    | PublicKeyKind::EcOther { .. }
            ),
            (Self::Ec { curve: Some(curve) }, key) => match key {
                PublicKeyKind::EcP256 => *curve == P256,
                PublicKeyKind::EcP384 => *curve == P384,
                PublicKeyKind::EcP521 => *curve == P521,
                PublicKeyKind::EcOther { curve: Some(found) } => curve == found,
                _ => false,
            },
            (Self::Ed25519, key) => *key == PublicKeyKind::Ed25519,
            (Self::Other { algorithm }, PublicKeyKind::Other { algorithm: found }) => algorithm == found,
            _ => false,
        }
    }

    fn of_algorithm(algorithm: ObjectIdentifier) -> Self {
        match algorithm {
            EC_PUBLIC_KEY => Self::Ec { curve: None },
            names::RSA_ENCRYPTION => Self::Rsa { bits: None },
            ED25519 => Self::Ed25519,
            algorithm => Self::Other { algorithm },
        }
    }
}

impl fmt::Display for KeyRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits: Some(bits) } => write!(f, "RSA-{bits}"),
            Self::Rsa { bits: None } => f.write_str("RSA"),
            Self::Ec { curve: None } => f.write_str("EC"),
            Self::Ec { curve: Some(curve) } => match *curve {
                P256 => f.write_str("EC P-256"),
                P384 => f.write_str("EC P-384"),
                P521 => f.write_str("EC P-521"),
                curve => write!(f, "EC on {}", names::display(&curve)),
            },
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other { algorithm } => f.write_str(&names::display(algorithm)),
        }
    }
}

/// A part of the subject that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRequirement {
    /// The type, for instance commonName.
    pub oid: ObjectIdentifier,
    /// The value as a complete DER element; `None` when the client fills it in.
    pub value: Option<Vec<u8>>,
    /// Index of the relative distinguished name in the template's subject; parts with the same index belong
    /// together. `None` outside a template, where the place does not matter.
    pub rdn: Option<usize>,
}

/// An extension that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionRequirement {
    /// The extension's identifier.
    pub oid: ObjectIdentifier,
    /// Whether the request is to mark it critical.
    pub critical: bool,
    /// The extension's value: the content of its OCTET STRING; `None` when the client fills it in. A subject
    /// alternative name may hold empty names, each of which the client fills in (RFC 9908 section 3.4).
    pub value: Option<Vec<u8>>,
}

impl CsrAttributes {
    /// What a request has to contain. With a template, the template's demands alone (RFC 9908 section 4).
    pub fn requirements(&self) -> CsrRequirements {
        let mut found = CsrRequirements::default();
        if let Some(template) = self.template() {
            found.add_template(template);
        } else {
            for entry in self.entries() {
                match entry {
                    CsrAttribute::Oid(oid) => found.add_oid(*oid),
                    CsrAttribute::Attribute(attribute) => found.add_attribute(attribute),
                }
            }
        }
        // "EC" beside "EC on P-384" adds nothing: old servers send the algorithm and the curve as two entries.
        if found
            .keys
            .iter()
            .any(|key| matches!(key, KeyRequirement::Ec { curve: Some(_) }))
        {
            found
                .keys
                .retain(|key| !matches!(key, KeyRequirement::Ec { curve: None }));
        }
        found
    }
}

impl CsrRequirements {
    fn add_template(&mut self, template: &CertificationRequestInfoTemplate) {
        for (index, rdn) in template.subject.iter().flatten().enumerate() {
            self.subject.extend(rdn.iter().map(|part| SubjectRequirement {
                oid: part.oid,
                value: part.value.clone(),
                rdn: Some(index),
            }));
        }
        if let Some(key) = &template.public_key {
            self.keys.push(match KeyRequirement::of_algorithm(key.algorithm) {
                KeyRequirement::Ec { .. } => KeyRequirement::Ec { curve: key.curve() },
                KeyRequirement::Rsa { .. } => KeyRequirement::Rsa { bits: key.rsa_bits() },
                other => other,
            });
        }
        for attribute in &template.attributes {
            self.add_attribute(attribute);
        }
    }

    fn add_oid(&mut self, oid: ObjectIdentifier) {
        match names::kind(&oid) {
            Kind::ChallengePassword => self.challenge_password = true,
            Kind::ExtensionRequest => self.any_extension = true,
            Kind::Key => self.keys.push(KeyRequirement::of_algorithm(oid)),
            Kind::Curve => self.keys.push(KeyRequirement::Ec { curve: Some(oid) }),
            Kind::Signature => self.signature_algorithms.push(oid),
            Kind::Digest => self.digests.push(oid),
            Kind::SubjectAttribute => self.subject.push(SubjectRequirement {
                oid,
                value: None,
                rdn: None,
            }),
            Kind::Extension => self.extensions.push(ExtensionRequirement {
                oid,
                critical: false,
                value: None,
            }),
            Kind::Other => self.attributes.push(Attribute {
                oid,
                values: Vec::new(),
            }),
        }
    }

    fn add_attribute(&mut self, attribute: &Attribute) {
        let oid = attribute.oid;
        // A value under the number of older Windows clients has to be extensions too, or the request is refused.
        if [
            EXTENSION_REQUEST,
            EXTENSION_REQ_TEMPLATE,
            MICROSOFT_CERT_EXTENSIONS,
        ]
        .contains(&oid)
        {
            return self.add_extensions(attribute);
        }
        match names::kind(&oid) {
            Kind::Key if !attribute.values.is_empty() => {
                let keys = attribute.values.iter().map(|value| key_with(oid, value));
                self.keys.extend(keys);
            }
            Kind::SubjectAttribute if !attribute.values.is_empty() => {
                self.subject
                    .extend(attribute.values.iter().map(|value| SubjectRequirement {
                        oid,
                        value: Some(value.clone()),
                        rdn: None,
                    }));
            }
            Kind::Other => self.attributes.push(attribute.clone()),
            _ => self.add_oid(oid),
        }
    }

    /// The extensions of an `extensionRequest`. The example of RFC 7030 section 4.5.2 has an object identifier where
    /// the extensions belong; it means that the request is to have what is named.
    fn add_extensions(&mut self, attribute: &Attribute) {
        let limits = CsrAttributesLimits::default();
        if attribute.values.is_empty() {
            self.any_extension = true;
        }
        for value in &attribute.values {
            let Some(element) = element(value) else { continue };
            if element.tag == tag::OBJECT_IDENTIFIER {
                match element.object_identifier("extension") {
                    Ok(oid) => self.add_oid(oid),
                    Err(_) => self.any_extension = true,
                }
                continue;
            }
            match template::parse_extensions(&element, &limits) {
                Ok(found) => {
                    self.extensions
                        .extend(found.into_iter().map(|extension| ExtensionRequirement {
                            oid: extension.oid,
                            critical: extension.critical,
                            value: extension.value,
                        }));
                }
                // A client ignores what it does not understand, except that there is something.
                Err(_) => self.any_extension = true,
            }
        }
    }
}

/// The key that an attribute such as `ecPublicKey { secp384r1 }` or `rsaEncryption { 4096 }` asks for.
fn key_with(algorithm: ObjectIdentifier, value: &[u8]) -> KeyRequirement {
    let whole = KeyRequirement::of_algorithm(algorithm);
    let Some(element) = element(value) else {
        return whole;
    };
    match (whole, element.tag) {
        (KeyRequirement::Ec { .. }, tag::OBJECT_IDENTIFIER) => KeyRequirement::Ec {
            curve: element.object_identifier("curve").ok(),
        },
        (KeyRequirement::Rsa { .. }, tag::INTEGER) => KeyRequirement::Rsa {
            bits: small_integer(element.content),
        },
        (whole, _) => whole,
    }
}

fn element(der: &[u8]) -> Option<Element<'_>> {
    Reader::new(der, Rules::Ber).any("value").ok()
}

/// A non-negative INTEGER of at most four octets.
fn small_integer(content: &[u8]) -> Option<usize> {
    match content {
        [first, ..] if first & 0x80 == 0 && content.len() <= 4 => {
            content.iter().try_fold(0_usize, |number, octet| {
                number.checked_mul(256)?.checked_add(usize::from(*octet))
            })
        }
        _ => None,
    }
}

/// The hash algorithm in a signature algorithm, when its identifier names one.
pub(super) fn digest_of_signature(algorithm: &ObjectIdentifier) -> Option<ObjectIdentifier> {
    const SHA1: &str = "1.3.14.3.2.26";
    const SHA224: &str = "2.16.840.1.101.3.4.2.4";
    const SHA256: &str = "2.16.840.1.101.3.4.2.1";
    const SHA384: &str = "2.16.840.1.101.3.4.2.2";
    const SHA512: &str = "2.16.840.1.101.3.4.2.3";
    let digest = match algorithm.to_string().as_str() {
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" => SHA1,
        "1.2.840.113549.1.1.14" | "1.2.840.10045.4.3.1" => SHA224,
        "1.2.840.113549.1.1.11" | "1.2.840.10045.4.3.2" => SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => SHA384,
        // RFC 8032: Ed25519 hashes with SHA-512.
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" | "1.3.101.112" => SHA512,
        _ => return None,
    };
    ObjectIdentifier::new(digest).ok()
}

/// Whether the algorithm is one of a key that signs in one way only, so that a signature algorithm that is asked for
/// beside it means nothing else.
pub(super) fn signs_in_one_way(algorithm: &ObjectIdentifier) -> bool {
    [ED25519, ED448].contains(algorithm)
}
