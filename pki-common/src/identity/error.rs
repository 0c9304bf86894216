//! Why there is no identity.

use crate::KeyHash;
use crate::ladder::{Diagnose, Failure, Rung};

/// Why a certificate and key cannot be made, read or written. The files or parameters on this machine
/// are at fault. No message holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The operating system refused to read a file.
    #[error("cannot read {path}: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// The operating system refused to write a file.
    #[error("cannot write {path}: {reason}")]
    Write {
        /// The file.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// A file is larger than the limit.
    #[error("{path} has more than {limit} bytes, the limit for a certificate or key file")]
    FileTooLarge {
        /// The file.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file holds no certificate.
    #[error("no certificate in {origin}")]
    NoCertificate {
        /// The file.
        origin: String,
    },
    /// A file holds no private key.
    #[error("no private key in {origin}{}", other_content(found))]
    NoPrivateKey {
        /// The file.
        origin: String,
        /// PEM labels found instead.
        found: Vec<String>,
    },
    /// A private key is encrypted and no passphrase was given.
    #[error("the private key in {origin} is encrypted, and no passphrase for it was given")]
    EncryptedPrivateKey {
        /// The file.
        origin: String,
    },
    /// The passphrase does not decrypt the private key.
    #[error("the passphrase does not decrypt the private key in {origin}")]
    WrongPassphrase {
        /// The file.
        origin: String,
    },
    /// A private key is encrypted in a way that is not read.
    #[error("the encryption of the private key in {origin} is not supported: {reason}")]
    UnsupportedEncryption {
        /// The file.
        origin: String,
        /// What is not supported.
        reason: String,
    },
    /// A private key cannot be encrypted.
    #[error("the private key cannot be encrypted: {reason}")]
    CannotEncrypt {
        /// Why.
        reason: String,
    },
    /// PEM or DER of a file is damaged.
    #[error("{origin} is damaged: {reason}")]
    Damaged {
        /// The file.
        origin: String,
        /// What the decoder said.
        reason: String,
    },
    /// No certificate was given.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// Our own certificate cannot be read.
    #[error("our certificate cannot be read: {reason}")]
    BadCertificate {
        /// What the decoder said.
        reason: String,
    },
    /// rustls cannot sign with the key.
    #[error("our private key cannot be used: {reason}")]
    CannotSign {
        /// What the crypto provider said.
        reason: String,
    },
    /// The private key belongs to another certificate.
    #[error(
        "the private key does not belong to the certificate {subject}: the SHA-256 key hash of the certificate is \
         {certificate_hash}, that of the private key is {key_hash}{}", hint(*position_in_chain)
    )]
    KeyMismatch {
        /// Subject of the certificate.
        subject: String,
        /// Key hash of the certificate.
        certificate_hash: KeyHash,
        /// Key hash of the public half of the private key.
        key_hash: KeyHash,
        /// Which certificate of the chain, counted from 1, the key does belong to.
        position_in_chain: Option<usize>,
    },
    /// The parameters of a new certificate are not possible.
    #[error("no certificate can be made: {reason}")]
    BadParameters {
        /// Which parameter, and why.
        reason: String,
    },
    /// A key cannot be made in this build.
    #[error("no key can be made: {reason}")]
    CannotGenerate {
        /// Why.
        reason: String,
    },
}

fn other_content(found: &[String]) -> String {
    if found.is_empty() {
        String::new()
    } else {
        format!("; it holds {}", found.join(", "))
    }
}

fn hint(position: Option<usize>) -> String {
    position.map_or_else(String::new, |position| {
        format!("; it belongs to certificate number {position} of the chain")
    })
}

impl Diagnose for IdentityError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Read { .. } => "Correct the path, or let the user of this process read it.".to_owned(),
            Self::Write { .. } => "Name a folder that this process may write to.".to_owned(),
            Self::FileTooLarge { .. } => "Name the file of the certificate or key itself.".to_owned(),
            Self::NoCertificate { .. } | Self::EmptyChain => {
                "Name a file with a certificate in PEM (-----BEGIN CERTIFICATE-----) or DER.".to_owned()
            }
            Self::NoPrivateKey { .. } => {
                "Name a file with a private key in PKCS#8, PKCS#1 or SEC1, in PEM or DER.".to_owned()
            }
            Self::EncryptedPrivateKey { .. } => "Give the passphrase of the private key.".to_owned(),
            Self::WrongPassphrase { .. } => {
                "Give the passphrase that the file was written with, without a line end after it.".to_owned()
            }
            Self::UnsupportedEncryption { origin, .. } => format!(
                "Encrypt it again with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in {origin} -out {origin}.new` and name \
                 the new file."
            ),
            Self::CannotEncrypt { .. } => "Give a passphrase, and the key in PKCS#8.".to_owned(),
            Self::Damaged { .. } | Self::BadCertificate { .. } => {
                "Look at the file with `openssl x509 -text` or `openssl pkey -text` and make it again."
                    .to_owned()
            }
            Self::CannotSign { .. } => {
                "Use RSA from 2048 bits, EC P-256 or P-384, or Ed25519, and build with a crypto provider."
                    .to_owned()
            }
            Self::KeyMismatch {
                position_in_chain: Some(_),
                ..
            } => "Put the certificate that belongs to the key first in the certificate file.".to_owned(),
            Self::KeyMismatch { .. } => "Name the private key the certificate was requested with.".to_owned(),
            Self::BadParameters { .. } => "Correct the parameter.".to_owned(),
            Self::CannotGenerate { .. } => "Build with the feature aws-lc-rs or ring.".to_owned(),
        };
        Failure {
            rung: Rung::Local,
            refused_by: None,
            alert: None,
            known_cause: None,
            cause: format!("{self}."),
            remedy,
        }
    }
}
