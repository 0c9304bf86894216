//! Certification requests (RFC 2986) that can be wrong in every part and still be signed.

use super::der::{bit_string, context, element, integer, object_identifier, sequence, set, tag, utf8};
use super::key::Key;

/// `commonName`
pub(super) const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
/// `challengePassword` (RFC 2985 section 5.4.1)
pub(super) const CHALLENGE_PASSWORD: &[u64] = &[1, 2, 840, 113_549, 1, 9, 7];
/// `extensionRequest` (RFC 2985 section 5.4.2)
pub(super) const EXTENSION_REQUEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 14];
/// `id-aa-estIdentityLinking` (RFC 7894 section 3.3)
pub(super) const EST_IDENTITY_LINKING: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 58];
/// `id-ce-subjectAltName`
pub(super) const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
/// `id-ce-basicConstraints`
pub(super) const BASIC_CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
/// `id-ce-keyUsage`
pub(super) const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
/// An extension that nobody knows, of the arc for examples (2.999).
pub(super) const UNKNOWN: &[u64] = &[2, 999, 1];

/// The parts of a `CertificationRequestInfo`, each in DER, or in what is passed off as such.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) version: Vec<u8>,
    pub(super) subject: Vec<u8>,
    pub(super) public_key_info: Vec<u8>,
    /// With their tag; nothing to leave them out.
    pub(super) attributes: Vec<u8>,
    /// Of the signature.
    pub(super) algorithm: Vec<u8>,
}

impl Parts {
    /// A request that every authority understands.
    pub(super) fn new(common_name: &str, key: &dyn Key) -> Self {
        Self {
            version: integer(&[0]),
            subject: name(&[&attribute_value(COMMON_NAME, &utf8(common_name))]),
            public_key_info: key.public_key_info(),
            attributes: context(0, &[]),
            algorithm: key.algorithm(),
        }
    }

    /// With these attributes.
    pub(super) fn with(mut self, attributes: &[Vec<u8>]) -> Self {
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        self.attributes = context(0, &attributes);
        self
    }

    /// With these extensions.
    pub(super) fn with_extensions(self, extensions: &[Vec<u8>]) -> Self {
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        self.with(&[attribute(EXTENSION_REQUEST, &[&sequence(&extensions)])])
    }

    /// What is signed.
    pub(super) fn info(&self) -> Vec<u8> {
        sequence(&[
            &self.version,
            &self.subject,
            &self.public_key_info,
            &self.attributes,
        ])
    }

    /// The request, signed.
    pub(super) fn sign(&self, key: &dyn Key) -> Vec<u8> {
        let info = self.info();
        let signature = key.sign(&info);
        assemble(&info, &self.algorithm, &signature)
    }
}

/// A request of its three parts.
pub(super) fn assemble(info: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    sequence(&[info, algorithm, &bit_string(signature)])
}

/// A Name of relative distinguished names with one value each.
pub(super) fn name(values: &[&[u8]]) -> Vec<u8> {
    let names: Vec<Vec<u8>> = values.iter().map(|value| set(&[value])).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    sequence(&names)
}

/// An `AttributeTypeAndValue`.
pub(super) fn attribute_value(kind: &[u64], value: &[u8]) -> Vec<u8> {
    sequence(&[&object_identifier(kind), value])
}

/// An `Attribute` with these values.
pub(super) fn attribute(kind: &[u64], values: &[&[u8]]) -> Vec<u8> {
    sequence(&[&object_identifier(kind), &set(values)])
}

/// An `Extension` around this DER.
pub(super) fn extension(kind: &[u64], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[
        &object_identifier(kind),
        critical,
        &element(tag::OCTET_STRING, &[value]),
    ])
}

/// The `challengePassword` with this value.
pub(super) fn challenge_password(value: &[u8]) -> Vec<u8> {
    attribute(CHALLENGE_PASSWORD, &[value])
}

/// A `SubjectAltName` of DNS names.
pub(super) fn dns_names(names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names
        .into_iter()
        .map(|name| element(0x82, &[name.as_ref().as_bytes()]))
        .collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    extension(SUBJECT_ALT_NAME, false, &sequence(&names))
}

#[cfg(test)]
mod tests {
    use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
    use fastrand::Rng;

    use super::*;
    use crate::device_fuzz::grammar::est::key::{EcKey, ExponentOne, RsaKeys};

    #[test]
    fn the_same_seed_makes_the_same_request_and_its_signature_is_good() {
        let make = |seed| {
            let key = EcKey::new(&mut Rng::with_seed(seed));
            Parts::new("fuzz", &key)
                .with_extensions(&[dns_names(["a.example"])])
                .sign(&key)
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let request = UnverifiedCsr::from_der(&make(1), &CsrLimits::default()).unwrap();
        let request = request.verify(&VerificationPolicy::default()).unwrap();
        assert_eq!(request.subject_text(), "CN=fuzz");
    }

    #[test]
    fn rsa_requests_are_signed_and_the_same_each_time_too() {
        for seed in [1, 2] {
            let keys = RsaKeys::new(seed);
            let key = keys.of(1).unwrap();
            let der = Parts::new("fuzz", key).sign(key);
            let again = RsaKeys::new(seed);
            let key = again.of(1).unwrap();
            assert_eq!(Parts::new("fuzz", key).sign(key), der);
            let policy = VerificationPolicy::default().dangerous_min_rsa_bits(1024);
            let request = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
            request.verify(&policy).unwrap();
        }
        let modulus = RsaKeys::new(1).of(1).unwrap().modulus();
        let key = ExponentOne { modulus };
        let der = Parts::new("fuzz", &key).sign(&key);
        assert!(UnverifiedCsr::from_der(&der, &CsrLimits::default()).is_ok());
    }
}
