//! From one certificate and key to the next, whatever interrupts it.
//!
//! Certificate, key and rollover certificates are three files, and no system renames three files at once. So the new
//! key and the new rollover certificates are written under names of their own first, `ca.next.key.pem` and
//! `ca.next.rollover.pem`; then `ca.pem` is replaced, which takes one rename; then the other two get their names.
//! Before the rename of `ca.pem` the old authority is whole, after it the new one is: [`finish`], which runs whenever
//! the authority is opened, sees by `ca.pem` which of the two it is and does what is left to do.

use std::path::PathBuf;

use pki_common::identity;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::AuthorityFiles;
use super::file::{file_error, parse_certificates, read, rename, write_certificates};
use crate::ca::embedded::AuthorityError;

/// A moment between two changes of files, for tests that stop there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    OldIsKept,
    RolloverIsStaged,
    CertificateIsReplaced,
    RolloverIsReplaced,
}

/// Called between the changes; an error ends the replacement there.
pub(super) type Between<'a> = &'a mut dyn FnMut(Moment) -> Result<(), AuthorityError>;

/// Makes `chain` the certificates of the authority. A new key is in `next_key` by now. Certificate and key of before
/// are kept under the names whose beginning is the answer, and the certificate, with `links` after it, joins `cacerts`.
pub(super) fn replace(
    files: &AuthorityFiles,
    chain: &[CertificateDer<'static>],
    links: &[CertificateDer<'static>],
    between: Between<'_>,
) -> Result<PathBuf, AuthorityError> {
    let old = parse_certificates(&files.certificate, &read(&files.certificate)?)?;
    let kept_as = keep_old(files)?;
    between(Moment::OldIsKept)?;
    stage_rollover(files, &old, links)?;
    between(Moment::RolloverIsStaged)?;
    write_certificates(&files.certificate, chain)?;
    between(Moment::CertificateIsReplaced)?;
    rename(&files.next_rollover, &files.rollover)?;
    between(Moment::RolloverIsReplaced)?;
    Ok(kept_as)
}

/// Finishes a replacement that was interrupted after `ca.pem` was replaced, as far as the rollover certificates go. The
/// key is up to who can read it.
pub(super) fn finish_rollover(files: &AuthorityFiles) -> Result<(), AuthorityError> {
    if !files.next_rollover.exists() {
        return Ok(());
    }
    let staged = parse_certificates(&files.next_rollover, &read(&files.next_rollover)?)?;
    let current = parse_certificates(&files.certificate, &read(&files.certificate)?)?;
    // Its first certificate is the one that was replaced. While that is in force, nothing was.
    if staged.first() == current.first() {
        return Ok(());
    }
    tracing::warn!(path = %files.rollover.display(), "finishing a renewal that was interrupted");
    rename(&files.next_rollover, &files.rollover)
}

pub(super) fn read_rollover(files: &AuthorityFiles) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    if !files.rollover.exists() {
        return Ok(Vec::new());
    }
    parse_certificates(&files.rollover, &read(&files.rollover)?)
}

/// The latest first, so that a client with a bound on their number misses the oldest.
fn stage_rollover(
    files: &AuthorityFiles,
    old: &[CertificateDer<'static>],
    links: &[CertificateDer<'static>],
) -> Result<(), AuthorityError> {
    let earlier = read_rollover(files)?;
    let new = || old.iter().chain(links);
    let earlier = earlier
        .iter()
        .filter(|certificate| new().all(|other| other != *certificate));
    write_certificates(&files.next_rollover, new().chain(earlier))
}

/// The name of a file of an earlier generation, counted from 1.
pub(super) fn old_name(files: &AuthorityFiles, number: u32, ending: &str) -> PathBuf {
    files
        .certificate
        .with_file_name(format!("ca.old-{number}{ending}"))
}

/// Copies certificate and key to names that are free: `ca.old-1.pem` and `ca.old-1.key.pem`.
fn keep_old(files: &AuthorityFiles) -> Result<PathBuf, AuthorityError> {
    let name = |number: u32, ending: &str| old_name(files, number, ending);
    let number = (1..=u32::MAX)
        .find(|number| !name(*number, ".pem").exists() && !name(*number, ".key.pem").exists())
        .unwrap_or(u32::MAX);
    let key = Zeroizing::new(read(&files.key)?);
    let path = name(number, ".key.pem");
    identity::write_private(&path, &key).map_err(|error| file_error(&path, error))?;
    let path = name(number, ".pem");
    identity::write_public(&path, &read(&files.certificate)?).map_err(|error| file_error(&path, error))?;
    Ok(name(number, ""))
}
