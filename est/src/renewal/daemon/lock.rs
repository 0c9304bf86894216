//! One daemon to a folder.

use std::fs::{File, OpenOptions};
use std::path::Path;

use pki_common::{Diagnose as _, Failure, Rung};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::renewal::folder::FolderError;

/// The file in the watched folder that a daemon holds a lock on.
pub const LOCK: &str = ".est-renew.lock";

/// Held for as long as the daemon lives. The operating system lets go of it when the process ends, however it ends;
/// the empty file stays.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    pub(super) fn take(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join(LOCK);
        let opened = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = opened.map_err(|error| FolderError::io("open", &path, &error).diagnose())?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(Errno::WOULDBLOCK) => Err(Failure::new(
                Rung::Local,
                format!("another process watches {} already", directory.display()),
                "End that one first, or watch another folder.",
            )),
            Err(error) => Err(FolderError::io("lock", &path, &error.into()).diagnose()),
        }
    }
}
