//! What a certification request asks for, apart from its key (RFC 2986).

use core::fmt;

use const_oid::ObjectIdentifier;
use der::Decode as _;
use der::asn1::PrintableString;
use pki_common::Certificate;
use spki::SubjectPublicKeyInfoOwned;

use super::key::RequestKey;
use super::name::{self, RequestedName};
use super::subject::Subject;
use super::{RequestError, issued};
use crate::operation::EST_IDENTITY_LINKING;
use crate::wire::asn1::{self, tag};
use crate::wire::csr::{Attribute, RequestedExtension};

pub(crate) const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;

/// The attribute that carries the channel binding and so links the proof of possession to the TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum BindingAttribute {
    /// `challengePassword` (RFC 7030, section 3.5).
    #[default]
    ChallengePassword,
    /// `estIdentityLinking` (RFC 7894, section 3.3), which leaves the password to passwords.
    EstIdentityLinking,
}

impl BindingAttribute {
    /// The attribute's object identifier.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::ChallengePassword => CHALLENGE_PASSWORD,
            Self::EstIdentityLinking => EST_IDENTITY_LINKING,
        }
    }
}

/// What a request asks for: everything but the key and the signature. It can be signed again and again, for
/// instance with the channel binding of another connection. `Debug` hides the values of the attributes, among which
/// may be a password.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestTemplate {
    /// The subject.
    pub subject: Subject,
    /// The extensions asked for, the subject alternative name among them.
    pub extensions: Vec<RequestedExtension>,
    /// Attributes beside the extension request, in the order in which they were added; DER sorts them.
    pub attributes: Vec<Attribute>,
}

impl fmt::Debug for RequestTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attributes: Vec<_> = self.attributes.iter().map(|attribute| attribute.oid).collect();
        f.debug_struct("RequestTemplate")
            .field("subject", &self.subject.to_string())
            .field("extensions", &self.extensions)
            .field("attributes", &attributes)
            .finish()
    }
}

impl RequestTemplate {
    /// Asks for this subject and these alternative names.
    ///
    /// # Errors
    /// [`RequestError::Name`] when a name cannot be encoded.
    pub fn new(subject: Subject, names: &[RequestedName]) -> Result<Self, RequestError> {
        let mut extensions = Vec::new();
        if !names.is_empty() {
            extensions.push(RequestedExtension {
                oid: SUBJECT_ALTERNATIVE_NAME,
                critical: false,
                value: name::encode(names)?,
            });
        }
        Ok(Self {
            subject,
            extensions,
            attributes: Vec::new(),
        })
    }

    /// Asks for what this certificate has: RFC 7030, section 4.2.2, demands the same subject and the same alternative
    /// names. Both are copied byte for byte. The other extensions are the authority's to choose again.
    ///
    /// # Errors
    /// [`RequestError::Certificate`] when the certificate's names cannot be read.
    pub fn renewing(certificate: &Certificate) -> Result<Self, RequestError> {
        let unreadable = |error: &dyn fmt::Display| RequestError::Certificate {
            cause: error.to_string(),
        };
        let subject = Subject::from_der(certificate.subject_der()).map_err(|error| unreadable(&error))?;
        let extensions = issued::extensions(certificate).map_err(|error| unreadable(&error))?;
        let names = extensions
            .into_iter()
            .filter(|extension| extension.oid == SUBJECT_ALTERNATIVE_NAME);
        Ok(Self {
            subject,
            extensions: names.collect(),
            attributes: Vec::new(),
        })
    }

    /// Asks for an extension, in the place of one with the same identifier.
    pub fn set_extension(&mut self, extension: RequestedExtension) {
        match self
            .extensions
            .iter_mut()
            .find(|other| other.oid == extension.oid)
        {
            Some(other) => *other = extension,
            None => self.extensions.push(extension),
        }
    }

    /// The request in DER: what is asked for, `key`'s public half, and its signature. `binding` is the text that links
    /// the request to a TLS connection, and where it goes.
    ///
    /// # Errors
    /// [`RequestError`] when the key cannot sign.
    pub fn sign(
        &self,
        key: &RequestKey,
        binding: Option<(BindingAttribute, &str)>,
    ) -> Result<Vec<u8>, RequestError> {
        SubjectPublicKeyInfoOwned::from_der(key.spki_der()).map_err(RequestError::encoding)?;
        let mut attributes: Vec<Vec<u8>> = Vec::new();
        if !self.extensions.is_empty() {
            attributes.push(extension_request(&self.extensions).to_der());
        }
        // One binding: an attribute of the template with the same identifier would contradict it.
        let bound = binding.map(|(attribute, _)| attribute.oid());
        attributes.extend(
            self.attributes
                .iter()
                .filter(|attribute| Some(attribute.oid) != bound)
                .map(Attribute::to_der),
        );
        if let Some((attribute, text)) = binding {
            let values = vec![directory_string(text)];
            attributes.push(
                Attribute {
                    oid: attribute.oid(),
                    values,
                }
                .to_der(),
            );
        }
        // X.690, section 11.6: the elements of a SET OF are in ascending order.
        attributes.sort_unstable();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        let info = asn1::encode(
            tag::SEQUENCE,
            &[
                &asn1::encode(tag::INTEGER, &[&[0]]),
                &self.subject.to_der(),
                key.spki_der(),
                &asn1::encode(tag::CONTEXT_0, &attributes),
            ],
        );
        let (algorithm, signature) = key.sign(&info)?;
        let signature = asn1::encode(tag::BIT_STRING, &[&[0], &signature]);
        Ok(asn1::encode(tag::SEQUENCE, &[&info, &algorithm, &signature]))
    }

    /// The alternative names asked for, as far as [`RequestedName`] can say them.
    #[must_use]
    pub fn names(&self) -> Vec<RequestedName> {
        let value = self
            .extensions
            .iter()
            .find(|extension| extension.oid == SUBJECT_ALTERNATIVE_NAME);
        value.map_or_else(Vec::new, |extension| name::decode(&extension.value))
    }
}

/// A GeneralName in DER as text.
pub(crate) fn names_of(general_name: &[u8]) -> String {
    name::read(general_name).to_string()
}

/// `extensionRequest` with these extensions.
fn extension_request(extensions: &[RequestedExtension]) -> Attribute {
    let encoded: Vec<Vec<u8>> = extensions.iter().map(extension_der).collect();
    let encoded: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    Attribute {
        oid: EXTENSION_REQUEST,
        values: vec![asn1::encode(tag::SEQUENCE, &encoded)],
    }
}

/// `Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }`
pub(super) fn extension_der(extension: &RequestedExtension) -> Vec<u8> {
    let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[extension.oid.as_bytes()]);
    let critical = if extension.critical {
        asn1::encode(tag::BOOLEAN, &[&[0xff]])
    } else {
        Vec::new()
    };
    let value = asn1::encode(tag::OCTET_STRING, &[&extension.value]);
    asn1::encode(tag::SEQUENCE, &[&oid, &critical, &value])
}

/// RFC 2985, section 5.4.1: a PrintableString where the characters allow it, else a UTF8String.
fn directory_string(text: &str) -> Vec<u8> {
    let tag = if PrintableString::new(text).is_ok() {
        PRINTABLE_STRING
    } else {
        UTF8_STRING
    };
    asn1::encode(tag, &[text.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
    use pki_common::identity::NewKey;

    fn verified(der: &[u8]) -> VerifiedCsr {
        let read = UnverifiedCsr::from_der(der, &CsrLimits::default()).unwrap();
        read.verify(&VerificationPolicy::default()).unwrap()
    }

    fn template() -> RequestTemplate {
        let names = ["DNS:a.example".parse().unwrap()];
        RequestTemplate::new("CN=x".parse().unwrap(), &names).unwrap()
    }

    #[test]
    fn carries_the_binding_in_the_attribute_that_is_asked_for() {
        let key = RequestKey::generate(NewKey::EcP256).unwrap();
        let signed = template()
            .sign(&key, Some((BindingAttribute::ChallengePassword, "YWJj+/==")))
            .unwrap();
        let csr = verified(&signed);
        assert_eq!(csr.challenge_password().unwrap().expose(), "YWJj+/==");

        let signed = template()
            .sign(&key, Some((BindingAttribute::EstIdentityLinking, "YWJj")))
            .unwrap();
        let csr = verified(&signed);
        assert!(csr.challenge_password().is_none());
        let linking = csr
            .attributes()
            .iter()
            .find(|attribute| attribute.oid == EST_IDENTITY_LINKING);
        assert_eq!(linking.unwrap().values, [b"\x13\x04YWJj".to_vec()]);
    }

    #[test]
    fn a_binding_replaces_the_password_of_another_connection() {
        let key = RequestKey::generate(NewKey::EcP256).unwrap();
        let mut template = template();
        template.attributes.push(Attribute {
            oid: CHALLENGE_PASSWORD,
            values: vec![directory_string("old")],
        });
        let csr = verified(&template.sign(&key, None).unwrap());
        assert_eq!(csr.challenge_password().unwrap().expose(), "old");
        let bound = template.sign(&key, Some((BindingAttribute::ChallengePassword, "new")));
        assert_eq!(
            verified(&bound.unwrap()).challenge_password().unwrap().expose(),
            "new"
        );
    }

    #[test]
    fn keeps_extensions_with_their_bytes_and_criticality() {
        let key = RequestKey::generate(NewKey::EcP256).unwrap();
        let mut template = template();
        let wanted = RequestedExtension {
            oid: ObjectIdentifier::new_unwrap("1.2.3.4"),
            critical: true,
            value: vec![4, 1, 9],
        };
        template.set_extension(wanted.clone());
        template.set_extension(wanted.clone());
        let csr = verified(&template.sign(&key, None).unwrap());
        assert_eq!(csr.requested_extensions()[1..], [wanted]);
        assert_eq!(csr.requested_extensions()[0], template.extensions[0]);
    }
}
