//! The embedded authority behind its trait.

use std::sync::Arc;
use std::time::Duration;

use est::ca::database::{CertificateLog, LogError, MemoryLog, SqliteLog};
use est::ca::embedded::{AuthorityError, AuthorityFiles, EmbeddedCertificateAuthority, NewAuthority};
use est::ca::policy::IssuancePolicy;
use est::ca::{
    Authentication, CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome,
    EnrollRequest, PolicyRule, Requester,
};
use pki_common::clock::FixedClock;
use pki_common::identity::NewKey;

use crate::support::{DAY, block_on, csr, issuer, now};

fn new_authority() -> NewAuthority {
    let validity = Duration::from_secs(3650 * DAY);
    NewAuthority {
        subject: "CN=Lab Root,DC=example,DC=com".to_owned(),
        key: NewKey::EcP256,
        validity,
    }
}

fn create(files: &AuthorityFiles) -> Result<EmbeddedCertificateAuthority, AuthorityError> {
    let clock = Arc::new(FixedClock(now()));
    EmbeddedCertificateAuthority::create(files, &new_authority(), IssuancePolicy::default(), clock)
}

fn open(files: &AuthorityFiles) -> Result<EmbeddedCertificateAuthority, AuthorityError> {
    EmbeddedCertificateAuthority::open(files, IssuancePolicy::default(), Arc::new(FixedClock(now())))
}

fn request(name: &str) -> EnrollRequest {
    let requester = Requester {
        name: "alice".to_owned(),
        authentication: Authentication::BASIC,
        address: Some([192, 0, 2, 7].into()),
        certificate: None,
    };
    EnrollRequest {
        csr: csr(name),
        requester,
        label: None,
        operation: EnrollOperation::SimpleEnroll,
        channel_binding: ChannelBindingState::Absent,
    }
}

#[test]
fn records_what_it_issues_and_finds_it_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::in_folder(folder.path());
    let authority = create(&files).unwrap();
    let root = authority.ca_certificate().clone();
    let EnrollOutcome::Issued(issued) = block_on(authority.enroll(request("p256"))).unwrap() else {
        panic!("not issued");
    };
    drop(authority);

    let authority = open(&files).unwrap();
    assert_eq!(*block_on(authority.ca_certificates()).unwrap(), [root]);
    let record = authority.log().certificate(&issued.serial).unwrap().unwrap();
    assert_eq!(record.certificate, issued.certificate);
    assert_eq!(record.csr, csr("p256").der());
    assert_eq!(
        record.subject,
        "CN=AP-00:50:56:9c:34:89,OU=lab,OU=eng,DC=example,DC=com"
    );
    assert_eq!(record.origin.requester, "alice");
    assert_eq!(record.origin.authentication, "http-basic");
    assert_eq!(record.origin.address.as_deref(), Some("192.0.2.7"));
    assert_eq!(record.issued_at, now().as_secs());
    let EnrollOutcome::Issued(second) = block_on(authority.enroll(request("p256"))).unwrap() else {
        panic!("not issued");
    };
    assert_ne!(second.serial, issued.serial);
    assert_eq!(authority.log().serials().unwrap(), [issued.serial, second.serial]);
}

#[test]
fn records_what_it_refuses() {
    let provider = pki_common::tls::crypto_provider().unwrap();
    let log = Arc::new(MemoryLog::new(provider));
    let clock = Arc::new(FixedClock(now()));
    let shared: Arc<dyn CertificateLog> = log.clone();
    let authority =
        EmbeddedCertificateAuthority::new(issuer("p256"), IssuancePolicy::default(), shared, clock);
    let Err(EnrollError::RejectedByPolicy(refusal)) = block_on(authority.enroll(request("ca"))) else {
        panic!("not refused");
    };
    assert_eq!(refusal.rule, PolicyRule::BasicConstraints);
    let on_record = log.refused(10).unwrap();
    assert_eq!(on_record.len(), 1);
    assert_eq!(on_record[0].rule, "basic-constraints");
    assert_eq!(on_record[0].reason, refusal.text);
    assert_eq!(log.count(), Ok(0));
}

#[test]
fn one_authority_serves_several_labels_with_a_policy_each() {
    let provider = pki_common::tls::crypto_provider().unwrap();
    let clock = Arc::new(FixedClock(now()));
    let log = Arc::new(MemoryLog::new(provider));
    let shared: Arc<dyn CertificateLog> = log.clone();
    let phones = EmbeddedCertificateAuthority::new(issuer("p256"), IssuancePolicy::default(), shared, clock);
    let mut strict = IssuancePolicy::default();
    strict.key.ec_p256 = false;
    let strict = phones.with_policy(strict);
    let label = |label: &str| EnrollRequest {
        label: Some(label.parse().unwrap()),
        ..request("p256")
    };
    let outcome = block_on(phones.enroll(label("phones")));
    assert!(matches!(outcome, Ok(EnrollOutcome::Issued(_))), "{outcome:?}");
    let outcome = block_on(strict.enroll(label("strict")));
    assert!(
        matches!(&outcome, Err(EnrollError::RejectedByPolicy(refusal)) if refusal.rule == PolicyRule::KeyType),
        "{outcome:?}"
    );
    // One log has both, each with its label.
    assert_eq!(
        log.certificates(0, 10).unwrap()[0].origin.label.as_deref(),
        Some("phones")
    );
    assert_eq!(
        log.refused(10).unwrap()[0].origin.label.as_deref(),
        Some("strict")
    );
    let [first, second] = [&phones, &strict].map(|authority| block_on(authority.ca_certificates()).unwrap());
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn overwrites_no_authority_and_starts_without_none_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::in_folder(folder.path());
    assert!(matches!(open(&files), Err(AuthorityError::File { .. })));
    drop(create(&files).unwrap());
    assert!(matches!(create(&files), Err(AuthorityError::File { .. })));
    drop(open(&files).unwrap());
    // Without its log an authority would not know what it issued.
    std::fs::remove_file(&files.database).unwrap();
    assert!(matches!(
        open(&files),
        Err(AuthorityError::Log(LogError::Storage { .. }))
    ));
}

#[cfg(unix)]
#[test]
fn keeps_the_key_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::in_folder(folder.path());
    drop(create(&files).unwrap());
    let mode = std::fs::metadata(&files.key).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn issues_nothing_that_is_not_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = SqliteLog::create(&path, pki_common::tls::crypto_provider().unwrap()).unwrap();
    let clock = Arc::new(FixedClock(now()));
    let authority =
        EmbeddedCertificateAuthority::new(issuer("p256"), IssuancePolicy::default(), Arc::new(log), clock);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("ALTER TABLE certificates RENAME TO hidden")
        .unwrap();
    let outcome = block_on(authority.enroll(request("p256")));
    assert!(
        matches!(outcome, Err(EnrollError::Internal { .. })),
        "{outcome:?}"
    );
}
