//! A new key and the PKCS #10 request for it (RFC 2986).

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use const_oid::ObjectIdentifier;
use der::asn1::{Any, BitString, Ia5String, OctetString, SetOfVec};
use der::{Decode as _, Encode as _};
use pki_common::certificate::SubjectAlternativeName;
use pki_common::identity::{NewKey, generate_key};
use pki_common::tls::crypto_provider;
use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};

use super::RequestError;
use super::subject::Subject;

const ID_CE_SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const ID_EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// The algorithms a request can be signed with, best first; the key has exactly one of them.
const SCHEMES: [(SignatureScheme, &str); 4] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, "1.2.840.10045.4.3.2"),
    (SignatureScheme::ECDSA_NISTP384_SHA384, "1.2.840.10045.4.3.3"),
    (SignatureScheme::ED25519, "1.3.101.112"),
    (SignatureScheme::RSA_PKCS1_SHA256, "1.2.840.113549.1.1.11"),
];

/// A name to ask for in the subject alternative name extension.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestedName {
    /// A host name.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
}

impl FromStr for RequestedName {
    type Err = RequestError;

    /// `DNS:name`, `IP:address`, `email:address`, `URI:uri`, as OpenSSL writes them.
    fn from_str(text: &str) -> Result<Self, RequestError> {
        let wrong = || RequestError::Name {
            text: text.to_owned(),
        };
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        if value.is_empty() || !value.is_ascii() {
            return Err(wrong());
        }
        match kind.to_ascii_lowercase().as_str() {
            "dns" => Ok(Self::Dns(value.to_owned())),
            "ip" => value.parse().map(Self::Ip).map_err(|_| wrong()),
            "email" => Ok(Self::Email(value.to_owned())),
            "uri" => Ok(Self::Uri(value.to_owned())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for RequestedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS:{name}"),
            Self::Ip(address) => write!(f, "IP:{address}"),
            Self::Email(address) => write!(f, "email:{address}"),
            Self::Uri(uri) => write!(f, "URI:{uri}"),
        }
    }
}

impl RequestedName {
    fn to_general_name(&self) -> Result<GeneralName, RequestError> {
        let text = |text: &str| {
            Ia5String::new(text).map_err(|_| RequestError::Name {
                text: self.to_string(),
            })
        };
        Ok(match self {
            Self::Dns(name) => GeneralName::DnsName(text(name)?),
            Self::Email(address) => GeneralName::Rfc822Name(text(address)?),
            Self::Uri(uri) => GeneralName::UniformResourceIdentifier(text(uri)?),
            Self::Ip(address) => {
                let octets = match address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                GeneralName::IpAddress(OctetString::new(octets).map_err(RequestError::encoding)?)
            }
        })
    }

    /// Whether a certificate's name is this one.
    #[must_use]
    pub fn is(&self, issued: &SubjectAlternativeName) -> bool {
        match (self, issued) {
            (Self::Dns(asked), SubjectAlternativeName::Dns(issued)) => asked == issued,
            (Self::Ip(asked), SubjectAlternativeName::Ip(issued)) => asked == issued,
            (Self::Email(asked), SubjectAlternativeName::Email(issued)) => asked == issued,
            (Self::Uri(asked), SubjectAlternativeName::Uri(issued)) => asked == issued,
            _ => false,
        }
    }
}

/// A private key and a request for a certificate for it, signed by it.
pub struct KeyAndRequest {
    key: PrivatePkcs8KeyDer<'static>,
    csr_der: Vec<u8>,
    spki_der: Vec<u8>,
    subject: Subject,
    names: Vec<RequestedName>,
}

impl KeyAndRequest {
    /// Makes a new key and a request for it.
    ///
    /// # Errors
    /// [`RequestError`] when no key can be made or a name cannot be encoded.
    pub fn generate(subject: Subject, names: Vec<RequestedName>, kind: NewKey) -> Result<Self, RequestError> {
        let key = generate_key(kind).map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })?;
        Self::for_key(subject, names, key)
    }

    /// Makes a request for a key in PKCS #8 form.
    ///
    /// # Errors
    /// [`RequestError`] when the key is of a kind that cannot sign or a name cannot be encoded.
    pub fn for_key(
        subject: Subject,
        names: Vec<RequestedName>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, RequestError> {
        let wrong_key = |cause: String| RequestError::Key { cause };
        let provider = crypto_provider().map_err(|error| wrong_key(error.to_string()))?;
        let signing_key = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(key.clone_key()))
            .map_err(|error| wrong_key(error.to_string()))?;
        let spki_der = signing_key
            .public_key()
            .ok_or_else(|| wrong_key("the crypto provider does not tell the public key".into()))?
            .to_vec();
        let info = CertReqInfo {
            version: Version::V1,
            subject: subject.as_rdn_sequence().clone(),
            public_key: SubjectPublicKeyInfoOwned::from_der(&spki_der).map_err(RequestError::encoding)?,
            attributes: attributes(&names)?,
        };
        let csr_der = sign(info, &*signing_key)?;
        Ok(Self {
            key,
            csr_der,
            spki_der,
            subject,
            names,
        })
    }

    /// The request in DER.
    #[must_use]
    pub fn csr_der(&self) -> &[u8] {
        &self.csr_der
    }

    /// The private key in PKCS #8 form.
    #[must_use]
    pub const fn private_key(&self) -> &PrivatePkcs8KeyDer<'static> {
        &self.key
    }

    /// The SubjectPublicKeyInfo of the key in DER, by which the issued certificate is found.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The subject asked for.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The subject alternative names asked for.
    #[must_use]
    pub fn names(&self) -> &[RequestedName] {
        &self.names
    }
}

impl fmt::Debug for KeyAndRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyAndRequest")
            .field("subject", &self.subject)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

fn attributes(names: &[RequestedName]) -> Result<SetOfVec<Attribute>, RequestError> {
    let mut attributes = SetOfVec::new();
    if names.is_empty() {
        return Ok(attributes);
    }
    let general_names = names
        .iter()
        .map(RequestedName::to_general_name)
        .collect::<Result<Vec<_>, _>>()?;
    let value = SubjectAltName(general_names)
        .to_der()
        .map_err(RequestError::encoding)?;
    let extension = Extension {
        extn_id: ID_CE_SUBJECT_ALT_NAME,
        critical: false,
        extn_value: OctetString::new(value).map_err(RequestError::encoding)?,
    };
    let mut values = SetOfVec::new();
    let request = ExtensionReq(vec![extension])
        .to_der()
        .map_err(RequestError::encoding)?;
    values
        .insert(Any::from_der(&request).map_err(RequestError::encoding)?)
        .map_err(RequestError::encoding)?;
    attributes
        .insert(Attribute {
            oid: ID_EXTENSION_REQUEST,
            values,
        })
        .map_err(RequestError::encoding)?;
    Ok(attributes)
}

fn sign(info: CertReqInfo, key: &dyn SigningKey) -> Result<Vec<u8>, RequestError> {
    let offered: Vec<_> = SCHEMES.iter().map(|(scheme, _)| *scheme).collect();
    let unusable = || RequestError::Key {
        cause: format!("keys of the kind {:?} are not supported", key.algorithm()),
    };
    let signer = key.choose_scheme(&offered).ok_or_else(unusable)?;
    let (_, oid) = SCHEMES
        .iter()
        .find(|(scheme, _)| *scheme == signer.scheme())
        .ok_or_else(unusable)?;
    // RFC 4055, section 5: RSA has an explicit NULL; the others have no parameters at all.
    let parameters = (signer.scheme() == SignatureScheme::RSA_PKCS1_SHA256).then(Any::null);
    let algorithm = AlgorithmIdentifierOwned {
        oid: ObjectIdentifier::new_unwrap(oid),
        parameters,
    };
    let message = info.to_der().map_err(RequestError::encoding)?;
    let signature = signer.sign(&message).map_err(|error| RequestError::Key {
        cause: error.to_string(),
    })?;
    let signature = BitString::from_bytes(&signature).map_err(RequestError::encoding)?;
    CertReq {
        info,
        algorithm,
        signature,
    }
    .to_der()
    .map_err(RequestError::encoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

    #[test]
    fn every_kind_of_key_signs_a_request_that_verifies() {
        for kind in [NewKey::EcP256, NewKey::EcP384, NewKey::Rsa2048] {
            let subject: Subject = "DC=com,DC=example,OU=eng,OU=lab,CN=x".parse().unwrap();
            let names = vec!["DNS:a.example".parse().unwrap(), "IP:10.0.0.1".parse().unwrap()];
            let made = KeyAndRequest::generate(subject.clone(), names, kind).unwrap();
            let read = UnverifiedCsr::from_der(made.csr_der(), &CsrLimits::default()).unwrap();
            let verified = read.verify(&VerificationPolicy::default()).unwrap();
            assert_eq!(verified.subject_text(), "CN=x,OU=lab,OU=eng,DC=example,DC=com");
        }
    }

    #[test]
    fn reads_names_as_openssl_writes_them() {
        for text in [
            "DNS:a.example",
            "IP:10.0.0.1",
            "IP:2001:db8::1",
            "email:a@b.example",
            "URI:https://a.example/",
        ] {
            assert_eq!(text.parse::<RequestedName>().unwrap().to_string(), text);
        }
        for text in ["a.example", "DNS:", "IP:a", "XMPP:a", "DNS:ü"] {
            assert_eq!(
                text.parse::<RequestedName>(),
                Err(RequestError::Name {
                    text: text.to_owned()
                })
            );
        }
    }

    #[test]
    fn debug_hides_the_key() {
        let made = KeyAndRequest::generate("CN=x".parse().unwrap(), vec![], NewKey::EcP256).unwrap();
        assert_eq!(
            format!("{made:?}"),
            "KeyAndRequest { subject: Subject(/CN=x), names: [], .. }"
        );
    }
}
