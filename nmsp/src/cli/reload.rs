//! Reads identity, authlist and trust store again: on SIGHUP, and when a file changes.

use core::time::Duration;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use notify::{EventKind, RecursiveMode, Watcher as _};
use pki_common::Diagnose as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::failure::CliError;
use crate::server::{CredentialFiles, ServerHandle};

/// A change is taken up when nothing has changed for this long: writers write in several steps.
const QUIET: Duration = Duration::from_millis(300);

/// And after this long in any case.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// Reloads until the task is aborted.
pub(super) fn watch(
    handle: ServerHandle,
    files: CredentialFiles,
    on_change: bool,
) -> Result<JoinHandle<()>, CliError> {
    let (changed, changes) = mpsc::channel(1);
    let watcher = on_change.then(|| watch_folders(&files, changed)).transpose()?;
    let signal = HangUp::watch()?;
    Ok(tokio::spawn(async move {
        let _watcher = watcher;
        reload_for_ever(&handle, &files, changes, signal).await;
    }))
}

async fn reload_for_ever(
    handle: &ServerHandle,
    files: &CredentialFiles,
    mut changes: mpsc::Receiver<()>,
    mut signal: HangUp,
) {
    let mut seen = contents(files);
    loop {
        tokio::select! {
            () = signal.received() => {}
            Some(()) = changes.recv() => {
                // A watcher that is still busy does not hold the reload back for ever.
                drop(timeout(LONGEST_WAIT, settle(&mut changes)).await);
                let now = contents(files);
                if now == seen {
                    continue;
                }
            }
        }
        seen = contents(files);
        match handle.reload(files) {
            Ok(()) => tracing::info!("identity, authlist and trust store were read again"),
            Err(error) => {
                let failure = error.diagnose().to_string().replace('\n', "; ");
                tracing::error!("not read again, what was in force stays: {error}: {failure}");
            }
        }
    }
}

/// Waits until nothing changes any more.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    while timeout(QUIET, changes.recv())
        .await
        .is_ok_and(|change| change.is_some())
    {}
}

/// The folders of the files are watched, not the files: a file that is replaced by a rename is another one.
fn watch_folders(
    files: &CredentialFiles,
    changed: mpsc::Sender<()>,
) -> Result<notify::RecommendedWatcher, CliError> {
    let failed = |error: notify::Error| {
        CliError::usage(
            format!("files cannot be watched: {error}"),
            "set reload-on-change = false and send SIGHUP instead",
        )
    };
    let tell = move |event: notify::Result<notify::Event>| {
        let looked_at_only = |event: &notify::Event| matches!(event.kind, EventKind::Access(_));
        if !event.is_ok_and(|event| looked_at_only(&event)) {
            // A change that waits already stands for this one, too.
            changed.try_send(()).unwrap_or_default();
        }
    };
    let mut watcher = notify::recommended_watcher(tell).map_err(failed)?;
    for folder in folders(files) {
        watcher
            .watch(&folder, RecursiveMode::NonRecursive)
            .map_err(failed)?;
    }
    Ok(watcher)
}

fn folders(files: &CredentialFiles) -> BTreeSet<PathBuf> {
    let folder = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        match parent {
            _ if path.is_dir() => path.to_owned(),
            Some(parent) => parent.to_owned(),
            None => PathBuf::from("."),
        }
    };
    files.paths().map(folder).collect()
}

/// Stands for what is in the files, so that a change beside them is no reason to read them again.
fn contents(files: &CredentialFiles) -> u64 {
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
    files.paths().for_each(|path| add(path, &mut hasher));
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
