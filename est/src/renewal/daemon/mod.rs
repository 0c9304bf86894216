//! A folder of identities, each renewed in time: `est renew --watch DIR`.
//!
//! Every sub-folder of the watched one that has a file `est.toml` is an identity; how it is laid out is told in
//! [`folder`](super::folder). New folders are picked up, removed ones are dropped, and a changed `est.toml` is read
//! again, within [`RenewalSettings::look_again`](super::RenewalSettings::look_again) at the latest.
//!
//! The exchange with the server is behind [`Enroller`], the time behind [`DaemonClock`] and the disk behind
//! [`Files`], so that a test can have a server, a clock and a disk that fail when they should.
//!
//! When it is told to stop, exchanges and hooks are broken off, and what is being written is written to its end. A
//! request that was broken off is on the disk with its key, and sent again after the next start.
//!
//! One daemon at a time watches a folder; a second one is refused by a lock on [`LOCK`].

mod attempt;
mod client_enroller;
mod clock;
mod enroller;
mod event;
mod hook;
mod jobs;
mod listener;
mod lock;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pki_common::{Diagnose as _, Failure};
use tokio_util::sync::CancellationToken;

pub use client_enroller::ClientEnroller;
pub use clock::{DaemonClock, RuntimeClock, Sleep};
pub use enroller::{
    Configurer, Enroller, EnrollerFuture, Exchanged, HeldFiles, ManagedIdentity, PreparationFuture,
};
pub use event::{Event, EventKind};
pub use hook::{Hook, HookError};
pub use listener::{MetricsListener, MetricsListenerError};
pub use lock::LOCK;

use super::folder::{Files, FolderError, SystemFiles};
use super::metrics::prometheus;
use attempt::{Attempt, JobEnd};
use jobs::Jobs;
use lock::FolderLock;
use watched::{Due, Watched};

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
    clock: Arc<dyn DaemonClock>,
    files: Arc<dyn Files>,
    identities: BTreeMap<String, Watched>,
    jobs: Jobs,
    stop: CancellationToken,
    /// By the monotonic clock.
    next_scan: Duration,
    /// During a run over all identities: those that were asked for.
    asked: Option<BTreeSet<String>>,
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
            configurer,
            report: Box::new(report),
            clock: Arc::new(RuntimeClock::default()),
            files: Arc::new(SystemFiles),
            identities: BTreeMap::new(),
            jobs: Jobs::new(settings.jobs),
            stop: CancellationToken::new(),
            next_scan: Duration::ZERO,
            asked: None,
            metrics: Arc::new(ArcSwap::from_pointee(prometheus(&[]))),
            lock: None,
            settings,
        }
    }

    /// By another clock than that of the system and the runtime.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn DaemonClock>) -> Self {
        self.clock = clock;
        self
    }

    /// With another way to the disk than the operating system's, for everything that is written below the folders of
    /// identities.
    #[must_use]
    pub fn with_files(mut self, files: Arc<dyn Files>) -> Self {
        self.files = files;
        self
    }

    /// The metrics as they stand, for a [`MetricsListener`].
    #[must_use]
    pub fn metrics(&self) -> Arc<ArcSwap<String>> {
        Arc::clone(&self.metrics)
    }

    /// Renews until `stop` is cancelled.
    ///
    /// # Errors
    /// The watched folder cannot be read at the start (later it is only reported), or another daemon watches it.
    pub async fn run(&mut self, stop: CancellationToken) -> Result<(), Failure> {
        self.lock()?;
        self.stop = stop.clone();
        self.asked = None;
        self.scan().map_err(|error| error.diagnose())?;
        loop {
            if self.clock.now().monotonic >= self.next_scan
                && let Err(error) = self.scan()
            {
                tracing::warn!(%error, "the watched folder cannot be read");
            }
            let until = self.start_what_is_due();
            self.publish();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some((name, end)) = self.jobs.next() => self.job_ended(&name, end),
                () = self.clock.sleep_until(until) => {}
            }
        }
        while let Some((name, end)) = self.jobs.next().await {
            self.job_ended(&name, end);
        }
        self.publish();
        Ok(())
    }

    /// Renews what is due, each identity once, and runs hooks that are due.
    ///
    /// # Errors
    /// The watched folder cannot be read, or another daemon watches it.
    pub async fn run_once(&mut self) -> Result<Summary, Failure> {
        self.lock()?;
        self.stop = CancellationToken::new();
        self.asked = Some(BTreeSet::new());
        self.scan().map_err(|error| error.diagnose())?;
        loop {
            self.start_what_is_due();
            self.publish();
            match self.jobs.next().await {
                Some((name, end)) => self.job_ended(&name, end),
                None => break,
            }
        }
        let now = self.clock.now();
        let mut summary = Summary::default();
        for watched in self.identities.values() {
            watched.count(&mut summary, now);
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

    /// Looks which identities there are, and whether they are configured otherwise.
    fn scan(&mut self) -> Result<(), FolderError> {
        self.next_scan = self.clock.now().monotonic.saturating_add(self.settings.scan);
        let found = folders(&self.directory)?;
        let report = &self.report;
        self.identities.retain(|name, _| {
            let stays = found.contains_key(name);
            if !stays {
                report(Event::new(name, EventKind::Gone));
            }
            stays
        });
        for (name, path) in found {
            let known = self.identities.entry(name.clone()).or_insert_with(|| {
                report(Event::new(&name, EventKind::Found));
                Watched::new(path, Arc::clone(&self.files))
            });
            if self.jobs.is_busy(&name) {
                continue;
            }
            if let Err(failure) = known.configure(&name, &*self.configurer) {
                report(Event::new(&name, EventKind::Failed(failure)));
            }
        }
        Ok(())
    }

    /// Starts looks, exchanges and hooks as far as there is room; returns until when nothing else is due, by the
    /// monotonic clock.
    fn start_what_is_due(&mut self) -> Duration {
        let now = self.clock.now();
        let mut wait = self.next_scan.saturating_sub(now.monotonic);
        for (name, watched) in &mut self.identities {
            if !self.jobs.has_room() {
                // The end of a job wakes the loop.
                break;
            }
            if self.jobs.is_busy(name) {
                continue;
            }
            let may_attempt = self.asked.as_ref().is_none_or(|asked| !asked.contains(name));
            let hook = self.settings.hook.as_ref();
            let stop = self.stop.clone();
            match watched.due(now, hook.is_some(), may_attempt, self.settings.scan) {
                Due::Look { folder, recover } => self.jobs.start(name, attempt::look(folder, recover)),
                Due::Hook(folder) => {
                    if let Some(hook) = hook.cloned() {
                        let run = attempt::run_hook(hook, name.clone(), folder, stop);
                        self.jobs.start(name, run);
                    }
                }
                Due::Attempt(folder, managed) => {
                    if let Some(asked) = &mut self.asked {
                        asked.insert(name.clone());
                    }
                    let attempt = Attempt {
                        folder,
                        enroller: managed.enroller,
                        keep: managed.keep,
                        stop,
                    };
                    self.jobs.start(name, attempt.run());
                }
                Due::Nothing(rest) => wait = wait.min(rest),
            }
        }
        now.monotonic.saturating_add(wait.max(SHORTEST_PAUSE))
    }

    fn job_ended(&mut self, name: &str, end: JobEnd) {
        let now = self.clock.now();
        // It may be gone by now.
        let Some(watched) = self.identities.get_mut(name) else {
            return;
        };
        if let Some(failure) = watched.ended(&end, now) {
            (self.report)(Event::new(name, EventKind::Failed(failure)));
        }
        for kind in end.into_events(watched.next_attempt(now)) {
            (self.report)(Event::new(name, kind));
        }
    }

    fn publish(&self) {
        let now = self.clock.now();
        let all: Vec<_> = self
            .identities
            .iter()
            .map(|(name, watched)| watched.metrics(name, now))
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
