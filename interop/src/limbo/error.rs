//! What keeps test cases from being read.

use pki_common::{Diagnose, Failure, Rung};

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimboError {
    /// The test cases are not what the format says.
    #[error("the file of test cases cannot be read: {detail}")]
    Suite {
        /// What, with line and column.
        detail: String,
    },
    /// The file has a version that is not known here.
    #[error("the file of test cases has version {version}; version 1 is known here")]
    Version {
        /// The version it says.
        version: u64,
    },
    /// The list of exceptions is wrong.
    #[error("the list of exceptions cannot be read: {detail}")]
    Exceptions {
        /// What, with line and column.
        detail: String,
    },
    /// Two exceptions for one case.
    #[error("the list of exceptions names {id} twice")]
    Twice {
        /// The case.
        id: String,
    },
}

impl Diagnose for LimboError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Suite { .. } | Self::Version { .. } => {
                "Give the limbo.json of x509-limbo, or one case of it in the same form."
            }
            Self::Exceptions { .. } | Self::Twice { .. } => "Mend the list at that place.",
        };
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}
