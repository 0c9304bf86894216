//! The `est` command as a process, and a folder with everything it needs to serve.

#![allow(dead_code, reason = "each test binary uses another part of the support")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

pub(crate) const USER: &str = "phone";
pub(crate) const PASSWORD: &str = "correct horse";

/// Runs `est` in a folder, with this standard input.
pub(crate) fn est(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_est"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that fails early does not read its input.
    let written = child.stdin.take().unwrap().write_all(input.as_bytes());
    written
        .or_else(|error| {
            if error.kind() == std::io::ErrorKind::BrokenPipe {
                Ok(())
            } else {
                Err(error)
            }
        })
        .unwrap();
    child.wait_with_output().unwrap()
}

pub(crate) fn succeeds(folder: &Path, arguments: &[&str], input: &str) -> String {
    let output = est(folder, arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "est {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with an authority, a server certificate, a user and a configuration.
pub(crate) fn laboratory() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    succeeds(
        path,
        &[
            "ca",
            "init",
            "--dir",
            "ca",
            "--subject",
            "DC=com,DC=example,CN=Test Root",
        ],
        "",
    );
    let names = ["--name", "IP:127.0.0.1", "--name", "DNS:localhost"];
    let output = ["--out-certificate", "server.pem", "--out-key", "server.key.pem"];
    let arguments: Vec<_> = ["ca", "server-certificate", "--dir", "ca"]
        .into_iter()
        .chain(names)
        .chain(output)
        .collect();
    succeeds(path, &arguments, "");
    succeeds(
        path,
        &["user", "add", "--users", "users", "--password-stdin", USER],
        &format!("{PASSWORD}\n"),
    );
    std::fs::write(path.join("password"), format!("{PASSWORD}\n")).unwrap();
    let config = "listen = \"127.0.0.1:0\"\ncertificate = \"server.pem\"\nkey = \"server.key.pem\"\n\
        ca-dir = \"ca\"\nusers = \"users\"\nclient-trust-anchors = [\"ca/ca.pem\"]\n";
    std::fs::write(path.join("est.toml"), config).unwrap();
    folder
}

/// A running `est serve`; killed when dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) url: String,
    output: BufReader<std::process::ChildStdout>,
}

impl Serving {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, |_| {})
    }

    /// The log goes into `serve.log`.
    pub(crate) fn start_logging(folder: &Path) -> Self {
        let log = std::fs::File::create(folder.join("serve.log")).unwrap();
        Self::start_with(folder, |command| {
            command.stderr(log).env("RUST_LOG", "warn,est=info");
        })
    }

    /// After this change to the command.
    pub(crate) fn start_with(folder: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_est"));
        command
            .args(["serve", "--config"])
            .arg(folder.join("est.toml"))
            .env("RUST_LOG", "warn")
            .env_remove("EST_CA_PASSPHRASE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{line:?}"))
            .to_owned();
        Self { child, url, output }
    }

    /// The next line that it prints.
    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
    }
}

pub(crate) fn anchor(folder: &Path) -> PathBuf {
    folder.join("ca/ca.pem")
}
