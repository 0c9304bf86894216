//! Why the lab stopped.

use std::fmt;

use pki_common::{Diagnose, Failure, Rung};

/// A step that did not succeed.
#[derive(Debug)]
pub struct StepFailed {
    /// The heading of the step.
    pub step: &'static str,
    /// Where on the ladder it failed, why, and what to do.
    pub failure: Failure,
}

impl StepFailed {
    pub(super) fn new(step: &'static str, error: &impl Diagnose) -> Self {
        Self {
            step,
            failure: error.diagnose(),
        }
    }
}

impl Diagnose for StepFailed {
    fn diagnose(&self) -> Failure {
        self.failure.clone()
    }
}

impl fmt::Display for StepFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step \"{}\" failed\n{}", self.step, self.failure)
    }
}

impl std::error::Error for StepFailed {}

/// Places the error of a library on the ladder.
#[expect(clippy::needless_pass_by_value, reason = "the signature map_err wants")]
pub(crate) fn diagnosed(error: impl Diagnose) -> Failure {
    error.diagnose()
}

/// The lab itself saw something that must not be.
pub(crate) fn unexpected(cause: impl Into<String>) -> Failure {
    Failure::new(
        Rung::Local,
        cause,
        "This is a defect of this project: please report it with the output above.",
    )
}
