//! Reads certificates and private keys in the forms that are in use.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustls_pki_types::pem::{PemObject as _, SectionKind};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use zeroize::Zeroizing;

use super::{IdentityError, KeyDecryptionLimits, encryption, private_file};

/// Largest certificate or key file that is read, in bytes. A chain of ten certificates with RSA-4096 keys
/// in PEM has about 25 kB; the limit keeps a mistyped path from filling the memory.
pub const MAX_IDENTITY_FILE_BYTES: u64 = 1024 * 1024;

const TAG_SEQUENCE: u8 = 0x30;

pub(super) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let (content, _) = read_limited(path)?;
    parse_certificates(&content, &path.display().to_string())
}

pub(super) fn read_private_key(
    path: &Path,
    passphrase: Option<&[u8]>,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let (content, metadata) = read_limited(path)?;
    private_file::warn_when_shared(path, &metadata);
    let origin = path.display().to_string();
    parse_private_key(&content, passphrase, &KeyDecryptionLimits::default(), &origin)
}

fn read_limited(path: &Path) -> Result<(Zeroizing<Vec<u8>>, std::fs::Metadata), IdentityError> {
    let failed = |error: std::io::Error| IdentityError::Read {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // Sized once: a growing vector would leave copies of a key behind.
    let expected = metadata.len().min(MAX_IDENTITY_FILE_BYTES) + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or_default()));
    file.take(MAX_IDENTITY_FILE_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > MAX_IDENTITY_FILE_BYTES) {
        return Err(IdentityError::FileTooLarge {
            path: path.display().to_string(),
            limit: MAX_IDENTITY_FILE_BYTES,
        });
    }
    Ok((content, metadata))
}

pub(super) fn parse_certificates(
    content: &[u8],
    origin: &str,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    if content.first() == Some(&TAG_SEQUENCE) {
        return Ok(vec![CertificateDer::from(content.to_vec())]);
    }
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, _>>()
        .map_err(|error| IdentityError::Damaged {
            origin: origin.to_owned(),
            reason: error.to_string(),
        })?;
    if certificates.is_empty() {
        return Err(IdentityError::NoCertificate {
            origin: origin.to_owned(),
        });
    }
    Ok(certificates)
}

pub(super) fn parse_private_key(
    content: &[u8],
    passphrase: Option<&[u8]>,
    limits: &KeyDecryptionLimits,
    origin: &str,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    if content.first() == Some(&TAG_SEQUENCE) {
        return key_from_der(content, passphrase, limits, origin);
    }
    // The older of OpenSSL's two ways says so in clear text (RFC 1421).
    if contains(content, b"Proc-Type: 4,ENCRYPTED") {
        return Err(IdentityError::UnsupportedEncryption {
            origin: origin.to_owned(),
            reason: "it is OpenSSL's traditional format (Proc-Type: 4,ENCRYPTED), which is too weak"
                .to_owned(),
        });
    }
    if contains(content, ENCRYPTED_BEGIN) {
        let der = encrypted_section(content, origin)?;
        return key_from_der(&der, passphrase, limits, origin);
    }
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(content) {
        let (kind, der) = section.map_err(|error| IdentityError::Damaged {
            origin: origin.to_owned(),
            reason: error.to_string(),
        })?;
        match kind {
            SectionKind::PrivateKey => return Ok(PrivatePkcs8KeyDer::from(der).into()),
            SectionKind::RsaPrivateKey => return Ok(PrivatePkcs1KeyDer::from(der).into()),
            SectionKind::EcPrivateKey => return Ok(PrivateSec1KeyDer::from(der).into()),
            other => found.push(format!("{other:?}")),
        }
    }
    Err(IdentityError::NoPrivateKey {
        origin: origin.to_owned(),
        found,
    })
}

const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const ENCRYPTED_BEGIN: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED_END: &[u8] = b"-----END ENCRYPTED PRIVATE KEY-----";

/// The DER in the first PEM section with an encrypted key (RFC 7468 section 11).
fn encrypted_section(content: &[u8], origin: &str) -> Result<Vec<u8>, IdentityError> {
    let damaged = |reason: String| IdentityError::Damaged {
        origin: origin.to_owned(),
        reason,
    };
    let position = |marker: &[u8]| content.windows(marker.len()).position(|window| window == marker);
    let section = position(ENCRYPTED_BEGIN)
        .zip(position(ENCRYPTED_END))
        .and_then(|(begin, end)| content.get(begin..end.checked_add(ENCRYPTED_END.len())?))
        .ok_or_else(|| damaged(format!("the section {ENCRYPTED_LABEL} has no end")))?;
    der::pem::decode_vec(section)
        .map(|(_label, der)| der)
        .map_err(|error| damaged(error.to_string()))
}

fn key_from_der(
    content: &[u8],
    passphrase: Option<&[u8]>,
    limits: &KeyDecryptionLimits,
    origin: &str,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    // EncryptedPrivateKeyInfo begins with an AlgorithmIdentifier, every plain key with a version.
    if first_inner_tag(content) == Some(TAG_SEQUENCE) {
        return match passphrase {
            Some(passphrase) => encryption::decrypt(content, passphrase, limits, origin),
            None => Err(IdentityError::EncryptedPrivateKey {
                origin: origin.to_owned(),
            }),
        };
    }
    PrivateKeyDer::try_from(content)
        .map(|key| key.clone_key())
        .map_err(|reason| IdentityError::Damaged {
            origin: origin.to_owned(),
            reason: reason.to_owned(),
        })
}

/// The tag of the first element inside an outer SEQUENCE.
fn first_inner_tag(der: &[u8]) -> Option<u8> {
    let length = *der.get(1)?;
    let length_bytes = if length & 0x80 == 0 {
        0
    } else {
        usize::from(length & 0x7f)
    };
    der.get(2 + length_bytes).copied()
}

fn contains(content: &[u8], marker: &[u8]) -> bool {
    content.windows(marker.len()).any(|window| window == marker)
}
