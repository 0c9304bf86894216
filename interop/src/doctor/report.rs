//! What was found on each rung.

use core::time::Duration;
use std::time::SystemTime;

use pki_common::Failure;
use serde_json::{Map, Value};

/// How a rung came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Nothing is wrong here.
    Passed,
    /// The service can be used, but something should be looked at.
    Warning,
    /// The walk ends here.
    Failed,
    /// Not asked for; the note says by which option it would be.
    Skipped,
    /// A rung below has failed.
    NotReached,
}

impl State {
    /// The word for it in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::NotReached => "not-reached",
        }
    }
}

/// One rung.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What was looked at, like `name resolution`.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// How long it took; `None` when nothing was done.
    pub took: Option<Duration>,
    /// What was found, a line each, harmless for a terminal.
    pub notes: Vec<String>,
    /// The same for programs.
    pub facts: Map<String, Value>,
    /// What should be looked at.
    pub warnings: Vec<Failure>,
    /// Why the walk ends here.
    pub failure: Option<Failure>,
}

/// The way up to a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// `nmsp`, `est` or `adcs`.
    pub service: &'static str,
    /// What was to be reached, as it was given.
    pub target: String,
    /// When the walk began.
    pub began: SystemTime,
    /// The rungs from the ground.
    pub checks: Vec<Check>,
}

impl Report {
    /// Where the walk ended, if it did not reach the top.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.checks.iter().find_map(|check| check.failure.as_ref())
    }

    /// The rung of this name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// What should be looked at, of all rungs.
    pub fn warnings(&self) -> impl Iterator<Item = &Failure> {
        self.checks.iter().flat_map(|check| &check.warnings)
    }
}
