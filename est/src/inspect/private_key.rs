//! Keys: what kind they are. The secret is never shown.

use pki_common::tls::crypto_provider;
use pki_common::{HashAlgorithm, KeyHash};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

use super::{Report, certificate, encryption};
use crate::wire::csr::PublicKey;

pub(super) fn pkcs8(bytes: &[u8]) -> Report {
    let report = Report::new("private key", "DER").with("form", "PKCS #8 (RFC 5958), not encrypted");
    with_public_half(report, &PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(bytes)))
}

pub(super) fn other(bytes: &[u8], kind: &'static str, form: &'static str) -> Report {
    let report = Report::new(kind, "DER").with("form", form);
    let key = if kind.starts_with("RSA") {
        PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(bytes))
    } else {
        PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(bytes))
    };
    with_public_half(report, &key)
}

pub(super) fn encrypted(bytes: &[u8]) -> Report {
    let report =
        Report::new("encrypted private key", "DER").with("form", "PKCS #8, encrypted (RFC 5958 section 3)");
    encryption::describe(report, bytes)
}

/// A key with the headers of RFC 1421. Neither its bytes nor its initialisation vector are looked at.
pub(super) fn old_encrypted(label: &str, cipher: &str) -> Report {
    let kind = match label {
        "RSA PRIVATE KEY" => "encrypted RSA private key",
        "EC PRIVATE KEY" => "encrypted EC private key",
        _ => "encrypted private key",
    };
    Report::new(kind, "PEM")
        .with("form", "OpenSSL's old form, encrypted (RFC 1421 headers)")
        .with("cipher", cipher)
        .with("key derivation", "one round of MD5 over passphrase and salt")
        .with_problem("a passphrase in this form is guessed at quickly; convert the key (openssl pkcs8 -topk8 -v2 aes256)")
}

pub(super) fn public(bytes: &[u8]) -> Report {
    described(Report::new("public key", "DER"), bytes)
}

/// What the public half says: it is what ties a key to its certificate.
fn with_public_half(report: Report, key: &PrivateKeyDer<'_>) -> Report {
    let spki = crypto_provider().ok().and_then(|provider| {
        let key = provider.key_provider.load_private_key(key.clone_key()).ok()?;
        Some(key.public_key()?.to_vec())
    });
    match spki {
        Some(spki) => described(report, &spki),
        None => report.with_problem("it is of a kind or size that this program cannot use, or damaged"),
    }
}

fn described(report: Report, spki: &[u8]) -> Report {
    let hash = |algorithm| KeyHash::of_spki(algorithm, spki).to_string();
    let report = report
        .with("key hash SHA-1", hash(HashAlgorithm::Sha1))
        .with("key hash SHA-256", hash(HashAlgorithm::Sha256));
    match PublicKey::from_spki_der(spki) {
        Ok(key) => {
            let kind = key.kind().to_string();
            let weak = certificate::weak_key(&kind);
            let report = report.with("key", kind);
            match weak {
                Some(problem) => report.with_problem(problem),
                None => report,
            }
        }
        Err(error) => report.with_problem(error.to_string()),
    }
}
