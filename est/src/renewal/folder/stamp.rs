//! Whether files are still the same, without reading them.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What the system tells of a file: another value is another file or another content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Also moved by a change of the permissions.
    changed: (i64, i64),
}

/// The state of several files at one moment. A file that cannot be looked at has a state of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileStamps(Vec<Option<Stamp>>);

impl FileStamps {
    /// Looks at these files, through symbolic links. Of a folder, only its list of names counts.
    pub fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self(paths.into_iter().map(|path| stamp(path.as_ref())).collect())
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
