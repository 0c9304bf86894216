//! Disks that do each step of the operating system's files, or do not.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use est::renewal::folder::{Files, SystemFiles, Visibility};

/// What becomes of the steps.
pub(crate) trait Disk: Debug + Send + Sync {
    /// Does a step, by its name in [`Files`], or half of it: only files are written by halves, of other steps that is
    /// nothing.
    fn step(&self, name: &str, whole: &dyn Fn() -> io::Result<()>, half: &dyn Fn()) -> io::Result<()>;
}

/// The files on a disk.
#[derive(Debug, Default)]
pub(crate) struct Stepwise<D>(pub(crate) D);

impl<D: Disk> Stepwise<D> {
    fn whole(&self, name: &str, step: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        self.0.step(name, step, &|| ())
    }
}

impl<D: Disk> Files for Stepwise<D> {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.whole("create_folder", &|| SystemFiles.create_folder(path))
    }

    fn write_new(&self, path: &Path, bytes: &[u8], visibility: Visibility) -> io::Result<()> {
        let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
        self.0.step(
            "write_new",
            &|| SystemFiles.write_new(path, bytes, visibility),
            &|| drop(SystemFiles.write_new(path, half, visibility)),
        )
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole("rename", &|| SystemFiles.rename(from, to))
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.whole("link", &|| SystemFiles.link(target, link))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.whole("remove_file", &|| SystemFiles.remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.whole("remove_folder", &|| SystemFiles.remove_folder(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.whole("sync_folder", &|| SystemFiles.sync_folder(path))
    }
}

/// Every step from the one that was set on is refused, until it is mended; as a full disk does, and as one does whose power
/// has failed. The first half of a file is written.
#[derive(Debug)]
pub(crate) struct Refusing {
    /// Steps that still succeed.
    left: AtomicUsize,
    refused: AtomicUsize,
}

impl Default for Refusing {
    fn default() -> Self {
        Self {
            left: AtomicUsize::new(usize::MAX),
            refused: AtomicUsize::new(0),
        }
    }
}

impl Refusing {
    pub(crate) fn refuse_after(&self, steps: usize) {
        self.left.store(steps, Ordering::Relaxed);
    }

    pub(crate) fn mend(&self) {
        self.left.store(usize::MAX, Ordering::Relaxed);
    }

    /// How many steps it has refused.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Disk for Refusing {
    fn step(&self, _: &str, whole: &dyn Fn() -> io::Result<()>, half: &dyn Fn()) -> io::Result<()> {
        let one_less = |left: usize| match left {
            usize::MAX => Some(left),
            left => left.checked_sub(1),
        };
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        if left.is_ok() {
            return whole();
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        half();
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}
