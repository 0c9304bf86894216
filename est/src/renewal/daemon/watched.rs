//! One identity of the watched folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pki_common::{Diagnose as _, Failure};
use sha2::{Digest as _, Sha256};

use super::attempt::{Folder, JobEnd, Seen};
use super::enroller::{Configurer, ManagedIdentity};
use super::{CONFIGURATION, Summary};
use crate::renewal::folder::{FileStamps, Files, FolderError, IdentityFolder};
use crate::renewal::metrics::IdentityMetrics;
use crate::renewal::{Action, CertificateFacts, Held, Now, Phase, Renewal};

/// The first wait after a hook failed; twice as long each time.
const HOOK_RETRY: Duration = Duration::from_secs(60);
/// The longest one.
const HOOK_RETRY_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    files: Arc<dyn Files>,
    /// What it was configured by, to notice a change: the text, and the state of the files that it names.
    configured_by: Option<(Vec<u8>, FileStamps)>,
    /// What is wrong with the configuration. Told once, not at every look.
    misconfigured: Option<Failure>,
    managed: Option<Managed>,
    failed: bool,
    hook_failures: u64,
    hook_failures_in_a_row: u32,
    /// By the monotonic clock.
    next_hook: Duration,
}

/// An identity that is configured.
#[derive(Debug)]
struct Managed {
    settings: ManagedIdentity,
    folder: Arc<Folder>,
    renewal: Renewal,
    look: Look,
}

/// What the last look at certificate and key found.
#[derive(Debug, Default)]
struct Look {
    /// Their state before that look; `None` before the first one.
    stamps: Option<FileStamps>,
    /// Told once.
    unusable: Option<FolderError>,
    /// When they are looked at again although they are the same, by the monotonic clock: what is wrong may be the
    /// disk.
    again: Duration,
    /// Whether what was left half done has been mended.
    recovered: bool,
    /// Whether there has been one.
    seen: bool,
}

/// What there is to do.
#[derive(Debug)]
pub(super) enum Due {
    /// Look at the files.
    Look { folder: Arc<Folder>, recover: bool },
    /// Run the hook.
    Hook(Arc<Folder>),
    /// Ask for a certificate.
    Attempt(Arc<Folder>, ManagedIdentity),
    /// Nothing for so long.
    Nothing(Duration),
}

impl Watched {
    pub(super) fn new(path: PathBuf, files: Arc<dyn Files>) -> Self {
        Self {
            path,
            files,
            configured_by: None,
            misconfigured: None,
            managed: None,
            failed: false,
            hook_failures: 0,
            hook_failures_in_a_row: 0,
            next_hook: Duration::ZERO,
        }
    }

    /// Reads the configuration if it, or a file that it names, is another one than before, or could not be used. Not to
    /// be called while a job runs by the old one.
    ///
    /// # Errors
    /// What is wrong with it, when that is news. The old one stays in force.
    pub(super) fn configure(&mut self, name: &str, configurer: &dyn Configurer) -> Result<(), Failure> {
        let path = self.path.join(CONFIGURATION);
        let read = std::fs::read(&path).map_err(|error| FolderError::io("read", &path, &error).diagnose());
        let stamps = |managed: &ManagedIdentity| FileStamps::of(&managed.inputs);
        let done = read.and_then(|text| {
            let now_named = self.managed.as_ref().map(|managed| stamps(&managed.settings));
            let same = self.misconfigured.is_none()
                && self
                    .configured_by
                    .as_ref()
                    .is_some_and(|(known, named)| *known == text && Some(named) == now_named.as_ref());
            if same {
                return Ok(None);
            }
            let managed = configurer.configure(&self.path)?;
            managed.settings.check().map_err(|error| error.diagnose())?;
            Ok(Some((text, managed)))
        });
        match done {
            Ok(None) => Ok(()),
            Ok(Some((text, settings))) => {
                self.misconfigured = None;
                self.configured_by = Some((text, stamps(&settings)));
                self.manage(name, settings);
                Ok(())
            }
            Err(failure) => {
                let news = self.misconfigured.as_ref() != Some(&failure);
                self.misconfigured = Some(failure.clone());
                if news { Err(failure) } else { Ok(()) }
            }
        }
    }

    fn manage(&mut self, name: &str, settings: ManagedIdentity) {
        let folder = IdentityFolder::with_files(self.path.clone(), Arc::clone(&self.files));
        let folder = Arc::new(folder.with_passphrase(settings.passphrase.clone()));
        self.failed = false;
        if let Some(managed) = &mut self.managed {
            managed.renewal.reconfigure(settings.settings.clone());
            // The passphrase may be another.
            managed.look.stamps = None;
            managed.settings = settings;
            managed.folder = folder;
            return;
        }
        let renewal = Renewal::new(settings.settings.clone(), seed(name)).with_retry_seed(fastrand::u64(..));
        self.managed = Some(Managed {
            settings,
            folder,
            renewal,
            look: Look::default(),
        });
    }

    /// What is to be done first. Not to be called while a job runs.
    pub(super) fn due(&mut self, now: Now, with_hook: bool, may_attempt: bool, scan: Duration) -> Due {
        let next_hook = self.next_hook;
        let Some(managed) = &mut self.managed else {
            return Due::Nothing(scan);
        };
        let folder = || Arc::clone(&managed.folder);
        let stamps = managed.folder.stamps();
        let look = &mut managed.look;
        let look_again = look.unusable.is_some() && now.monotonic >= look.again;
        if look_again || look.stamps.as_ref() != Some(&stamps) {
            look.stamps = Some(stamps);
            return Due::Look {
                folder: folder(),
                recover: !look.recovered,
            };
        }
        let usable = look.unusable.is_none();
        if usable && now.monotonic >= next_hook && managed.folder.hook_is_due() {
            if with_hook {
                return Due::Hook(folder());
            }
            forget_hook(&managed.folder);
        }
        if !may_attempt {
            return Due::Nothing(scan);
        }
        match managed.renewal.poll(now) {
            Action::Attempt(_) => Due::Attempt(folder(), managed.settings.clone()),
            Action::Wait(wait) => Due::Nothing(wait),
        }
    }

    /// Takes note of how a job ended; returns what is wrong with the files when that is news.
    pub(super) fn ended(&mut self, end: &JobEnd, now: Now) -> Option<Failure> {
        let managed = self.managed.as_mut()?;
        let renewal = &mut managed.renewal;
        match end {
            JobEnd::Looked(looked) => return managed.looked(looked, now),
            JobEnd::Renewed { installed, .. } => {
                self.failed = false;
                renewal.attempt_succeeded(CertificateFacts::from(&installed.certificate), now);
            }
            JobEnd::Pending { retry_after } => {
                self.failed = false;
                renewal.attempt_pending(*retry_after, now);
            }
            JobEnd::Failed { retry_after, .. } => {
                self.failed = true;
                renewal.attempt_failed(*retry_after, now);
                // It may have failed after the certificate was written: what is there is put into use.
                managed.look.recovered = false;
                managed.look.stamps = None;
            }
            JobEnd::Hook(Ok(())) => {
                self.hook_failures_in_a_row = 0;
                self.next_hook = Duration::ZERO;
            }
            JobEnd::Hook(Err(_)) => {
                self.hook_failures += 1;
                let doublings = self.hook_failures_in_a_row.min(16);
                self.hook_failures_in_a_row += 1;
                let wait = HOOK_RETRY.saturating_mul(1 << doublings).min(HOOK_RETRY_MAX);
                self.next_hook = now.monotonic.saturating_add(wait);
            }
            JobEnd::Stopped => renewal.attempt_abandoned(),
        }
        None
    }

    /// When the next attempt will be made.
    pub(super) fn next_attempt(&self, now: Now) -> Option<rustls_pki_types::UnixTime> {
        self.managed.as_ref()?.renewal.status(now).next_attempt
    }

    pub(super) fn metrics(&self, name: &str, now: Now) -> IdentityMetrics {
        let looked = self.managed.as_ref().filter(|managed| managed.look.seen);
        IdentityMetrics {
            identity: name.to_owned(),
            status: looked.map(|managed| managed.renewal.status(now)),
            configured: self.misconfigured.is_none(),
            hook_failures: self.hook_failures,
            consecutive_hook_failures: self.hook_failures_in_a_row,
        }
    }

    pub(super) fn count(&self, summary: &mut Summary, now: Now) {
        let Some(managed) = &self.managed else {
            summary.failed += 1;
            return;
        };
        let hook_fails = self.hook_failures_in_a_row > 0;
        if self.failed || self.misconfigured.is_some() || managed.look.unusable.is_some() || hook_fails {
            summary.failed += 1;
        } else if managed.renewal.status(now).phase == Phase::Pending {
            summary.pending += 1;
        } else {
            summary.valid += 1;
        }
    }
}

impl Managed {
    fn looked(&mut self, looked: &Result<Box<Seen>, FolderError>, now: Now) -> Option<Failure> {
        let look = &mut self.look;
        look.seen = true;
        match looked {
            Ok(seen) => {
                look.recovered = true;
                look.unusable = None;
                let held = seen.current.map_or(Held::Nothing, Held::Certificate);
                self.renewal.observe(held);
                None
            }
            Err(error) => {
                self.renewal.observe(Held::Unusable);
                look.again = now.monotonic.saturating_add(self.settings.settings.look_again);
                let known = look.unusable.replace(error.clone());
                (known.as_ref() != Some(error)).then(|| error.diagnose())
            }
        }
    }
}

/// Without a hook, none is due; one that is configured later is for later certificates.
fn forget_hook(folder: &Folder) {
    if let Err(error) = folder.hook_succeeded() {
        tracing::debug!(%error, "the note of a due hook stays");
    }
}

/// The same after a restart. That two machines give an identity the same name does not matter: their certificates
/// differ, and the moment of renewal depends on them, too.
fn seed(name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    let mut seed = [0; 8];
    seed.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    u64::from_be_bytes(seed)
}
