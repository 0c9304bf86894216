//! A key and the PKCS #10 request for it (RFC 2986).

use core::fmt;

use pki_common::Certificate;
use pki_common::identity::NewKey;
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::RequestError;
use super::key::RequestKey;
use super::name::RequestedName;
use super::subject::Subject;
use super::template::{BindingAttribute, RequestTemplate};
use crate::wire::csr::VerifiedCsr;

/// A private key and a request for a certificate for it, signed by it. `Debug` shows what is asked for.
pub struct KeyAndRequest {
    key: RequestKey,
    template: RequestTemplate,
    names: Vec<RequestedName>,
    csr_der: Vec<u8>,
    binding: Option<BindingAttribute>,
}

impl fmt::Debug for KeyAndRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyAndRequest")
            .field("key", &self.key)
            .field("template", &self.template)
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

impl KeyAndRequest {
    /// Makes a new key and a request for it.
    ///
    /// # Errors
    /// [`RequestError`] when no key can be made or a name cannot be encoded.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "public since the first version, and callers have made the list for this call"
    )]
    pub fn generate(subject: Subject, names: Vec<RequestedName>, kind: NewKey) -> Result<Self, RequestError> {
        Self::new(
            RequestTemplate::new(subject, &names)?,
            RequestKey::generate(kind)?,
        )
    }

    /// Makes a request for a key in PKCS #8 form.
    ///
    /// # Errors
    /// [`RequestError`] when the key is of a kind that cannot sign or a name cannot be encoded.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the same signature as generate, which callers swap with it"
    )]
    pub fn for_key(
        subject: Subject,
        names: Vec<RequestedName>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, RequestError> {
        Self::new(
            RequestTemplate::new(subject, &names)?,
            RequestKey::from_pkcs8(key)?,
        )
    }

    /// A request for the subject and the alternative names of `certificate`, byte for byte (RFC 7030, section 4.2.2).
    ///
    /// # Errors
    /// [`RequestError`] when the key cannot sign or the certificate's names cannot be read.
    pub fn renewing(certificate: &Certificate, key: RequestKey) -> Result<Self, RequestError> {
        Self::new(RequestTemplate::renewing(certificate)?, key)
    }

    /// Signs what `template` asks for with `key`.
    ///
    /// # Errors
    /// [`RequestError`] when the key cannot sign.
    pub fn new(template: RequestTemplate, key: RequestKey) -> Result<Self, RequestError> {
        let csr_der = template.sign(&key, None)?;
        Ok(Self {
            names: template.names(),
            key,
            template,
            csr_der,
            binding: None,
        })
    }

    /// A request that was made before and its key, for instance from files: sent again, it is the same request byte for
    /// byte.
    ///
    /// # Errors
    /// [`RequestError::Key`] when the request is for another key; [`RequestError::Encoding`] when its subject cannot be
    /// read.
    pub fn from_csr(csr: &VerifiedCsr, key: RequestKey) -> Result<Self, RequestError> {
        if csr.public_key().spki_der() != key.spki_der() {
            return Err(RequestError::Key {
                cause: "the request is for another key".to_owned(),
            });
        }
        let extension_request = const_oid::db::rfc5912::ID_EXTENSION_REQ;
        let attributes = csr.attributes().iter();
        let template = RequestTemplate {
            subject: Subject::from_der(csr.subject_der()).map_err(RequestError::encoding)?,
            extensions: csr.requested_extensions().to_vec(),
            attributes: attributes
                .filter(|attribute| attribute.oid != extension_request)
                .cloned()
                .collect(),
        };
        Ok(Self {
            names: template.names(),
            key,
            template,
            csr_der: csr.der().to_vec(),
            binding: None,
        })
    }

    /// Asks the client that sends the request to link it to its TLS connection, by this attribute.
    #[must_use]
    pub const fn with_binding(mut self, attribute: Option<BindingAttribute>) -> Self {
        self.binding = attribute;
        self
    }

    /// The attribute by which the request is to be linked to its TLS connection, if it is to be.
    #[must_use]
    pub const fn binding(&self) -> Option<BindingAttribute> {
        self.binding
    }

    /// The request in DER, without a channel binding.
    #[must_use]
    pub fn csr_der(&self) -> &[u8] {
        &self.csr_der
    }

    /// The request in DER, signed again with a channel binding in it.
    ///
    /// # Errors
    /// [`RequestError`] when the key cannot sign.
    pub fn bound_csr_der(&self, attribute: BindingAttribute, binding: &str) -> Result<Vec<u8>, RequestError> {
        self.template.sign(&self.key, Some((attribute, binding)))
    }

    /// The private key in PKCS #8 form.
    #[must_use]
    pub const fn private_key(&self) -> &PrivatePkcs8KeyDer<'static> {
        self.key.pkcs8()
    }

    /// The private key, ready to sign.
    #[must_use]
    pub const fn key(&self) -> &RequestKey {
        &self.key
    }

    /// The SubjectPublicKeyInfo of the key in DER, by which the issued certificate is found.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.key.spki_der()
    }

    /// What is asked for.
    #[must_use]
    pub const fn template(&self) -> &RequestTemplate {
        &self.template
    }

    /// The subject asked for.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.template.subject
    }

    /// The subject alternative names asked for.
    #[must_use]
    pub fn names(&self) -> &[RequestedName] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

    #[test]
    fn every_kind_of_key_signs_a_request_that_verifies() {
        for kind in [NewKey::EcP256, NewKey::EcP384, NewKey::Rsa2048] {
            let subject: Subject = "DC=com,DC=example,OU=eng,OU=lab,CN=x".parse().unwrap();
            let names: Vec<RequestedName> =
                vec!["DNS:a.example".parse().unwrap(), "IP:10.0.0.1".parse().unwrap()];
            let made = KeyAndRequest::generate(subject.clone(), names.clone(), kind).unwrap();
            assert_eq!(made.names(), names);
            let read = UnverifiedCsr::from_der(made.csr_der(), &CsrLimits::default()).unwrap();
            let verified = read.verify(&VerificationPolicy::default()).unwrap();
            assert_eq!(verified.subject_text(), "CN=x,OU=lab,OU=eng,DC=example,DC=com");
        }
    }

    #[test]
    fn a_renewal_asks_for_the_bytes_of_the_certificate() {
        let pem = include_bytes!("../../testdata/renewal/odd-names.pem");
        let certificate = Certificate::from_pem(pem).unwrap();
        let key = RequestKey::generate(NewKey::EcP256).unwrap();
        let made = KeyAndRequest::renewing(&certificate, key).unwrap();
        let read = UnverifiedCsr::from_der(made.csr_der(), &CsrLimits::default()).unwrap();
        let csr = read.verify(&VerificationPolicy::default()).unwrap();
        assert_eq!(csr.subject_der(), certificate.subject_der());
        let issued = crate::request::issued::extensions(&certificate).unwrap();
        let names = issued
            .iter()
            .find(|extension| extension.oid.to_string() == "2.5.29.17");
        assert_eq!(csr.requested_extensions(), [names.unwrap().clone()]);
        assert!(names.unwrap().critical);
        // basicConstraints and the key identifiers are the authority's.
        assert!(issued.len() > 1);
    }

    #[test]
    fn debug_hides_the_key_and_a_password() {
        let mut template = RequestTemplate::new("CN=x".parse().unwrap(), &[]).unwrap();
        template.attributes.push(crate::wire::csr::Attribute {
            oid: BindingAttribute::ChallengePassword.oid(),
            values: vec![b"\x0c\x06secret".to_vec()],
        });
        let made = KeyAndRequest::new(template, RequestKey::generate(NewKey::EcP256).unwrap()).unwrap();
        let shown = format!("{made:?}");
        assert!(shown.contains("key: RequestKey { .. }"), "{shown}");
        // Neither as text nor as a list of octets.
        assert!(
            !shown.contains("secret") && !shown.contains("115, 101, 99"),
            "{shown}"
        );
    }
}
