//! The result of a harness, in the format of x509-limbo.

use serde::{Deserialize, Serialize};

use super::evaluate;
use super::suite::{Case, ExpectedResult, Suite};

/// The name under which the results stand beside those of other implementations.
pub const HARNESS: &str = "rust-pki-common";

/// What a harness writes: version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    /// Always 1.
    pub version: u8,
    /// Which implementation, [`HARNESS`].
    pub harness: String,
    /// One for each case, in the order of the suite.
    pub results: Vec<CaseResult>,
}

/// The verdict on one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub id: String,
    /// What we said.
    pub actual_result: ActualResult,
    /// Why the chain was refused or the case skipped.
    pub context: Option<String>,
}

/// What a validator said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ActualResult {
    /// It accepted the chain.
    Success,
    /// It refused the chain.
    Failure,
    /// It has no setting for what the case asks.
    Skipped,
    /// It did not end in time.
    Hang,
}

impl ActualResult {
    /// Whether it is what the case expects.
    #[must_use]
    pub const fn meets(self, expected: ExpectedResult) -> bool {
        matches!(
            (self, expected),
            (Self::Success, ExpectedResult::Success) | (Self::Failure, ExpectedResult::Failure)
        )
    }

    /// As the format spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure => "FAILURE",
            Self::Skipped => "SKIPPED",
            Self::Hang => "HANG",
        }
    }
}

impl ResultFile {
    /// Evaluates every case.
    #[must_use]
    pub fn of(suite: &Suite) -> Self {
        Self {
            version: 1,
            harness: HARNESS.to_owned(),
            results: suite.testcases.iter().map(evaluate).collect(),
        }
    }
}

impl CaseResult {
    pub(super) fn new(case: &Case, actual_result: ActualResult, context: Option<String>) -> Self {
        Self {
            id: case.id.clone(),
            actual_result,
            context,
        }
    }
}
