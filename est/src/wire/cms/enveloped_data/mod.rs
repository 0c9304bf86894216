//! Enveloped data (RFC 5652 section 6): content under a fresh content-encryption key, and that key once per recipient.
//!
//! | recipient | how the key gets there | module |
//! |---|---|---|
//! | RSA certificate | RSAES-OAEP or RSAES-PKCS1-v1_5 (RFC 3560, RFC 3370) | `key_transport` |
//! | EC certificate | ephemeral-static ECDH, X9.63 KDF, AES key wrap (RFC 5753) | `key_agreement` |
//! | shared secret | AES key wrap under a key known by its identifier (RFC 3565) | `key_encryption_key` |
//!
//! Content-encryption key, initialisation vector and ephemeral keys come from the operating system's random numbers,
//! anew for every message.

mod content;
mod decrypt;
mod encrypt;
mod key_agreement;
mod key_encryption_key;
mod key_transport;
mod recipient;

use const_oid::ObjectIdentifier;

pub use content::ContentEncryption;
pub use decrypt::DecryptionKey;
pub use encrypt::encrypt;
pub use key_encryption_key::KeyEncryptionKey;
pub use key_transport::KeyTransport;
pub use recipient::Recipient;

use super::identifier::CONTEXT_0_PRIMITIVE;
use super::octets::octets;
use super::{
    CertificateIdentifier, CmsError, CmsLimits, ID_ENVELOPED_DATA, read_algorithm, read_content_of, read_oid,
};
use crate::error::WireError;
use crate::wire::asn1::{Element, Reader, Rules, tag};
use crate::wire::csr::name_with_oid;
use crate::wire::hexadecimal;
use key_agreement::KeyAgreementInfo;

/// `[2]`, constructed.
const CONTEXT_2: u8 = 0xa2;

/// An encrypted message whose structure is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopedData {
    content_type: ObjectIdentifier,
    recipients: Vec<RecipientInfo>,
    content_algorithm: ObjectIdentifier,
    content_parameters: Vec<u8>,
    encrypted_content: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RecipientInfo {
    KeyTransport {
        identifier: CertificateIdentifier,
        algorithm: ObjectIdentifier,
        parameters: Vec<u8>,
        encrypted_key: Vec<u8>,
    },
    KeyAgreement(KeyAgreementInfo),
    KeyEncryptionKey {
        identifier: Vec<u8>,
        algorithm: ObjectIdentifier,
        encrypted_key: Vec<u8>,
    },
    /// A password, or something newer: not for us.
    Other {
        tag: u8,
    },
}

impl EnvelopedData {
    /// Reads a message of content type `id-envelopedData`, in BER.
    ///
    /// # Errors
    /// [`CmsError::ContentType`] for another kind of message, [`CmsError::NoContent`], [`CmsError::Wire`] with the
    /// position for the rest.
    pub fn parse(message: &[u8], limits: &CmsLimits) -> Result<Self, CmsError> {
        let content = read_content_of(message, ID_ENVELOPED_DATA, "enveloped data", limits)?;
        let mut reader = content.reader(Rules::Ber);
        reader.expect(tag::INTEGER, "an INTEGER", "EnvelopedData.version")?;
        reader.optional(tag::CONTEXT_0, "originatorInfo")?;
        let infos = reader.expect(tag::SET, "a SET", "recipientInfos")?;
        let encrypted = reader.sequence("encryptedContentInfo")?;
        reader.optional(tag::CONTEXT_1, "unprotectedAttrs")?;
        reader.finish("EnvelopedData")?;
        let mut infos = infos.reader(Rules::Ber);
        let mut recipients = Vec::new();
        while !infos.is_empty() {
            if recipients.len() >= limits.recipients {
                return Err(WireError::TooMany {
                    what: "recipients",
                    limit: limits.recipients,
                }
                .into());
            }
            recipients.push(RecipientInfo::read(&infos.any("recipientInfo")?, limits)?);
        }
        let mut reader = encrypted.reader(Rules::Ber);
        let content_type = read_oid(&mut reader, "contentType")?;
        let algorithm = reader.sequence("contentEncryptionAlgorithm")?;
        let (content_algorithm, parameters) = read_algorithm(&algorithm, "contentEncryptionAlgorithm")?;
        if reader.is_empty() {
            return Err(CmsError::NoContent);
        }
        let content = reader.any("encryptedContent")?;
        reader.finish("encryptedContentInfo")?;
        Ok(Self {
            content_type,
            recipients,
            content_algorithm,
            content_parameters: parameters.to_vec(),
            encrypted_content: octets(&content, CONTEXT_0_PRIMITIVE, "encryptedContent")?,
        })
    }

    /// What the content is once decrypted; `id-signedData` for a key by EST (RFC 7030 section 4.4.2).
    #[must_use]
    pub const fn content_type(&self) -> ObjectIdentifier {
        self.content_type
    }

    /// How the content is encrypted.
    #[must_use]
    pub const fn content_algorithm(&self) -> ObjectIdentifier {
        self.content_algorithm
    }

    /// Octets of the encrypted content.
    #[must_use]
    pub const fn encrypted_length(&self) -> usize {
        self.encrypted_content.len()
    }

    /// Each recipient with the algorithm by which the content's key gets there.
    #[must_use]
    pub fn recipients_described(&self) -> Vec<String> {
        self.recipients
            .iter()
            .map(|recipient| match recipient.algorithm() {
                Some(algorithm) => format!("{}: {algorithm}", recipient.text()),
                None => recipient.text(),
            })
            .collect()
    }

    /// The recipients for a reader, for instance "RSA key transport to serial number 0x1 of CN=x".
    #[must_use]
    pub fn recipients_text(&self) -> String {
        if self.recipients.is_empty() {
            return "nobody".to_owned();
        }
        let texts: Vec<String> = self.recipients.iter().map(RecipientInfo::text).collect();
        texts.join("; ")
    }
}

impl RecipientInfo {
    fn read(info: &Element<'_>, limits: &CmsLimits) -> Result<Self, WireError> {
        let mut reader = info.reader(Rules::Ber);
        match info.tag {
            tag::SEQUENCE => Self::read_key_transport(&mut reader),
            tag::CONTEXT_1 => KeyAgreementInfo::read(&mut reader, limits).map(Self::KeyAgreement),
            CONTEXT_2 => Self::read_key_encryption_key(&mut reader),
            tag => Ok(Self::Other { tag }),
        }
    }

    fn read_key_transport(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.expect(tag::INTEGER, "an INTEGER", "KeyTransRecipientInfo.version")?;
        let identifier = CertificateIdentifier::read(&reader.any("rid")?, "rid")?;
        let algorithm = reader.sequence("keyEncryptionAlgorithm")?;
        let (algorithm, parameters) = read_algorithm(&algorithm, "keyEncryptionAlgorithm")?;
        let encrypted_key = octets(&reader.any("encryptedKey")?, tag::OCTET_STRING, "encryptedKey")?;
        reader.finish("KeyTransRecipientInfo")?;
        Ok(Self::KeyTransport {
            identifier,
            algorithm,
            parameters: parameters.to_vec(),
            encrypted_key,
        })
    }

    fn read_key_encryption_key(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.expect(tag::INTEGER, "an INTEGER", "KEKRecipientInfo.version")?;
        let kek_id = reader.sequence("kekid")?;
        let algorithm = reader.sequence("keyEncryptionAlgorithm")?;
        let (algorithm, _) = read_algorithm(&algorithm, "keyEncryptionAlgorithm")?;
        let encrypted_key = octets(&reader.any("encryptedKey")?, tag::OCTET_STRING, "encryptedKey")?;
        reader.finish("KEKRecipientInfo")?;
        // A date or other attributes may follow; the identifier alone must be enough.
        let identifier = kek_id.reader(Rules::Ber).any("keyIdentifier")?;
        Ok(Self::KeyEncryptionKey {
            identifier: octets(&identifier, tag::OCTET_STRING, "keyIdentifier")?,
            algorithm,
            encrypted_key,
        })
    }

    fn algorithm(&self) -> Option<String> {
        match self {
            Self::KeyTransport { algorithm, .. } | Self::KeyEncryptionKey { algorithm, .. } => {
                Some(name_with_oid(algorithm))
            }
            Self::KeyAgreement(info) => Some(info.algorithms()),
            Self::Other { .. } => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::KeyTransport { identifier, .. } => format!("RSA key transport to {identifier}"),
            Self::KeyAgreement(info) => info.text(),
            Self::KeyEncryptionKey { identifier, .. } if identifier.is_empty() => {
                "a shared key with an empty identifier".to_owned()
            }
            Self::KeyEncryptionKey { identifier, .. } => {
                format!(
                    "the shared key with identifier {}",
                    hexadecimal::encode(identifier)
                )
            }
            Self::Other { tag } => format!("a recipient of another kind (tag 0x{tag:02x})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DerProblem;
    use crate::wire::asn1;
    use crate::wire::cms::{ID_DATA, content_info, oid};

    /// A message with this recipient info and no content to speak of.
    fn message(recipient: &[u8]) -> Vec<u8> {
        let content = asn1::encode(
            tag::SEQUENCE,
            &[
                &oid(ID_DATA),
                &asn1::encode(tag::SEQUENCE, &[&oid(ID_DATA)]),
                &asn1::encode(CONTEXT_0_PRIMITIVE, &[&[0; 16]]),
            ],
        );
        let version = [tag::INTEGER, 1, 2];
        let enveloped = [&version[..], &asn1::encode(tag::SET, &[recipient]), &content];
        content_info(ID_ENVELOPED_DATA, &asn1::encode(tag::SEQUENCE, &enveloped))
    }

    /// A key agreement with nobody, and what stands in the place of the key wrap algorithm.
    fn agreement(wrap: &[u8]) -> Vec<u8> {
        let key = asn1::encode(
            tag::CONTEXT_1,
            &[&asn1::encode(tag::SEQUENCE, &[]), &[tag::BIT_STRING, 2, 0, 4]],
        );
        asn1::encode(
            tag::CONTEXT_1,
            &[
                &[tag::INTEGER, 1, 3],
                &asn1::encode(tag::CONTEXT_0, &[&key]),
                &asn1::encode(tag::SEQUENCE, &[&oid(ID_DATA), wrap]),
                &asn1::encode(tag::SEQUENCE, &[]),
            ],
        )
    }

    #[test]
    fn recipients_without_a_name_are_told_as_such() {
        let text = |recipient: &[u8]| {
            let message = EnvelopedData::parse(&message(recipient), &CmsLimits::default());
            message.unwrap().recipients_text()
        };
        let wrap = asn1::encode(tag::SEQUENCE, &[&oid(ID_DATA)]);
        assert_eq!(text(&agreement(&wrap)), "EC key agreement with nobody");
        let shared = asn1::encode(
            CONTEXT_2,
            &[
                &[tag::INTEGER, 1, 4],
                &asn1::encode(tag::SEQUENCE, &[&[tag::OCTET_STRING, 0]]),
                &wrap,
                &[tag::OCTET_STRING, 0],
            ],
        );
        assert_eq!(text(&shared), "a shared key with an empty identifier");
    }

    #[test]
    fn a_damaged_key_wrap_algorithm_is_reported_at_its_byte_of_the_message() {
        let damaged = [tag::NULL, 0];
        let bytes = message(&agreement(&damaged));
        let expected = bytes.windows(2).position(|window| window == damaged).unwrap();
        let error = EnvelopedData::parse(&bytes, &CmsLimits::default()).unwrap_err();
        let CmsError::Wire(WireError::Der {
            position,
            field: "KeyWrapAlgorithm",
            problem: DerProblem::WrongTag { .. },
        }) = error
        else {
            panic!("{error}");
        };
        assert_eq!(position, expected);
    }
}
