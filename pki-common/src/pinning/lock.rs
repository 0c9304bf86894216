//! One writer at a time, also among processes.

use std::path::Path;

use super::PinStoreError;

/// Held while the file is read again and written. The operating system lets go of it when the process ends, however it
/// ends; the empty file stays.
#[derive(Debug)]
pub(super) struct StoreLock {
    #[cfg(unix)]
    _file: std::fs::File,
}

impl StoreLock {
    /// Waits for the lock. Others hold it for the time of one write.
    #[cfg(unix)]
    pub(super) fn take(pins: &Path) -> Result<Self, PinStoreError> {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::{FlockOperation, flock};

        // The file of pins is replaced at each write, so it cannot carry the lock itself.
        let mut path = pins.as_os_str().to_owned();
        path.push(".lock");
        let failed = |reason: String| PinStoreError::Lock {
            path: Path::new(&path).display().to_string(),
            reason,
        };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(error.to_string()))?;
        while let Err(error) = flock(&file, FlockOperation::LockExclusive) {
            if error != rustix::io::Errno::INTR {
                return Err(failed(error.to_string()));
            }
        }
        Ok(Self { _file: file })
    }

    #[cfg(not(unix))]
    pub(super) fn take(_pins: &Path) -> Result<Self, PinStoreError> {
        Ok(Self {})
    }
}
