//! A folder of its own for a case, and foreign programs that run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any program takes on a busy machine; only one that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Removed with everything in it when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.file(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    /// A program here, without standard input; killed when it is not waited for any more.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a program here, whatever its exit status.
    pub(crate) async fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Output {
        let mut command = self.command(program);
        command.args(arguments);
        finish(command).await
    }

    /// What `openssl` prints; it must succeed.
    pub(crate) async fn openssl(&self, arguments: &[&str]) -> String {
        let output = self.run("openssl", arguments).await;
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            said(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The output of a program, which must end.
pub(crate) async fn finish(mut command: Command) -> Output {
    let running = tokio::time::timeout(PATIENCE, command.output());
    let output = running
        .await
        .unwrap_or_else(|_| panic!("{command:?} does not end"));
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Everything that a program printed.
pub(crate) fn said(output: &Output) -> String {
    let parts = [&output.stderr[..], &output.stdout];
    String::from_utf8_lossy(&parts.concat()).into_owned()
}
