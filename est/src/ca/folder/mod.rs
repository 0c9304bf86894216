//! An embedded authority in a folder.

mod file;
mod replacement;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pki_common::identity::{self, NewKey, Passphrase};
use pki_common::tls::crypto_provider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use zeroize::Zeroizing;

use super::database::SqliteLog;
use super::embedded::{AuthorityError, EmbeddedCertificateAuthority};
use super::issuer::{Issuer, IssuerError, authority_request};
use super::key_file;
use super::policy::IssuancePolicy;
use file::{
    environment, file_error, parse_certificates, read, read_key, rename, write_certificates, write_key,
    write_pem,
};
use replacement::{Between, finish_rollover, old_name, read_rollover, replace};

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
    /// The rollover certificates of a renewal that goes on; takes the place of `rollover` at its end.
    pub next_rollover: PathBuf,
    /// The request for the certificate of an intermediate authority, PEM.
    pub request: PathBuf,
    /// The key of an intermediate authority whose new certificate has not come yet, or of a renewal that goes on;
    /// takes the place of `key` at its end.
    pub next_key: PathBuf,
}

impl AuthorityFiles {
    /// `ca.pem`, `ca.key.pem`, `ca.sqlite`, `ca-rollover.pem`, `ca.next.rollover.pem`, `ca.csr.pem` and
    /// `ca.next.key.pem` in `folder`.
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        Self {
            certificate: folder.join("ca.pem"),
            key: folder.join("ca.key.pem"),
            database: folder.join("ca.sqlite"),
            rollover: folder.join("ca-rollover.pem"),
            next_rollover: folder.join("ca.next.rollover.pem"),
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
        let log = new_log(files, provider, || {
            write_key(&files.key, &key, passphrase)?;
            // The certificate comes last: an authority exists once all of it does.
            write_certificates(&files.certificate, [issuer.certificate()])
        })?;
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
        let log = new_log(files, provider, || {
            write_key(&files.key, &key, passphrase)?;
            write_pem(&files.request, "CERTIFICATE REQUEST", &request)
        })?;
        drop(log);
        Ok(())
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
        let all = |issuer: &Issuer| -> Vec<_> {
            let own = issuer.certificate().clone();
            std::iter::once(own)
                .chain(issuer.chain().iter().cloned())
                .collect()
        };
        if !files.next_key.exists() {
            let issuer = with_key(&files.key)?;
            write_certificates(&files.certificate, all(&issuer))?;
            return Ok(issuer);
        }
        // What an interruption left of the last import comes first.
        open_issuer(files, passphrase)?;
        let issuer = with_key(&files.next_key)?;
        let old = parse_certificates(&files.certificate, &read(&files.certificate)?)?;
        let above = old.get(1..).unwrap_or_default();
        replace(files, &all(&issuer), above, &mut |_| Ok(()))?;
        rename(&files.next_key, &files.key)?;
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
        let earlier = earlier_issuers(files, passphrase, &issuer);
        Ok(Self::new(issuer, policy, Arc::new(log), clock)
            .with_rollover_certificates(rollover)
            .with_earlier_keys(earlier))
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
        let earlier = earlier_issuers(files, passphrase, &issuer);
        self.renewed_as(issuer, read_rollover(files)?, earlier)
    }

    /// Renews the certificate of the authority, and its key if asked to. A root gets a new self-signed certificate;
    /// with a new key, OldWithNew and NewWithOld join `cacerts` (RFC 4210 section 4.4), and so does the old root in
    /// any case. An intermediate authority gets a request for the authority above.
    ///
    /// A server that runs goes on with the old certificate until it is told to read its files again ([`Self::reread`]; SIGHUP
    /// for `est serve`). A renewal that is interrupted leaves the old authority or the new one, and never a certificate without its key.
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
        Self::renew_with(files, passphrase, change, validity, clock, &mut |_| Ok(()))
    }

    fn renew_with(
        files: &AuthorityFiles,
        passphrase: Option<&Passphrase>,
        change: KeyChange,
        validity: Duration,
        clock: &dyn TimeProvider,
        between: Between<'_>,
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
        let (issuer, links) = match change {
            KeyChange::Keep => (old.renewed(key, validity, now)?, Vec::new()),
            KeyChange::New(_) => {
                let rolled = old.roll_over(key.clone_key(), validity, now)?;
                write_key(&files.next_key, &key, passphrase)?;
                (rolled.issuer, vec![rolled.old_with_new, rolled.new_with_old])
            }
        };
        let kept_as = replace(files, &[issuer.certificate().clone()], &links, between)?;
        if change != KeyChange::Keep {
            rename(&files.next_key, &files.key)?;
        }
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
    finish_rollover(files)?;
    let certificates = parse_certificates(&files.certificate, &read(&files.certificate)?)?;
    let with_key = |path: &Path| -> Result<Issuer, AuthorityError> {
        let key = read_key(path, passphrase)?;
        issuer_of(certificates.clone(), key, Arc::clone(&provider))
    };
    match with_key(&files.key) {
        Err(AuthorityError::Issuer(IssuerError::KeyMismatch { .. })) if files.next_key.exists() => {
            let issuer = with_key(&files.next_key)?;
            tracing::warn!(path = %files.key.display(), "finishing a renewal that was interrupted");
            rename(&files.next_key, &files.key)?;
            Ok(issuer)
        }
        other => other,
    }
}

/// What a renewal with a new key has kept, the latest first, each key once. A file that cannot be read costs only the
/// revocation lists that it would have signed.
fn earlier_issuers(files: &AuthorityFiles, passphrase: Option<&Passphrase>, current: &Issuer) -> Vec<Issuer> {
    let mut earlier: Vec<Issuer> = Vec::new();
    let generations = (1..=u32::MAX).take_while(|number| old_name(files, *number, ".pem").exists());
    for number in generations.collect::<Vec<_>>().into_iter().rev() {
        let (certificate, key) = (
            old_name(files, number, ".pem"),
            old_name(files, number, ".key.pem"),
        );
        let opened = read(&certificate)
            .and_then(|pem| parse_certificates(&certificate, &pem))
            .and_then(|chain| {
                let key = read_key(&key, passphrase)?;
                issuer_of(chain, key, Arc::clone(current.provider()))
            });
        match opened {
            Ok(issuer) => {
                let mut known = earlier.iter().chain(std::iter::once(current));
                if known.all(|known| known.key_identifier() != issuer.key_identifier()) {
                    earlier.push(issuer);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "certificates under an earlier key of the authority have no revocation list");
            }
        }
    }
    earlier
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

/// A new log, and around it the files that `write` makes. The log is first: of two that begin at the same time, one
/// makes it. When something fails, what was made goes away again, so that the next try is not told that files exist.
fn new_log(
    files: &AuthorityFiles,
    provider: Arc<rustls::crypto::CryptoProvider>,
    write: impl FnOnce() -> Result<(), AuthorityError>,
) -> Result<SqliteLog, AuthorityError> {
    let log = SqliteLog::create(&files.database, provider)?;
    if let Err(error) = write() {
        drop(log);
        for path in [&files.certificate, &files.request, &files.key, &files.database] {
            // The first error is the one to report; most of these files were never made.
            drop(std::fs::remove_file(path));
        }
        return Err(error);
    }
    Ok(log)
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

fn time_of(clock: &dyn TimeProvider) -> Result<UnixTime, AuthorityError> {
    clock
        .current_time()
        .ok_or_else(|| environment("this machine does not tell the time"))
}
