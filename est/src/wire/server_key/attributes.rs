//! The attributes by which a certification request asks for an encrypted key (RFC 7030 section 4.4.1).

use const_oid::ObjectIdentifier;

use crate::error::{DerProblem, WireError};
use crate::wire::asn1::{self, Reader, Rules, tag};
use crate::wire::cms::enveloped_data::{ContentEncryption, KeyTransport};
use crate::wire::csr::{Attribute, CertificationRequest};

/// `id-aa-decryptKeyID` (RFC 4108 section 2.2.5): a shared symmetric key.
pub const DECRYPT_KEY_IDENTIFIER: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.37");
/// `id-aa-asymmDecryptKeyID` (RFC 7030 section 4.4.1.2): the client's key pair for receiving.
pub const ASYMMETRIC_DECRYPT_KEY_IDENTIFIER: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.54");
/// `smimeCapabilities` (RFC 8551 section 2.5.2): the algorithms the client can decrypt with, best first.
pub const SMIME_CAPABILITIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.15");

const RSAES_OAEP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Most capabilities that are read. Mail programs send about ten.
const MAX_CAPABILITIES: usize = 64;

/// What a request says about the encryption of the key that is made for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyEncryptionWishes {
    /// The DecryptKeyIdentifier.
    pub shared_key: Option<Vec<u8>>,
    /// The AsymmetricDecryptKeyIdentifier.
    pub asymmetric_key: Option<Vec<u8>>,
    /// The algorithms of the SMIMECapabilities, best first; `None` without the attribute.
    pub capabilities: Option<Vec<ObjectIdentifier>>,
}

impl KeyEncryptionWishes {
    /// Reads the attributes of a request.
    ///
    /// # Errors
    /// [`WireError::Der`] when one of them does not have exactly one value of its type, [`WireError::TooMany`]. Such a
    /// request must not be answered with a key in the clear.
    pub fn of_request(request: &CertificationRequest) -> Result<Self, WireError> {
        let mut wishes = Self::default();
        for attribute in request.attributes() {
            match attribute.oid {
                DECRYPT_KEY_IDENTIFIER => {
                    wishes.shared_key = Some(key_identifier(attribute, "DecryptKeyIdentifier")?);
                }
                ASYMMETRIC_DECRYPT_KEY_IDENTIFIER => {
                    let identifier = key_identifier(attribute, "AsymmetricDecryptKeyIdentifier")?;
                    wishes.asymmetric_key = Some(identifier);
                }
                SMIME_CAPABILITIES => wishes.capabilities = Some(read_capabilities(attribute)?),
                _ => {}
            }
        }
        Ok(wishes)
    }

    /// Whether the request names a key to encrypt for. Capabilities alone do not: they say how, not for whom.
    #[must_use]
    pub const fn asks_for_encryption(&self) -> bool {
        self.shared_key.is_some() || self.asymmetric_key.is_some()
    }

    /// The first content encryption in the capabilities that is known here; `fallback` when the request lists no
    /// capabilities, `None` when it lists only others.
    #[must_use]
    pub fn content_encryption(&self, fallback: ContentEncryption) -> Option<ContentEncryption> {
        match &self.capabilities {
            None => Some(fallback),
            Some(listed) => listed.iter().find_map(ContentEncryption::from_oid),
        }
    }

    /// The first RSA key transport in the capabilities, `fallback` when they list none.
    #[must_use]
    pub fn key_transport(&self, fallback: KeyTransport) -> KeyTransport {
        let listed = self.capabilities.iter().flatten();
        listed
            .filter_map(|algorithm| match *algorithm {
                RSAES_OAEP => Some(KeyTransport::RsaesOaep),
                RSA_ENCRYPTION => Some(KeyTransport::RsaesPkcs1V15),
                _ => None,
            })
            .next()
            .unwrap_or(fallback)
    }
}

/// The attribute that asks for encryption under a shared key.
#[must_use]
pub fn decrypt_key_identifier(identifier: &[u8]) -> Attribute {
    Attribute {
        oid: DECRYPT_KEY_IDENTIFIER,
        values: vec![asn1::encode(tag::OCTET_STRING, &[identifier])],
    }
}

/// The attribute that asks for encryption with a key pair of the client.
#[must_use]
pub fn asymmetric_decrypt_key_identifier(identifier: &[u8]) -> Attribute {
    Attribute {
        oid: ASYMMETRIC_DECRYPT_KEY_IDENTIFIER,
        values: vec![asn1::encode(tag::OCTET_STRING, &[identifier])],
    }
}

/// The attribute that lists what the client decrypts, best first.
#[must_use]
pub fn smime_capabilities(algorithms: &[ObjectIdentifier]) -> Attribute {
    let capabilities: Vec<Vec<u8>> = algorithms
        .iter()
        .map(|algorithm| {
            let oid = asn1::encode(tag::OBJECT_IDENTIFIER, &[algorithm.as_bytes()]);
            asn1::encode(tag::SEQUENCE, &[&oid])
        })
        .collect();
    let capabilities: Vec<&[u8]> = capabilities.iter().map(Vec::as_slice).collect();
    Attribute {
        oid: SMIME_CAPABILITIES,
        values: vec![asn1::encode(tag::SEQUENCE, &capabilities)],
    }
}

fn single_value<'a>(attribute: &'a Attribute, field: &'static str) -> Result<&'a [u8], WireError> {
    match attribute.values.as_slice() {
        [value] => Ok(value),
        values => Err(WireError::Der {
            position: 0,
            field,
            problem: DerProblem::Value(format!(
                "the attribute has {} values, it must have one",
                values.len()
            )),
        }),
    }
}

fn key_identifier(attribute: &Attribute, field: &'static str) -> Result<Vec<u8>, WireError> {
    let mut reader = Reader::new(single_value(attribute, field)?, Rules::Der);
    let identifier = reader.expect(tag::OCTET_STRING, "an OCTET STRING", field)?;
    reader.finish(field)?;
    Ok(identifier.content.to_vec())
}

fn read_capabilities(attribute: &Attribute) -> Result<Vec<ObjectIdentifier>, WireError> {
    const FIELD: &str = "SMIMECapabilities";
    let mut outer = Reader::new(single_value(attribute, FIELD)?, Rules::Der);
    let list = outer.sequence(FIELD)?;
    outer.finish(FIELD)?;
    let mut list = list.reader(Rules::Der);
    let mut algorithms = Vec::new();
    while !list.is_empty() {
        if algorithms.len() >= MAX_CAPABILITIES {
            return Err(WireError::TooMany {
                what: "S/MIME capabilities",
                limit: MAX_CAPABILITIES,
            });
        }
        let mut capability = list.sequence(FIELD)?.reader(Rules::Der);
        let oid = capability.expect(tag::OBJECT_IDENTIFIER, "an OBJECT IDENTIFIER", FIELD)?;
        algorithms.push(oid.object_identifier(FIELD)?);
    }
    Ok(algorithms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes_and_refuses_other_forms() {
        let attribute = decrypt_key_identifier(b"7");
        assert_eq!(key_identifier(&attribute, "test").unwrap(), b"7");
        let twice = Attribute {
            values: [attribute.values.clone(), attribute.values].concat(),
            ..attribute
        };
        let error = key_identifier(&twice, "test").unwrap_err();
        assert!(error.to_string().contains("2 values"), "{error}");
        let listed = [ContentEncryption::Aes128Cbc.oid(), RSAES_OAEP];
        assert_eq!(read_capabilities(&smime_capabilities(&listed)).unwrap(), listed);
        assert!(key_identifier(&smime_capabilities(&listed), "test").is_err());
    }

    #[test]
    fn the_capabilities_choose_the_algorithms_and_may_leave_none() {
        let mut wishes = KeyEncryptionWishes::default();
        let fallback = ContentEncryption::Aes256Cbc;
        assert_eq!(wishes.content_encryption(fallback), Some(fallback));
        assert_eq!(
            wishes.key_transport(KeyTransport::RsaesOaep),
            KeyTransport::RsaesOaep
        );
        wishes.capabilities = Some(vec![RSA_ENCRYPTION, ContentEncryption::Aes128Cbc.oid()]);
        assert_eq!(
            wishes.content_encryption(fallback),
            Some(ContentEncryption::Aes128Cbc)
        );
        assert_eq!(
            wishes.key_transport(KeyTransport::RsaesOaep),
            KeyTransport::RsaesPkcs1V15
        );
        wishes.capabilities = Some(vec![ObjectIdentifier::new_unwrap("1.2.840.113549.3.7")]);
        assert_eq!(wishes.content_encryption(fallback), None);
        assert!(!wishes.asks_for_encryption());
    }
}
