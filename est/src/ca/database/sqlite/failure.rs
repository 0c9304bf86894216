//! What an SQLite error means for the log.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::LogError;

/// Turns SQLite's errors about one file into [`LogError`]s.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    path: PathBuf,
}

impl Failures {
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn classify(&self, error: &rusqlite::Error) -> LogError {
        let (path, reason) = (self.path.clone(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LogError::Locked { path, reason },
            Some(ErrorCode::DiskFull) => LogError::Full { path, reason },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LogError::Corrupt { path, reason },
            // A row that does not hold what the schema says.
            None => LogError::Corrupt { path, reason },
            Some(_) => LogError::Storage { path, reason },
        }
    }

    pub(super) fn storage(&self, reason: String) -> LogError {
        LogError::Storage {
            path: self.path.clone(),
            reason,
        }
    }

    pub(super) fn wrong_kind(&self, reason: String) -> LogError {
        LogError::WrongKind {
            path: self.path.clone(),
            reason,
        }
    }
}
