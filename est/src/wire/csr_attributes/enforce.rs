//! Whether a certification request has what the server asked for.

use std::fmt;

use const_oid::ObjectIdentifier;
use pki_common::{Diagnose, Failure, Rung};

use super::names::{self, RSASSA_PSS, SUBJECT_ALT_NAME, SUBJECT_DIRECTORY_ATTRIBUTES};
use super::requirements::{self, CsrRequirements, ExtensionRequirement, KeyRequirement, SubjectRequirement};
use super::{CsrAttributes, describe};
use crate::wire::asn1::{Element, Reader, Rules, tag};
use crate::wire::csr::{Attribute, CertificationRequest, VerifiedCsr, directory_string};

/// A request that is not what the CSR attributes ask for. `Display` names everything that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsrAttributeMismatch {
    /// What is missing; never empty.
    pub missing: Vec<Missing>,
}

impl fmt::Display for CsrAttributeMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request is not what the CSR attributes of this server ask for: ")?;
        for (index, missing) in self.missing.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{missing}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CsrAttributeMismatch {}

impl Diagnose for CsrAttributeMismatch {
    fn diagnose(&self) -> Failure {
        let remedy = "Fetch the CSR attributes of this server and make the request anew from them.";
        Failure::new(Rung::Body, format!("{self}."), remedy)
    }
}

/// One thing that a request lacks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Missing {
    /// The key is another one.
    #[error("the key is {found}, wanted is {wanted}")]
    Key {
        /// The keys that would do.
        wanted: String,
        /// The key of the request.
        found: String,
    },
    /// The signature algorithm is another one.
    #[error("the request is signed with {found}, wanted is {wanted}")]
    SignatureAlgorithm {
        /// The algorithms that would do.
        wanted: String,
        /// The algorithm of the request.
        found: String,
    },
    /// The hash algorithm of the signature is another one.
    #[error("the request is signed with {found}, wanted is one that hashes with {wanted}")]
    Digest {
        /// The hash algorithms that would do.
        wanted: String,
        /// The signature algorithm of the request.
        found: String,
    },
    /// There is no `challengePassword`.
    #[error("challengePassword (1.2.840.113549.1.9.7) is missing; it carries the proof of possession")]
    ChallengePassword,
    /// A part of the subject is missing.
    #[error("the subject has no {name}")]
    SubjectAttribute {
        /// The type, and the value when one is demanded.
        name: String,
    },
    /// An extension is missing.
    #[error("the extension {name} is missing")]
    Extension {
        /// The extension.
        name: String,
    },
    /// An extension has another value than the one that was given.
    #[error("the extension {name} has another value than the one asked for")]
    ExtensionValue {
        /// The extension.
        name: String,
    },
    /// An extension is not marked critical.
    #[error("the extension {name} is not marked critical")]
    NotCritical {
        /// The extension.
        name: String,
    },
    /// There is no extension at all.
    #[error("no extension is requested (extensionRequest, 1.2.840.113549.1.9.14)")]
    AnyExtension,
    /// An attribute is missing.
    #[error("the attribute {name} is missing")]
    Attribute {
        /// The attribute.
        name: String,
    },
    /// An attribute lacks a value that was given.
    #[error("the attribute {name} has another value than the one asked for")]
    AttributeValue {
        /// The attribute.
        name: String,
    },
}

/// Checks that a request has everything that the CSR attributes ask for.
///
/// # Errors
/// [`CsrAttributeMismatch`], with all that is missing.
pub fn enforce(attributes: &CsrAttributes, request: &VerifiedCsr) -> Result<(), CsrAttributeMismatch> {
    let requirements = attributes.requirements();
    let mut missing = Vec::new();
    check_signature(&requirements, request, &mut missing);
    check_rest(&requirements, request, missing)
}

/// As [`enforce`], for the form of a request that the server will sign with a key of its own: how the form itself is
/// signed means nothing (RFC 7030 section 4.4.1).
///
/// # Errors
/// [`CsrAttributeMismatch`], with all that is missing.
pub(crate) fn enforce_form(
    attributes: &CsrAttributes,
    form: &CertificationRequest,
) -> Result<(), CsrAttributeMismatch> {
    check_rest(&attributes.requirements(), form, Vec::new())
}

fn check_rest(
    requirements: &CsrRequirements,
    request: &CertificationRequest,
    mut missing: Vec<Missing>,
) -> Result<(), CsrAttributeMismatch> {
    check_key(requirements, request, &mut missing);
    if requirements.challenge_password && request.challenge_password().is_none() {
        missing.push(Missing::ChallengePassword);
    }
    check_subject(&requirements.subject, request, &mut missing);
    if requirements.any_extension && request.requested_extensions().is_empty() {
        missing.push(Missing::AnyExtension);
    }
    for extension in &requirements.extensions {
        missing.extend(check_extension(extension, request));
    }
    for attribute in &requirements.attributes {
        missing.extend(check_attribute(attribute, request));
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(CsrAttributeMismatch { missing })
    }
}

fn check_key(requirements: &CsrRequirements, request: &CertificationRequest, missing: &mut Vec<Missing>) {
    let kind = request.public_key().kind();
    let wanted = &requirements.keys;
    if !wanted.is_empty() && !wanted.iter().any(|key| key.accepts(kind)) {
        missing.push(Missing::Key {
            wanted: any_of(wanted.iter().map(KeyRequirement::to_string)),
            found: kind.to_string(),
        });
    }
}

fn check_signature(
    requirements: &CsrRequirements,
    request: &CertificationRequest,
    missing: &mut Vec<Missing>,
) {
    let Some((algorithm, digest)) = signature_of(request) else {
        return;
    };
    let found = || names::display(&algorithm);
    let wanted = &requirements.signature_algorithms;
    let only_way = requirements::signs_in_one_way(&algorithm);
    if !wanted.is_empty() && !wanted.contains(&algorithm) && !only_way {
        missing.push(Missing::SignatureAlgorithm {
            wanted: any_of(wanted.iter().map(names::display)),
            found: found(),
        });
    }
    let wanted = &requirements.digests;
    if !wanted.is_empty() && !digest.is_some_and(|digest| wanted.contains(&digest)) && !only_way {
        missing.push(Missing::Digest {
            wanted: any_of(wanted.iter().map(names::display)),
            found: found(),
        });
    }
}

/// The request's signature algorithm and its hash algorithm. `None` for a request without a signature of its own.
fn signature_of(request: &CertificationRequest) -> Option<(ObjectIdentifier, Option<ObjectIdentifier>)> {
    const FIELD: &str = "signatureAlgorithm";
    let mut reader = Reader::new(request.signature_algorithm_der(), Rules::Der)
        .sequence(FIELD)
        .ok()?
        .reader(Rules::Der);
    let algorithm = reader.any(FIELD).ok()?.object_identifier(FIELD).ok()?;
    if algorithm != RSASSA_PSS {
        return Some((algorithm, requirements::digest_of_signature(&algorithm)));
    }
    // RFC 4055 section 3.1: hashAlgorithm [0] EXPLICIT AlgorithmIdentifier DEFAULT sha1
    let digest = reader.sequence(FIELD).ok().and_then(|parameters| {
        let hash = parameters
            .reader(Rules::Der)
            .optional(tag::CONTEXT_0, FIELD)
            .ok()??;
        let mut hash = hash.reader(Rules::Der).sequence(FIELD).ok()?.reader(Rules::Der);
        hash.any(FIELD).ok()?.object_identifier(FIELD).ok()
    });
    Some((algorithm, digest))
}

/// Each demanded part is found in the subject, and no part of the subject answers two demands.
fn check_subject(wanted: &[SubjectRequirement], request: &CertificationRequest, missing: &mut Vec<Missing>) {
    let mut parts = subject_parts(request.subject_der());
    // The demands with a value choose first, so that one without does not take what only they can use.
    let with_value = wanted.iter().filter(|part| part.value.is_some());
    let without = wanted.iter().filter(|part| part.value.is_none());
    for demand in with_value.chain(without) {
        let position = parts.iter().position(|(oid, value)| {
            *oid == demand.oid
                && demand
                    .value
                    .as_deref()
                    .is_none_or(|demanded| same_text(demanded, value))
        });
        match position {
            Some(position) => {
                parts.remove(position);
            }
            // A part that is no part of a name for this client may stand among the attributes or in the extension
            // for such (RFC 9908 section 5.2 has the MAC address there).
            None if demand.rdn.is_none() && stands_elsewhere(demand.oid, request) => {}
            None => missing.push(Missing::SubjectAttribute {
                name: describe::subject_part(demand),
            }),
        }
    }
}

fn check_extension(wanted: &ExtensionRequirement, request: &CertificationRequest) -> Option<Missing> {
    let name = names::display(&wanted.oid);
    let Some(found) = request
        .requested_extensions()
        .iter()
        .find(|extension| extension.oid == wanted.oid)
    else {
        return Some(Missing::Extension { name });
    };
    if wanted.critical && !found.critical {
        return Some(Missing::NotCritical { name });
    }
    let fits = match &wanted.value {
        None => true,
        Some(value) if wanted.oid == SUBJECT_ALT_NAME && elements(value).iter().any(is_empty_name) => {
            fills_in(value, &found.value)
        }
        Some(value) => *value == found.value,
    };
    (!fits).then_some(Missing::ExtensionValue { name })
}

fn check_attribute(wanted: &Attribute, request: &CertificationRequest) -> Option<Missing> {
    let name = || names::display(&wanted.oid);
    let found = request
        .attributes()
        .iter()
        .find(|attribute| attribute.oid == wanted.oid);
    match found {
        Some(found) if wanted.values.iter().all(|value| found.values.contains(value)) => None,
        Some(_) => Some(Missing::AttributeValue { name: name() }),
        None if wanted.values.is_empty() && stands_elsewhere(wanted.oid, request) => None,
        None => Some(Missing::Attribute { name: name() }),
    }
}

/// Whether something of this type is in the request at all: an attribute, an extension, a part of the subject, or an
/// attribute within the extension subjectDirectoryAttributes.
fn stands_elsewhere(oid: ObjectIdentifier, request: &CertificationRequest) -> bool {
    let directory = request
        .requested_extensions()
        .iter()
        .find(|extension| extension.oid == SUBJECT_DIRECTORY_ATTRIBUTES);
    request.attributes().iter().any(|attribute| attribute.oid == oid)
        || request
            .requested_extensions()
            .iter()
            .any(|extension| extension.oid == oid)
        || subject_parts(request.subject_der())
            .iter()
            .any(|(found, _)| *found == oid)
        || directory.is_some_and(|extension| {
            elements(&extension.value)
                .iter()
                .any(|attribute| type_of(attribute) == Some(oid))
        })
}

/// The elements of a SEQUENCE; none when it is not one.
fn elements(sequence: &[u8]) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    if let Ok(sequence) = Reader::new(sequence, Rules::Der).sequence("sequence") {
        let mut reader = sequence.reader(Rules::Der);
        while let Ok(element) = reader.any("element") {
            found.push(element);
        }
    }
    found
}

fn type_of(attribute: &Element<'_>) -> Option<ObjectIdentifier> {
    let mut reader = attribute.reader(Rules::Der);
    reader.any("type").ok()?.object_identifier("type").ok()
}

/// Types and values of a Name, in its order.
fn subject_parts(name: &[u8]) -> Vec<(ObjectIdentifier, Element<'_>)> {
    let mut parts = Vec::new();
    for set in elements(name) {
        let mut reader = set.reader(Rules::Der);
        while let Ok(part) = reader.any("part of the subject") {
            let mut part = part.reader(Rules::Der);
            let oid = part
                .any("type")
                .ok()
                .and_then(|oid| oid.object_identifier("type").ok());
            if let (Some(oid), Ok(value)) = (oid, part.any("value")) {
                parts.push((oid, value));
            }
        }
    }
    parts
}

/// Whether two values are the same text, whatever string type each is in, or else the same bytes.
fn same_text(demanded: &[u8], found: &Element<'_>) -> bool {
    if demanded == found.raw {
        return true;
    }
    let demanded = Reader::new(demanded, Rules::Ber)
        .any("value")
        .ok()
        .and_then(|value| directory_string(&value));
    demanded.is_some() && demanded == directory_string(found)
}

/// Whether `found` is a list of names that fills in the empty ones of `wanted` (RFC 9908 section 3.4): an empty
/// iPAddress, dNSName, rfc822Name or URI, or an empty directoryName, stands for any name of its kind.
fn fills_in(wanted: &[u8], found: &[u8]) -> bool {
    let mut names = elements(found);
    let (open, given): (Vec<_>, Vec<_>) = elements(wanted).into_iter().partition(is_empty_name);
    let given = given.into_iter().map(|name| (name, false));
    for (name, open) in given.chain(open.into_iter().map(|name| (name, true))) {
        let position = names.iter().position(|candidate| {
            let fits = if open {
                !is_empty_name(candidate)
            } else {
                candidate.raw == name.raw
            };
            candidate.tag == name.tag && fits
        });
        match position {
            Some(position) => {
                names.remove(position);
            }
            None => return false,
        }
    }
    true
}

fn is_empty_name(name: &Element<'_>) -> bool {
    // directoryName is [4] EXPLICIT Name: empty means an empty SEQUENCE in it.
    name.content.is_empty() || (name.tag == 0xa4 && name.content == [tag::SEQUENCE, 0])
}

fn any_of(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(" or ")
}
