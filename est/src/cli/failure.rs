//! The failure of a command: rung, cause and remedy, and the number that libest has for it.

use core::any::Any;
use core::fmt;

use pki_common::{Diagnose, Failure, Rung};

use crate::exchange::ClientError;
use crate::operation::EstErrorNumber;

/// Why the command failed, as it is printed.
#[derive(Debug)]
pub(crate) struct CliError {
    failure: Failure,
    est_error: Option<EstErrorNumber>,
}

impl CliError {
    /// A failure of files or arguments.
    pub(crate) fn local(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::from(Failure::new(Rung::Local, cause, remedy))
    }

    /// Rung, cause and remedy.
    pub(crate) const fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The error number of libest, when an exchange failed.
    pub(crate) const fn est_error(&self) -> Option<EstErrorNumber> {
        self.est_error
    }
}

impl<E: Diagnose + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        let of_exchange = any.downcast_ref::<ClientError>();
        Self {
            failure: error.diagnose(),
            est_error: of_exchange.map(ClientError::est_error),
        }
    }
}

/// What the failure is known by elsewhere, and its three lines, which are the last.
impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.est_error {
            writeln!(f, "EST error: {number}")?;
        }
        if let Some(known) = self.failure.known_cause {
            writeln!(f, "known cause: {known}")?;
        }
        self.failure.fmt(f)
    }
}
