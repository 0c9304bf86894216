//! One identity of the watched folder.

use std::path::PathBuf;
use std::time::Duration;

use pki_common::{Diagnose as _, Failure};
use sha2::{Digest as _, Sha256};

use super::attempt::Attempted;
use super::enroller::{Configurer, ManagedIdentity};
use super::{CONFIGURATION, Summary};
use crate::renewal::folder::{FolderError, IdentityFolder};
use crate::renewal::{Action, CertificateFacts, Held, Now, Phase, Renewal};

/// The first wait after a hook failed; twice as long each time.
const HOOK_RETRY: Duration = Duration::from_secs(60);
/// The longest one.
const HOOK_RETRY_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Watched {
    pub(super) path: PathBuf,
    folder: IdentityFolder,
    /// The text of its configuration, to notice a change.
    configuration: Option<Vec<u8>>,
    managed: Option<(ManagedIdentity, Renewal)>,
    /// A job runs.
    pub(super) busy: bool,
    /// Told once, not at every look.
    unusable: Option<FolderError>,
    recovered: bool,
    failed: bool,
    pub(super) hook_failures: u64,
    hook_failures_in_a_row: u32,
    /// By the monotonic clock.
    next_hook: Duration,
}

impl Watched {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            folder: IdentityFolder::new(path.clone()),
            path,
            configuration: None,
            managed: None,
            busy: false,
            unusable: None,
            recovered: false,
            failed: false,
            hook_failures: 0,
            hook_failures_in_a_row: 0,
            next_hook: Duration::ZERO,
        }
    }

    pub(super) fn renewal(&self) -> Option<&Renewal> {
        self.managed.as_ref().map(|(_, renewal)| renewal)
    }

    /// Reads the configuration if it is another one than before, but not while a job runs by the old one.
    pub(super) fn configure(&mut self, name: &str, configurer: &dyn Configurer) -> Result<(), Failure> {
        let path = self.path.join(CONFIGURATION);
        let text = std::fs::read(&path).map_err(|error| FolderError::io("read", &path, &error).diagnose())?;
        if self.busy || self.configuration.as_ref() == Some(&text) {
            return Ok(());
        }
        self.configuration = Some(text);
        self.failed = true;
        let managed = configurer.configure(&self.path)?;
        managed.settings.check().map_err(|error| error.diagnose())?;
        self.failed = false;
        let renewal = Renewal::new(managed.settings.clone(), seed(name)).with_retry_seed(fastrand::u64(..));
        self.managed = Some((managed, renewal));
        Ok(())
    }

    /// Looks at the files. Returns what is wrong with them, once.
    pub(super) fn observe(&mut self) -> Option<Failure> {
        if self.busy {
            return None;
        }
        let (_, renewal) = self.managed.as_mut()?;
        let seen = if self.recovered {
            Ok(())
        } else {
            self.folder.recover().map(drop)
        };
        let seen = seen.and_then(|()| {
            self.recovered = true;
            self.folder.current()
        });
        match seen {
            Ok(current) => {
                self.unusable = None;
                renewal.observe(current.map_or(Held::Nothing, |identity| {
                    Held::Certificate(CertificateFacts::from(identity.certificate()))
                }));
                None
            }
            Err(error) => {
                renewal.observe(Held::Unusable);
                let known = self.unusable.replace(error.clone());
                (known.as_ref() != Some(&error)).then(|| error.diagnose())
            }
        }
    }

    /// What is to be done, and by whom; `None` without a configuration or while a job runs.
    pub(super) fn poll(&mut self, now: Now) -> Option<(Action, Option<ManagedIdentity>)> {
        if self.busy {
            return None;
        }
        let (managed, renewal) = self.managed.as_mut()?;
        let action = renewal.poll(now);
        self.busy = matches!(action, Action::Attempt(_));
        Some((action, self.busy.then(|| managed.clone())))
    }

    pub(super) fn hook_is_due(&self, now: Now) -> bool {
        !self.busy && now.monotonic >= self.next_hook && self.unusable.is_none() && self.folder.hook_is_due()
    }

    /// Without a hook, none is due; one that is configured later is for later certificates.
    pub(super) fn forget_hook(&self) {
        if let Err(error) = self.folder.hook_succeeded() {
            tracing::debug!(%error, "the note of a due hook stays");
        }
    }

    pub(super) fn ended(&mut self, ended: &Attempted, now: Now) {
        self.busy = false;
        let Some((_, renewal)) = self.managed.as_mut() else {
            return;
        };
        match ended {
            Attempted::Renewed(_) => {
                self.failed = false;
                if let Some(facts) = ended.facts() {
                    renewal.attempt_succeeded(facts, now);
                }
            }
            Attempted::Pending { retry_after } => {
                self.failed = false;
                renewal.attempt_pending(*retry_after, now);
            }
            Attempted::Failed { retry_after, .. } => {
                self.failed = true;
                renewal.attempt_failed(*retry_after, now);
            }
            Attempted::Hook(Ok(())) => {
                self.hook_failures_in_a_row = 0;
                self.next_hook = Duration::ZERO;
            }
            Attempted::Hook(Err(_)) => {
                self.hook_failures += 1;
                let doublings = self.hook_failures_in_a_row.min(16);
                self.hook_failures_in_a_row += 1;
                let wait = HOOK_RETRY.saturating_mul(1 << doublings).min(HOOK_RETRY_MAX);
                self.next_hook = now.monotonic.saturating_add(wait);
            }
        }
    }

    pub(super) fn count(&self, summary: &mut Summary) {
        let phase = self.renewal().map(|renewal| {
            let now = Now {
                wall: rustls_pki_types::UnixTime::now(),
                monotonic: Duration::ZERO,
            };
            renewal.status(now).phase
        });
        if self.failed || self.unusable.is_some() || self.hook_failures_in_a_row > 0 || phase.is_none() {
            summary.failed += 1;
        } else if phase == Some(Phase::Pending) {
            summary.pending += 1;
        } else {
            summary.valid += 1;
        }
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
