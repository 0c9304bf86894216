//! CSR attributes: what a server wants to find in certification requests (RFC 7030 section 4.5, as RFC 8951 and
//! RFC 9908 correct it).
//!
//! ```text
//! CsrAttrs  ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID
//! AttrOrOID ::= CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }
//! Attribute ::= SEQUENCE { type OBJECT IDENTIFIER, values SET OF ANY }
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | `mod` | bytes <-> [`CsrAttributes`]; the order and the bytes of every value survive |
//! | `template` | the partly filled-in request of RFC 9908 section 3.4 |
//! | `requirements` | what a client has to put into its request: [`CsrRequirements`] |
//! | `enforce` | whether a request has all of it: [`enforce`](enforce()) |
//! | `describe` | the same for people: [`CsrAttributes::describe`] |
//! | `config` | how a server's operator writes them: [`CsrAttributesConfig`] |

mod config;
mod describe;
mod enforce;
mod names;
pub mod oracle;
mod requirements;
mod template;

use const_oid::ObjectIdentifier;

pub use config::{
    CsrAttributesConfig, CsrAttributesConfigError, EntryConfig, ExtensionConfig, SubjectPartConfig,
    TemplateConfig,
};
pub(crate) use enforce::enforce_form;
pub use enforce::{CsrAttributeMismatch, Missing, enforce};
pub use requirements::{CsrRequirements, ExtensionRequirement, KeyRequirement, SubjectRequirement};
pub use template::{
    CertificationRequestInfoTemplate, ExtensionTemplate, SingleAttributeTemplate,
    SubjectPublicKeyInfoTemplate,
};

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Element, Reader, Rules, tag};
use crate::wire::base64;
use crate::wire::csr::Attribute;

/// `id-aa-certificationRequestInfoTemplate` (RFC 9908 appendix A).
pub const CERTIFICATION_REQUEST_INFO_TEMPLATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.61");
/// `id-aa-extensionReqTemplate` (RFC 9908 appendix A).
pub const EXTENSION_REQ_TEMPLATE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.62");

/// Bounds of what a client accepts as CSR attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsrAttributesLimits {
    /// Longest encoding, in bytes of DER.
    pub length: usize,
    /// Most entries, most values of one attribute, most parts of a template's subject, most extensions.
    pub entries: usize,
}

/// A template with an RSA-8192 placeholder key and a page of extensions is under 8 kB.
pub const DEFAULT_MAX_CSR_ATTRIBUTES_LENGTH: usize = 32 * 1024;

/// Servers in the field send up to about twenty entries.
pub const DEFAULT_MAX_CSR_ATTRIBUTES_ENTRIES: usize = 128;

impl Default for CsrAttributesLimits {
    fn default() -> Self {
        Self {
            length: DEFAULT_MAX_CSR_ATTRIBUTES_LENGTH,
            entries: DEFAULT_MAX_CSR_ATTRIBUTES_ENTRIES,
        }
    }
}

/// One entry (`AttrOrOID`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsrAttribute {
    /// Something the request is to have, without saying more about it.
    Oid(ObjectIdentifier),
    /// Something the request is to have, and how it is to look. The set of values may be empty.
    Attribute(Attribute),
}

impl CsrAttribute {
    /// The object identifier, or the attribute's type.
    pub fn oid(&self) -> ObjectIdentifier {
        match self {
            Self::Oid(oid) => *oid,
            Self::Attribute(attribute) => attribute.oid,
        }
    }

    fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Oid(oid) => asn1::encode(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()]),
            Self::Attribute(attribute) => attribute.to_der(),
        }
    }

    fn parse(element: &Element<'_>, limits: &CsrAttributesLimits) -> Result<Self, WireError> {
        const FIELD: &str = "AttrOrOID";
        match element.tag {
            tag::OBJECT_IDENTIFIER => element.object_identifier(FIELD).map(Self::Oid),
            tag::SEQUENCE => parse_attribute(element, limits).map(Self::Attribute),
            found => {
                let expected = "an OBJECT IDENTIFIER or a SEQUENCE";
                Err(element.problem(FIELD, DerProblem::WrongTag { expected, found }))
            }
        }
    }
}

/// What a server wants to find in certification requests, in the server's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsrAttributes {
    entries: Vec<CsrAttribute>,
    template: Option<CertificationRequestInfoTemplate>,
}

impl CsrAttributes {
    /// Attributes of these entries, in this order.
    ///
    /// # Errors
    /// [`WireError`]: a template among them is not one, or there are two.
    pub fn new(entries: Vec<CsrAttribute>) -> Result<Self, WireError> {
        let mut encoded = Self {
            entries,
            template: None,
        };
        let limits = CsrAttributesLimits {
            length: usize::MAX,
            entries: usize::MAX,
        };
        encoded.template = Self::from_der(&encoded.to_der(), &limits)?.template;
        Ok(encoded)
    }

    /// Reads attributes in DER, or in BER as some servers send them. Nothing but NUL bytes may follow.
    ///
    /// # Errors
    /// [`WireError`]: too long, not CSR attributes, a malformed or second template.
    pub fn from_der(der: &[u8], limits: &CsrAttributesLimits) -> Result<Self, WireError> {
        const FIELD: &str = "CsrAttrs";
        if der.len() > limits.length {
            return Err(WireError::TooLong {
                what: "list of CSR attributes",
                limit: limits.length,
            });
        }
        let mut outer = Reader::new(der, Rules::Ber);
        let sequence = outer.sequence(FIELD)?;
        let behind = der.get(sequence.raw.len()..).unwrap_or_default();
        if behind.iter().any(|octet| *octet != 0) {
            outer.finish(FIELD)?;
        }
        let mut reader = sequence.reader(Rules::Ber);
        let mut found = Self::default();
        while !reader.is_empty() {
            at_most(found.entries.len(), limits.entries, "CSR attributes")?;
            let element = reader.any("AttrOrOID")?;
            let entry = CsrAttribute::parse(&element, limits)?;
            found.note_template(&element, &entry, limits)?;
            found.entries.push(entry);
        }
        Ok(found)
    }

    /// Reads the body of a `csrattrs` response: base64 with any white space, or DER as it is. NUL bytes behind it,
    /// which libest's server sends, are ignored. An empty body holds no attributes.
    ///
    /// # Errors
    /// As [`Self::from_der`], and [`WireError::Base64`].
    pub fn from_body(body: &[u8], limits: &CsrAttributesLimits) -> Result<Self, WireError> {
        // In base64, a SEQUENCE starts with the letter M.
        if body.first() == Some(&tag::SEQUENCE) {
            return Self::from_der(body, limits);
        }
        let end = body
            .iter()
            .rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace())
            .map_or(0, |last| last + 1);
        match body.get(..end) {
            Some([]) | None => Ok(Self::default()),
            Some(text) => Self::from_der(&base64::decode(text, limits.length)?, limits),
        }
    }

    /// The attributes in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let entries: Vec<Vec<u8>> = self.entries.iter().map(CsrAttribute::to_der).collect();
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        asn1::encode(tag::SEQUENCE, &entries)
    }

    /// The entries in the order they were sent, the template (if there is one) included.
    pub fn entries(&self) -> &[CsrAttribute] {
        &self.entries
    }

    /// Whether the server wants nothing in particular.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The template of RFC 9908 section 3.4. When there is one, a client uses it alone and ignores all other entries
    /// (RFC 9908 section 4).
    pub fn template(&self) -> Option<&CertificationRequestInfoTemplate> {
        self.template.as_ref()
    }

    fn note_template(
        &mut self,
        element: &Element<'_>,
        entry: &CsrAttribute,
        limits: &CsrAttributesLimits,
    ) -> Result<(), WireError> {
        const FIELD: &str = "certificationRequestInfoTemplate";
        match entry {
            CsrAttribute::Attribute(attribute) if attribute.oid == CERTIFICATION_REQUEST_INFO_TEMPLATE => {
                if self.template.is_some() {
                    return Err(element.problem(FIELD, DerProblem::Duplicate(FIELD.to_owned())));
                }
                let value = single_value(element, FIELD)?;
                self.template = Some(CertificationRequestInfoTemplate::parse(&value, limits)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// An Attribute, whose set of values may be empty (RFC 9908 section 3.2).
fn parse_attribute(element: &Element<'_>, limits: &CsrAttributesLimits) -> Result<Attribute, WireError> {
    let mut reader = element.reader(Rules::Ber);
    let oid = reader
        .expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", "attribute type")?
        .object_identifier("attribute type")?;
    let mut set = reader
        .expect(tag::SET, "a SET", "attribute values")?
        .reader(Rules::Ber);
    reader.finish("attribute")?;
    let mut values = Vec::new();
    while !set.is_empty() {
        at_most(values.len(), limits.entries, "values of one attribute")?;
        values.push(set.any("attribute value")?.raw.to_vec());
    }
    Ok(Attribute { oid, values })
}

/// The value of an attribute that has exactly one, with its place in the message.
fn single_value<'a>(attribute: &Element<'a>, field: &'static str) -> Result<Element<'a>, WireError> {
    let mut reader = attribute.reader(Rules::Ber);
    reader.any(field)?;
    let set = reader.any(field)?;
    let mut values = set.reader(Rules::Ber);
    let value = values.any(field)?;
    values.finish(field)?;
    Ok(value)
}

fn at_most(count: usize, limit: usize, what: &'static str) -> Result<(), WireError> {
    if count >= limit {
        return Err(WireError::TooMany { what, limit });
    }
    Ok(())
}
