//! The partly filled-in certification request of RFC 9908 section 3.4.

use const_oid::ObjectIdentifier;

use super::names::{EC_PUBLIC_KEY, EXTENSION_REQUEST, RSA_ENCRYPTION};
use super::{CsrAttributesLimits, EXTENSION_REQ_TEMPLATE, at_most, parse_attribute, single_value};
use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::csr::Attribute;

/// A request of which some parts are given and others are for the client to fill in.
///
/// ```text
/// CertificationRequestInfoTemplate ::= SEQUENCE {
///     version       INTEGER { v1(0) },
///     subject       NameTemplate OPTIONAL,
///     subjectPKInfo [0] SubjectPublicKeyInfoTemplate OPTIONAL,
///     attributes    [1] Attributes }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificationRequestInfoTemplate {
    /// The relative distinguished names that the subject is to have, in this order; `None` when the server demands
    /// nothing of the subject.
    pub subject: Option<Vec<Vec<SingleAttributeTemplate>>>,
    /// The key that the request is to be for; `None` when any will do.
    pub public_key: Option<SubjectPublicKeyInfoTemplate>,
    /// The attributes that the request is to have, in this order, those with extensions included.
    pub attributes: Vec<Attribute>,
    /// The extensions that the request is to have, out of the attribute `extensionRequest` or
    /// `id-aa-extensionReqTemplate`.
    pub extensions: Vec<ExtensionTemplate>,
}

/// A part of a subject: `SingleAttributeTemplate ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY OPTIONAL }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SingleAttributeTemplate {
    /// The type, for instance commonName.
    pub oid: ObjectIdentifier,
    /// The value as a complete DER element; `None` when the client fills it in.
    pub value: Option<Vec<u8>>,
}

/// A kind of key: `SubjectPublicKeyInfoTemplate ::= SEQUENCE { algorithm AlgorithmIdentifier,
/// subjectPublicKey BIT STRING OPTIONAL }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPublicKeyInfoTemplate {
    /// The key's algorithm.
    pub algorithm: ObjectIdentifier,
    /// Its parameters as complete DER elements: the curve of an EC key. Usually NULL or nothing for RSA.
    pub parameters: Vec<u8>,
    /// A placeholder key: the octets of its BIT STRING. Only the length of an RSA modulus means something.
    pub placeholder: Option<Vec<u8>>,
}

/// An extension: `ExtensionTemplate ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE,
/// extnValue OCTET STRING OPTIONAL }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionTemplate {
    /// The extension's identifier.
    pub oid: ObjectIdentifier,
    /// Whether the request is to mark it critical.
    pub critical: bool,
    /// The extension's value: the content of its OCTET STRING; `None` when the client fills it in.
    pub value: Option<Vec<u8>>,
}

impl CertificationRequestInfoTemplate {
    pub(super) fn parse(element: &Element<'_>, limits: &CsrAttributesLimits) -> Result<Self, WireError> {
        const FIELD: &str = "CertificationRequestInfoTemplate";
        expect_sequence(element, FIELD)?;
        let mut reader = element.reader(Rules::Ber);
        let version = reader.expect(tag::INTEGER, "an INTEGER", "template version")?;
        if version.content != [0] {
            let problem = DerProblem::Value("the version is not v1(0)".to_owned());
            return Err(version.problem("template version", problem));
        }
        let subject = reader
            .optional(tag::SEQUENCE, "template subject")?
            .map(|name| parse_subject(&name, limits))
            .transpose()?;
        let public_key = reader
            .optional(tag::CONTEXT_0, "template subjectPKInfo")?
            .map(|key| SubjectPublicKeyInfoTemplate::parse(&key))
            .transpose()?;
        let mut template = Self {
            subject,
            public_key,
            ..Self::default()
        };
        // The ASN.1 demands the attributes, even if there are none; a sender that leaves them out means none.
        if let Some(attributes) = reader.optional(tag::CONTEXT_1, "template attributes")? {
            template.parse_attributes(&attributes, limits)?;
        }
        reader.finish(FIELD)?;
        Ok(template)
    }

    fn parse_attributes(
        &mut self,
        element: &Element<'_>,
        limits: &CsrAttributesLimits,
    ) -> Result<(), WireError> {
        const FIELD: &str = "template attributes";
        let mut reader = element.reader(Rules::Ber);
        let mut has_extensions = false;
        while !reader.is_empty() {
            at_most(self.attributes.len(), limits.entries, "attributes of a template")?;
            let element = reader.sequence(FIELD)?;
            let attribute = parse_attribute(&element, limits)?;
            if [EXTENSION_REQUEST, EXTENSION_REQ_TEMPLATE].contains(&attribute.oid) {
                // RFC 9908 section 3.4: not several of them, and not both.
                if has_extensions {
                    let problem = DerProblem::Duplicate("a request for extensions".to_owned());
                    return Err(element.problem(FIELD, problem));
                }
                has_extensions = true;
                self.extensions = parse_extensions(&single_value(&element, FIELD)?, limits)?;
            }
            self.attributes.push(attribute);
        }
        Ok(())
    }

    pub(super) fn parse_der(der: &[u8], limits: &CsrAttributesLimits) -> Result<Self, WireError> {
        let mut reader = Reader::new(der, Rules::Ber);
        let element = reader.any("CertificationRequestInfoTemplate")?;
        reader.finish("CertificationRequestInfoTemplate")?;
        Self::parse(&element, limits)
    }

    /// The template in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let subject = self.subject.as_deref().map(encode_subject).unwrap_or_default();
        let key = self
            .public_key
            .as_ref()
            .map(SubjectPublicKeyInfoTemplate::encode)
            .unwrap_or_default();
        let attributes: Vec<Vec<u8>> = self.attributes.iter().map(Attribute::to_der).collect();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        let attributes = asn1::encode(tag::CONTEXT_1, &attributes);
        asn1::encode(
            tag::SEQUENCE,
            &[&[tag::INTEGER, 1, 0], &subject, &key, &attributes],
        )
    }
}

impl SubjectPublicKeyInfoTemplate {
    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "template subjectPKInfo";
        let mut reader = element.reader(Rules::Ber);
        let mut algorithm = reader.sequence(FIELD)?.reader(Rules::Ber);
        let key = reader.optional(tag::BIT_STRING, FIELD)?;
        reader.finish(FIELD)?;
        let oid = algorithm
            .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", FIELD)?
            .object_identifier(FIELD)?;
        let mut parameters = Vec::new();
        while !algorithm.is_empty() {
            parameters.extend_from_slice(algorithm.any(FIELD)?.raw);
        }
        let placeholder = key
            .map(|key| key.octet_aligned_bits(FIELD).map(<[u8]>::to_vec))
            .transpose()?;
        Ok(Self {
            algorithm: oid,
            parameters,
            placeholder,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[self.algorithm.as_bytes()]);
        let algorithm = asn1::encode(tag::SEQUENCE, &[&oid, &self.parameters]);
        let key = self
            .placeholder
            .as_ref()
            .map(|bits| asn1::encode(tag::BIT_STRING, &[&[0], bits]))
            .unwrap_or_default();
        asn1::encode(tag::CONTEXT_0, &[&algorithm, &key])
    }

    /// The curve, when the key is an EC key and the parameters name one.
    pub fn curve(&self) -> Option<ObjectIdentifier> {
        let mut reader = Reader::new(&self.parameters, Rules::Ber);
        let curve = reader.optional(tag::OBJECT_IDENTIFIER, "curve").ok().flatten()?;
        (self.algorithm == EC_PUBLIC_KEY).then(|| curve.object_identifier("curve").ok())?
    }

    /// Bits of the placeholder's modulus, when the key is an RSA key and there is a placeholder.
    pub fn rsa_bits(&self) -> Option<usize> {
        if self.algorithm != RSA_ENCRYPTION {
            return None;
        }
        let bits = self.placeholder.as_deref()?;
        let mut key = Reader::new(bits, Rules::Ber)
            .sequence("RSAPublicKey")
            .ok()?
            .reader(Rules::Ber);
        let modulus = key.expect(tag::INTEGER, "an INTEGER", "modulus").ok()?.content;
        let zeros = modulus.iter().take_while(|octet| **octet == 0).count();
        let first = modulus.get(zeros)?;
        let unused = usize::try_from(first.leading_zeros()).ok()?;
        Some((modulus.len() - zeros) * 8 - unused)
    }
}

impl ExtensionTemplate {
    /// Reads an Extension or an ExtensionTemplate: one is the other without its option.
    fn parse(element: &Element<'_>) -> Result<Self, WireError> {
        const FIELD: &str = "ExtensionTemplate";
        let mut reader = element.reader(Rules::Ber);
        let oid = reader
            .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", FIELD)?
            .object_identifier(FIELD)?;
        let critical = match reader.optional(tag::BOOLEAN, FIELD)? {
            None => false,
            Some(flag) => flag.content != [0],
        };
        let value = reader
            .optional(tag::OCTET_STRING, FIELD)?
            .map(|value| value.content.to_vec());
        reader.finish(FIELD)?;
        Ok(Self { oid, critical, value })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[self.oid.as_bytes()]);
        let critical: &[u8] = if self.critical {
            &[tag::BOOLEAN, 1, 0xff]
        } else {
            &[]
        };
        let value = self
            .value
            .as_ref()
            .map(|value| asn1::encode(tag::OCTET_STRING, &[value]))
            .unwrap_or_default();
        asn1::encode(tag::SEQUENCE, &[&oid, critical, &value])
    }
}

/// The value of an `extensionRequest` or of an `id-aa-extensionReqTemplate`. The prose of RFC 9908 section 3.4 calls
/// the latter's value an ExtensionTemplate where its ASN.1 has a sequence of them; both are read.
pub(super) fn parse_extensions(
    value: &Element<'_>,
    limits: &CsrAttributesLimits,
) -> Result<Vec<ExtensionTemplate>, WireError> {
    const FIELD: &str = "extensions";
    expect_sequence(value, FIELD)?;
    let mut reader = value.reader(Rules::Ber);
    if reader.peek() == Some(tag::OBJECT_IDENTIFIER) {
        return Ok(vec![ExtensionTemplate::parse(value)?]);
    }
    let mut found: Vec<ExtensionTemplate> = Vec::new();
    while !reader.is_empty() {
        at_most(found.len(), limits.entries, "requested extensions")?;
        let element = reader.sequence(FIELD)?;
        let extension = ExtensionTemplate::parse(&element)?;
        if found.iter().any(|other| other.oid == extension.oid) {
            let problem = DerProblem::Duplicate(super::names::display(&extension.oid));
            return Err(element.problem(FIELD, problem));
        }
        found.push(extension);
    }
    Ok(found)
}

fn parse_subject(
    name: &Element<'_>,
    limits: &CsrAttributesLimits,
) -> Result<Vec<Vec<SingleAttributeTemplate>>, WireError> {
    const FIELD: &str = "template subject";
    let mut reader = name.reader(Rules::Ber);
    let mut rdns = Vec::new();
    let mut count = 0;
    while !reader.is_empty() {
        let set = reader.expect(tag::SET, "a SET", FIELD)?;
        let mut parts = set.reader(Rules::Ber);
        let mut rdn = Vec::new();
        while !parts.is_empty() {
            at_most(count, limits.entries, "parts of a subject")?;
            count += 1;
            let mut part = parts.sequence(FIELD)?.reader(Rules::Ber);
            let oid = part
                .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", FIELD)?
                .object_identifier(FIELD)?;
            let value = match part.is_empty() {
                true => None,
                false => Some(part.any(FIELD)?.raw.to_vec()),
            };
            part.finish(FIELD)?;
            rdn.push(SingleAttributeTemplate { oid, value });
        }
        if rdn.is_empty() {
            let problem = DerProblem::Value("a part of the name has no attribute".to_owned());
            return Err(set.problem(FIELD, problem));
        }
        rdns.push(rdn);
    }
    Ok(rdns)
}

fn encode_subject(rdns: &[Vec<SingleAttributeTemplate>]) -> Vec<u8> {
    let mut content = Vec::new();
    for rdn in rdns {
        let parts: Vec<Vec<u8>> = rdn
            .iter()
            .map(|part| {
                let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[part.oid.as_bytes()]);
                asn1::encode(tag::SEQUENCE, &[&oid, part.value.as_deref().unwrap_or_default()])
            })
            .collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        content.extend(asn1::encode(tag::SET, &parts));
    }
    asn1::encode(tag::SEQUENCE, &[&content])
}

fn expect_sequence(element: &Element<'_>, field: &'static str) -> Result<(), WireError> {
    if element.tag == tag::SEQUENCE {
        return Ok(());
    }
    let problem = DerProblem::WrongTag {
        expected: "a SEQUENCE",
        found: element.tag,
    };
    Err(element.problem(field, problem))
}
