//! A log that has no room, or must not be written: the request is refused with the reason, nothing is lost, and
//! nobody has to restart anything.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use est::ca::database::{CertificateLog, LogError, SqliteLog, SqliteSettings};
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::policy::IssuancePolicy;
use est::ca::serial::SerialNumber;
use est::ca::{
    Authentication, CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome,
    EnrollRequest, PolicyRule, Requester,
};
use pki_common::clock::FixedClock;

use crate::support::{block_on, csr, issuer, now};

/// Attempts after which a test gives up; each takes a millisecond.
const PATIENCE: usize = 60_000;

fn enroll(authority: &EmbeddedCertificateAuthority, name: &str) -> Result<SerialNumber, EnrollError> {
    let requester = Requester {
        name: "alice".to_owned(),
        authentication: Authentication::BASIC,
        address: None,
        certificate: None,
    };
    let request = EnrollRequest {
        csr: csr(name),
        requester,
        label: None,
        operation: EnrollOperation::SimpleEnroll,
        channel_binding: ChannelBindingState::Absent,
    };
    match block_on(authority.enroll(request))? {
        EnrollOutcome::Issued(issued) => Ok(issued.serial),
        other => panic!("{other:?}"),
    }
}

/// A log whose file is nearly as large as it may become, most of it ballast.
fn nearly_full(path: &Path) -> SqliteLog {
    let provider = || pki_common::tls::crypto_provider().unwrap();
    drop(SqliteLog::create(path, provider()).unwrap());
    rusqlite::Connection::open(path)
        .unwrap()
        .execute_batch("CREATE TABLE ballast (x BLOB); INSERT INTO ballast VALUES (zeroblob(500000));")
        .unwrap();
    let room = 64 * 1024;
    let settings = SqliteSettings {
        reserved_serials: 4,
        max_bytes: Some(std::fs::metadata(path).unwrap().len() + room),
        ..SqliteSettings::default()
    };
    SqliteLog::open_with(path, provider(), settings).unwrap()
}

#[test]
fn a_full_disk_refuses_with_the_reason_loses_nothing_and_recovers_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = Arc::new(nearly_full(&path));
    let authority = EmbeddedCertificateAuthority::new(
        issuer("p256"),
        IssuancePolicy::default(),
        log.clone(),
        Arc::new(FixedClock(now())),
    );
    let mut issued = Vec::new();
    let first_refusal = loop {
        match enroll(&authority, "p256") {
            Ok(serial) => issued.push(serial),
            Err(error) => break error,
        }
        assert!(issued.len() < PATIENCE, "the disk is never full");
    };
    assert!(!issued.is_empty(), "there was room for some");
    let says_why = |error: &EnrollError| {
        assert!(
            matches!(error, EnrollError::Unavailable { retry_after, .. } if *retry_after > Duration::ZERO),
            "{error:?}"
        );
        assert!(error.to_string().contains("no room for the database"), "{error}");
    };
    says_why(&first_refusal);
    // More attempts than there are serial numbers in reserve and room for new ones on the last page: the reason stays
    // the right one.
    for _ in 0..1000 {
        says_why(&enroll(&authority, "p256").unwrap_err());
    }
    // What needs no room still works: reading, and a refusal, even when it cannot be put on record.
    assert_eq!(log.serials().unwrap(), issued);
    let refused = enroll(&authority, "ca").unwrap_err();
    assert!(
        matches!(&refused, EnrollError::RejectedByPolicy(refusal) if refusal.rule == PolicyRule::BasicConstraints),
        "{refused:?}"
    );

    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("DROP TABLE ballast")
        .unwrap();
    let mut attempts = 0;
    let after = loop {
        match enroll(&authority, "p256") {
            Ok(serial) => break serial,
            // The reserve of serial numbers is filled by the writer, a moment later.
            Err(error) => says_why(&error),
        }
        attempts += 1;
        assert!(attempts < PATIENCE, "it does not recover");
        std::thread::sleep(Duration::from_millis(1));
    };
    issued.push(after);
    assert_eq!(log.serials().unwrap(), issued);
    let distinct: HashSet<_> = issued.iter().collect();
    assert_eq!(distinct.len(), issued.len());
}

/// Runs where file permissions bind the user, which they do not for root.
#[cfg(unix)]
#[test]
fn a_read_only_file_is_refused_at_the_start_with_the_reason() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let provider = || pki_common::tls::crypto_provider().unwrap();
    drop(SqliteLog::create(&path, provider()).unwrap());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    if std::fs::OpenOptions::new().write(true).open(&path).is_ok() {
        println!("skipped: this user may write to read-only files");
        return;
    }
    let error = SqliteLog::open(&path, provider()).unwrap_err();
    assert!(matches!(error, LogError::Storage { .. }), "{error}");
    assert!(
        error.to_string().contains("readonly") || error.to_string().contains("unable to open"),
        "{error}"
    );
}
