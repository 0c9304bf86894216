//! Where the lab keeps its files.
//!
//! ```text
//! ca/                      ca.pem  ca.key.pem  ca.sqlite
//! est-server/              certificate.pem  key.pem  users  est.toml
//! controller/              certificate.pem  key.pem  authlist.toml  nmsp.toml
//! location-server/         certificate.pem  key.pem  server-auth-info.txt
//! floor.jsonl              the measurements of step 3, one JSON object a line
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use pki_common::{Diagnose, Failure, Rung};
use tempfile::TempDir;

/// The folder of one run.
#[derive(Debug)]
pub struct LabFolder {
    path: PathBuf,
    /// Removes the folder at the end of the run, unless the user keeps it.
    temporary: Option<TempDir>,
}

/// Why there is no folder to work in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The folder of `--keep` holds something already.
    #[error("{} is not empty, and nothing in it will be overwritten", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A folder or file cannot be made.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system says.
        cause: std::io::Error,
    },
}

impl Diagnose for FolderError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::NotEmpty { .. } => "Give --keep a folder that is empty or does not exist.",
            Self::Io { .. } => "Check the path, its permissions and the free space.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl LabFolder {
    /// Takes the folder to keep, which must be empty or absent, or makes a temporary one.
    ///
    /// # Errors
    /// [`FolderError`]
    pub fn open(keep: Option<&Path>) -> Result<Self, FolderError> {
        Self::open_with(keep, &["ca", "est-server", "controller", "location-server"])
    }

    /// The same with other folders in it.
    ///
    /// # Errors
    /// [`FolderError`]
    pub fn open_with(keep: Option<&Path>, rooms: &[&str]) -> Result<Self, FolderError> {
        let lab = match keep {
            None => {
                let temporary = tempfile::tempdir().map_err(|cause| FolderError::Io {
                    path: std::env::temp_dir(),
                    cause,
                })?;
                Self {
                    path: temporary.path().to_owned(),
                    temporary: Some(temporary),
                }
            }
            Some(path) => {
                let io = |cause| FolderError::Io {
                    path: path.to_owned(),
                    cause,
                };
                fs::create_dir_all(path).map_err(io)?;
                if fs::read_dir(path).map_err(io)?.next().is_some() {
                    return Err(FolderError::NotEmpty {
                        path: path.to_owned(),
                    });
                }
                Self {
                    path: fs::canonicalize(path).map_err(io)?,
                    temporary: None,
                }
            }
        };
        for room in rooms {
            let path = lab.path.join(room);
            fs::create_dir(&path).map_err(|cause| FolderError::Io { path, cause })?;
        }
        Ok(lab)
    }

    /// Whether the files stay after the run.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder below it.
    #[must_use]
    pub fn join(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// Writes a file that is no secret.
    ///
    /// # Errors
    /// [`FolderError::Io`]
    pub fn write(&self, relative: &str, text: &str) -> Result<(), FolderError> {
        let path = self.join(relative);
        fs::write(&path, text).map_err(|cause| FolderError::Io { path, cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_folder_that_is_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        let error = LabFolder::open(Some(folder.path())).unwrap_err();
        assert!(matches!(error, FolderError::NotEmpty { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn makes_a_folder_to_keep_that_does_not_exist_yet() {
        let parent = tempfile::tempdir().unwrap();
        let lab = LabFolder::open(Some(&parent.path().join("new"))).unwrap();
        assert!(lab.is_kept() && lab.join("controller").is_dir());
    }

    #[test]
    fn removes_atemporary_folder_at_the_end() {
        let lab = LabFolder::open(None).unwrap();
        let path = lab.path().to_owned();
        assert!(path.is_dir());
        drop(lab);
        assert!(!path.exists());
    }
}
