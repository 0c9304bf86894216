//! A database of version 1 is brought to this version when it is opened, with everything in it.

use est::ca::database::{CertificateFilter, CertificateLog as _, LogError, SqliteLog};
use est::ca::serial::SerialNumber;

use crate::support::test_data;

#[test]
fn a_database_of_version_1_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let serial = SerialNumber::from_random([7; 20]);
    {
        // The tables as the first version of this program made them.
        let old = rusqlite::Connection::open(&path).unwrap();
        let tables = String::from_utf8(test_data("ca/version-1.sql")).unwrap();
        old.execute_batch(&tables).unwrap();
        old.pragma_update(None, "journal_mode", "wal").unwrap();
        old.pragma_update(None, "application_id", 0x4553_544c).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let serial = serial.as_bytes().as_slice();
        old.execute("INSERT INTO serials VALUES (?1)", [serial]).unwrap();
        old.execute(
            "INSERT INTO certificates VALUES (1, ?1, 10, 20, 'CN=a', zeroblob(32), x'30', x'31', 'lab', 'alice',
                                              'http-basic', NULL, 15)",
            [serial],
        )
        .unwrap();
        old.execute(
            "INSERT INTO refused_requests VALUES (1, x'32', NULL, 'bob', 'none', '192.0.2.1', 16, 'key-type', 'no')",
            [],
        )
        .unwrap();
    }
    for _ in 0..2 {
        let log = SqliteLog::open(&path, pki_common::tls::crypto_provider().unwrap()).unwrap();
        let record = log.certificate(&serial).unwrap().unwrap();
        assert_eq!((record.subject.as_str(), record.issued_at), ("CN=a", 15));
        assert_eq!(record.origin.operation, "simpleenroll");
        assert_eq!(record.origin.channel_binding, "absent");
        assert_eq!(record.origin.policy, None);
        assert_eq!(log.refused(10).unwrap()[0].origin.requester, "bob");
        assert_eq!(log.search(&CertificateFilter::default(), 0, 10).unwrap().len(), 1);
        assert_eq!(log.queue(None, 0, 10), Ok(vec![]));
        assert_eq!(log.last_revocation(), Ok(0));
    }
    let version: i64 = rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 2);
}

#[test]
fn a_step_that_fails_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    {
        let old = rusqlite::Connection::open(&path).unwrap();
        let tables = String::from_utf8(test_data("ca/version-1.sql")).unwrap();
        old.execute_batch(&tables).unwrap();
        // In the way of a table of version 2.
        old.execute_batch("CREATE TABLE crls (x)").unwrap();
        old.pragma_update(None, "application_id", 0x4553_544c).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
    }
    let error = SqliteLog::open(&path, pki_common::tls::crypto_provider().unwrap()).unwrap_err();
    assert!(matches!(error, LogError::Corrupt { .. }), "{error}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let policies: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_master WHERE name = 'policies'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!((version, policies), (1, 0));
}
