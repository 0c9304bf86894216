//! What can go wrong in the command.

use std::io;
use std::path::PathBuf;

use pki_common::authlist::ImportError;
use pki_common::{Diagnose, Failure, Rung};

/// A failure of the command; it ends with rung, cause and remedy on standard error.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error("{path}: {source}", path = .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{path}: {error}", path = .path.display())]
    AuthList { path: PathBuf, error: ImportError },
    #[error("standard output: {0}")]
    Output(io::Error),
    #[error("{0}")]
    Failed(Box<Failure>),
}

impl CliError {
    /// Something the caller can put right at once.
    pub(super) fn usage(cause: String, remedy: &str) -> Self {
        Self::Failed(Box::new(Failure::new(Rung::Local, cause, remedy)))
    }

    /// A failure whose parts are known.
    pub(super) fn failed(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }

    /// A session file that cannot be read.
    pub(super) fn session_file(
        path: &std::path::Path,
        error: &crate::session_file::SessionFileError,
    ) -> Self {
        let mut failure = error.diagnose();
        failure.cause = format!("{}, {}", path.display(), failure.cause);
        Self::failed(failure)
    }

    /// An error that knows its rung, cause and remedy.
    pub(super) fn of(error: &impl Diagnose) -> Self {
        Self::Failed(Box::new(error.diagnose()))
    }
}

impl From<crate::Error> for CliError {
    fn from(error: crate::Error) -> Self {
        Self::of(&error)
    }
}

impl Diagnose for CliError {
    fn diagnose(&self) -> Failure {
        match self {
            Self::File { .. } => Failure::new(
                Rung::Local,
                self.to_string(),
                "check the path, its permissions and contents",
            ),
            Self::AuthList { error, .. } => error.diagnose(),
            Self::Output(_) => Failure::new(Rung::Local, self.to_string(), "check where the output goes"),
            Self::Failed(failure) => (**failure).clone(),
        }
    }
}
