//! How a new certificate gets into use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pki_common::Certificate;
use pki_common::identity::Identity;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use zeroize::Zeroizing;

use super::recover::is_unfinished;
use super::{
    CERTIFICATE, COMBINED, CURRENT, Files, FolderError, HOOK_DUE, IdentityFolder, KEY, UNFINISHED, VERSIONS,
    Visibility, read_certificate,
};

const MOMENT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// A certificate that is in use now.
#[derive(Debug, Clone)]
pub struct Installed {
    /// Its folder.
    pub version: PathBuf,
    /// The certificate.
    pub certificate: Certificate,
}

impl<F: Files> IdentityFolder<F> {
    /// Puts a certificate with its key into use. What was in use stays where it is.
    ///
    /// Until the last rename the old pair is in use, from then on the new one; a crash in between loses neither.
    /// `keep` is how many earlier versions stay; `None` for all of them.
    ///
    /// # Errors
    /// A step fails. The old pair is in use then, unless only the removal of something superfluous failed.
    pub fn install(&self, identity: &Identity, keep: Option<usize>) -> Result<Installed, FolderError> {
        let version = self.write_version(identity)?;
        self.switch_to(&version)?;
        self.forget_pending()?;
        if let Some(keep) = keep {
            self.prune(keep, &version)?;
        }
        Ok(Installed {
            version,
            certificate: identity.certificate().clone(),
        })
    }

    /// All versions, by name.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn versions(&self) -> Result<Vec<PathBuf>, FolderError> {
        let folder = self.path.join(VERSIONS);
        let failed = |error: io::Error| FolderError::io("read", &folder, &error);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut versions = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.path().is_dir() && !is_unfinished(&entry.path()) {
                versions.push(entry.path());
            }
        }
        versions.sort();
        Ok(versions)
    }

    /// Writes the three files under a name that says they are unfinished, reads them again, and gives them their name.
    fn write_version(&self, identity: &Identity) -> Result<PathBuf, FolderError> {
        let versions = self.path.join(VERSIONS);
        let name = version_name(identity.certificate());
        let Some(version) = self.free_name(&versions, &name, identity) else {
            return Ok(versions.join(name));
        };
        let unfinished = versions.join(format!("{UNFINISHED}{name}"));
        let files = &self.files;
        let chain = identity.certificate_chain_pem();
        let key = self.key_pem(identity.private_key())?;
        let combined = Zeroizing::new(format!("{}{chain}", &*key));
        let failed = |error: io::Error| FolderError::io("write", &version, &error);
        files.create_folder(&versions).map_err(failed)?;
        files.remove_folder(&unfinished).map_err(failed)?;
        files.create_folder(&unfinished).map_err(failed)?;
        for (name, text, visibility) in [
            (KEY, key.as_str(), Visibility::Private),
            (CERTIFICATE, chain.as_str(), Visibility::Public),
            (COMBINED, combined.as_str(), Visibility::Private),
        ] {
            files
                .write_new(&unfinished.join(name), text.as_bytes(), visibility)
                .map_err(failed)?;
        }
        files.sync_folder(&unfinished).map_err(failed)?;
        // What is on the disk, not what is in memory, must be a pair.
        self.load_version(&unfinished)?;
        files.rename(&unfinished, &version).map_err(failed)?;
        files.sync_folder(&versions).map_err(failed)?;
        Ok(version)
    }

    /// A path that is free, or `None` when this very certificate is there already: written before a crash.
    fn free_name(&self, versions: &Path, name: &str, identity: &Identity) -> Option<PathBuf> {
        let first = versions.join(name);
        if self
            .load_version(&first)
            .is_ok_and(|found| found.certificate().der() == identity.certificate().der())
        {
            return None;
        }
        Some(free_path(versions, name))
    }

    pub(super) fn switch_to(&self, version: &Path) -> Result<(), FolderError> {
        let name = version.file_name().unwrap_or_default();
        let files = &self.files;
        let current = self.path.join(CURRENT);
        let failed = |error: io::Error| FolderError::io("switch", &current, &error);
        let due = self.path.join(HOOK_DUE);
        let unfinished = self.path.join(format!("{UNFINISHED}{HOOK_DUE}"));
        files.remove_file(&unfinished).map_err(failed)?;
        files
            .write_new(
                &unfinished,
                format!("{}\n", name.to_string_lossy()).as_bytes(),
                Visibility::Public,
            )
            .map_err(failed)?;
        files.rename(&unfinished, &due).map_err(failed)?;
        let link = self.path.join(format!("{UNFINISHED}{CURRENT}"));
        files.remove_file(&link).map_err(failed)?;
        files
            .link(&Path::new(VERSIONS).join(name), &link)
            .map_err(failed)?;
        self.move_away_a_folder(&current)?;
        files.rename(&link, &current).map_err(failed)?;
        files.sync_folder(&self.path).map_err(failed)
    }

    /// Somebody put a folder of that name there by hand: it becomes a version. Until the link has its name, nothing is
    /// in use; [`recover`](Self::recover) ends that state after a crash.
    fn move_away_a_folder(&self, current: &Path) -> Result<(), FolderError> {
        let is_folder = fs::symlink_metadata(current).is_ok_and(|metadata| metadata.is_dir());
        if !is_folder {
            return Ok(());
        }
        let versions = self.path.join(VERSIONS);
        let name = read_certificate(current).map_or_else(
            |_| "by-hand".to_owned(),
            |certificate| format!("{}-by-hand", version_name(&certificate)),
        );
        let free = free_path(&versions, &name);
        self.files
            .rename(current, &free)
            .map_err(|error| FolderError::io("move away", current, &error))
    }

    fn prune(&self, keep: usize, used: &Path) -> Result<(), FolderError> {
        let mut others = Vec::new();
        for version in self.versions()? {
            if version.file_name() == used.file_name() {
                continue;
            }
            // What cannot be read is left for a person to look at.
            if let Ok(certificate) = read_certificate(&version) {
                others.push((certificate.not_before(), version));
            }
        }
        others.sort();
        let superfluous = others.len().saturating_sub(keep);
        for (_, version) in others.into_iter().take(superfluous) {
            self.files
                .remove_folder(&version)
                .map_err(|error| FolderError::io("remove", &version, &error))?;
        }
        Ok(())
    }
}

/// `name`, or the first of `name-2`, `name-3`, ... that nothing has.
fn free_path(folder: &Path, name: &str) -> PathBuf {
    let mut path = folder.join(name);
    let mut number = 2_u64;
    while fs::symlink_metadata(&path).is_ok() {
        path = folder.join(format!("{name}-{number}"));
        number += 1;
    }
    path
}

/// Start of validity and serial number: sorted by name, versions are sorted by time.
fn version_name(certificate: &Certificate) -> String {
    use core::fmt::Write as _;
    let seconds = certificate.not_before().as_secs();
    let mut name = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|moment| moment.format(MOMENT).ok())
        .unwrap_or_else(|| seconds.to_string());
    name.push('-');
    for byte in certificate.serial_number() {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}
