//! Interruptions, one after each change of files.

use pki_common::Certificate;
use pki_common::clock::FixedClock;

use super::replacement::Moment;
use super::*;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// 2026-11-21 20:00:00 UTC.
fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock(UnixTime::since_unix_epoch(Duration::from_secs(
        1_795_291_200,
    ))))
}

fn new_root(files: &AuthorityFiles) -> CertificateDer<'static> {
    let new = NewAuthority {
        subject: "CN=Lab Root".to_owned(),
        key: NewKey::EcP256,
        validity: YEAR,
    };
    let policy = IssuancePolicy::default();
    let made = EmbeddedCertificateAuthority::create(files, &new, policy, clock());
    made.unwrap().ca_certificate().clone()
}

/// The certificates that `cacerts` has after a restart.
fn reopened(files: &AuthorityFiles) -> Vec<CertificateDer<'static>> {
    let issuer = open_issuer(files, None).unwrap();
    let mut all = vec![issuer.certificate().clone()];
    all.extend(read_rollover(files).unwrap());
    all
}

#[test]
fn a_renewal_that_is_interrupted_anywhere_leaves_the_old_authority_or_the_new_one() {
    for change in [KeyChange::New(NewKey::EcP256), KeyChange::Keep] {
        for (moment, is_new) in [
            (Moment::OldIsKept, false),
            (Moment::RolloverIsStaged, false),
            (Moment::CertificateIsReplaced, true),
            (Moment::RolloverIsReplaced, true),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let files = AuthorityFiles::in_folder(folder.path());
            let old = new_root(&files);
            let renew = |between: Between<'_>| {
                EmbeddedCertificateAuthority::renew_with(
                    &files,
                    None,
                    change,
                    YEAR * 2,
                    clock().as_ref(),
                    between,
                )
            };
            let interrupted = renew(&mut |now| {
                if now == moment {
                    return Err(environment("the power is gone"));
                }
                Ok(())
            });
            assert!(interrupted.is_err(), "{moment:?}");
            let all = reopened(&files);
            let links = if change == KeyChange::Keep { 0 } else { 2 };
            if is_new {
                assert_ne!(all.first(), Some(&old), "{change:?} {moment:?}");
                assert_eq!(all.get(1), Some(&old), "{change:?} {moment:?}");
                assert_eq!(all.len(), 2 + links, "{change:?} {moment:?}");
                assert!(
                    !files.next_key.exists() && !files.next_rollover.exists(),
                    "{moment:?}"
                );
            } else {
                assert_eq!(all, std::slice::from_ref(&old), "{change:?} {moment:?}");
            }
            // The next try is a whole one.
            renew(&mut |_| Ok(())).unwrap();
            let all = reopened(&files);
            let generations = if is_new { 2 } else { 1 };
            assert_eq!(all.len(), 1 + generations * (1 + links), "{change:?} {moment:?}");
            let newest = Certificate::from_der(all.first().unwrap()).unwrap();
            assert!(newest.is_self_signed());
            assert!(!files.next_key.exists() && !files.next_rollover.exists());
        }
    }
}

#[test]
fn a_failed_beginning_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = AuthorityFiles::in_folder(folder.path());
    // A certificate that cannot be written: its folder is not there.
    files.certificate = folder.path().join("missing/ca.pem");
    let new = NewAuthority {
        subject: "CN=Lab Root".to_owned(),
        key: NewKey::EcP256,
        validity: YEAR,
    };
    let create = |files: &AuthorityFiles| {
        EmbeddedCertificateAuthority::create(files, &new, IssuancePolicy::default(), clock())
    };
    assert!(create(&files).is_err());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    create(&AuthorityFiles::in_folder(folder.path())).unwrap();
}
