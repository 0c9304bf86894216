//! Identity, authlist and trust store from files, for either side: at the start, and again while a controller runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_common::authlist::{AuthList, AuthListFormat, ImportError, SharedAuthList};
use pki_common::identity::{Identity, IdentityError};
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::trust_store::{TrustStore, TrustStoreError};
use pki_common::{Diagnose, Failure, Rung};

use crate::client::ClientConfig;
use crate::error::Error;
use crate::server::ServerConfig;

/// What the trust store is called in messages.
const ROLE: &str = "NMSP peers";

/// The files that say who this side is and whom it admits.
///
/// ```no_run
/// use nmsp::credentials::CredentialFiles;
/// use nmsp::server::{Server, ServerConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let files = CredentialFiles::new("controller.pem", "controller.key.pem").with_authlist("location-servers.txt");
/// let server = Server::bind("[::]:16113", ServerConfig::from_files(&files)?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFiles {
    /// Our certificate, with its chain, PEM or DER.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authlist, and its format; recognised by its text if not given. Without one the trust anchors decide alone.
    pub authlist: Option<(PathBuf, Option<AuthListFormat>)>,
    /// Files and folders of trust anchors. Beside an authlist: for certificates that are not self-signed.
    pub trust_anchors: Vec<PathBuf>,
}

/// Why the files cannot be used. What was in force stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Certificate or key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The authlist cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// No line of the authlist has a known form.
    #[error("{path}: no line of a known authlist format", path = .path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The authlist has bad lines; each is named.
    #[error("{path}: {error}", path = .path.display())]
    AuthList {
        /// The file.
        path: PathBuf,
        /// Every bad line.
        error: ImportError,
    },
    /// Trust anchors.
    #[error(transparent)]
    TrustStore(#[from] TrustStoreError),
    /// Neither an authlist nor trust anchors.
    #[error("neither an authlist nor trust anchors: nobody could be admitted")]
    NobodyAdmitted,
    /// The whole cannot be used for TLS.
    #[error(transparent)]
    Tls(#[from] Error),
}

impl Diagnose for CredentialError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Identity(error) => return error.diagnose(),
            Self::TrustStore(error) => return error.diagnose(),
            Self::Tls(error) => return error.diagnose(),
            Self::AuthList { path, error } => {
                let failure = error.diagnose();
                return Failure {
                    cause: format!("{}: {}", path.display(), failure.cause),
                    ..failure
                };
            }
            Self::Unreadable { .. } => "check the path, its permissions and contents",
            Self::UnknownFormat { .. } => "name the format: aireos, iosxe, server-auth-info, csv or toml",
            Self::NobodyAdmitted => "give an authlist or trust anchors",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl CredentialFiles {
    /// A certificate and its key. Nobody is admitted yet.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            authlist: None,
            trust_anchors: Vec::new(),
        }
    }

    /// Whoever is in this authlist is admitted. Its format is recognised by its text.
    #[must_use]
    pub fn with_authlist(mut self, file: impl Into<PathBuf>) -> Self {
        self.authlist = Some((file.into(), None));
        self
    }

    /// A file or folder of authorities more. Beside an authlist: for certificates that are not self-signed; without one,
    /// whoever has a certificate of theirs is admitted.
    #[must_use]
    pub fn with_trust_anchors(mut self, path: impl Into<PathBuf>) -> Self {
        self.trust_anchors.push(path.into());
        self
    }

    /// Reads the identity, and what a peer's certificate must satisfy.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(&self) -> Result<(Arc<Identity>, PeerVerifier), CredentialError> {
        Ok((Arc::new(self.identity()?), self.peers()?))
    }

    /// The identity alone.
    ///
    /// # Errors
    /// If certificate or key cannot be used, or they do not belong together.
    pub fn identity(&self) -> Result<Identity, CredentialError> {
        Ok(Identity::load(&self.certificate, &self.key)?)
    }

    /// What a peer's certificate must satisfy, alone.
    ///
    /// # Errors
    /// If authlist or trust anchors cannot be used, or there are none.
    pub fn peers(&self) -> Result<PeerVerifier, CredentialError> {
        let anchors = match &self.trust_anchors[..] {
            [] => None,
            paths => Some(Arc::new(TrustStore::from_paths(ROLE, paths)?)),
        };
        let Some((path, format)) = &self.authlist else {
            return anchors
                .map(PeerVerifier::trust_store)
                .ok_or(CredentialError::NobodyAdmitted);
        };
        let verifier = PeerVerifier::authlist(SharedAuthList::new(read_authlist(path, *format)?));
        Ok(match anchors {
            Some(store) => verifier.with_trust_store(store),
            None => verifier,
        })
    }

    /// Every file and folder, to be watched.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let authlist = self.authlist.as_ref().map(|(path, _)| path);
        [&self.certificate, &self.key]
            .into_iter()
            .chain(authlist)
            .chain(&self.trust_anchors)
            .map(PathBuf::as_path)
    }
}

fn read_authlist(path: &Path, format: Option<AuthListFormat>) -> Result<AuthList, CredentialError> {
    let unreadable = |source| CredentialError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let format = format.or_else(|| AuthListFormat::detect(&text));
    let format = format.ok_or_else(|| CredentialError::UnknownFormat {
        path: path.to_owned(),
    })?;
    AuthList::import(format, &text).map_err(|error| CredentialError::AuthList {
        path: path.to_owned(),
        error,
    })
}

impl ServerConfig {
    /// A controller with the identity of these files that admits whom they admit.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub fn from_files(files: &CredentialFiles) -> Result<Self, CredentialError> {
        let (identity, location_servers) = files.load()?;
        Ok(Self::new(identity, location_servers))
    }
}

impl ClientConfig {
    /// A location server with the identity of these files that believes the controllers that they admit.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub fn from_files(files: &CredentialFiles) -> Result<Self, CredentialError> {
        let (identity, controllers) = files.load()?;
        Ok(Self::new(ClientTls::new(controllers).with_identity(identity)))
    }
}
