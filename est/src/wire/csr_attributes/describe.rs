//! CSR attributes in words, and as JSON.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::names::{self, Kind};
use super::requirements::{ExtensionRequirement, KeyRequirement, SubjectRequirement};
use super::{CsrAttribute, CsrAttributes, CsrRequirements};
use crate::wire::asn1::{Reader, Rules};
use crate::wire::csr::{Attribute, directory_string};
use crate::wire::hexadecimal;

impl CsrAttributes {
    /// What the server asks for: one line for each entry, in the server's order, and two blanks more for what
    /// belongs to the line above. Empty when it asks for nothing.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in self.entries() {
            match entry {
                CsrAttribute::Oid(oid) => {
                    lines.push(format!("{}{}", names::display(oid), meaning(names::kind(oid))));
                }
                CsrAttribute::Attribute(attribute) => describe_attribute(attribute, &mut lines),
            }
        }
        lines
    }
}

impl fmt::Display for CsrAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no particular attributes");
        }
        f.write_str(&self.describe().join("\n"))
    }
}

impl fmt::Display for CsrRequirements {
    /// One demand a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl CsrRequirements {
    /// The demands in words, one line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.keys.is_empty() {
            let keys: Vec<String> = self.keys.iter().map(KeyRequirement::to_string).collect();
            lines.push(format!("key: {}", keys.join(" or ")));
        }
        if !self.signature_algorithms.is_empty() {
            let names: Vec<String> = self.signature_algorithms.iter().map(names::display).collect();
            lines.push(format!("signature: {}", names.join(" or ")));
        }
        if !self.digests.is_empty() {
            let names: Vec<String> = self.digests.iter().map(names::display).collect();
            lines.push(format!("hash of the signature: {}", names.join(" or ")));
        }
        if self.challenge_password {
            lines.push("proof of possession: the channel binding in challengePassword".to_owned());
        }
        lines.extend(
            self.subject
                .iter()
                .map(|part| format!("subject: {}", subject_part(part))),
        );
        if self.any_extension {
            lines.push("extension: at least one".to_owned());
        }
        lines.extend(
            self.extensions
                .iter()
                .map(|part| format!("extension: {}", extension(part))),
        );
        for attribute in &self.attributes {
            let values: Vec<String> = attribute.values.iter().map(|value| value_text(value)).collect();
            let values = if values.is_empty() {
                String::new()
            } else {
                format!(" = {}", values.join(", "))
            };
            lines.push(format!("attribute: {}{values}", names::display(&attribute.oid)));
        }
        lines
    }
}

fn meaning(kind: Kind) -> &'static str {
    match kind {
        Kind::ChallengePassword => ": proof of possession is asked for (RFC 7030 section 3.5)",
        Kind::ExtensionRequest => ": at least one extension",
        Kind::Key => ": type of the key",
        Kind::Curve => ": curve of the key",
        Kind::Signature => ": signature algorithm of the request",
        Kind::Digest => ": hash algorithm of the request's signature",
        Kind::SubjectAttribute => ": part of the subject",
        Kind::Extension => ": extension",
        Kind::Other => ": attribute",
    }
}

fn describe_attribute(attribute: &Attribute, lines: &mut Vec<String>) {
    let single = CsrAttributes::new(vec![CsrAttribute::Attribute(attribute.clone())]).unwrap_or_default();
    let is_list = single.template().is_some()
        || [names::EXTENSION_REQUEST, super::EXTENSION_REQ_TEMPLATE].contains(&attribute.oid);
    if is_list {
        lines.push(format!("{}:", names::display(&attribute.oid)));
        let inner = single.requirements().lines();
        lines.extend(inner.into_iter().map(|line| format!("  {line}")));
        return;
    }
    let values: Vec<String> = attribute.values.iter().map(|value| value_text(value)).collect();
    let values = if values.is_empty() {
        String::new()
    } else {
        format!(" = {}", values.join(", "))
    };
    let what = meaning(names::kind(&attribute.oid));
    lines.push(format!("{}{values}{what}", names::display(&attribute.oid)));
}

/// `serialNumber (2.5.4.5)`, and `= "text"` when a value is demanded.
pub(super) fn subject_part(part: &SubjectRequirement) -> String {
    let name = names::display(&part.oid);
    match &part.value {
        Some(value) => format!("{name} = {}", value_text(value)),
        None => name,
    }
}

fn extension(extension: &ExtensionRequirement) -> String {
    let name = names::display(&extension.oid);
    let critical = if extension.critical { ", critical" } else { "" };
    match &extension.value {
        Some(value) => format!("{name}{critical}, value {}", hexadecimal::encode(value)),
        None => format!("{name}{critical}"),
    }
}

/// A value as people read it: text, number, name, or the DER in hexadecimal digits.
fn value_text(der: &[u8]) -> String {
    let Ok(element) = Reader::new(der, Rules::Ber).any("value") else {
        return hexadecimal::encode(der);
    };
    if let Some(text) = directory_string(&element) {
        return format!("{text:?}");
    }
    match element.tag {
        0x06 => element
            .object_identifier("value")
            .map_or_else(|_| hexadecimal::encode(der), |oid| names::display(&oid)),
        0x02 if element.content.len() <= 7 => {
            let number = element
                .content
                .iter()
                .fold(0_u64, |number, octet| (number << 8) | u64::from(*octet));
            match element.content.first() {
                Some(first) if first & 0x80 == 0 => number.to_string(),
                _ => hexadecimal::encode(der),
            }
        }
        _ => hexadecimal::encode(der),
    }
}

impl Serialize for CsrAttributes {
    /// A list with an object for each entry: `oid`, `name`, and `values` (the DER in hexadecimal digits) when it is
    /// an attribute.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries())
    }
}

impl Serialize for CsrAttribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let oid = self.oid();
        let mut object = serializer.serialize_struct("CsrAttribute", 3)?;
        object.serialize_field("oid", &oid.to_string())?;
        object.serialize_field("name", &names::display(&oid))?;
        match self {
            Self::Oid(_) => object.skip_field("values")?,
            Self::Attribute(attribute) => {
                let values: Vec<String> = attribute
                    .values
                    .iter()
                    .map(|value| hexadecimal::encode(value))
                    .collect();
                object.serialize_field("values", &values)?;
            }
        }
        object.end()
    }
}

impl Serialize for CsrRequirements {
    /// A list of texts, one for each demand.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.lines())
    }
}
