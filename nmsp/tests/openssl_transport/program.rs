//! The `openssl` command while it runs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use pki_common::identity::Identity;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use crate::support::{PATIENCE, until};

/// A running program whose output is collected.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Program {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = Arc::default();
        collect(child.stdout.take().unwrap(), Arc::clone(&output));
        collect(child.stderr.take().unwrap(), Arc::clone(&output));
        let stdin = child.stdin.take();
        Self { child, stdin, output }
    }

    pub(crate) fn output(&self) -> Vec<u8> {
        self.output.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output()).into_owned()
    }

    pub(crate) async fn says(&self, what: &str) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !self.text().contains(what) {
            assert!(
                tokio::time::Instant::now() < end,
                "{what:?} not in: {}",
                self.text()
            );
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).await.unwrap();
        stdin.flush().await.unwrap();
    }

    /// Waits until it has ended by itself; whether it was content, and all that it printed.
    pub(crate) async fn ended(mut self) -> (bool, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("still running: {}", self.text()))
            .unwrap();
        // The collectors hold the output until the pipes end.
        let output = Arc::clone(&self.output);
        until("the output is complete", || Arc::strong_count(&output) == 2).await;
        (status.success(), self.text())
    }
}

fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static, output: Arc<Mutex<Vec<u8>>>) {
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut bytes).await {
            output.lock().unwrap().extend_from_slice(&bytes[..length]);
        }
    });
}

/// Certificate and key in files.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Files {
    pub(crate) fn of(identity: &Identity, folder: &Path, name: &str) -> Self {
        let files = Self {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.certificate, identity.certificate_chain_pem()).unwrap();
        std::fs::write(&files.key, identity.private_key_pem().as_bytes()).unwrap();
        files
    }

    pub(crate) fn arguments(&self) -> [&str; 4] {
        [
            "-cert",
            self.certificate.to_str().unwrap(),
            "-key",
            self.key.to_str().unwrap(),
        ]
    }
}

/// Runs to the end and must succeed.
pub(crate) async fn run(program: &Path, folder: &Path, arguments: &str) {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
