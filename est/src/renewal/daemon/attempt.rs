//! One attempt from the files to the files, and one run of the hook.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pki_common::{Diagnose as _, Failure, Rung};
use rustls_pki_types::UnixTime;

use super::enroller::{Exchanged, ManagedIdentity};
use super::event::EventKind;
use super::hook::Hook;
use crate::renewal::CertificateFacts;
use crate::renewal::folder::{FolderError, IdentityFolder, Installed};

/// How a job ended.
#[derive(Debug)]
pub enum Attempted {
    /// A new certificate is in use.
    Renewed(Box<Installed>),
    /// The request waits for approval.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
    /// No certificate.
    Failed {
        /// Why.
        failure: Failure,
        /// When the server says to come back.
        retry_after: Option<Duration>,
    },
    /// The hook has ended.
    Hook(Result<(), Failure>),
}

impl Attempted {
    pub(super) fn facts(&self) -> Option<CertificateFacts> {
        match self {
            Self::Renewed(installed) => Some(CertificateFacts::from(&installed.certificate)),
            _ => None,
        }
    }

    pub(super) fn into_events(self, next_attempt: Option<UnixTime>) -> Option<EventKind> {
        Some(match self {
            Self::Renewed(installed) => EventKind::Renewed {
                subject: installed.certificate.subject().to_owned(),
                not_after: installed.certificate.not_after(),
                version: installed.version,
            },
            Self::Pending { retry_after } => EventKind::Pending { retry_after },
            Self::Failed { failure, .. } => match next_attempt {
                Some(next) => EventKind::FailedUntil(failure, next),
                None => EventKind::Failed(failure),
            },
            Self::Hook(Ok(())) => EventKind::HookSucceeded,
            Self::Hook(Err(failure)) => EventKind::HookFailed(failure),
        })
    }
}

/// Reads the files, keeps the key, asks, and puts the certificate into use.
pub(super) async fn attempt(path: PathBuf, managed: ManagedIdentity) -> Attempted {
    match try_attempt(path, managed).await {
        Ok(ended) => ended,
        Err(failure) => Attempted::Failed {
            failure,
            retry_after: None,
        },
    }
}

async fn try_attempt(path: PathBuf, managed: ManagedIdentity) -> Result<Attempted, Failure> {
    let ManagedIdentity { enroller, keep, .. } = managed;
    let folder = path.clone();
    let (current, kept) = blocking(move || {
        let folder = IdentityFolder::new(folder);
        let current = folder.current().map_err(diagnosed)?;
        Ok((current.map(Arc::new), folder.pending().map_err(diagnosed)?))
    })
    .await?;
    let request = match kept {
        Some(request) => request,
        None => {
            let request = enroller.prepare(current.clone()).await?;
            let (folder, kept) = (path.clone(), request.clone());
            blocking(move || IdentityFolder::new(folder).keep_pending(&kept).map_err(diagnosed)).await?;
            request
        }
    };
    match enroller.exchange(request, current).await {
        Exchanged::Issued(identity) => {
            let installed = blocking(move || {
                IdentityFolder::new(path)
                    .install(&identity, keep)
                    .map_err(diagnosed)
            })
            .await?;
            Ok(Attempted::Renewed(Box::new(installed)))
        }
        Exchanged::Pending { retry_after } => Ok(Attempted::Pending { retry_after }),
        Exchanged::Failed {
            failure,
            retry_after,
            discard_request,
        } => {
            if discard_request {
                blocking(move || IdentityFolder::new(path).forget_pending().map_err(diagnosed)).await?;
            }
            Ok(Attempted::Failed {
                failure: *failure,
                retry_after,
            })
        }
    }
}

pub(super) async fn run_hook(hook: &Hook, name: &str, path: PathBuf) -> Attempted {
    Attempted::Hook(try_hook(hook, name, path).await)
}

async fn try_hook(hook: &Hook, name: &str, path: PathBuf) -> Result<(), Failure> {
    let folder = path.clone();
    let current = blocking(move || IdentityFolder::new(folder).current().map_err(diagnosed)).await?;
    if let Some(identity) = current {
        hook.run(name, &path, &identity)
            .await
            .map_err(|error| error.diagnose())?;
    }
    blocking(move || IdentityFolder::new(path).hook_succeeded().map_err(diagnosed)).await
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn diagnosed(error: FolderError) -> Failure {
    error.diagnose()
}

/// Files are waited for on the disk, and keys take time to make: not on the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(Failure::new(
            Rung::Local,
            error.to_string(),
            "Report this defect.",
        ))
    })
}
