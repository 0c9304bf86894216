//! An embedded authority in a folder: `ca.pem`, `ca.key.pem` and `ca.sqlite`.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use der::pem::{LineEnding, encode_string};
use pki_common::identity::{self, NewKey};
use pki_common::tls::crypto_provider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::database::SqliteLog;
use super::embedded::{AuthorityError, EmbeddedCertificateAuthority};
use super::issuer::Issuer;
use super::policy::IssuancePolicy;

/// The files of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFiles {
    /// The CA certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM (PKCS#8), readable by its owner only.
    pub key: PathBuf,
    /// The log.
    pub database: PathBuf,
}

impl AuthorityFiles {
    /// `ca.pem`, `ca.key.pem` and `ca.sqlite` in `folder`.
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        Self {
            certificate: folder.join("ca.pem"),
            key: folder.join("ca.key.pem"),
            database: folder.join("ca.sqlite"),
        }
    }
}

/// What a new authority shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAuthority {
    /// The subject as RFC 4514 writes it, the most specific attribute first: `CN=Lab Root,DC=example,DC=com`.
    pub subject: String,
    /// The kind of its key.
    pub key: NewKey,
    /// How long its certificate is valid.
    pub validity: Duration,
}

impl EmbeddedCertificateAuthority {
    /// Makes a new root authority: a key, a self-signed certificate and an empty log. No file is overwritten.
    ///
    /// # Errors
    /// [`AuthorityError::File`] when one of the files exists; the other variants when the subject cannot be read,
    /// there is no crypto provider, or a file cannot be written.
    pub fn create(
        files: &AuthorityFiles,
        authority: &NewAuthority,
        policy: IssuancePolicy,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, AuthorityError> {
        for path in [&files.certificate, &files.key, &files.database] {
            if path.exists() {
                return Err(file_error(
                    path,
                    "it exists already, and an authority is never overwritten",
                ));
            }
        }
        let provider = crypto_provider().map_err(environment)?;
        let now = clock
            .current_time()
            .ok_or_else(|| environment("this machine does not tell the time"))?;
        let key = PrivateKeyDer::from(identity::generate_key(authority.key).map_err(environment)?);
        let issuer = Issuer::self_signed(
            &authority.subject,
            key.clone_key(),
            authority.validity,
            now,
            Arc::clone(&provider),
        )?;
        identity::write_private(&files.key, identity::private_key_pem(&key).as_bytes())
            .map_err(|error| file_error(&files.key, error))?;
        let log = SqliteLog::create(&files.database, provider)?;
        // The certificate comes last: an authority exists once all of it does.
        let pem = encode_string("CERTIFICATE", LineEnding::LF, issuer.certificate()).map_err(environment)?;
        identity::write_public(&files.certificate, pem.as_bytes())
            .map_err(|error| file_error(&files.certificate, error))?;
        tracing::info!(subject = issuer.subject_text(), "made a certificate authority");
        Ok(Self::new(issuer, policy, Arc::new(log), clock))
    }

    /// Opens an authority that [`Self::create`] made, or one put together from a CA certificate and key in PEM and
    /// a log of its own.
    ///
    /// # Errors
    /// [`AuthorityError`]: a file that is missing or damaged, a key that does not belong to the certificate.
    pub fn open(
        files: &AuthorityFiles,
        policy: IssuancePolicy,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, AuthorityError> {
        let provider = crypto_provider().map_err(environment)?;
        let certificate = CertificateDer::from_pem_slice(&read(&files.certificate)?)
            .map_err(|error| file_error(&files.certificate, format!("no certificate in PEM: {error}")))?;
        let key = Zeroizing::new(read(&files.key)?);
        let key = PrivateKeyDer::from_pem_slice(&key)
            .map_err(|error| file_error(&files.key, format!("no private key in PEM: {error}")))?;
        let issuer = Issuer::new(certificate, key, Arc::clone(&provider))?;
        let log = SqliteLog::open(&files.database, provider)?;
        Ok(Self::new(issuer, policy, Arc::new(log), clock))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    std::fs::read(path).map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, problem: impl Display) -> AuthorityError {
    AuthorityError::File {
        path: path.to_owned(),
        problem: problem.to_string(),
    }
}

fn environment(problem: impl Display) -> AuthorityError {
    AuthorityError::Environment(problem.to_string())
}
