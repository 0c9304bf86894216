//! The steps that change something on the disk, as a seam: a test makes each of them fail in turn.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Its owner only: mode 0600.
    Private,
    /// Everybody: mode 0644 less the umask.
    Public,
}

/// Changes on the disk. Each is one step that happens or does not, but for [`Files::write_new`], which a crash may
/// leave half done.
pub trait Files: Debug + Send + Sync {
    /// Makes a folder; one that exists will do.
    ///
    /// # Errors
    /// What the operating system says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes a new file and waits until it is on the disk. A file that exists is an error.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_new(&self, path: &Path, bytes: &[u8], visibility: Visibility) -> io::Result<()>;

    /// Gives a file, a folder or a link another name; a file or a link of that name is replaced.
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// What the operating system says.
    fn link(&self, target: &Path, link: &Path) -> io::Result<()>;

    /// Removes a file or a link; one that does not exist will do.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with everything in it; one that does not exist will do.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Waits until the names in a folder are on the disk.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

impl<F: Files + ?Sized> Files for Arc<F> {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        (**self).create_folder(path)
    }

    fn write_new(&self, path: &Path, bytes: &[u8], visibility: Visibility) -> io::Result<()> {
        (**self).write_new(path, bytes, visibility)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        (**self).link(target, link)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        (**self).remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        (**self).remove_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        (**self).sync_folder(path)
    }
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o755).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            done => done,
        }
    }

    fn write_new(&self, path: &Path, bytes: &[u8], visibility: Visibility) -> io::Result<()> {
        let mode = match visibility {
            Visibility::Private => 0o600,
            Visibility::Public => 0o644,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, target: &Path, link: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, link)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        missing_will_do(fs::remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        missing_will_do(fs::remove_dir_all(path))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

fn missing_will_do(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
