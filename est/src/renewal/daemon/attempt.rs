//! The work of one identity: a look at its files, one attempt from the files to the files, or one run of the hook.

use std::sync::Arc;
use std::time::Duration;

use pki_common::{Certificate, Diagnose as _, Failure, Rung};
use rustls_pki_types::UnixTime;
use tokio_util::sync::CancellationToken;

use super::enroller::{Enroller, Exchanged, HeldFiles};
use super::event::EventKind;
use super::hook::Hook;
use crate::renewal::CertificateFacts;
use crate::renewal::folder::{Files, FolderError, IdentityFolder, Installed};

pub(super) type Folder = IdentityFolder<Arc<dyn Files>>;

/// How a job ended.
#[derive(Debug)]
pub(super) enum JobEnd {
    /// The files were looked at.
    Looked(Result<Box<Seen>, FolderError>),
    /// A new certificate is in use.
    Renewed {
        installed: Box<Installed>,
        new_anchors: Vec<Certificate>,
    },
    /// The request waits for approval.
    Pending { retry_after: Duration },
    /// No certificate.
    Failed {
        failure: Failure,
        retry_after: Option<Duration>,
    },
    /// The hook has ended.
    Hook(Result<(), Failure>),
    /// Broken off, because the daemon ends.
    Stopped,
}

/// What a look at the files found.
#[derive(Debug)]
pub(super) struct Seen {
    /// The certificate in use, if there is one.
    pub(super) current: Option<CertificateFacts>,
    /// A certificate that was on the disk and is in use now.
    mended: Option<Installed>,
}

impl JobEnd {
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed {
            failure,
            retry_after: None,
        }
    }

    /// What is told of it. What is wrong with the files is told elsewhere, and only when it is news.
    pub(super) fn into_events(self, next_attempt: Option<UnixTime>) -> Vec<EventKind> {
        match self {
            Self::Looked(Ok(seen)) => seen.mended.map(renewed).into_iter().collect(),
            Self::Looked(Err(_)) | Self::Stopped => Vec::new(),
            Self::Renewed {
                installed,
                new_anchors,
            } => {
                let mut events = vec![renewed(*installed)];
                if !new_anchors.is_empty() {
                    events.push(EventKind::AnchorsAdded(new_anchors));
                }
                events
            }
            Self::Pending { retry_after } => vec![EventKind::Pending { retry_after }],
            Self::Failed { failure, .. } => vec![match next_attempt {
                Some(next) => EventKind::FailedUntil(failure, next),
                None => EventKind::Failed(failure),
            }],
            Self::Hook(Ok(())) => vec![EventKind::HookSucceeded],
            Self::Hook(Err(failure)) => vec![EventKind::HookFailed(failure)],
        }
    }
}

fn renewed(installed: Installed) -> EventKind {
    EventKind::Renewed {
        subject: installed.certificate.subject().to_owned(),
        not_after: installed.certificate.not_after(),
        version: installed.version,
    }
}

/// Reads certificate and key; the first time, and after a failure, when what was left half done has been mended.
pub(super) async fn look(folder: Arc<Folder>, recover: bool) -> JobEnd {
    let looked = tokio::task::spawn_blocking(move || {
        let mended = if recover { folder.recover()? } else { None };
        let current = folder.current()?;
        Ok(Box::new(Seen {
            current: current.map(|identity| CertificateFacts::from(identity.certificate())),
            mended,
        }))
    });
    looked
        .await
        .map_or_else(|error| JobEnd::failed(defect(&error)), JobEnd::Looked)
}

/// What an attempt works with.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) folder: Arc<Folder>,
    pub(super) enroller: Arc<dyn Enroller>,
    pub(super) keep: Option<usize>,
    /// Breaks off what waits for the network. What is being written is written to its end.
    pub(super) stop: CancellationToken,
}

impl Attempt {
    /// Reads the files, keeps the key, asks, and puts the certificate into use.
    pub(super) async fn run(self) -> JobEnd {
        self.try_run().await.unwrap_or_else(JobEnd::failed)
    }

    async fn try_run(self) -> Result<JobEnd, Failure> {
        let Self {
            folder,
            enroller,
            keep,
            stop,
        } = self;
        let (held, kept) = in_folder(&folder, |folder| {
            let held = HeldFiles {
                current: folder.current()?.map(Arc::new),
                anchors: folder.anchors()?,
            };
            Ok((held, folder.pending()?))
        })
        .await?;
        let request = match kept {
            Some(request) => request,
            None => {
                let Some(prepared) = stop.run_until_cancelled(enroller.prepare(held.clone())).await else {
                    return Ok(JobEnd::Stopped);
                };
                let request = prepared?;
                let kept = request.clone();
                in_folder(&folder, move |folder| folder.keep_pending(&kept)).await?;
                request
            }
        };
        let Some(exchanged) = stop.run_until_cancelled(enroller.exchange(request, held)).await else {
            return Ok(JobEnd::Stopped);
        };
        finish(&folder, keep, exchanged).await
    }
}

/// Brings the answer to the files.
async fn finish(folder: &Arc<Folder>, keep: Option<usize>, exchanged: Exchanged) -> Result<JobEnd, Failure> {
    match exchanged {
        Exchanged::Issued {
            identity,
            new_anchors,
        } => {
            let anchors = new_anchors.clone();
            let installed = in_folder(folder, move |folder| {
                // Roots that are not kept come again with the next certificate; this one is wanted all the same.
                if let Err(error) = folder.keep_anchors(&anchors) {
                    tracing::warn!(%error, "the new roots of the authority are not kept");
                }
                folder.install(&identity, keep)
            })
            .await?;
            Ok(JobEnd::Renewed {
                installed: Box::new(installed),
                new_anchors,
            })
        }
        Exchanged::Pending { retry_after } => Ok(JobEnd::Pending { retry_after }),
        Exchanged::Failed {
            failure,
            retry_after,
            discard_request,
        } => {
            if discard_request {
                in_folder(folder, Folder::forget_pending).await?;
            }
            Ok(JobEnd::Failed {
                failure: *failure,
                retry_after,
            })
        }
    }
}

/// Runs the hook for the certificate in use.
pub(super) async fn run_hook(
    hook: Hook,
    name: String,
    folder: Arc<Folder>,
    stop: CancellationToken,
) -> JobEnd {
    // It is still due when it is broken off, and run again after the next start.
    stop.run_until_cancelled(try_hook(&hook, &name, folder))
        .await
        .map_or(JobEnd::Stopped, JobEnd::Hook)
}

async fn try_hook(hook: &Hook, name: &str, folder: Arc<Folder>) -> Result<(), Failure> {
    if let Some(identity) = in_folder(&folder, Folder::current).await? {
        hook.run(name, folder.path(), &identity)
            .await
            .map_err(|error| error.diagnose())?;
    }
    in_folder(&folder, Folder::hook_succeeded).await
}

/// Files are waited for on the disk, and keys take time to open: not on the runtime's threads.
async fn in_folder<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> Result<T, FolderError> + Send + 'static,
) -> Result<T, Failure> {
    let folder = Arc::clone(folder);
    match tokio::task::spawn_blocking(move || work(&folder)).await {
        Ok(done) => done.map_err(|error| error.diagnose()),
        Err(error) => Err(defect(&error)),
    }
}

/// A panic is a defect of ours or of an enroller.
pub(super) fn defect(error: &tokio::task::JoinError) -> Failure {
    Failure::new(Rung::Local, error.to_string(), "Report this defect.")
}
