//! The files of an authority, each written whole or not at all.

use std::fmt::Display;
use std::path::Path;

use der::pem::{LineEnding, encode_string};
use pki_common::identity::{self, Passphrase};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::ca::embedded::AuthorityError;
use crate::ca::key_file;

pub(super) fn parse_certificates(
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| file_error(path, format!("no certificate in PEM: {error}")))?;
    if found.is_empty() {
        return Err(file_error(path, "no certificate in PEM"));
    }
    Ok(found)
}

pub(super) fn read_key(
    path: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<PrivateKeyDer<'static>, AuthorityError> {
    let pem = Zeroizing::new(read(path)?);
    key_file::decode(&pem, passphrase).map_err(|error| file_error(path, error))
}

pub(super) fn write_key(
    path: &Path,
    key: &PrivateKeyDer<'_>,
    passphrase: Option<&Passphrase>,
) -> Result<(), AuthorityError> {
    let pem = key_file::encode(key, passphrase).map_err(|error| file_error(path, error))?;
    identity::write_private(path, pem.as_bytes()).map_err(|error| file_error(path, error))
}

pub(super) fn write_certificates<C: AsRef<[u8]>>(
    path: &Path,
    certificates: impl IntoIterator<Item = C>,
) -> Result<(), AuthorityError> {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str(
            &encode_string("CERTIFICATE", LineEnding::LF, certificate.as_ref()).map_err(environment)?,
        );
    }
    identity::write_public(path, text.as_bytes()).map_err(|error| file_error(path, error))
}

pub(super) fn write_pem(path: &Path, label: &str, der: &[u8]) -> Result<(), AuthorityError> {
    let pem = encode_string(label, LineEnding::LF, der).map_err(environment)?;
    identity::write_public(path, pem.as_bytes()).map_err(|error| file_error(path, error))
}

/// Gives a file another name. That it is gone is fine: another process, in the middle of the same, was first.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), AuthorityError> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(to, error)),
        _ => Ok(()),
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    std::fs::read(path).map_err(|error| file_error(path, error))
}

pub(super) fn file_error(path: &Path, problem: impl Display) -> AuthorityError {
    AuthorityError::File {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

pub(super) fn environment(problem: impl Display) -> AuthorityError {
    AuthorityError::Environment(problem.to_string())
}
