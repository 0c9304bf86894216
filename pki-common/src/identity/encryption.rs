//! Private keys encrypted by a passphrase: PKCS#8 with PBES2 (RFC 5958 section 3, RFC 8018 section 6.2).
//!
//! Written with AES-256-CBC and PBKDF2-HMAC-SHA-256, which every tool reads; OpenSSL refuses scrypt with more than
//! 32 MB of memory. Read with AES-CBC and PBKDF2-HMAC-SHA-2 or scrypt.

use der::asn1::{ContextSpecific, Null, ObjectIdentifier, OctetStringRef};
use der::{AnyRef, Decode as _, Encode as _, Reader as _, SliceReader, TagNumber};
use pkcs8::pkcs5::pbes2::{self, Kdf};
use pkcs8::pkcs5::{self, EncryptionScheme};
use pkcs8::rand_core::{OsRng, RngCore as _};
use pkcs8::{AlgorithmIdentifierRef, EncryptedPrivateKeyInfo, PrivateKeyInfo};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{IdentityError, pem};

/// Rounds of PBKDF2 for a new file: what OWASP recommends for HMAC-SHA-256, about a fifth of a second.
pub const KEY_ENCRYPTION_ITERATIONS: u32 = 600_000;

/// Most rounds that are worked through to read a file: some seconds. More would look like a hang.
pub const MAX_KEY_ENCRYPTION_ITERATIONS: u32 = 20_000_000;

/// Most memory that scrypt may ask for to read a file, in bytes.
pub const MAX_SCRYPT_MEMORY: u64 = 256 * 1024 * 1024;

/// Bounds of the work that reading an encrypted private key may cost; the file says how much it wants.
///
/// # Defaults
/// [`MAX_KEY_ENCRYPTION_ITERATIONS`], [`MAX_SCRYPT_MEMORY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyDecryptionLimits {
    /// Most rounds of PBKDF2.
    pub iterations: u32,
    /// Most memory that scrypt walks through, in bytes: block size, cost and parallelisation multiplied.
    pub scrypt_memory: u64,
}

impl Default for KeyDecryptionLimits {
    fn default() -> Self {
        Self {
            iterations: MAX_KEY_ENCRYPTION_ITERATIONS,
            scrypt_memory: MAX_SCRYPT_MEMORY,
        }
    }
}

const SALT_BYTES: usize = 16;
const AES_BLOCK_BYTES: usize = 16;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// A private key in PEM (`ENCRYPTED PRIVATE KEY`), encrypted by `passphrase`; `openssl pkey -passin` reads it.
///
/// # Errors
/// The passphrase is empty, the key does not say which kind it is, or there is no randomness.
pub fn encrypted_private_key_pem(
    key: &PrivateKeyDer<'_>,
    passphrase: &[u8],
) -> Result<String, IdentityError> {
    let der = encrypted_private_key_der(key, passphrase)?;
    Ok((*pem("ENCRYPTED PRIVATE KEY", &der)).clone())
}

/// As [`encrypted_private_key_pem`], in DER.
///
/// # Errors
/// As [`encrypted_private_key_pem`].
pub fn encrypted_private_key_der(
    key: &PrivateKeyDer<'_>,
    passphrase: &[u8],
) -> Result<Vec<u8>, IdentityError> {
    if passphrase.is_empty() {
        return Err(cannot_encrypt("the passphrase is empty"));
    }
    let plain = to_pkcs8(key)?;
    let mut salt = [0; SALT_BYTES];
    let mut iv = [0; AES_BLOCK_BYTES];
    for random in [&mut salt, &mut iv] {
        OsRng.try_fill_bytes(random).map_err(cannot_encrypt)?;
    }
    let parameters = pbes2::Parameters::pbkdf2_sha256_aes256cbc(KEY_ENCRYPTION_ITERATIONS, &salt, &iv)
        .map_err(cannot_encrypt)?;
    let encrypted = parameters.encrypt(passphrase, &plain).map_err(cannot_encrypt)?;
    EncryptedPrivateKeyInfo {
        encryption_algorithm: parameters.into(),
        encrypted_data: &encrypted,
    }
    .to_der()
    .map_err(cannot_encrypt)
}

fn cannot_encrypt(reason: impl core::fmt::Display) -> IdentityError {
    IdentityError::CannotEncrypt {
        reason: reason.to_string(),
    }
}

/// Decrypts an `EncryptedPrivateKeyInfo`; `origin` names it in errors.
pub(super) fn decrypt(
    der: &[u8],
    passphrase: &[u8],
    limits: &KeyDecryptionLimits,
    origin: &str,
) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let unsupported = |reason: String| IdentityError::UnsupportedEncryption {
        origin: origin.to_owned(),
        reason,
    };
    let encrypted = EncryptedPrivateKeyInfo::try_from(der).map_err(|error| {
        if has_right_shape(der) {
            return unsupported(error.to_string());
        }
        IdentityError::Damaged {
            origin: origin.to_owned(),
            reason: error.to_string(),
        }
    })?;
    check_cost(&encrypted.encryption_algorithm, limits).map_err(unsupported)?;
    let wrong_passphrase = || IdentityError::WrongPassphrase {
        origin: origin.to_owned(),
    };
    let scheme = &encrypted.encryption_algorithm;
    let plain = match scheme.decrypt(passphrase, encrypted.encrypted_data) {
        Ok(plain) => Zeroizing::new(plain),
        // The crate says "encrypt" for a padding that is wrong after decryption.
        Err(pkcs5::Error::DecryptFailed | pkcs5::Error::EncryptFailed) => return Err(wrong_passphrase()),
        Err(error) => return Err(unsupported(error.to_string())),
    };
    // One wrong passphrase in 256 leaves a padding that looks right.
    PrivateKeyInfo::try_from(plain.as_slice()).map_err(|_| wrong_passphrase())?;
    Ok(PrivatePkcs8KeyDer::from(plain.to_vec()).into())
}

/// Whether it is an `EncryptedPrivateKeyInfo` of any algorithm.
fn has_right_shape(der: &[u8]) -> bool {
    SliceReader::new(der)
        .and_then(|mut reader| {
            reader.sequence(|inner| {
                AlgorithmIdentifierRef::decode(inner)?;
                OctetStringRef::decode(inner)
            })
        })
        .is_ok()
}

/// The file says how much work reading it is; a damaged one may ask for years or for all memory.
fn check_cost(scheme: &EncryptionScheme<'_>, limits: &KeyDecryptionLimits) -> Result<(), String> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err("it is of PKCS#5 version 1 (PBES1), which is too weak".to_owned());
    };
    match &parameters.kdf {
        Kdf::Pbkdf2(parameters) if parameters.iteration_count > limits.iterations => Err(format!(
            "it asks for {} rounds of PBKDF2, more than {}",
            parameters.iteration_count, limits.iterations
        )),
        Kdf::Scrypt(parameters) => {
            // RFC 7914 section 6. The pkcs5 crate computes the logarithm of 0 before it looks.
            if parameters.cost_parameter < 2 || !parameters.cost_parameter.is_power_of_two() {
                return Err(format!(
                    "the cost {} of scrypt is not a power of two above 1",
                    parameters.cost_parameter
                ));
            }
            let memory = parameters
                .cost_parameter
                .saturating_mul(u64::from(parameters.block_size))
                .saturating_mul(128)
                .saturating_mul(u64::from(parameters.parallelization).max(1));
            if memory > limits.scrypt_memory {
                return Err(format!(
                    "it asks for {memory} bytes of work by scrypt, more than {}",
                    limits.scrypt_memory
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The key as PKCS#8, whose encryption is standardised.
fn to_pkcs8(key: &PrivateKeyDer<'_>) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let wrapped = |algorithm: AlgorithmIdentifierRef<'_>| {
        PrivateKeyInfo::new(algorithm, key.secret_der())
            .to_der()
            .map(Zeroizing::new)
            .map_err(cannot_encrypt)
    };
    match key {
        PrivateKeyDer::Pkcs1(_) => wrapped(AlgorithmIdentifierRef {
            oid: RSA_ENCRYPTION,
            parameters: Some(AnyRef::from(Null)),
        }),
        PrivateKeyDer::Sec1(_) => {
            let curve = sec1_curve(key.secret_der()).map_err(cannot_encrypt)?;
            let curve = curve.ok_or_else(|| cannot_encrypt("the EC key does not name its curve"))?;
            wrapped(AlgorithmIdentifierRef {
                oid: EC_PUBLIC_KEY,
                parameters: Some(AnyRef::from(&curve)),
            })
        }
        _ => Ok(Zeroizing::new(key.secret_der().to_vec())),
    }
}

/// The named curve of an `ECPrivateKey` (RFC 5915 section 3).
fn sec1_curve(der: &[u8]) -> der::Result<Option<ObjectIdentifier>> {
    SliceReader::new(der)?.sequence(|key| {
        u8::decode(key)?;
        OctetStringRef::decode(key)?;
        let curve = ContextSpecific::<ObjectIdentifier>::decode_explicit(key, TagNumber::N0)?;
        // The public key may follow.
        key.read_slice(key.remaining_len())?;
        Ok(curve.map(|curve| curve.value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An encrypted key of which only the parameters matter.
    fn with(scheme: EncryptionScheme<'_>) -> Vec<u8> {
        EncryptedPrivateKeyInfo {
            encryption_algorithm: scheme,
            encrypted_data: &[0; 16],
        }
        .to_der()
        .unwrap()
    }

    #[test]
    fn refuses_a_file_that_asks_for_endless_work_without_beginning_it() {
        let rounds = pbes2::Parameters::pbkdf2_sha256_aes256cbc(50_000_000, &[1; 8], &[2; 16]).unwrap();
        let limits = KeyDecryptionLimits::default();
        let error = decrypt(&with(rounds.into()), b"x", &limits, "key.pem").unwrap_err();
        assert!(error.to_string().contains("50000000 rounds"), "{error}");

        let memory = pkcs5::scrypt::Params::new(20, 8, 1, 32).unwrap();
        let memory = pbes2::Parameters::scrypt_aes256cbc(memory, &[1; 8], &[2; 16]).unwrap();
        let error = decrypt(&with(memory.into()), b"x", &limits, "key.pem").unwrap_err();
        assert!(error.to_string().contains("1073741824 bytes"), "{error}");
    }

    #[test]
    fn refuses_a_cost_of_scrypt_that_has_no_logarithm() {
        let two = pkcs5::scrypt::Params::new(1, 8, 1, 32).unwrap();
        let two = pbes2::Parameters::scrypt_aes256cbc(two, &[1; 8], &[2; 16]).unwrap();
        let file = with(two.into());
        // INTEGER 2 behind the salt of eight octets.
        let cost = 2
            + file
                .windows(11)
                .position(|part| part == [1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2])
                .unwrap()
            + 8;
        for wrong in [0, 1, 3] {
            let mut file = file.clone();
            file[cost] = wrong;
            let error = decrypt(&file, b"x", &KeyDecryptionLimits::default(), "key.pem").unwrap_err();
            assert!(error.to_string().contains("power of two"), "{error}");
        }
        // The sound file is worked through.
        let error = decrypt(&file, b"x", &KeyDecryptionLimits::default(), "key.pem").unwrap_err();
        assert_eq!(
            error,
            IdentityError::WrongPassphrase {
                origin: "key.pem".to_owned()
            }
        );
    }

    #[test]
    fn an_empty_passphrase_protects_nothing_and_is_refused() {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(vec![0x30, 0]));
        let error = encrypted_private_key_der(&key, b"").unwrap_err();
        assert!(error.to_string().contains("empty"), "{error}");
    }
}
