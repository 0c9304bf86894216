//! An embedded authority in a folder.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use der::pem::{LineEnding, encode_string};
use pki_common::identity::{self, NewKey};
use pki_common::tls::crypto_provider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use zeroize::Zeroizing;

use super::database::SqliteLog;
use super::embedded::{AuthorityError, EmbeddedCertificateAuthority};
use super::issuer::{Issuer, IssuerError, authority_request};
use super::key_file::{self, Passphrase};
use super::policy::IssuancePolicy;

/// The files of an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFiles {
    /// The CA certificate, PEM; after it the certificates above it, if any.
    pub certificate: PathBuf,
    /// Its private key, PEM (PKCS#8, in the clear or encrypted), readable by its owner only.
    pub key: PathBuf,
    /// The log.
    pub database: PathBuf,
    /// Certificates of earlier generations that `cacerts` has as well, PEM; missing when there are none.
    pub rollover: PathBuf,
    /// The request for the certificate of an intermediate authority, PEM.
    pub request: PathBuf,
    /// The key of an intermediate authority whose new certificate has not come yet; takes the place of `key` then.
    pub next_key: PathBuf,
}

impl AuthorityFiles {
    /// `ca.pem`, `ca.key.pem`, `ca.sqlite`, `ca-rollover.pem`, `ca.csr.pem` and `ca.next.key.pem` in `folder`.
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        Self {
            certificate: folder.join("ca.pem"),
            key: folder.join("ca.key.pem"),
            database: folder.join("ca.sqlite"),
            rollover: folder.join("ca-rollover.pem"),
            request: folder.join("ca.csr.pem"),
            next_key: folder.join("ca.next.key.pem"),
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

/// Which key a renewed authority has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// The same.
    Keep,
    /// A new one of this kind.
    New(NewKey),
}

/// What became of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewed {
    /// There is a new root; the files of the old one are kept under this name with the usual endings.
    Root {
        /// Begin of the names of the old files.
        kept_as: PathBuf,
    },
    /// The authority above has to sign this request; [`EmbeddedCertificateAuthority::import_certificate`] takes what
    /// it returns.
    Requested {
        /// Where the request is.
        request: PathBuf,
    },
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
        Self::create_with(files, authority, None, policy, clock)
    }

    /// As [`Self::create`]; with a passphrase, the private key is encrypted with it.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_with(
        files: &AuthorityFiles,
        authority: &NewAuthority,
        passphrase: Option<&Passphrase>,
        policy: IssuancePolicy,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, AuthorityError> {
        none_exists(files)?;
        let provider = crypto_provider().map_err(environment)?;
        let now = time_of(clock.as_ref())?;
        let key = new_key(authority.key)?;
        let issuer = Issuer::self_signed(
            &authority.subject,
            key.clone_key(),
            authority.validity,
            now,
            Arc::clone(&provider),
        )?;
        write_key(&files.key, &key, passphrase)?;
        let log = SqliteLog::create(&files.database, provider)?;
        // The certificate comes last: an authority exists once all of it does.
        write_certificates(&files.certificate, [issuer.certificate()])?;
        tracing::info!(subject = issuer.subject_text(), "made a certificate authority");
        Ok(Self::new(issuer, policy, Arc::new(log), clock))
    }

    /// Begins an intermediate authority under one elsewhere: a key, a request for its certificate, and an empty log.
    /// It exists once [`Self::import_certificate`] has taken the certificate. No file is overwritten. The subject is
    /// a Name in DER.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn request_intermediate(
        files: &AuthorityFiles,
        subject_der: &[u8],
        key: NewKey,
        passphrase: Option<&Passphrase>,
    ) -> Result<(), AuthorityError> {
        none_exists(files)?;
        let provider = crypto_provider().map_err(environment)?;
        let key = new_key(key)?;
        let request = authority_request(subject_der, key.clone_key(), &provider)?;
        write_key(&files.key, &key, passphrase)?;
        drop(SqliteLog::create(&files.database, provider)?);
        write_pem(&files.request, "CERTIFICATE REQUEST", &request)
    }

    /// Takes the certificate of an intermediate authority, in PEM, with the chain above it: the certificate first,
    /// then the one that signed it, and so on. The certificate must be for the key of the last request.
    ///
    /// # Errors
    /// [`AuthorityError::Issuer`] when the certificate is not one of an authority, not for the key, or the chain does
    /// not lead upwards from it. Nothing is changed then.
    pub fn import_certificate(
        files: &AuthorityFiles,
        pem: &[u8],
        passphrase: Option<&Passphrase>,
    ) -> Result<Issuer, AuthorityError> {
        let provider = crypto_provider().map_err(environment)?;
        let certificates = parse_certificates(&files.certificate, pem)?;
        let with_key = |path: &Path| -> Result<Issuer, AuthorityError> {
            let key = read_key(path, passphrase)?;
            issuer_of(certificates.clone(), key, Arc::clone(&provider))
        };
        if !files.next_key.exists() {
            let issuer = with_key(&files.key)?;
            let all = std::iter::once(issuer.certificate()).chain(issuer.chain());
            write_certificates(&files.certificate, all)?;
            return Ok(issuer);
        }
        let issuer = with_key(&files.next_key)?;
        keep_old(files)?;
        let old = parse_certificates(&files.certificate, &read(&files.certificate)?)?;
        add_rollover(files, &old)?;
        rename(&files.next_key, &files.key)?;
        let all = std::iter::once(issuer.certificate()).chain(issuer.chain());
        write_certificates(&files.certificate, all)?;
        Ok(issuer)
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
        Self::open_with(files, None, policy, clock)
    }

    /// As [`Self::open`]; the passphrase is needed when the private key is encrypted, and not used otherwise.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        files: &AuthorityFiles,
        passphrase: Option<&Passphrase>,
        policy: IssuancePolicy,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, AuthorityError> {
        let issuer = open_issuer(files, passphrase)?;
        let log = SqliteLog::open(&files.database, Arc::clone(issuer.provider()))?;
        let rollover = read_rollover(files)?;
        Ok(Self::new(issuer, policy, Arc::new(log), clock).with_rollover_certificates(rollover))
    }

    /// The same authority with what its files hold now, after [`Self::renew`] or [`Self::import_certificate`]. The log
    /// stays open. When nothing has changed, it is this authority.
    ///
    /// # Errors
    /// As [`Self::open_with`]; this authority goes on then.
    pub fn reread(
        &self,
        files: &AuthorityFiles,
        passphrase: Option<&Passphrase>,
    ) -> Result<Self, AuthorityError> {
        let issuer = open_issuer(files, passphrase)?;
        self.renewed_as(issuer, read_rollover(files)?)
    }

    /// Renews the certificate of the authority, and its key if asked to. A root gets a new self-signed certificate;
    /// with a new key, OldWithNew and NewWithOld join `cacerts` (RFC 4210 section 4.4), and so does the old root in
    /// any case. An intermediate authority gets a request for the authority above.
    ///
    /// A server that runs goes on with the old certificate until it is told to read its files again ([`Self::reread`]; SIGHUP for `est serve`).
    ///
    /// # Errors
    /// [`AuthorityError`]; before the first file is changed.
    pub fn renew(
        files: &AuthorityFiles,
        passphrase: Option<&Passphrase>,
        change: KeyChange,
        validity: Duration,
        clock: &dyn TimeProvider,
    ) -> Result<Renewed, AuthorityError> {
        let old = open_issuer(files, passphrase)?;
        let key = match change {
            KeyChange::Keep => read_key(&files.key, passphrase)?,
            KeyChange::New(kind) => new_key(kind)?,
        };
        if !old.is_root() {
            let request = authority_request(old.subject_der(), key.clone_key(), old.provider())?;
            write_key(&files.next_key, &key, passphrase)?;
            write_pem(&files.request, "CERTIFICATE REQUEST", &request)?;
            return Ok(Renewed::Requested {
                request: files.request.clone(),
            });
        }
        let now = time_of(clock)?;
        let mut rollover = vec![old.certificate().clone()];
        let issuer = match change {
            KeyChange::Keep => old.renewed(key.clone_key(), validity, now)?,
            KeyChange::New(_) => {
                let rolled = old.roll_over(key.clone_key(), validity, now)?;
                rollover.extend([rolled.old_with_new, rolled.new_with_old]);
                rolled.issuer
            }
        };
        let kept_as = keep_old(files)?;
        add_rollover(files, &rollover)?;
        if change != KeyChange::Keep {
            write_key(&files.key, &key, passphrase)?;
        }
        write_certificates(&files.certificate, [issuer.certificate()])?;
        Ok(Renewed::Root { kept_as })
    }

    /// Whether the private key of the folder is encrypted, so that a passphrase is needed to open it.
    ///
    /// # Errors
    /// [`AuthorityError::File`] when it cannot be read.
    pub fn key_is_encrypted(files: &AuthorityFiles) -> Result<bool, AuthorityError> {
        Ok(key_file::is_encrypted(&Zeroizing::new(read(&files.key)?)))
    }
}

fn open_issuer(files: &AuthorityFiles, passphrase: Option<&Passphrase>) -> Result<Issuer, AuthorityError> {
    let provider = crypto_provider().map_err(environment)?;
    if !files.certificate.exists() && files.request.exists() {
        let problem = "it is not there yet; have ca.csr.pem signed and import the certificate";
        return Err(file_error(&files.certificate, problem));
    }
    let certificates = parse_certificates(&files.certificate, &read(&files.certificate)?)?;
    let key = read_key(&files.key, passphrase)?;
    issuer_of(certificates, key, provider)
}

fn issuer_of(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Issuer, AuthorityError> {
    let mut certificates = certificates.into_iter();
    let own = certificates
        .next()
        .ok_or_else(|| IssuerError::Certificate("there is none".to_owned()))?;
    Ok(Issuer::new(own, key, provider)?.with_chain(certificates.collect())?)
}

fn parse_certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| file_error(path, format!("no certificate in PEM: {error}")))?;
    if found.is_empty() {
        return Err(file_error(path, "no certificate in PEM"));
    }
    Ok(found)
}

fn read_rollover(files: &AuthorityFiles) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    if !files.rollover.exists() {
        return Ok(Vec::new());
    }
    parse_certificates(&files.rollover, &read(&files.rollover)?)
}

/// The latest first, so that a client with a bound on their number misses the oldest.
fn add_rollover(files: &AuthorityFiles, new: &[CertificateDer<'static>]) -> Result<(), AuthorityError> {
    let earlier = read_rollover(files)?;
    let earlier = earlier.iter().filter(|certificate| !new.contains(certificate));
    write_certificates(&files.rollover, new.iter().chain(earlier))
}

/// Copies certificate and key to names that are free: `ca.old-1.pem` and `ca.old-1.key.pem`.
fn keep_old(files: &AuthorityFiles) -> Result<PathBuf, AuthorityError> {
    let name = |number: u32, ending: &str| {
        files
            .certificate
            .with_file_name(format!("ca.old-{number}{ending}"))
    };
    let number = (1..=u32::MAX)
        .find(|number| !name(*number, ".pem").exists() && !name(*number, ".key.pem").exists())
        .unwrap_or(u32::MAX);
    let key = Zeroizing::new(read(&files.key)?);
    let path = name(number, ".key.pem");
    identity::write_private(&path, &key).map_err(|error| file_error(&path, error))?;
    let path = name(number, ".pem");
    identity::write_public(&path, &read(&files.certificate)?).map_err(|error| file_error(&path, error))?;
    Ok(name(number, ""))
}

fn none_exists(files: &AuthorityFiles) -> Result<(), AuthorityError> {
    for path in [&files.certificate, &files.key, &files.database, &files.request] {
        if path.exists() {
            return Err(file_error(
                path,
                "it exists already, and an authority is never overwritten",
            ));
        }
    }
    Ok(())
}

fn new_key(kind: NewKey) -> Result<PrivateKeyDer<'static>, AuthorityError> {
    Ok(PrivateKeyDer::from(
        identity::generate_key(kind).map_err(environment)?,
    ))
}

fn read_key(path: &Path, passphrase: Option<&Passphrase>) -> Result<PrivateKeyDer<'static>, AuthorityError> {
    let pem = Zeroizing::new(read(path)?);
    key_file::decode(&pem, passphrase).map_err(|error| file_error(path, error))
}

fn write_key(
    path: &Path,
    key: &PrivateKeyDer<'_>,
    passphrase: Option<&Passphrase>,
) -> Result<(), AuthorityError> {
    let pem = key_file::encode(key, passphrase).map_err(|error| file_error(path, error))?;
    identity::write_private(path, pem.as_bytes()).map_err(|error| file_error(path, error))
}

fn write_certificates<C: AsRef<[u8]>>(
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

fn write_pem(path: &Path, label: &str, der: &[u8]) -> Result<(), AuthorityError> {
    let pem = encode_string(label, LineEnding::LF, der).map_err(environment)?;
    identity::write_public(path, pem.as_bytes()).map_err(|error| file_error(path, error))
}

fn rename(from: &Path, to: &Path) -> Result<(), AuthorityError> {
    std::fs::rename(from, to).map_err(|error| file_error(to, error))
}

fn time_of(clock: &dyn TimeProvider) -> Result<UnixTime, AuthorityError> {
    clock
        .current_time()
        .ok_or_else(|| environment("this machine does not tell the time"))
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
