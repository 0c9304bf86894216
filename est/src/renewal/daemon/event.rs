//! What the daemon tells.

use std::path::PathBuf;
use std::time::Duration;

use pki_common::{Certificate, Failure};
use rustls_pki_types::UnixTime;

/// Something happened to an identity.
#[derive(Debug, Clone)]
pub struct Event {
    /// The name of its folder.
    pub identity: String,
    /// What happened.
    pub kind: EventKind,
}

impl Event {
    pub(super) fn new(identity: &str, kind: EventKind) -> Self {
        Self {
            identity: identity.to_owned(),
            kind,
        }
    }
}

/// What happened to an identity.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// Its folder was found.
    Found,
    /// Its folder is gone.
    Gone,
    /// A new certificate is in use.
    Renewed {
        /// Its subject.
        subject: String,
        /// Its end of validity.
        not_after: UnixTime,
        /// Its folder.
        version: PathBuf,
    },
    /// The authority has roots that were not known before; they are trusted from now on.
    AnchorsAdded(Vec<Certificate>),
    /// A request waits for approval.
    Pending {
        /// The time the server wants to be left alone.
        retry_after: Duration,
    },
    /// An attempt, or the reading of its files, failed.
    Failed(Failure),
    /// An attempt failed, and the next one is at this time.
    FailedUntil(Failure, UnixTime),
    /// The hook has run.
    HookSucceeded,
    /// The hook has failed; it is run again later.
    HookFailed(Failure),
}
