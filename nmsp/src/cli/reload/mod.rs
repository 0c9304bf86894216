//! Reads the configuration file, identity, authlist and trust store again: on SIGHUP, and when a file changes.

mod settings;

use core::time::Duration;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use notify::{EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::config::ServeConfig;
use super::failure::CliError;
use crate::credentials::CredentialFiles;
use crate::server::ServerHandle;
use settings::Effect;

/// A change is taken up when nothing has changed for this long: writers write in several steps.
const QUIET: Duration = Duration::from_millis(300);

/// And after this long in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Reloads until the task is aborted.
pub(super) fn watch(handle: ServerHandle, config: ServeConfig) -> Result<JoinHandle<()>, CliError> {
    start(handle, config, true)
}

/// As [`watch`], but leaves the settings alone: for a controller that runs with others than those of the file.
pub(super) fn watch_credentials(
    handle: ServerHandle,
    config: ServeConfig,
) -> Result<JoinHandle<()>, CliError> {
    start(handle, config, false)
}

fn start(
    handle: ServerHandle,
    config: ServeConfig,
    takes_settings: bool,
) -> Result<JoinHandle<()>, CliError> {
    let (changed, changes) = mpsc::channel(1);
    let files = config.credentials()?;
    let watched = config
        .reload_on_change
        .then(|| Watched::new(&paths(&config, &files), changed))
        .transpose()?;
    let signal = HangUp::watch()?;
    let mut reloading = Reloading {
        handle,
        config,
        files,
        watched,
        takes_settings,
    };
    Ok(tokio::spawn(async move { reloading.run(changes, signal).await }))
}

/// The configuration file, and what it names.
fn paths(config: &ServeConfig, files: &CredentialFiles) -> Vec<PathBuf> {
    let named = files.paths().map(Path::to_owned);
    core::iter::once(config.path().to_owned()).chain(named).collect()
}

/// A running controller, and the files that it runs by.
struct Reloading {
    handle: ServerHandle,
    /// As it was read the last time, without errors.
    config: ServeConfig,
    files: CredentialFiles,
    watched: Option<Watched>,
    takes_settings: bool,
}

impl Reloading {
    async fn run(&mut self, mut changes: mpsc::Receiver<()>, mut signal: HangUp) {
        let mut seen = contents(&paths(&self.config, &self.files));
        loop {
            let asked = tokio::select! {
                () = signal.received() => true,
                Some(()) = changes.recv() => {
                    // A watcher that is still busy does not hold the reload back for ever.
                    drop(timeout(LONGEST_WAIT, settle(&mut changes)).await);
                    false
                }
            };
            // Before they are read: what changes meanwhile is another reason.
            let present = contents(&paths(&self.config, &self.files));
            if asked || present != seen {
                seen = present;
                self.reload();
            }
        }
    }

    /// The configuration file and what it names are taken over independently of each other: an authlist entry that goes must
    /// not wait for somebody to mend an interval.
    fn reload(&mut self) {
        if self.takes_settings
            && let Err(error) = self.reload_configuration()
        {
            self.handle.note_failed_reload();
            tell_failure("configuration", &error);
        }
        match self.handle.reload(&self.files) {
            Ok(()) => tracing::info!("identity, authlist and trust store were read again"),
            Err(error) => tell_failure("credentials", &error),
        }
    }

    fn reload_configuration(&mut self) -> Result<(), CliError> {
        let config = ServeConfig::load(self.config.path())?;
        if config.text() == self.config.text() {
            return Ok(());
        }
        let files = config.credentials()?;
        config.replace_live(&self.config, &self.handle)?;
        for change in settings::changes(self.config.text(), config.text()) {
            match settings::takes_effect(&change.key) {
                Effect::Now => tracing::info!("{change}: in force now"),
                Effect::NewConnections => tracing::info!("{change}: in force for new connections"),
                Effect::Restart => tracing::warn!("{change}: in force after a restart, not before"),
            }
        }
        self.config = config;
        self.files = files;
        if let Some(watched) = &mut self.watched {
            watched.add(&paths(&self.config, &self.files))?;
        }
        Ok(())
    }
}

fn tell_failure(what: &str, error: &(impl pki_common::Diagnose + core::fmt::Display)) {
    let failure = error.diagnose().to_string().replace('\n', "; ");
    tracing::error!("{what} not read again, what was in force stays: {error}: {failure}");
}

/// Waits until nothing changes any more.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    while timeout(QUIET, changes.recv())
        .await
        .is_ok_and(|change| change.is_some())
    {}
}

/// The folders of the files are watched, not the files: a file that is replaced by a rename is another one.
struct Watched {
    watcher: notify::RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
}

impl Watched {
    fn new(paths: &[PathBuf], changed: mpsc::Sender<()>) -> Result<Self, CliError> {
        let tell = move |event: notify::Result<notify::Event>| {
            let looked_at_only = |event: &notify::Event| matches!(event.kind, EventKind::Access(_));
            if !event.is_ok_and(|event| looked_at_only(&event)) {
                // A change that waits already stands for this one, too.
                changed.try_send(()).unwrap_or_default();
            }
        };
        let mut watched = Self {
            watcher: notify::recommended_watcher(tell).map_err(unwatchable)?,
            folders: BTreeSet::new(),
        };
        watched.add(paths)?;
        Ok(watched)
    }

    /// Folders that are no longer needed stay: a change there is found to be none.
    fn add(&mut self, paths: &[PathBuf]) -> Result<(), CliError> {
        for folder in paths.iter().map(|path| folder(path)) {
            if !self.folders.contains(&folder) {
                self.watcher
                    .watch(&folder, RecursiveMode::NonRecursive)
                    .map_err(unwatchable)?;
                self.folders.insert(folder);
            }
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
fn unwatchable(error: notify::Error) -> CliError {
    CliError::usage(
        format!("files cannot be watched: {error}"),
        "set reload-on-change = false and send SIGHUP instead",
    )
}

fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        _ if path.is_dir() => path.to_owned(),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("."),
    }
}

/// Stands for what is in the files, so that a change beside them is no reason to read them again.
fn contents(paths: &[PathBuf]) -> u64 {
    fn add(path: &Path, hasher: &mut DefaultHasher) {
        let Ok(entries) = std::fs::read_dir(path) else {
            std::fs::read(path).ok().hash(hasher);
            return;
        };
        let inside: BTreeSet<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        for file in inside.iter().filter(|path| !path.is_dir()) {
            file.hash(hasher);
            std::fs::read(file).ok().hash(hasher);
        }
    }
    let mut hasher = DefaultHasher::new();
    paths.iter().for_each(|path| add(path, &mut hasher));
    hasher.finish()
}

/// SIGHUP, where there is one.
struct HangUp {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl HangUp {
    fn watch() -> Result<Self, CliError> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};

            let signal = signal(SignalKind::hangup()).map_err(|error| {
                CliError::usage(format!("signals: {error}"), "start it from another shell")
            })?;
            Ok(Self { signal })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}
