//! A folder of identities, each renewed in time: `est renew --watch DIR`.
//!
//! Every sub-folder of the watched one that has a file `est.toml` is an identity; how it is laid out is told in
//! [`folder`](super::folder). New folders are picked up, removed ones are dropped, and a changed `est.toml` is read
//! again, within [`RenewalSettings::look_again`](super::RenewalSettings::look_again) at the latest.
//!
//! The exchange with the server is behind [`Enroller`], so that a test can have a server that fails when it should.
//! One daemon at a time watches a folder; a second one is refused by a lock on [`LOCK`].

mod attempt;
mod client_enroller;
mod enroller;
mod event;
mod hook;
mod listener;
mod lock;
mod watched;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pki_common::{Diagnose as _, Failure, Rung};
use rustls_pki_types::UnixTime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use attempt::Attempted;
pub use client_enroller::ClientEnroller;
pub use enroller::{Configurer, Enroller, EnrollerFuture, Exchanged, ManagedIdentity, PreparationFuture};
pub use event::{Event, EventKind};
pub use hook::{Hook, HookError};
pub use listener::{MetricsListener, MetricsListenerError};
pub use lock::LOCK;

use super::folder::FolderError;
use super::machine::{Action, Now};
use super::metrics::{IdentityMetrics, prometheus};
use lock::FolderLock;
use watched::Watched;

/// The file that makes a folder an identity.
pub const CONFIGURATION: &str = "est.toml";

/// The shortest pause between two looks at everything, whatever happens.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// What the daemon does besides renewing.
///
/// # Defaults
/// No hook, no metrics, four exchanges at a time, a look at the folder every minute.
#[derive(Debug, Clone)]
pub struct DaemonSettings {
    /// What is run after each new certificate.
    pub hook: Option<Hook>,
    /// A file for the text collector of a Prometheus node exporter.
    pub metrics_file: Option<PathBuf>,
    /// The most exchanges and hooks at a time.
    pub jobs: usize,
    /// How often the watched folder is looked at.
    pub scan: Duration,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            hook: None,
            metrics_file: None,
            jobs: 4,
            scan: Duration::from_secs(60),
        }
    }
}

/// How a run over all identities ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Identities that are valid or have just been renewed.
    pub valid: usize,
    /// Requests that wait for approval.
    pub pending: usize,
    /// Identities that could not be renewed, or whose hook failed.
    pub failed: usize,
}

/// Renews a folder of identities.
pub struct Daemon {
    directory: PathBuf,
    settings: DaemonSettings,
    configurer: Arc<dyn Configurer>,
    report: Box<dyn Fn(Event) + Send + Sync>,
    start: Instant,
    identities: BTreeMap<String, Watched>,
    jobs: JoinSet<(String, Attempted)>,
    metrics: Arc<ArcSwap<String>>,
    lock: Option<FolderLock>,
}

impl core::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Daemon")
            .field("directory", &self.directory)
            .field("settings", &self.settings)
            .field("identities", &self.identities.len())
            .finish_non_exhaustive()
    }
}

impl Daemon {
    /// A daemon over this folder. `report` is told what happens, in order.
    #[must_use]
    pub fn new(
        directory: PathBuf,
        settings: DaemonSettings,
        configurer: Arc<dyn Configurer>,
        report: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        Self {
            directory,
            settings,
            configurer,
            report: Box::new(report),
            start: Instant::now(),
            identities: BTreeMap::new(),
            jobs: JoinSet::new(),
            metrics: Arc::new(ArcSwap::from_pointee(prometheus(&[]))),
            lock: None,
        }
    }

    /// The text of the metrics, always as of the last look.
    #[must_use]
    pub fn metrics(&self) -> Arc<ArcSwap<String>> {
        Arc::clone(&self.metrics)
    }

    /// Watches until `stop` is cancelled. Exchanges under way are ended; nothing is lost by that, for their keys are
    /// on the disk.
    ///
    /// # Errors
    /// The watched folder cannot be read at the start (later it is only reported), or another daemon watches it.
    pub async fn run(&mut self, stop: CancellationToken) -> Result<(), Failure> {
        self.lock()?;
        self.scan().map_err(|error| error.diagnose())?;
        loop {
            let wait = self.start_what_is_due();
            self.publish();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(done) = self.jobs.join_next() => self.job_ended(done),
                () = tokio::time::sleep(wait.max(SHORTEST_PAUSE)) => {
                    if let Err(error) = self.scan() {
                        tracing::warn!(%error, "the watched folder cannot be read");
                    }
                }
            }
        }
        self.jobs.shutdown().await;
        Ok(())
    }

    /// Renews what is due, each identity once, and runs hooks that are due.
    ///
    /// # Errors
    /// The watched folder cannot be read, or another daemon watches it.
    pub async fn run_once(&mut self) -> Result<Summary, Failure> {
        self.lock()?;
        self.scan().map_err(|error| error.diagnose())?;
        let mut tried = std::collections::BTreeSet::new();
        loop {
            // The second time round, a hook may be due; an identity is not asked for twice.
            let names: Vec<_> = self.identities.keys().cloned().collect();
            for name in names {
                if self.jobs.len() < self.settings.jobs && !tried.contains(&name) {
                    tried.insert(name.clone());
                    self.start_one(&name);
                }
            }
            match self.jobs.join_next().await {
                Some(done) => self.job_ended(done),
                None if tried.len() >= self.identities.len() => break,
                None => {}
            }
        }
        self.publish();
        let mut summary = Summary::default();
        for watched in self.identities.values() {
            watched.count(&mut summary);
        }
        Ok(summary)
    }

    /// Keeps others away for as long as this daemon lives.
    fn lock(&mut self) -> Result<(), Failure> {
        if self.lock.is_none() {
            self.lock = Some(FolderLock::take(&self.directory)?);
        }
        Ok(())
    }

    fn now(&self) -> Now {
        Now {
            wall: UnixTime::now(),
            monotonic: self.start.elapsed(),
        }
    }

    /// Looks which identities there are.
    fn scan(&mut self) -> Result<(), FolderError> {
        let found = folders(&self.directory)?;
        let gone: Vec<_> = self
            .identities
            .keys()
            .filter(|name| !found.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.identities.remove(&name);
            (self.report)(Event::new(&name, EventKind::Gone));
        }
        for (name, path) in found {
            let known = self.identities.entry(name.clone()).or_insert_with(|| {
                (self.report)(Event::new(&name, EventKind::Found));
                Watched::new(path)
            });
            if let Err(failure) = known.configure(&name, &*self.configurer) {
                (self.report)(Event::new(&name, EventKind::Failed(failure)));
            }
        }
        Ok(())
    }

    /// Starts exchanges and hooks as far as there is room; returns how long nothing else is due.
    fn start_what_is_due(&mut self) -> Duration {
        let mut wait = self.settings.scan;
        let names: Vec<_> = self.identities.keys().cloned().collect();
        for name in names {
            if self.jobs.len() >= self.settings.jobs {
                // The end of a job wakes the loop.
                break;
            }
            wait = wait.min(self.start_one(&name));
        }
        wait
    }

    fn start_one(&mut self, name: &str) -> Duration {
        let (now, hook) = (self.now(), self.settings.hook.clone());
        let Some(watched) = self.identities.get_mut(name) else {
            return self.settings.scan;
        };
        if let Some(failure) = watched.observe() {
            (self.report)(Event::new(name, EventKind::Failed(failure)));
        }
        if let Some(hook) = hook.filter(|_| watched.hook_is_due(now)) {
            watched.busy = true;
            let (name, path) = (name.to_owned(), watched.path.clone());
            self.jobs.spawn(async move {
                let ended = attempt::run_hook(&hook, &name, path).await;
                (name, ended)
            });
            return self.settings.scan;
        }
        match watched.poll(now) {
            Some((Action::Attempt(_), Some(managed))) => {
                let (name, path) = (name.to_owned(), watched.path.clone());
                self.jobs.spawn(async move {
                    let ended = attempt::attempt(path, managed).await;
                    (name, ended)
                });
                self.settings.scan
            }
            Some((Action::Wait(wait), _)) => wait,
            _ => self.settings.scan,
        }
    }

    fn job_ended(&mut self, done: Result<(String, Attempted), tokio::task::JoinError>) {
        let now = self.now();
        let (name, ended) = match done {
            Ok(ended) => ended,
            Err(error) => {
                // A panic in a job: which identity it was is not known, and none may be stuck.
                tracing::error!(%error, "an exchange ended in a panic");
                let failure = Failure::new(Rung::Local, error.to_string(), "Report this defect.");
                for watched in self.identities.values_mut().filter(|watched| watched.busy) {
                    watched.ended(
                        &Attempted::Failed {
                            failure: failure.clone(),
                            retry_after: None,
                        },
                        now,
                    );
                }
                return;
            }
        };
        let Some(watched) = self.identities.get_mut(&name) else {
            return;
        };
        watched.ended(&ended, now);
        let next_attempt = watched
            .renewal()
            .and_then(|renewal| renewal.status(now).next_attempt);
        if let Some(kind) = ended.into_events(next_attempt) {
            (self.report)(Event::new(&name, kind));
        }
        if self.settings.hook.is_none() {
            watched.forget_hook();
        } else if watched.hook_is_due(now) && self.jobs.len() < self.settings.jobs {
            self.start_one(&name);
        }
    }

    fn publish(&self) {
        let now = self.now();
        let all: Vec<_> = self
            .identities
            .iter()
            .filter_map(|(name, watched)| {
                Some(IdentityMetrics {
                    identity: name.clone(),
                    status: watched.renewal()?.status(now),
                    hook_failures: watched.hook_failures,
                })
            })
            .collect();
        let text = prometheus(&all);
        if **self.metrics.load() == text {
            return;
        }
        if let Some(path) = &self.settings.metrics_file
            && let Err(error) = pki_common::identity::write_public(path, text.as_bytes())
        {
            tracing::warn!(%error, "the metrics file cannot be written");
        }
        self.metrics.store(Arc::new(text));
    }
}

fn folders(directory: &Path) -> Result<BTreeMap<String, PathBuf>, FolderError> {
    let failed = |error: std::io::Error| FolderError::io("read", directory, &error);
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.join(CONFIGURATION).is_file() {
            continue;
        }
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            found.insert(name.to_owned(), path);
        } else {
            tracing::warn!(path = %path.display(), "the name of this folder is not UTF-8; it is left alone");
        }
    }
    Ok(found)
}
