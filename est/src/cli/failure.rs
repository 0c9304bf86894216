//! The failure of a command: rung, cause and remedy.

use core::fmt;

use pki_common::{Diagnose, Failure, Rung};

/// Why the command failed, as it is printed.
#[derive(Debug)]
pub(crate) struct CliError(Failure);

impl CliError {
    /// A failure of files or arguments.
    pub(crate) fn local(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self(Failure::new(Rung::Local, cause, remedy))
    }

    /// Rung, cause and remedy.
    pub(crate) const fn failure(&self) -> &Failure {
        &self.0
    }
}

impl<E: Diagnose> From<E> for CliError {
    fn from(error: E) -> Self {
        Self(error.diagnose())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
