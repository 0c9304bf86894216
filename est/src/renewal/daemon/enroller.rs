//! The seam between the renewal and the exchange with a server.

use std::fmt::Debug;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pki_common::identity::{Identity, Passphrase};
use pki_common::{Certificate, Failure};

use crate::renewal::RenewalSettings;
use crate::renewal::folder::PendingRequest;

/// An exchange under way.
pub type EnrollerFuture<'a> = Pin<Box<dyn Future<Output = Exchanged> + Send + 'a>>;

/// A request in the making.
pub type PreparationFuture<'a> = Pin<Box<dyn Future<Output = Result<PendingRequest, Failure>> + Send + 'a>>;

/// Asks an authority for the certificates of one identity.
pub trait Enroller: Debug + Send + Sync {
    /// Makes a key and a request for it, like the certificate in use if there is one. Nothing of it is sent yet.
    fn prepare(&self, held: HeldFiles) -> PreparationFuture<'_>;

    /// Sends the request.
    fn exchange(&self, request: PendingRequest, held: HeldFiles) -> EnrollerFuture<'_>;
}

/// What the folder of an identity holds at the time of an attempt.
#[derive(Debug, Clone, Default)]
pub struct HeldFiles {
    /// The certificate in use with its key, if there is one: it is renewed, and authenticates the request.
    pub current: Option<Arc<Identity>>,
    /// The roots that earlier exchanges brought, beside those that are configured.
    pub anchors: Vec<Certificate>,
}

/// How an exchange ended.
#[derive(Debug)]
pub enum Exchanged {
    /// A certificate.
    Issued {
        /// Certificate, chain and key, checked against what was asked for.
        identity: Box<Identity>,
        /// Roots that the authority has and that were not known before (RFC 7030, section 4.1.3). They are kept, and
        /// handed to every later attempt.
        new_anchors: Vec<Certificate>,
    },
    /// The request waits for approval; ask again after this time with the same one.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
    /// No certificate.
    Failed {
        /// Why.
        failure: Box<Failure>,
        /// When the server says to come back.
        retry_after: Option<Duration>,
        /// The server refuses this very request: the next attempt makes a new one, with a new key.
        discard_request: bool,
    },
}

/// What belongs to one identity.
#[derive(Debug, Clone)]
pub struct ManagedIdentity {
    /// When to renew.
    pub settings: RenewalSettings,
    /// Who asks.
    pub enroller: Arc<dyn Enroller>,
    /// How many earlier versions stay; `None` for all of them.
    pub keep: Option<usize>,
    /// What private keys are written encrypted by; `None` for keys in the clear.
    pub passphrase: Option<Passphrase>,
    /// Files that were read for this: when one of them changes, it is configured anew.
    pub inputs: Vec<PathBuf>,
}

impl ManagedIdentity {
    /// All versions stay, keys are in the clear, and no other files were read.
    #[must_use]
    pub const fn new(settings: RenewalSettings, enroller: Arc<dyn Enroller>) -> Self {
        Self {
            settings,
            enroller,
            keep: None,
            passphrase: None,
            inputs: Vec::new(),
        }
    }
}

/// Reads an identity's `est.toml`.
pub trait Configurer: Debug + Send + Sync {
    /// What belongs to the identity of this folder.
    ///
    /// # Errors
    /// The file, or one that it names, cannot be read or used; it is tried again at every look at the folder.
    fn configure(&self, folder: &Path) -> Result<ManagedIdentity, Failure>;
}
