//! What can be wrong with a CMS message, or with what it is made of.

use const_oid::ObjectIdentifier;
use pki_common::signature::SignatureError;
use pki_common::{Diagnose, Failure, Rung};

use crate::error::WireError;
use crate::wire::csr::name_with_oid;

/// A CMS message that cannot be read, trusted, decrypted or made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// The bytes are not the structure of RFC 5652.
    #[error("not a CMS message: {0}")]
    Wire(#[from] WireError),
    /// Another kind of message, or other content in it, than belongs here.
    #[error("expected {expected}, found content type {}", name_with_oid(found))]
    ContentType {
        /// What belongs here.
        expected: &'static str,
        /// The content type found.
        found: ObjectIdentifier,
    },
    /// Signed or enveloped data without the content itself.
    #[error("the message has no content; a detached signature is of no use here")]
    NoContent,
    /// An algorithm that is not implemented.
    #[error("{what} {algorithm} is not supported")]
    UnsupportedAlgorithm {
        /// Which role the algorithm plays, for example "the digest algorithm".
        what: &'static str,
        /// Its name or number.
        algorithm: String,
    },
    /// Nobody signed the message.
    #[error("nobody signed the message")]
    NotSigned,
    /// Content other than plain data, signed without signed attributes (RFC 5652 section 5.3).
    #[error(
        "the signature has no signed attributes, which RFC 5652 section 5.3 demands for content of type {}",
        name_with_oid(.0)
    )]
    NoSignedAttributes(ObjectIdentifier),
    /// A signed attribute that must be there once is missing, or there more than once.
    #[error("the signed attributes must hold {0} exactly once with exactly one value")]
    SignedAttribute(&'static str),
    /// The content type that was signed is not the one of the content.
    #[error(
        "the signed content-type attribute says {}, but the content is {}",
        name_with_oid(signed),
        name_with_oid(found)
    )]
    ContentTypeAttribute {
        /// What the attribute says.
        signed: ObjectIdentifier,
        /// What the content is labelled as.
        found: ObjectIdentifier,
    },
    /// The content is not the one that was signed.
    #[error(
        "the content was changed after it was signed: its digest is not the one in the signed attributes"
    )]
    MessageDigest,
    /// There is no certificate for the signer.
    #[error("the certificate of the signer with {signer} is neither in the message nor known here")]
    NoSignerCertificate {
        /// How the message names the signer.
        signer: String,
    },
    /// The signature cannot be accepted.
    #[error("the signature by {signer} is not accepted: {cause}")]
    Signature {
        /// How the message names the signer.
        signer: String,
        /// Why.
        cause: SignatureError,
    },
    /// Our own key does not sign.
    #[error("the message cannot be signed: {0}")]
    CannotSign(String),
    /// The message cannot be encrypted for this recipient.
    #[error("the message cannot be encrypted: {0}")]
    CannotEncrypt(String),
    /// None of the recipients is the one we are.
    #[error("the message is not encrypted for this key; it is for {recipients}")]
    NotARecipient {
        /// How the message names its recipients.
        recipients: String,
    },
    /// Decryption failed: wrong key or damaged message. Which of the two, and in which step, is not told, because
    /// the difference would help somebody who sends messages to learn the key.
    #[error("the message cannot be decrypted: the key is not the right one, or the message is damaged")]
    Decryption,
}

impl Diagnose for CmsError {
    fn diagnose(&self) -> Failure {
        let (rung, remedy) = match self {
            Self::Wire(error) => {
                return Failure {
                    cause: self.to_string(),
                    ..error.diagnose()
                };
            }
            Self::ContentType { .. } | Self::NoContent => (
                Rung::Body,
                "Look at the message with `openssl cms -cmsout -print -inform DER` and send the one that belongs here.",
            ),
            Self::UnsupportedAlgorithm { .. } => (
                Rung::Body,
                "Use SHA-256 to SHA-512, RSA, ECDSA on a NIST curve or Ed25519, and AES.",
            ),
            Self::NotSigned | Self::NoSignedAttributes(_) | Self::SignedAttribute(_) => {
                (Rung::Body, "Sign the message as RFC 5652 section 5 says.")
            }
            Self::ContentTypeAttribute { .. } | Self::MessageDigest | Self::Signature { .. } => (
                Rung::Body,
                "Make the message anew; if it fails again, somebody between sender and receiver changes it.",
            ),
            Self::NoSignerCertificate { .. } => {
                (Rung::Body, "Send the signer's certificate within the message.")
            }
            Self::CannotSign(_) => (
                Rung::Local,
                "Use an RSA, EC or Ed25519 key that the crypto provider takes.",
            ),
            Self::CannotEncrypt(_) => (
                Rung::Local,
                "Use a recipient with an RSA or EC certificate that allows encryption, or a symmetric key of 16, 24 \
                 or 32 bytes.",
            ),
            Self::NotARecipient { .. } | Self::Decryption => (
                Rung::Body,
                "Use the private key or the symmetric key that the sender encrypted for.",
            ),
        };
        Failure::new(rung, self.to_string(), remedy)
    }
}
