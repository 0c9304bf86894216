//! Our own certificate and private key.

mod encryption;
mod error;
mod generate;
mod load;
mod passphrase;
mod private_file;

pub use encryption::{
    KEY_ENCRYPTION_ITERATIONS, KeyDecryptionLimits, MAX_KEY_ENCRYPTION_ITERATIONS, MAX_SCRYPT_MEMORY,
    encrypted_private_key_der, encrypted_private_key_pem,
};
pub use error::IdentityError;
pub use generate::{
    DEFAULT_BACKDATE, DEFAULT_COMMON_NAME_PREFIX, DEFAULT_VALIDITY, NewKey, SelfSigned, UnknownKeyKind,
    generate_key,
};
pub use load::MAX_IDENTITY_FILE_BYTES;
pub use passphrase::Passphrase;
pub use private_file::{write_private, write_public};

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use der::pem::LineEnding;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::tls::crypto_provider;
use crate::{HashAlgorithm, KeyHash, MacFormat};

/// A certificate, the chain above it, and the private key that belongs to it.
///
/// `Debug` shows the certificate only.
pub struct Identity {
    certificate: Certificate,
    key: PrivateKeyDer<'static>,
    certified_key: Arc<CertifiedKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.certificate.subject())
            .field("chain", &self.chain().len())
            .finish_non_exhaustive()
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // The provider keeps its own copy for signing; this is the one that is kept for saving.
        zeroize::Zeroize::zeroize(&mut self.key);
    }
}

impl Identity {
    /// Makes a key and a certificate signed by it.
    ///
    /// # Errors
    /// The parameters make no certificate, or this build cannot make keys.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the parameters are made for this one call"
    )]
    pub fn self_signed(parameters: SelfSigned) -> Result<Self, IdentityError> {
        let (certificate, key) = parameters.generate()?;
        Self::from_parts(vec![certificate], key)
    }

    /// Puts a certificate chain, the own certificate first, and its private key together.
    ///
    /// # Errors
    /// The chain is empty or cannot be read, rustls cannot sign with the key, or the key does not belong
    /// to the first certificate.
    pub fn from_parts(
        certificates: Vec<CertificateDer<'_>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, IdentityError> {
        let chain: Vec<CertificateDer<'static>> =
            certificates.into_iter().map(CertificateDer::into_owned).collect();
        let end_entity = chain.first().ok_or(IdentityError::EmptyChain)?;
        let certificate =
            Certificate::from_der(end_entity).map_err(|error| IdentityError::BadCertificate {
                reason: error.to_string(),
            })?;
        let provider = crypto_provider().map_err(|error| IdentityError::CannotSign {
            reason: error.to_string(),
        })?;
        let signing_key = provider
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|error| IdentityError::CannotSign {
                reason: error.to_string(),
            })?;
        let public_key = signing_key
            .public_key()
            .ok_or_else(|| IdentityError::CannotSign {
                reason: "the crypto provider does not tell the public key, so the pair cannot be checked"
                    .to_owned(),
            })?;
        if !same_public_key(certificate.spki_der(), &public_key) {
            return Err(mismatch(&certificate, &chain, &public_key));
        }
        let certified_key = Arc::new(CertifiedKey::new(chain, signing_key));
        Ok(Self {
            certificate,
            key,
            certified_key,
        })
    }

    /// Reads certificate and key from files, which may be one and the same.
    ///
    /// The certificate file holds PEM, the own certificate first and the chain after it, or one certificate
    /// in DER. The key file holds PEM or DER in the forms PKCS#8, PKCS#1 (RSA) or SEC1 (EC). A key file
    /// that others may read is warned about.
    ///
    /// # Errors
    /// A file cannot be read, is too large, or does not hold what it should; the key is encrypted; or as
    /// [`from_parts`](Self::from_parts).
    pub fn load(
        certificate_path: impl AsRef<Path>,
        key_path: impl AsRef<Path>,
    ) -> Result<Self, IdentityError> {
        let certificates = load::read_certificates(certificate_path.as_ref())?;
        let key = load::read_private_key(key_path.as_ref(), None)?;
        Self::from_parts(certificates, key)
    }

    /// As [`load`](Self::load), with a private key that may be encrypted by `passphrase` (PKCS#8, PBES2).
    ///
    /// # Errors
    /// As [`load`](Self::load); the passphrase is wrong, or the encryption is one that is not read.
    pub fn load_encrypted(
        certificate_path: impl AsRef<Path>,
        key_path: impl AsRef<Path>,
        passphrase: &[u8],
    ) -> Result<Self, IdentityError> {
        let certificates = load::read_certificates(certificate_path.as_ref())?;
        let key = load::read_private_key(key_path.as_ref(), Some(passphrase))?;
        Self::from_parts(certificates, key)
    }

    /// Reads certificate chain and key from PEM or DER in memory; `origin` names them in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(certificates: &[u8], key: &[u8], origin: &str) -> Result<Self, IdentityError> {
        let certificates = load::parse_certificates(certificates, origin)?;
        let key = load::parse_private_key(key, None, &KeyDecryptionLimits::default(), origin)?;
        Self::from_parts(certificates, key)
    }

    /// Writes the chain and the private key as PEM. The key file is for its owner only (mode 0600).
    ///
    /// Each file appears complete or not at all. The key is written first: a certificate without key is
    /// of no use.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(
        &self,
        certificate_path: impl AsRef<Path>,
        key_path: impl AsRef<Path>,
    ) -> Result<(), IdentityError> {
        write_private(key_path, self.private_key_pem().as_bytes())?;
        write_public(certificate_path, self.certificate_chain_pem().as_bytes())
    }

    /// As [`save`](Self::save), with the private key encrypted by `passphrase` (PKCS#8, PBES2).
    ///
    /// # Errors
    /// A file cannot be written, or the key cannot be encrypted.
    pub fn save_encrypted(
        &self,
        certificate_path: impl AsRef<Path>,
        key_path: impl AsRef<Path>,
        passphrase: &[u8],
    ) -> Result<(), IdentityError> {
        let key = encrypted_private_key_pem(&self.key, passphrase)?;
        write_private(key_path, key.as_bytes())?;
        write_public(certificate_path, self.certificate_chain_pem().as_bytes())
    }

    /// Our own certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The chain as it is sent to peers, our own certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified_key.cert
    }

    /// Chain and key in the form rustls signs with.
    #[must_use]
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified_key)
    }

    /// The private key in DER, for an operation that must sign something other than a handshake.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// The private key in PEM, in the form it was made or loaded in. It is wiped when dropped.
    #[must_use]
    pub fn private_key_pem(&self) -> Zeroizing<String> {
        private_key_pem(&self.key)
    }

    /// The chain in PEM, our own certificate first.
    #[must_use]
    pub fn certificate_chain_pem(&self) -> String {
        self.chain()
            .iter()
            .map(|certificate| (*pem("CERTIFICATE", certificate)).clone())
            .collect()
    }

    /// What a peer's administrator must know of us, in the shape of the command `show server-auth-info`
    /// (F001-04), so that it can be pasted where that output is expected.
    #[must_use]
    pub fn server_auth_info(&self) -> String {
        let mac = self.certificate.subject_mac().map_or_else(
            || "none in the subject".to_owned(),
            |mac| mac.to_format(MacFormat::Colon),
        );
        format!(
            "----------------\nServer Auth Info\n----------------\n\
             MAC Address: {mac}\nSHA1 Key Hash: {}\nSHA2 Key Hash: {}\nCertificate Type: {}\n",
            self.certificate.key_hash(HashAlgorithm::Sha1),
            self.certificate.key_hash(HashAlgorithm::Sha256),
            self.certificate.certificate_type(),
        )
    }
}

/// Reads a private key from a file: PEM or DER; PKCS#8, PKCS#1 or SEC1; encrypted in PKCS#8 when there is a
/// `passphrase`. The caller wipes it. A key file that others may read is warned about.
///
/// # Errors
/// The file cannot be read, is too large or holds no private key; the key is encrypted and the passphrase is missing or
/// wrong.
pub fn load_private_key(
    path: impl AsRef<Path>,
    passphrase: Option<&[u8]>,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    load::read_private_key(path.as_ref(), passphrase)
}

/// As [`load_private_key`], from memory; `origin` names it in errors.
///
/// # Errors
/// As [`load_private_key`].
pub fn parse_private_key(
    content: &[u8],
    passphrase: Option<&[u8]>,
    origin: &str,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    parse_private_key_within(content, passphrase, &KeyDecryptionLimits::default(), origin)
}

/// As [`parse_private_key`], with other bounds of the work that an encrypted key may cost.
///
/// # Errors
/// As [`load_private_key`].
pub fn parse_private_key_within(
    content: &[u8],
    passphrase: Option<&[u8]>,
    limits: &KeyDecryptionLimits,
    origin: &str,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    load::parse_private_key(content, passphrase, limits, origin)
}

/// A private key in PEM under the label of its form (RFC 7468 section 10, RFC 5915 section 4, PKCS#1).
/// It is wiped when dropped.
#[must_use]
pub fn private_key_pem(key: &PrivateKeyDer<'_>) -> Zeroizing<String> {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    pem(label, key.secret_der())
}

fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    // The encoder sizes its buffer once, so no half-written copy of a secret is left behind.
    let text = der::pem::encode_string(label, LineEnding::LF, der);
    Zeroizing::new(text.expect("the label is one of ours and DER that is in memory is short enough"))
}

/// Compares the keys and leaves out the parameters of the algorithm: RSA keys are written with
/// and without NULL there.
fn same_public_key(certificate_spki: &[u8], key_spki: &[u8]) -> bool {
    let (Ok((_, certificate)), Ok((_, key))) = (
        SubjectPublicKeyInfo::from_der(certificate_spki),
        SubjectPublicKeyInfo::from_der(key_spki),
    ) else {
        return false;
    };
    certificate.algorithm.algorithm == key.algorithm.algorithm
        && certificate.subject_public_key.data == key.subject_public_key.data
}

fn mismatch(certificate: &Certificate, chain: &[CertificateDer<'_>], key_spki: &[u8]) -> IdentityError {
    let belongs_to = chain.iter().position(|der| {
        Certificate::from_der(der).is_ok_and(|other| same_public_key(other.spki_der(), key_spki))
    });
    IdentityError::KeyMismatch {
        subject: certificate.subject().to_owned(),
        certificate_hash: certificate.key_hash(HashAlgorithm::Sha256),
        key_hash: KeyHash::of_spki(HashAlgorithm::Sha256, key_spki),
        position_in_chain: belongs_to.map(|position| position + 1),
    }
}
