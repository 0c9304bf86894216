//! What can be wrong with a session file.

use pki_common::{Diagnose, Failure, Rung};

/// A session file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionFileError {
    /// The first line is no head.
    #[error("line 1: this is no session file: {cause}")]
    Head {
        /// What is wrong.
        cause: String,
    },
    /// A version of the format that this crate does not know.
    #[error("line 1: version {found} of the format, this program reads version {known}")]
    Version {
        /// The version in the file.
        found: u32,
        /// The version that is known.
        known: u32,
    },
    /// The profile in the head cannot be used.
    #[error("line 1: the wire profile: {cause}")]
    Profile {
        /// What is wrong with it.
        cause: String,
    },
    /// A line is no message.
    #[error("line {line}: {cause}")]
    Line {
        /// The number of the line, the first is 1.
        line: u64,
        /// What is wrong.
        cause: String,
    },
    /// A line is longer than a message can be.
    #[error("line {line} is longer than {limit} bytes")]
    LineTooLong {
        /// The number of the line, the first is 1.
        line: u64,
        /// The limit.
        limit: usize,
    },
    /// The operating system could not read.
    #[error("line {line} cannot be read: {cause}")]
    Read {
        /// The number of the line, the first is 1.
        line: u64,
        /// What it said.
        cause: String,
    },
}

impl Diagnose for SessionFileError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Head { .. } => "give a file that `nmsp record` wrote",
            Self::Version { .. } => "read it with the version of this program that wrote it",
            Self::Profile { .. } => "check the profile with `nmsp profile check` and record again",
            Self::Line { .. } | Self::LineTooLong { .. } => "remove or correct the line",
            Self::Read { .. } => "check the file and its permissions",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}
