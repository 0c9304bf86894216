//! What a server's CSR attributes change in a request (RFC 7030, section 4.5.2; RFC 8951; RFC 9908).
//!
//! What the caller asked for stays; what the server wants beside it is added when its value is known. What only a
//! person could fill in is left out: the server says so when it matters.

use const_oid::ObjectIdentifier;
use pki_common::identity::NewKey;

use super::issued::elements;
use super::subject::Subject;
use super::template::{BindingAttribute, RequestTemplate, SUBJECT_ALTERNATIVE_NAME};
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::csr::{CsrLimits, PublicKeyKind, RequestedExtension, UnverifiedCsr};
use crate::wire::csr_attributes::{CsrRequirements, SubjectRequirement};

/// The keys that can be made, best first.
const KEYS: [(NewKey, PublicKeyKind); NewKey::ALL.len()] = [
    (NewKey::EcP256, PublicKeyKind::EcP256),
    (NewKey::EcP384, PublicKeyKind::EcP384),
    (NewKey::EcP521, PublicKeyKind::EcP521),
    (NewKey::Ed25519, PublicKeyKind::Ed25519),
    (NewKey::Rsa2048, PublicKeyKind::Rsa { bits: 2048 }),
    (NewKey::Rsa3072, PublicKeyKind::Rsa { bits: 3072 }),
    (NewKey::Rsa4096, PublicKeyKind::Rsa { bits: 4096 }),
];

/// The key to make: the one wanted when it will do, else the best that will.
///
/// # Errors
/// What the server wants, when none of the keys that can be made will do.
pub fn key(requirements: &CsrRequirements, wanted: NewKey) -> Result<NewKey, String> {
    let will_do = |kind: &PublicKeyKind| {
        requirements.keys.is_empty() || requirements.keys.iter().any(|key| key.accepts(kind))
    };
    let fitting = || KEYS.iter().filter(|(_, kind)| will_do(kind));
    let fits = fitting().any(|(key, _)| *key == wanted) || requirements.keys.is_empty();
    if fits {
        return Ok(wanted);
    }
    let best = fitting().next().map(|(key, _)| *key);
    best.ok_or_else(|| {
        format!(
            "the server wants a key of the kind {}, which cannot be made here",
            kinds(requirements)
        )
    })
}

/// Whether the key of a request will do.
///
/// # Errors
/// What the server wants.
pub fn check_key(requirements: &CsrRequirements, csr_der: &[u8]) -> Result<(), String> {
    let csr = UnverifiedCsr::from_der(csr_der, &CsrLimits::default()).map_err(|error| error.to_string())?;
    let kind = csr.unverified_contents().public_key().kind();
    if requirements.keys.is_empty() || requirements.keys.iter().any(|key| key.accepts(kind)) {
        return Ok(());
    }
    Err(format!(
        "the server wants a key of the kind {}, and the key given is another",
        kinds(requirements)
    ))
}

fn kinds(requirements: &CsrRequirements) -> String {
    requirements
        .keys
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" or ")
}

/// The attribute by which the server wants the request linked to the TLS connection.
#[must_use]
pub fn binding(requirements: &CsrRequirements) -> Option<BindingAttribute> {
    let linking = BindingAttribute::EstIdentityLinking;
    if requirements
        .attributes
        .iter()
        .any(|attribute| attribute.oid == linking.oid())
    {
        Some(linking)
    } else {
        requirements
            .challenge_password
            .then_some(BindingAttribute::ChallengePassword)
    }
}

/// Adds what the server wants and the request has not.
pub fn template(requirements: &CsrRequirements, template: &mut RequestTemplate) {
    for wanted in &requirements.extensions {
        let there = template
            .extensions
            .iter()
            .any(|extension| extension.oid == wanted.oid);
        match &wanted.value {
            Some(value) if !there && !has_blanks(wanted.oid, value) => {
                template.set_extension(RequestedExtension {
                    oid: wanted.oid,
                    critical: wanted.critical,
                    value: value.clone(),
                });
            }
            _ if there => {}
            _ => tracing::warn!(
                extension = crate::wire::csr::name_with_oid(&wanted.oid),
                "the server's CSR attributes ask for an extension whose value only you know"
            ),
        }
    }
    for wanted in &requirements.attributes {
        let there = template
            .attributes
            .iter()
            .any(|attribute| attribute.oid == wanted.oid);
        if there || wanted.values.is_empty() {
            continue;
        }
        if wanted.values.iter().all(|value| is_der(value)) {
            template.attributes.push(wanted.clone());
        } else {
            tracing::warn!(
                attribute = crate::wire::csr::name_with_oid(&wanted.oid),
                "the server's CSR attributes ask for an attribute whose value is not DER, as a request must be"
            );
        }
    }
    if let Some(subject) = completed(&template.subject, &requirements.subject) {
        template.subject = subject;
    }
}

/// Servers may send their CSR attributes in BER; in a request the value would be refused.
fn is_der(value: &[u8]) -> bool {
    let mut reader = Reader::new(value, Rules::Der);
    reader.any("value").is_ok() && reader.finish("value").is_ok()
}

/// A subject alternative name may hold empty names for the client to fill in (RFC 9908, section 3.4).
fn has_blanks(oid: ObjectIdentifier, value: &[u8]) -> bool {
    oid == SUBJECT_ALTERNATIVE_NAME
        && elements(value).is_none_or(|names| names.iter().any(|name| matches!(name, [_, 0])))
}

/// The subject with the parts whose values the server gives in front, in its order, where the subject has none of that
/// type: they are what all names of an authority begin with.
fn completed(subject: &Subject, wanted: &[SubjectRequirement]) -> Option<Subject> {
    let der = subject.to_der();
    let mut rdns: Vec<Vec<u8>> = Vec::new();
    for part in wanted {
        let has = subject
            .as_rdn_sequence()
            .0
            .iter()
            .any(|rdn| rdn.0.iter().any(|own| own.oid == part.oid));
        if let (Some(value), false) = (&part.value, has) {
            let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[part.oid.as_bytes()]);
            let pair = asn1::encode(tag::SEQUENCE, &[&oid, value]);
            rdns.push(asn1::encode(tag::SET, &[&pair]));
        }
    }
    if rdns.is_empty() {
        return None;
    }
    let own = elements(&der)?;
    let parts: Vec<&[u8]> = rdns.iter().map(Vec::as_slice).chain(own).collect();
    Subject::from_der(&asn1::encode(tag::SEQUENCE, &parts)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::csr::Attribute;
    use crate::wire::csr_attributes::{CsrAttributesConfig, EntryConfig};

    fn wanting(key: &str) -> CsrRequirements {
        let entry = EntryConfig {
            key: Some(key.to_owned()),
            ..EntryConfig::default()
        };
        let config = CsrAttributesConfig {
            entries: vec![entry],
            ..CsrAttributesConfig::default()
        };
        config.to_attributes().unwrap().requirements()
    }

    #[test]
    fn every_key_that_can_be_made_is_made_when_the_server_wants_it() {
        for (name, kind) in [
            ("P-256", NewKey::EcP256),
            ("P-384", NewKey::EcP384),
            ("P-521", NewKey::EcP521),
            ("Ed25519", NewKey::Ed25519),
            ("RSA-2048", NewKey::Rsa2048),
            ("RSA-3072", NewKey::Rsa3072),
            ("RSA-4096", NewKey::Rsa4096),
        ] {
            for wanted in NewKey::ALL {
                assert_eq!(key(&wanting(name), wanted), Ok(kind), "{name} {wanted:?}");
            }
        }
        assert_eq!(key(&wanting("RSA"), NewKey::Rsa4096), Ok(NewKey::Rsa4096));
        assert_eq!(key(&wanting("RSA"), NewKey::EcP256), Ok(NewKey::Rsa2048));
        assert_eq!(key(&wanting("EC"), NewKey::EcP521), Ok(NewKey::EcP521));
        let text = key(&wanting("RSA-8192"), NewKey::EcP256).unwrap_err();
        assert!(text.contains("8192"), "{text}");
    }

    #[test]
    fn a_value_that_is_not_der_does_not_get_into_a_request() {
        let attribute = |octet: u8, value: &[u8]| Attribute {
            oid: ObjectIdentifier::new_unwrap("1.2.3.4")
                .push_arc(octet.into())
                .unwrap(),
            values: vec![value.to_vec()],
        };
        let requirements = CsrRequirements {
            // A length of two octets where one would do; a length behind the end; a good one.
            attributes: vec![
                attribute(1, &[4, 0x81, 1, 9]),
                attribute(2, &[4, 2, 9]),
                attribute(3, &[4, 1, 9]),
            ],
            ..CsrRequirements::default()
        };
        let mut request = RequestTemplate::new("CN=x".parse().unwrap(), &[]).unwrap();
        template(&requirements, &mut request);
        assert_eq!(request.attributes, [attribute(3, &[4, 1, 9])]);
    }
}
