//! Files that appear complete or not at all, and secrets that only their owner reads.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::IdentityError;

const PRIVATE_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;

/// Writes a secret so that only the owner can read it (mode 0600 on Unix) and that a reader sees the old
/// content or the new one, never a part: into a new file in the same folder, which then takes the name.
///
/// # Errors
/// [`IdentityError::Write`] when the folder is missing or may not be written to.
pub fn write_private(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), IdentityError> {
    write_atomically(path.as_ref(), bytes, PRIVATE_MODE)
}

/// As [`write_private`], for something everybody may read (mode 0644 less the umask).
///
/// # Errors
/// As [`write_private`].
pub fn write_public(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), IdentityError> {
    write_atomically(path.as_ref(), bytes, PUBLIC_MODE)
}

fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IdentityError> {
    let failed = |error: io::Error| IdentityError::Write {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let temporary = temporary_beside(path).map_err(failed)?;
    let written = write_new(&temporary, bytes, mode).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one to report; a file that was never made cannot be removed.
        drop(fs::remove_file(&temporary));
        return Err(failed(error));
    }
    sync_folder(path).map_err(failed)
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(
        ".{}-{}.new",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    Ok(path.with_file_name(temporary))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    set_mode(&mut options, mode);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn set_mode(options: &mut OpenOptions, mode: u32) {
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
}

#[cfg(not(unix))]
fn set_mode(_options: &mut OpenOptions, _mode: u32) {}

/// Makes the new name survive a loss of power. Only Unix can open a folder for that.
fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Warns when others than the owner may read a private key.
#[cfg(unix)]
pub(super) fn warn_when_shared(path: &Path, metadata: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(),
            mode = format!("{mode:03o}"),
            "others than the owner may use this private key file; remedy: chmod 600"
        );
    }
}

#[cfg(not(unix))]
pub(super) fn warn_when_shared(_path: &Path, _metadata: &fs::Metadata) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_no_other_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_private(&path, b"old").unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn gives_a_secret_to_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(&path, b"readable for all").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn says_which_file_cannot_be_written_and_leaves_none_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("key.pem");
        let message = write_private(&path, b"secret").unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
        // A folder in the way: the rename fails after the temporary file was made.
        let occupied = folder.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        write_private(&occupied, b"secret").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
