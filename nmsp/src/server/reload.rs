//! Identity, authlist and trust store from files, at the start and again while the server runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pki_common::authlist::{AuthList, AuthListFormat, ImportError, SharedAuthList};
use pki_common::identity::{Identity, IdentityError};
use pki_common::tls::{ClientAuthentication, PeerVerifier};
use pki_common::trust_store::{TrustStore, TrustStoreError};
use pki_common::{Diagnose, Failure, Rung};

use super::ServerHandle;
use crate::error::Error;

/// What the trust store of a controller is called in messages.
const ROLE: &str = "NMSP location servers";

/// The files that say who the controller is and whom it admits.
#[derive(Clone, Debug)]
pub struct CredentialFiles {
    /// The controller's certificate, with its chain, PEM or DER.
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
    /// Reads the identity, and what a location server's certificate must satisfy.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(&self) -> Result<(Arc<Identity>, PeerVerifier), CredentialError> {
        Ok((Arc::new(self.identity()?), self.location_servers()?))
    }

    /// The identity alone.
    ///
    /// # Errors
    /// If certificate or key cannot be used, or they do not belong together.
    pub fn identity(&self) -> Result<Identity, CredentialError> {
        Ok(Identity::load(&self.certificate, &self.key)?)
    }

    /// What a location server's certificate must satisfy, alone.
    ///
    /// # Errors
    /// If authlist or trust anchors cannot be used, or there are none.
    pub fn location_servers(&self) -> Result<PeerVerifier, CredentialError> {
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

impl ServerHandle {
    /// Reads the files anew and uses them, all or none: for handshakes from now on, and to ask the authlist again about
    /// live tunnels; those that it no longer admits are closed within a second, the others stay. Everything else of the TLS
    /// configuration stays. The files are small and read on the calling thread.
    ///
    /// # Errors
    /// If a file cannot be used; then what was in force stays, and [`failed_reloads`](super::ServerCounters::failed_reloads)
    /// goes up.
    pub fn reload(&self, files: &CredentialFiles) -> Result<(), CredentialError> {
        let outcome = files.load().and_then(|(identity, location_servers)| {
            let mut tls = (*self.shared.tls.load_full()).clone();
            tls.identity = identity;
            tls.client_authentication = ClientAuthentication::Required(location_servers);
            Ok(self.replace_tls(tls)?)
        });
        self.shared.counters.reloaded(outcome.is_ok());
        outcome
    }
}
