//! How a server's operator writes CSR attributes: in TOML, by name or number.

use core::fmt;
use core::net::IpAddr;

use const_oid::ObjectIdentifier;
use pki_common::{Diagnose, Failure, Rung};
use serde::{Deserialize, Serialize};

use super::names::{self, EC_PUBLIC_KEY, ED25519, EXTENSION_REQUEST, RSA_ENCRYPTION};
use super::template::{
    CertificationRequestInfoTemplate, ExtensionTemplate, SingleAttributeTemplate,
    SubjectPublicKeyInfoTemplate,
};
use super::{
    CERTIFICATION_REQUEST_INFO_TEMPLATE, CsrAttribute, CsrAttributes, CsrAttributesLimits,
    EXTENSION_REQ_TEMPLATE,
};
use crate::wire::asn1::{self, tag};
use crate::wire::base64;
use crate::wire::csr::Attribute;
use crate::wire::hexadecimal;

/// The CSR attributes of a label, as a configuration file has them.
///
/// ```
/// use est::wire::csr_attributes::CsrAttributesConfig;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "cli")] {
/// let config: CsrAttributesConfig = toml::from_str(r#"
///     entries = [
///         { oid = "challengePassword" },
///         { key = "P-384" },
///         { oid = "ecdsa-with-SHA384" },
///     ]
///     [template]
///     key = "P-256"
///     subject = [{ type = "CN" }, { type = "OU", value = "myDept" }]
///     extensions = [
///         { oid = "subjectAltName", names = ["DNS:www.example.com", "IP:"] },
///         { oid = "keyUsage", critical = true, usages = ["digitalSignature"] },
///         { oid = "extKeyUsage" },
///     ]
/// "#)?;
/// assert_eq!(config.to_attributes()?.entries().len(), 4);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CsrAttributesConfig {
    /// Whether a request that lacks something is refused. Without it the attributes are a wish.
    pub enforce: bool,
    /// The entries, in the order in which they are sent.
    pub entries: Vec<EntryConfig>,
    /// A template (RFC 9908 section 3.4), sent behind the entries. New clients use it and ignore the entries, old
    /// ones the other way round (RFC 9908 section 4).
    pub template: Option<TemplateConfig>,
    /// The whole list in base64 of its DER, sent as it is; instead of `entries` and `template`.
    pub base64: Option<String>,
}

/// One entry: exactly one of `oid`, `key` and `extensions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntryConfig {
    /// A name or a dotted number.
    pub oid: Option<String>,
    /// With `oid`: the values of an attribute, each `oid:NAME`, `integer:NUMBER`, `utf8:TEXT`, `printable:TEXT`,
    /// `ia5:TEXT` or `der:HEX`. Without values the identifier is sent alone.
    pub values: Option<Vec<String>>,
    /// A key: `RSA`, `RSA-4096`, `EC`, `P-256`, `P-384`, `P-521`, the name or number of a curve, or `Ed25519`.
    pub key: Option<String>,
    /// Extensions with their values (`extensionRequest`, RFC 9908 section 3.2).
    pub extensions: Option<Vec<ExtensionConfig>>,
}

/// A template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateConfig {
    /// The parts of the subject, most general first; leave it out when any subject will do.
    pub subject: Option<Vec<SubjectPartConfig>>,
    /// The key, as in [`EntryConfig::key`]; leave it out when any key will do.
    pub key: Option<String>,
    /// The extensions, with or without their values.
    pub extensions: Vec<ExtensionConfig>,
    /// Other attributes, each with `oid` and `values`. `challengePassword` asks for proof of possession.
    pub attributes: Vec<EntryConfig>,
}

/// A part of a template's subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubjectPartConfig {
    /// The type: a name or a dotted number.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value; leave it out for the client to fill in.
    pub value: Option<String>,
}

/// An extension: at most one of `value`, `names` and `usages`. Without any of them the client fills in the value,
/// which only a template can express.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtensionConfig {
    /// A name or a dotted number.
    pub oid: String,
    /// Whether the client is to mark it critical.
    pub critical: bool,
    /// The value (the content of extnValue) in hexadecimal digits.
    pub value: Option<String>,
    /// The value of a subject alternative name: `DNS:`, `IP:`, `email:`, `URI:` and a name, or nothing behind the
    /// colon for the client to fill in; `dirName:` (always filled in by the client).
    pub names: Option<Vec<String>>,
    /// The value of a key usage (`digitalSignature`) or of an extended key usage (`clientAuth`, or a number).
    pub usages: Option<Vec<String>>,
}

/// CSR attributes that make no sense. `Display` says which entry and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("csr_attributes: {place}: {problem}")]
pub struct CsrAttributesConfigError {
    place: String,
    problem: String,
}

impl CsrAttributesConfigError {
    fn new(place: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self {
            place: place.to_string(),
            problem: problem.to_string(),
        }
    }
}

impl Diagnose for CsrAttributesConfigError {
    fn diagnose(&self) -> Failure {
        let remedy = "Correct the section csr_attributes of the configuration.";
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

type Result<T> = core::result::Result<T, CsrAttributesConfigError>;

impl CsrAttributesConfig {
    /// The attributes that are meant.
    ///
    /// # Errors
    /// [`CsrAttributesConfigError`]: an unknown name, a value that is not of its kind, fields that exclude each
    /// other.
    pub fn to_attributes(&self) -> Result<CsrAttributes> {
        if let Some(text) = &self.base64 {
            if !self.entries.is_empty() || self.template.is_some() {
                let problem = "it stands for the whole list; leave out entries and template";
                return Err(CsrAttributesConfigError::new("base64", problem));
            }
            let wrong = |error| CsrAttributesConfigError::new("base64", error);
            let limits = CsrAttributesLimits::default();
            let der = base64::decode(text.as_bytes(), limits.length).map_err(wrong)?;
            return CsrAttributes::from_der(&der, &limits).map_err(wrong);
        }
        let mut entries = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            entries.push(entry.to_entry(&format!("entry {}", index + 1))?);
        }
        if let Some(template) = &self.template {
            entries.push(CsrAttribute::Attribute(Attribute {
                oid: CERTIFICATION_REQUEST_INFO_TEMPLATE,
                values: vec![template.to_template()?.to_der()],
            }));
        }
        CsrAttributes::new(entries).map_err(|error| CsrAttributesConfigError::new("entries", error))
    }
}

impl EntryConfig {
    fn to_entry(&self, place: &str) -> Result<CsrAttribute> {
        let wrong = |problem: &str| CsrAttributesConfigError::new(place, problem);
        match (&self.oid, &self.key, &self.extensions) {
            (Some(name), None, None) => {
                let oid = oid_of(name, place)?;
                let Some(values) = &self.values else {
                    return Ok(CsrAttribute::Oid(oid));
                };
                let mut values = values
                    .iter()
                    .map(|text| attribute_value(text, place))
                    .collect::<Result<Vec<_>>>()?;
                // X.690 section 11.6: the values of a SET OF in DER stand in ascending order.
                values.sort();
                Ok(CsrAttribute::Attribute(Attribute { oid, values }))
            }
            _ if self.values.is_some() => Err(wrong("values belong to an oid")),
            (None, Some(key), None) => {
                let key = Key::read(key, place)?;
                Ok(CsrAttribute::Attribute(Attribute {
                    oid: key.algorithm,
                    values: key.attribute_values(),
                }))
            }
            (None, None, Some(extensions)) => {
                let extensions = extensions_of(extensions, place)?;
                if extensions.iter().any(|extension| extension.value.is_none()) {
                    return Err(wrong(
                        "an extension without a value can only be asked for in a template",
                    ));
                }
                Ok(CsrAttribute::Attribute(extension_attribute(&extensions)))
            }
            _ => Err(wrong("give exactly one of oid, key and extensions")),
        }
    }
}

impl TemplateConfig {
    fn to_template(&self) -> Result<CertificationRequestInfoTemplate> {
        let subject = self
            .subject
            .as_ref()
            .map(|parts| {
                parts
                    .iter()
                    .map(SubjectPartConfig::to_part)
                    .collect::<Result<Vec<_>>>()
            })
            .transpose()?;
        let public_key = self
            .key
            .as_ref()
            .map(|key| Key::read(key, "template.key").map(|key| key.to_template()))
            .transpose()?;
        let mut attributes = Vec::new();
        for (index, entry) in self.attributes.iter().enumerate() {
            let place = format!("template.attributes, entry {}", index + 1);
            attributes.push(match entry.to_entry(&place)? {
                CsrAttribute::Attribute(attribute) => attribute,
                CsrAttribute::Oid(oid) => Attribute {
                    oid,
                    values: Vec::new(),
                },
            });
        }
        let extensions = extensions_of(&self.extensions, "template.extensions")?;
        if !extensions.is_empty() {
            attributes.push(extension_attribute(&extensions));
        }
        Ok(CertificationRequestInfoTemplate {
            subject,
            public_key,
            attributes,
            extensions,
        })
    }
}

impl SubjectPartConfig {
    fn to_part(&self) -> Result<Vec<SingleAttributeTemplate>> {
        let oid = oid_of(&self.kind, "template.subject")?;
        let value = self.value.as_ref().map(|text| {
            // RFC 5280 appendix A.1: DC and emailAddress are IA5String; countryName, serialNumber and dnQualifier
            // are PrintableString.
            let string_type = match oid.to_string().as_str() {
                "0.9.2342.19200300.100.1.25" | "1.2.840.113549.1.9.1" => 0x16,
                "2.5.4.6" | "2.5.4.5" | "2.5.4.46" => 0x13,
                _ => 0x0c,
            };
            asn1::encode(string_type, &[text.as_bytes()])
        });
        Ok(vec![SingleAttributeTemplate { oid, value }])
    }
}

/// The attribute for these extensions: `extensionRequest` when each has a value, else the template's own type, as
/// RFC 9908 section 3.4 demands.
fn extension_attribute(extensions: &[ExtensionTemplate]) -> Attribute {
    let complete = extensions.iter().all(|extension| extension.value.is_some());
    let open_names = extensions
        .iter()
        .any(|extension| extension.oid == names::SUBJECT_ALT_NAME && has_open_name(extension));
    let encoded: Vec<Vec<u8>> = extensions.iter().map(ExtensionTemplate::encode).collect();
    let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    Attribute {
        oid: if complete && !open_names {
            EXTENSION_REQUEST
        } else {
            EXTENSION_REQ_TEMPLATE
        },
        values: vec![asn1::encode(tag::SEQUENCE, &encoded)],
    }
}

/// Whether a name of a subject alternative name is left for the client to fill in.
fn has_open_name(extension: &ExtensionTemplate) -> bool {
    let Some(value) = &extension.value else {
        return true;
    };
    let mut names = match asn1::Reader::new(value, asn1::Rules::Der).sequence("names") {
        Ok(names) => names.reader(asn1::Rules::Der),
        Err(_) => return false,
    };
    core::iter::from_fn(|| names.any("name").ok())
        .any(|name| name.content.is_empty() || name.content == [tag::SEQUENCE, 0])
}

fn extensions_of(extensions: &[ExtensionConfig], place: &str) -> Result<Vec<ExtensionTemplate>> {
    let mut found: Vec<ExtensionTemplate> = Vec::new();
    for extension in extensions {
        let oid = oid_of(&extension.oid, place)?;
        if found.iter().any(|other| other.oid == oid) {
            let problem = format!("the extension {} stands there twice", names::display(&oid));
            return Err(CsrAttributesConfigError::new(place, problem));
        }
        found.push(ExtensionTemplate {
            oid,
            critical: extension.critical,
            value: extension.value(place)?,
        });
    }
    Ok(found)
}

impl ExtensionConfig {
    fn value(&self, place: &str) -> Result<Option<Vec<u8>>> {
        let place = format!("{place}, {}", self.oid);
        let wrong = |problem: &str| CsrAttributesConfigError::new(&place, problem);
        match (&self.value, &self.names, &self.usages) {
            (None, None, None) => Ok(None),
            (Some(digits), None, None) => hexadecimal::decode(digits)
                .map(Some)
                .ok_or_else(|| wrong(NOT_HEX)),
            (None, Some(names), None) => {
                let names: Vec<Vec<u8>> = names
                    .iter()
                    .map(|name| general_name(name, &place))
                    .collect::<Result<_>>()?;
                let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
                Ok(Some(asn1::encode(tag::SEQUENCE, &names)))
            }
            (None, None, Some(usages)) if self.is_key_usage() => key_usage(usages, &place).map(Some),
            (None, None, Some(usages)) => {
                let usages: Vec<Vec<u8>> = usages
                    .iter()
                    .map(|usage| oid_of(usage, &place).map(|oid| encode_oid(&oid)))
                    .collect::<Result<_>>()?;
                let usages: Vec<&[u8]> = usages.iter().map(Vec::as_slice).collect();
                Ok(Some(asn1::encode(tag::SEQUENCE, &usages)))
            }
            _ => Err(wrong("give at most one of value, names and usages")),
        }
    }

    fn is_key_usage(&self) -> bool {
        names::oid_of(&self.oid).is_some_and(|oid| oid.to_string() == "2.5.29.15")
    }
}

const NOT_HEX: &str = "the value is not an even number of hexadecimal digits";

/// A GeneralName (RFC 5280 section 4.2.1.6).
fn general_name(text: &str, place: &str) -> Result<Vec<u8>> {
    let wrong = || {
        let problem = format!("{text:?} is no name; write DNS:, IP:, email:, URI: or dirName:");
        CsrAttributesConfigError::new(place, problem)
    };
    let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
    if !value.is_ascii() {
        return Err(wrong());
    }
    Ok(match kind.to_ascii_lowercase().as_str() {
        "email" => asn1::encode(0x81, &[value.as_bytes()]),
        "dns" => asn1::encode(0x82, &[value.as_bytes()]),
        "uri" => asn1::encode(0x86, &[value.as_bytes()]),
        "dirname" if value.is_empty() => asn1::encode(0xa4, &[&[tag::SEQUENCE, 0]]),
        "ip" if value.is_empty() => asn1::encode(0x87, &[]),
        "ip" => match value.parse().map_err(|_| wrong())? {
            IpAddr::V4(address) => asn1::encode(0x87, &[&address.octets()]),
            IpAddr::V6(address) => asn1::encode(0x87, &[&address.octets()]),
        },
        _ => return Err(wrong()),
    })
}

/// The names of the bits of a KeyUsage (RFC 5280 section 4.2.1.3), bit 0 first.
const KEY_USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// A KeyUsage: a BIT STRING without trailing zero bits (X.690 section 11.2.2).
fn key_usage(usages: &[String], place: &str) -> Result<Vec<u8>> {
    let mut bits = 0_u16;
    for usage in usages {
        let name = if usage == "contentCommitment" {
            "nonRepudiation"
        } else {
            usage
        };
        let bit = KEY_USAGES
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| {
                let problem = format!("{usage:?} is no key usage; there are {}", KEY_USAGES.join(", "));
                CsrAttributesConfigError::new(place, problem)
            })?;
        bits |= 0x8000 >> bit;
    }
    let [first, second] = bits.to_be_bytes();
    let octets: &[u8] = match (first, second) {
        (0, 0) => &[],
        (_, 0) => &[first],
        _ => &[first, second],
    };
    let unused = octets.last().map_or(0, |last| last.trailing_zeros());
    Ok(asn1::encode(
        tag::BIT_STRING,
        &[&[u8::try_from(unused).unwrap_or(0)], octets],
    ))
}

/// A kind of key, by name.
struct Key {
    algorithm: ObjectIdentifier,
    curve: Option<ObjectIdentifier>,
    bits: Option<u16>,
}

/// Bounds of an RSA modulus that can be asked for, in bits.
const RSA_BITS: core::ops::RangeInclusive<u16> = 1024..=16384;

impl Key {
    fn read(text: &str, place: &str) -> Result<Self> {
        let wrong = || {
            let problem = format!(
                "{text:?} is no kind of key; write RSA, RSA-4096, EC, P-256, P-384, P-521, a curve or Ed25519"
            );
            CsrAttributesConfigError::new(place, problem)
        };
        let key = |algorithm, curve, bits| Self {
            algorithm,
            curve,
            bits,
        };
        let upper = text.to_ascii_uppercase();
        if let Some(bits) = upper.strip_prefix("RSA-") {
            let bits: u16 = bits.parse().map_err(|_| wrong())?;
            if !RSA_BITS.contains(&bits) || !bits.is_multiple_of(8) {
                return Err(wrong());
            }
            return Ok(key(RSA_ENCRYPTION, None, Some(bits)));
        }
        match upper.as_str() {
            "RSA" => Ok(key(RSA_ENCRYPTION, None, None)),
            "EC" => Ok(key(EC_PUBLIC_KEY, None, None)),
            "ED25519" => Ok(key(ED25519, None, None)),
            _ => {
                let name = upper
                    .strip_prefix("EC ")
                    .map_or(text, |_| text.get(3..).unwrap_or(text));
                let curve = names::oid_of(name).ok_or_else(wrong)?;
                if names::kind(&curve) != names::Kind::Curve {
                    return Err(wrong());
                }
                Ok(key(EC_PUBLIC_KEY, Some(curve), None))
            }
        }
    }

    /// RFC 9908 section 3.2: the curve, the length of the modulus, or nothing.
    fn attribute_values(&self) -> Vec<Vec<u8>> {
        let curve = self.curve.iter().map(encode_oid);
        let bits = self.bits.iter().map(|bits| {
            // At most 16384, so the first octet never has its sign bit set, and at least 1024, so there are two.
            asn1::encode(tag::INTEGER, &[&bits.to_be_bytes()])
        });
        curve.chain(bits).collect()
    }

    fn to_template(&self) -> SubjectPublicKeyInfoTemplate {
        let parameters = match self.curve {
            Some(curve) => encode_oid(&curve),
            None if self.algorithm == RSA_ENCRYPTION => vec![tag::NULL, 0],
            None => Vec::new(),
        };
        SubjectPublicKeyInfoTemplate {
            algorithm: self.algorithm,
            parameters,
            placeholder: self.bits.map(placeholder_rsa_key),
        }
    }
}

/// An RSAPublicKey whose modulus has this many bits and is nobody's: all ones. Only its length means something
/// (RFC 9908 section 3.4).
fn placeholder_rsa_key(bits: u16) -> Vec<u8> {
    let ones = vec![0xff; usize::from(bits / 8)];
    let modulus = asn1::encode(tag::INTEGER, &[&[0], &ones]);
    let exponent = asn1::encode(tag::INTEGER, &[&[1, 0, 1]]);
    asn1::encode(tag::SEQUENCE, &[&modulus, &exponent])
}

fn attribute_value(text: &str, place: &str) -> Result<Vec<u8>> {
    let wrong = |problem: String| CsrAttributesConfigError::new(place, problem);
    let unknown = || {
        wrong(format!(
            "{text:?} is no value; write oid:, integer:, utf8:, printable:, ia5: or der: and the value"
        ))
    };
    let (kind, value) = text.split_once(':').ok_or_else(unknown)?;
    match kind {
        "oid" => oid_of(value, place).map(|oid| encode_oid(&oid)),
        "integer" => {
            let number: u32 = value.parse().map_err(|_| unknown())?;
            let octets = number.to_be_bytes();
            let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(3);
            let significant = octets.get(zeros..).unwrap_or(&octets);
            let sign: &[u8] = match significant.first() {
                Some(first) if first & 0x80 != 0 => &[0],
                _ => &[],
            };
            Ok(asn1::encode(tag::INTEGER, &[sign, significant]))
        }
        "utf8" => Ok(asn1::encode(0x0c, &[value.as_bytes()])),
        "printable" | "ia5" if !value.is_ascii() => Err(wrong(format!("{value:?} is not ASCII"))),
        "printable" => Ok(asn1::encode(0x13, &[value.as_bytes()])),
        "ia5" => Ok(asn1::encode(0x16, &[value.as_bytes()])),
        "der" => {
            let der = hexadecimal::decode(value).ok_or_else(|| wrong(NOT_HEX.to_owned()))?;
            let mut reader = asn1::Reader::new(&der, asn1::Rules::Der);
            let whole = reader.any("value").and_then(|_| reader.finish("value"));
            whole.map_err(|error| wrong(error.to_string()))?;
            Ok(der)
        }
        _ => Err(unknown()),
    }
}

fn oid_of(name: &str, place: &str) -> Result<ObjectIdentifier> {
    names::oid_of(name).ok_or_else(|| {
        let problem = format!("{name:?} is neither a known name nor a dotted object identifier");
        CsrAttributesConfigError::new(place, problem)
    })
}

fn encode_oid(oid: &ObjectIdentifier) -> Vec<u8> {
    asn1::encode(tag::OBJECT_IDENTIFIER, &[oid.as_bytes()])
}
