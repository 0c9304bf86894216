//! The tables, and how a connection to them is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::LogError;
use super::failure::Failures;

/// Marks the file as ours: "ESTL" (SQLite's `application_id`).
const APPLICATION_ID: i64 = 0x4553_544c;

/// Version of the tables (SQLite's `user_version`). A file of an earlier version is brought to this one when it is
/// opened.
const VERSION: i64 = 2;

/// The steps from each version to the next; an empty file has version 0.
const STEPS: [&str; 2] = [TO_VERSION_1, TO_VERSION_2];

/// `serials` holds every number ever drawn, also those that no certificate came of. Times are in seconds since 1970.
const TO_VERSION_1: &str = "
    CREATE TABLE serials (
        serial BLOB NOT NULL PRIMARY KEY CHECK (length(serial) = 20)
    ) WITHOUT ROWID;
    CREATE TABLE certificates (
        sequence          INTEGER PRIMARY KEY,
        serial            BLOB NOT NULL UNIQUE REFERENCES serials (serial),
        not_before        INTEGER NOT NULL,
        not_after         INTEGER NOT NULL,
        subject           TEXT NOT NULL,
        public_key_sha256 BLOB NOT NULL CHECK (length(public_key_sha256) = 32),
        certificate_der   BLOB NOT NULL,
        csr_der           BLOB NOT NULL,
        label             TEXT,
        requester         TEXT NOT NULL,
        authentication    TEXT NOT NULL,
        address           TEXT,
        issued_at         INTEGER NOT NULL
    );
    CREATE INDEX certificates_by_public_key ON certificates (public_key_sha256);
    CREATE INDEX certificates_by_subject ON certificates (subject);
    CREATE TABLE refused_requests (
        sequence       INTEGER PRIMARY KEY,
        csr_der        BLOB NOT NULL,
        label          TEXT,
        requester      TEXT NOT NULL,
        authentication TEXT NOT NULL,
        address        TEXT,
        refused_at     INTEGER NOT NULL,
        rule           TEXT NOT NULL,
        reason         TEXT NOT NULL
    );
";

/// A row of `certificates` is the record of a request that was issued, too; `requests` shows all of them side by side.
/// What was recorded before this version came by simpleenroll, the only operation there was. A row of `crls` is kept
/// for the latest list only; its number goes on from there.
const TO_VERSION_2: &str = "
    CREATE TABLE policies (
        sequence    INTEGER PRIMARY KEY,
        version     TEXT NOT NULL UNIQUE,
        description TEXT NOT NULL,
        first_used  INTEGER NOT NULL
    );
    ALTER TABLE certificates ADD COLUMN operation TEXT NOT NULL DEFAULT 'simpleenroll';
    ALTER TABLE certificates ADD COLUMN channel_binding TEXT NOT NULL DEFAULT 'absent';
    ALTER TABLE certificates ADD COLUMN policy TEXT;
    ALTER TABLE refused_requests ADD COLUMN operation TEXT NOT NULL DEFAULT 'simpleenroll';
    ALTER TABLE refused_requests ADD COLUMN channel_binding TEXT NOT NULL DEFAULT 'absent';
    ALTER TABLE refused_requests ADD COLUMN policy TEXT;
    CREATE TABLE pending_requests (
        id              INTEGER PRIMARY KEY AUTOINCREMENT,
        request_key     BLOB NOT NULL CHECK (length(request_key) = 32),
        state           TEXT NOT NULL
                        CHECK (state IN ('waiting', 'approved', 'issued', 'rejected', 'expired')),
        csr_der         BLOB NOT NULL,
        subject         TEXT NOT NULL,
        label           TEXT,
        requester       TEXT NOT NULL,
        authentication  TEXT NOT NULL,
        address         TEXT,
        operation       TEXT NOT NULL,
        channel_binding TEXT NOT NULL,
        policy          TEXT,
        submitted_at    INTEGER NOT NULL,
        expires_at      INTEGER NOT NULL,
        decided_at      INTEGER,
        decided_by      TEXT,
        reason          TEXT,
        serial          BLOB REFERENCES serials (serial)
    );
    CREATE INDEX pending_requests_by_key ON pending_requests (request_key);
    CREATE INDEX pending_requests_open ON pending_requests (requester) WHERE state IN ('waiting', 'approved');
    CREATE TABLE revocations (
        sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
        serial          BLOB NOT NULL UNIQUE REFERENCES certificates (serial),
        revoked_at      INTEGER NOT NULL,
        reason          INTEGER NOT NULL,
        invalidity_date INTEGER,
        requester       TEXT NOT NULL,
        authentication  TEXT NOT NULL,
        address         TEXT
    );
    CREATE TABLE crls (
        number          INTEGER PRIMARY KEY,
        issuer_key      BLOB NOT NULL,
        this_update     INTEGER NOT NULL,
        next_update     INTEGER NOT NULL,
        last_revocation INTEGER NOT NULL,
        crl_der         BLOB NOT NULL
    );
    CREATE VIEW requests AS
        SELECT issued_at AS time, 'issued' AS outcome, operation, label, requester, authentication, channel_binding,
               address, policy, subject, hex(serial) AS serial, NULL AS reason
        FROM certificates
        UNION ALL
        SELECT refused_at, 'refused', operation, label, requester, authentication, channel_binding,
               address, policy, NULL, NULL, rule || ': ' || reason
        FROM refused_requests
        UNION ALL
        SELECT submitted_at, state, operation, label, requester, authentication, channel_binding,
               address, policy, subject, hex(serial), reason
        FROM pending_requests;
";

/// Opens an existing file. `lock_wait` is how long each statement waits for another process's lock.
pub(super) fn connect(path: &Path, lock_wait: Duration, failures: &Failures) -> Result<Connection, LogError> {
    let open = || -> rusqlite::Result<(Connection, String)> {
        // No URI names and no creation: the path is a path, and the file is there.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(lock_wait)?;
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        // FULL: a commit has reached the disk when it returns. NORMAL would not wait in WAL mode.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok((connection, mode))
    };
    let (connection, mode) = open().map_err(|error| failures.classify(&error))?;
    if mode != "wal" {
        return Err(failures.storage(format!(
            "the file system allows no write-ahead log (journal mode {mode:?})"
        )));
    }
    Ok(connection)
}

/// Makes the tables of an empty file.
pub(super) fn create(connection: &mut Connection, failures: &Failures) -> Result<(), LogError> {
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(|error| failures.classify(&error))?;
    upgrade(connection, failures)
}

/// Brings the tables to this version, all of it or nothing.
pub(super) fn upgrade(connection: &mut Connection, failures: &Failures) -> Result<(), LogError> {
    let mut upgrade = || -> rusqlite::Result<()> {
        // Immediate: of two processes, the second finds the work done.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let Ok(done) = usize::try_from(found) else {
            return Ok(());
        };
        if done >= STEPS.len() {
            return Ok(());
        }
        for step in STEPS.iter().skip(done) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        if found > 0 {
            tracing::info!(
                from = found,
                to = VERSION,
                "brought the database to the current version"
            );
        }
        Ok(())
    };
    upgrade().map_err(|error| failures.classify(&error))
}

/// Bounds the size of the file, for what this connection writes.
pub(super) fn limit(
    connection: &Connection,
    max_bytes: Option<u64>,
    failures: &Failures,
) -> Result<(), LogError> {
    let Some(max_bytes) = max_bytes else {
        return Ok(());
    };
    let set = || -> rusqlite::Result<()> {
        let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        // SQLite takes 0 for "no change", and no less than there are.
        let pages = (bytes / page_size.max(1)).clamp(1, i64::from(u32::MAX - 1));
        connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))?;
        Ok(())
    };
    set().map_err(|error| failures.classify(&error))
}

/// Whether the file is a log, of a version that can be read or brought to this one.
pub(super) fn check(connection: &Connection, failures: &Failures) -> Result<(), LogError> {
    let number = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| failures.classify(&error))
    };
    let application_id = number("application_id")?;
    if application_id != APPLICATION_ID {
        return Err(failures.wrong_kind(format!(
            "its application id is {application_id}, not {APPLICATION_ID}"
        )));
    }
    let version = number("user_version")?;
    if !(1..=VERSION).contains(&version) {
        return Err(failures.wrong_kind(format!(
            "its version is {version}; this program reads versions up to {VERSION}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kill does not show whether a commit waits for the disk; a loss of power would.
    #[test]
    fn every_connection_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::File::create(&path).unwrap();
        let connection = connect(&path, Duration::ZERO, &Failures::of(&path)).unwrap();
        let text = |name| connection.pragma_query_value(None, name, |row| row.get::<_, String>(0));
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        assert_eq!(text("journal_mode").unwrap(), "wal");
        // 2 is FULL.
        assert_eq!(number("synchronous").unwrap(), 2);
        assert_eq!(number("foreign_keys").unwrap(), 1);
    }
}
