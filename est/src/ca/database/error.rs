//! What can go wrong with the log.

use std::path::PathBuf;

use pki_common::{Diagnose, Failure, Rung};

/// Why the log did not take an entry, or could not be read. In every case the caller knows that nothing was
/// recorded, and no certificate leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The queue of entries is full, or all reserved serial numbers are in use. Passes by itself.
    #[error("the database is busy: {waiting} entries are waiting to be written")]
    Busy {
        /// The bound that was reached.
        waiting: usize,
    },
    /// Another process holds a lock on the file.
    #[error("the database {path} is locked by another process: {reason}")]
    Locked {
        /// The file.
        path: PathBuf,
        /// The database's own words.
        reason: String,
    },
    /// No room on the disk.
    #[error("there is no room for the database {path}: {reason}; free some space")]
    Full {
        /// The file.
        path: PathBuf,
        /// The database's own words.
        reason: String,
    },
    /// The file is damaged or something else.
    #[error("the database {path} is damaged or is no database: {reason}; restore it from a backup")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The database's own words.
        reason: String,
    },
    /// The file was written by another version of this crate, or belongs to another program.
    #[error("the database {path} is not of this kind: {reason}")]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        reason: String,
    },
    /// The file is missing or must not be read or written.
    #[error("the database {path} cannot be used: {reason}")]
    Storage {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// A certificate under a serial number that is already in the log, or was never reserved.
    #[error("serial number {serial} is already used or was never reserved")]
    SerialNumber {
        /// The number, in hexadecimal.
        serial: String,
    },
    /// The operator named an entry of the queue that is not there or is decided already.
    #[error("request {id} cannot be decided: {reason}")]
    NotWaiting {
        /// The number of the entry.
        id: i64,
        /// What it is instead.
        reason: String,
    },
    /// A certificate is to be revoked that the log does not have.
    #[error("no certificate with the serial number {serial} is on record")]
    NoSuchCertificate {
        /// The number, in hexadecimal.
        serial: String,
    },
    /// A certificate is to be revoked that is revoked already.
    #[error("the certificate with the serial number {serial} is revoked already")]
    AlreadyRevoked {
        /// The number, in hexadecimal.
        serial: String,
    },
    /// A revocation list could not be made.
    #[error("no revocation list could be made: {reason}")]
    RevocationList {
        /// Why.
        reason: String,
    },
    /// This kind of log does not keep that.
    #[error("this log keeps no {what}; use the one in a file")]
    NotKept {
        /// What was asked of it.
        what: &'static str,
    },
    /// The writer has ended; the process is shutting down or has run into a defect.
    #[error("the database writer has stopped")]
    Stopped,
    /// The system has no random numbers to give.
    #[error("there is no randomness for serial numbers")]
    NoRandomness,
}

impl LogError {
    /// Whether it may pass by itself, so that another try makes sense.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Locked { .. } | Self::Full { .. } | Self::Stopped
        )
    }
}

impl Diagnose for LogError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Busy { .. } => "Try again in a moment.",
            Self::Locked { .. } => "End the other process that writes to the file.",
            Self::Full { .. } => "Free some space on the disk.",
            Self::Corrupt { .. } => "Restore the file from a backup.",
            Self::WrongKind { .. } => "Use the program version that made the file, or name another file.",
            Self::Storage { .. } => {
                "Check that the file is there and that its folder and its permissions are right."
            }
            Self::SerialNumber { .. } => "Take a fresh serial number for every certificate.",
            Self::NotWaiting { .. } => "`est ca pending` lists the requests that wait.",
            Self::NoSuchCertificate { .. } => "`est ca list` lists the certificates.",
            Self::AlreadyRevoked { .. } => "There is nothing to do.",
            Self::RevocationList { .. } => {
                "Check the CA's key and certificate and the number of revoked certificates."
            }
            Self::NotKept { .. } => "Use an SQLite log.",
            Self::Stopped => "Start the program again.",
            Self::NoRandomness => "Check the operating system's random number generator.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}
