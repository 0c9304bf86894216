//! The bounds of the log in a file.

use std::time::Duration;

use crate::ca::database::MAX_REFUSED_REQUESTS;

/// Most entries that wait for the writer. At a thousand commits of many entries a second, a queue this long is
/// written in well under a second; more would only make clients wait for longer.
pub const MAX_QUEUE: usize = 1024;

/// Serial numbers kept in reserve, and thereby the most enrolments between signing and commit. As many as may wait
/// for the writer. After a kill they stay on record unused, 20 kB a time.
pub const RESERVED_SERIALS: usize = 1024;

/// How long a statement waits for another process's lock. Readers never hold one for long in WAL mode, and writers of
/// this crate hold theirs for one transaction; an enrolment has nine seconds in all.
pub const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Bounds of an [`SqliteLog`](super::SqliteLog).
///
/// # Defaults
/// [`MAX_QUEUE`], [`RESERVED_SERIALS`], [`MAX_REFUSED_REQUESTS`], [`LOCK_WAIT`]; the file may grow as large as the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteSettings {
    /// Most entries that wait for the writer; at least 1.
    pub queue: usize,
    /// Serial numbers kept in reserve; at least 1.
    pub reserved_serials: usize,
    /// Most refused requests kept; when there are more, the oldest go first.
    pub refused_requests: u32,
    /// Largest size of the file, in bytes, rounded down to pages; its write-ahead log of some megabytes is not
    /// counted. Beyond it nothing is issued, with [`LogError::Full`](super::LogError::Full). A file that is larger
    /// already stays as it is and does not grow. For a disk that is shared with others.
    pub max_bytes: Option<u64>,
    /// How long to wait for another process that holds a lock on the file, by the time of this machine; after that it
    /// is [`LogError::Locked`](super::LogError::Locked).
    pub lock_wait: Duration,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self {
            queue: MAX_QUEUE,
            reserved_serials: RESERVED_SERIALS,
            refused_requests: MAX_REFUSED_REQUESTS,
            max_bytes: None,
            lock_wait: LOCK_WAIT,
        }
    }
}

impl SqliteSettings {
    /// Below this many the reserve of serial numbers is filled up.
    pub(super) const fn low_water(&self) -> usize {
        self.reserved_serials.div_ceil(2)
    }

    pub(super) fn at_least_one(mut self) -> Self {
        self.queue = self.queue.max(1);
        self.reserved_serials = self.reserved_serials.max(1);
        self
    }
}
