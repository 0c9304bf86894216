//! The durable log: nothing lost, no serial twice, errors said aloud.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use est::ca::database::{
    CertificateLog, CertificateRecord, LogError, MAX_REFUSED_REQUESTS, MemoryLog, RefusedRequest,
    RequestOrigin, SqliteLog, SqliteSettings,
};
use est::ca::serial::SerialNumber;
use rustls_pki_types::CertificateDer;

use crate::support::block_on;

fn open(path: &Path) -> Result<SqliteLog, LogError> {
    SqliteLog::open(path, pki_common::tls::crypto_provider().unwrap())
}

fn create(path: &Path) -> Result<SqliteLog, LogError> {
    SqliteLog::create(path, pki_common::tls::crypto_provider().unwrap())
}

fn record(serial: SerialNumber) -> CertificateRecord {
    CertificateRecord {
        serial,
        not_before: 1,
        not_after: 2_000_000_000,
        subject: "CN=device,O='quoted'; --".to_owned(),
        public_key_sha256: [7; 32],
        certificate: CertificateDer::from(serial.as_bytes().to_vec()),
        csr: vec![1, 2, 3],
        origin: RequestOrigin {
            label: Some("lab".to_owned()),
            requester: "alice".to_owned(),
            authentication: "http-basic".to_owned(),
            address: None,
            operation: "simplereenroll".to_owned(),
            channel_binding: "tls-exporter".to_owned(),
            policy: Some("0123456789abcdef".to_owned()),
        },
        issued_at: 1_700_000_000,
    }
}

fn issue_one(log: &dyn CertificateLog) -> SerialNumber {
    let serial = log.reserve_serial().unwrap();
    block_on(log.record_issued(record(serial))).unwrap();
    serial
}

#[test]
fn keeps_every_field_in_both_kinds_of_log() {
    let folder = tempfile::tempdir().unwrap();
    let logs: [Box<dyn CertificateLog>; 2] = [
        Box::new(create(&folder.path().join("log")).unwrap()),
        Box::new(MemoryLog::new(pki_common::tls::crypto_provider().unwrap())),
    ];
    for log in logs {
        let serials: Vec<SerialNumber> = (0..3).map(|_| issue_one(log.as_ref())).collect();
        assert_eq!(log.certificate(&serials[1]).unwrap(), Some(record(serials[1])));
        assert_eq!(log.certificate(&SerialNumber::from_random([0; 20])), Ok(None));
        assert_eq!(log.serials().unwrap(), serials);
        assert_eq!(log.count(), Ok(3));
        assert_eq!(log.certificates(1, 1).unwrap(), [record(serials[1])]);

        // A serial number that is used already, and one that nobody reserved.
        for serial in [serials[0], SerialNumber::from_random([0; 20])] {
            let outcome = block_on(log.record_issued(record(serial)));
            assert_eq!(
                outcome,
                Err(LogError::SerialNumber {
                    serial: serial.to_string()
                })
            );
        }
        assert_eq!(log.count(), Ok(3));

        let refused = |number: u8| RefusedRequest {
            csr: vec![number],
            origin: RequestOrigin::default(),
            refused_at: 5,
            rule: "key-type".to_owned(),
            reason: "no".to_owned(),
        };
        block_on(log.record_refused(refused(1))).unwrap();
        block_on(log.record_refused(refused(2))).unwrap();
        assert_eq!(log.refused(10).unwrap(), [refused(2), refused(1)]);
    }
}

#[test]
fn loses_nothing_and_repeats_no_serial_under_concurrency_and_reopening() {
    const THREADS: usize = 8;
    const EACH: usize = 100;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    create(&path).unwrap();
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        let log = Arc::new(open(&path).unwrap());
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let log = Arc::clone(&log);
                std::thread::spawn(move || (0..EACH).map(|_| issue_one(log.as_ref())).collect::<Vec<_>>())
            })
            .collect();
        acknowledged.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
    }
    let stored: HashSet<SerialNumber> = open(&path).unwrap().serials().unwrap().into_iter().collect();
    assert_eq!(acknowledged.len(), 3 * THREADS * EACH);
    assert_eq!(stored.len(), acknowledged.len());
    assert!(acknowledged.iter().all(|serial| stored.contains(serial)));
}

#[test]
fn gives_more_serials_than_the_reserve_holds() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(&folder.path().join("log")).unwrap();
    let mut serials = HashSet::new();
    let mut busy = 0;
    while serials.len() < 5000 {
        match log.reserve_serial() {
            Ok(serial) => assert!(serials.insert(serial)),
            // The writer is filling the reserve.
            Err(LogError::Busy { .. }) => {
                busy += 1;
                assert!(busy < 60_000, "the reserve is never filled");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn answers_everything_that_waits_when_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let log = create(&folder.path().join("log")).unwrap();
    let waiting: Vec<_> = (0..500)
        .map(|_| {
            let serial = log.reserve_serial().unwrap();
            log.record_issued(record(serial))
        })
        .collect();
    let path = log.path().to_owned();
    drop(log);
    let recorded = waiting.into_iter().map(block_on).filter(Result::is_ok).count();
    assert_eq!(recorded, 500);
    assert_eq!(open(&path).unwrap().count(), Ok(500));
}

/// The name under which the next test starts itself.
const VICTIM: &str = "EST_TEST_LOG_TO_BE_KILLED_OVER";

/// Not a test of its own: issues and prints serial numbers until it is killed, when the variable names a file.
#[test]
fn victim_of_the_kill_test() {
    let Some(path) = std::env::var_os(VICTIM) else {
        return;
    };
    let log = Arc::new(open(Path::new(&path)).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let log = Arc::clone(&log);
            std::thread::spawn(move || {
                loop {
                    let serial = issue_one(log.as_ref());
                    writeln!(std::io::stdout(), "issued {serial}").unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_kill_loses_no_acknowledged_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    create(&path).unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "database::victim_of_the_kill_test", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < round * 20 {
            seen += take_serial(
                &lines.next().expect("the victim ended early").unwrap(),
                &mut acknowledged,
            );
        }
        // SIGKILL on Unix.
        victim.kill().unwrap();
        victim.wait().unwrap();
        // Whole lines that were still in the pipe were acknowledged too.
        for line in lines.map_while(Result::ok) {
            take_serial(&line, &mut acknowledged);
        }
    }
    let stored = open(&path).unwrap().serials().unwrap();
    let distinct: HashSet<&SerialNumber> = stored.iter().collect();
    assert_eq!(distinct.len(), stored.len(), "a serial number was used twice");
    assert!(acknowledged.len() >= 300);
    assert!(
        acknowledged.iter().all(|serial| distinct.contains(serial)),
        "an acknowledged certificate is lost"
    );
}

/// The test harness may print in front of the first line, and the last line may be cut off.
fn take_serial(line: &str, acknowledged: &mut Vec<SerialNumber>) -> usize {
    match line.split_once("issued ").map(|(_, serial)| serial.parse()) {
        Some(Ok(serial)) => {
            acknowledged.push(serial);
            1
        }
        _ => 0,
    }
}

#[test]
fn refuses_files_that_are_no_log_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    assert!(
        matches!(open(&path), Err(LogError::Storage { .. })),
        "opened a missing file"
    );

    create(&path).unwrap();
    assert!(
        matches!(create(&path), Err(LogError::Storage { .. })),
        "created over an existing file"
    );
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    drop(connection);
    let error = open(&path).unwrap_err();
    assert!(matches!(error, LogError::WrongKind { .. }), "{error}");
    assert!(error.to_string().contains("its version is 3"), "{error}");

    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, vec![0x55; 8192]).unwrap();
    assert!(matches!(open(&garbage), Err(LogError::Corrupt { .. })));

    let foreign = folder.path().join("foreign");
    rusqlite::Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    assert!(matches!(open(&foreign), Err(LogError::WrongKind { .. })));
}

#[cfg(unix)]
#[test]
fn keeps_the_file_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let log = create(&folder.path().join("log")).unwrap();
    issue_one(&log);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn refuses_an_entry_it_cannot_write_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = create(&path).unwrap();
    issue_one(&log);
    // The table is taken away under the writer.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("ALTER TABLE certificates RENAME TO hidden")
        .unwrap();
    let serial = log.reserve_serial().unwrap();
    let outcome = block_on(log.record_issued(record(serial)));
    assert!(matches!(outcome, Err(LogError::Storage { .. })), "{outcome:?}");
    connection
        .execute_batch("ALTER TABLE hidden RENAME TO certificates")
        .unwrap();
    block_on(log.record_issued(record(serial))).unwrap();
    assert_eq!(log.count(), Ok(2));
}

/// Whoever may enrol may also have as many requests refused as they like.
#[test]
fn keeps_a_bounded_number_of_refused_requests_and_drops_the_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let provider = || pki_common::tls::crypto_provider().unwrap();
    let settings = SqliteSettings {
        refused_requests: 3,
        ..SqliteSettings::default()
    };
    let path = folder.path().join("log");
    let log = SqliteLog::create_with(&path, provider(), settings).unwrap();
    let refused = |number: u64| RefusedRequest {
        csr: vec![1],
        origin: RequestOrigin::default(),
        refused_at: number,
        rule: "key-type".to_owned(),
        reason: "no".to_owned(),
    };
    let kept = |log: &dyn CertificateLog| -> Vec<u64> {
        let kept = log.refused(u32::MAX).unwrap();
        kept.iter().map(|refused| refused.refused_at).collect()
    };
    for number in 1..=5 {
        block_on(log.record_refused(refused(number))).unwrap();
    }
    assert_eq!(kept(&log), [5, 4, 3]);
    drop(log);
    let log = SqliteLog::open_with(&path, provider(), settings).unwrap();
    block_on(log.record_refused(refused(6))).unwrap();
    assert_eq!(kept(&log), [6, 5, 4]);

    let memory = MemoryLog::new(provider());
    let last = u64::from(MAX_REFUSED_REQUESTS) + 2;
    for number in 1..=last {
        block_on(memory.record_refused(refused(number))).unwrap();
    }
    let kept = kept(&memory);
    assert_eq!(kept.len(), usize::try_from(MAX_REFUSED_REQUESTS).unwrap());
    assert_eq!((kept[0], kept[kept.len() - 1]), (last, 3));
}

/// `est ca server-certificate` beside a running server, for instance.
#[test]
fn two_writers_on_one_file_lose_nothing_and_share_no_serial() {
    const EACH: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    drop(create(&path).unwrap());
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || {
                let log = open(&path).unwrap();
                (0..EACH).map(|_| issue_one(&log)).collect::<Vec<_>>()
            })
        })
        .collect();
    let issued: Vec<_> = writers
        .into_iter()
        .flat_map(|writer| writer.join().unwrap())
        .collect();
    let stored: HashSet<_> = open(&path).unwrap().serials().unwrap().into_iter().collect();
    assert_eq!((stored.len(), issued.len()), (2 * EACH, 2 * EACH));
    assert!(issued.iter().all(|serial| stored.contains(serial)));
}
