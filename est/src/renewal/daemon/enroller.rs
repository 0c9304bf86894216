//! The seam between the renewal and the exchange with a server.

use std::fmt::Debug;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pki_common::Failure;
use pki_common::identity::Identity;

use crate::renewal::RenewalSettings;
use crate::renewal::folder::PendingRequest;

/// An exchange under way.
pub type EnrollerFuture<'a> = Pin<Box<dyn Future<Output = Exchanged> + Send + 'a>>;

/// A request in the making.
pub type PreparationFuture<'a> = Pin<Box<dyn Future<Output = Result<PendingRequest, Failure>> + Send + 'a>>;

/// Asks an authority for the certificates of one identity.
pub trait Enroller: Debug + Send + Sync {
    /// Makes a key and a request for it, like the certificate in use if there is one. Nothing of it is sent yet.
    fn prepare(&self, current: Option<Arc<Identity>>) -> PreparationFuture<'_>;

    /// Sends the request; `current` is what to authenticate by, if there is something.
    fn exchange(&self, request: PendingRequest, current: Option<Arc<Identity>>) -> EnrollerFuture<'_>;
}

/// How an exchange ended.
#[derive(Debug)]
pub enum Exchanged {
    /// Certificate, chain and key, checked against what was asked for.
    Issued(Box<Identity>),
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
}

/// Reads an identity's `est.toml`.
pub trait Configurer: Debug + Send + Sync {
    /// What belongs to the identity of this folder.
    ///
    /// # Errors
    /// The file cannot be read or used; it is tried again when it has changed.
    fn configure(&self, folder: &Path) -> Result<ManagedIdentity, Failure>;
}
