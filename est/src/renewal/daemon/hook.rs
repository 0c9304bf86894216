//! The command that is run after each new certificate.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use pki_common::identity::Identity;
use pki_common::{Diagnose, Failure, Rung};
use tokio::process::Command;

use crate::process_group::ProcessGroup;
use crate::renewal::folder::IdentityFolder;

/// The most of its output that is quoted when it fails, in characters.
const QUOTED: usize = 500;

/// A command line for `/bin/sh`.
///
/// It finds in its environment: `EST_IDENTITY` (the name), `EST_FOLDER`, `EST_CERTIFICATE`, `EST_KEY` and
/// `EST_COMBINED` (paths through the link `current`), `EST_SUBJECT`, `EST_NOT_AFTER` (RFC 3339); of this process's own
/// environment everything but names that begin with `EST_`. It is run until it ends with status 0, at least once for
/// each certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The command line.
    pub command: String,
    /// How long it may take; it is killed then, with what it started.
    pub time_limit: Duration,
}

/// Why a hook failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It could not be started.
    #[error("the hook cannot be started: {0}")]
    Start(String),
    /// It ended with another status than 0.
    #[error("the hook ended with {status}{output}")]
    Status {
        /// The status, as the system names it.
        status: String,
        /// The end of what it wrote to the standard error.
        output: String,
    },
    /// It took too long.
    #[error("the hook took longer than {} s and was killed", .0.as_secs())]
    TimeLimit(Duration),
}

impl Diagnose for HookError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Start(_) => "Check that /bin/sh exists and that processes can be started.",
            Self::Status { .. } => "Run the command by hand with the same environment, and mend it.",
            Self::TimeLimit(_) => "Let the command put long work into the background, or allow more time.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl Hook {
    /// Runs the command for the certificate in use. When the future is dropped, it is killed with what it started.
    ///
    /// # Errors
    /// [`HookError`]
    pub async fn run(&self, name: &str, path: &Path, identity: &Identity) -> Result<(), HookError> {
        let child = self
            .command(name, path, identity)
            .spawn()
            .map_err(|error| HookError::Start(error.to_string()))?;
        let group = ProcessGroup::of(&child);
        let waited = tokio::time::timeout(self.time_limit, child.wait_with_output()).await;
        let ended = waited.map_err(|_| HookError::TimeLimit(self.time_limit))?;
        group.has_ended();
        match ended {
            Err(error) => Err(HookError::Start(error.to_string())),
            Ok(done) if done.status.success() => Ok(()),
            Ok(done) => Err(HookError::Status {
                status: done.status.to_string(),
                output: quoted(&done.stderr),
            }),
        }
    }

    fn command(&self, name: &str, path: &Path, identity: &Identity) -> Command {
        let folder = IdentityFolder::new(path.to_path_buf());
        let certificate = identity.certificate();
        let mut command = Command::new("/bin/sh");
        // Nothing of ours that begins like this is for the hook; a password or a passphrase would be.
        let own = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("EST_"));
        own.for_each(|(name, _)| {
            command.env_remove(name);
        });
        command
            .args(["-c", &self.command])
            .env("EST_IDENTITY", name)
            .env("EST_FOLDER", path)
            .env("EST_CERTIFICATE", folder.certificate_path())
            .env("EST_KEY", folder.key_path())
            .env("EST_COMBINED", folder.combined_path())
            .env("EST_SUBJECT", certificate.subject())
            .env(
                "EST_NOT_AFTER",
                pki_common::clock::rfc3339(certificate.not_after()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // A group of its own, so that what it starts can be killed with it.
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

fn quoted(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let skip = text.chars().count().saturating_sub(QUOTED);
    format!(": {}", text.chars().skip(skip).collect::<String>())
}
