//! The thread that writes: many entries in one transaction, answered after the commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use rustls::crypto::CryptoProvider;

use super::failure::Failures;
use super::settings::SqliteSettings;
use crate::ca::database::memory::random_serial;
use crate::ca::database::reply::Reply;
use crate::ca::database::{CertificateRecord, LogError, RefusedRequest};
use crate::ca::serial::SerialNumber;

/// Most entries in one transaction, so that the first one does not wait for ever under load.
const MAX_GROUP: usize = 256;

/// A unit of work for the writer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: Option<Reply>,
}

#[derive(Debug)]
pub(super) enum Work {
    Issued(Box<CertificateRecord>),
    Refused(Box<RefusedRequest>),
    ReserveSerials,
}

/// Serial numbers that are on disk as taken, and that nobody has got yet.
#[derive(Debug)]
pub(super) struct SerialPool {
    serials: Mutex<Vec<SerialNumber>>,
    low_water: usize,
    asked_for_more: AtomicBool,
    /// Why the writer could not write, until it can again.
    failure: Mutex<Option<LogError>>,
}

impl SerialPool {
    pub(super) fn new(low_water: usize) -> Self {
        Self {
            serials: Mutex::default(),
            low_water,
            asked_for_more: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    /// Why the writer's last transaction failed; `None` when it did not.
    pub(super) fn last_failure(&self) -> Option<LogError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note_failure(&self, failure: Option<LogError>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// A number, if there is one, and whether the writer should be asked for more.
    pub(super) fn take(&self) -> (Option<SerialNumber>, bool) {
        let (serial, left) = {
            let mut serials = self.serials.lock().unwrap_or_else(PoisonError::into_inner);
            (serials.pop(), serials.len())
        };
        // With nothing left it is asked every time: an earlier attempt may have failed, on a full disk for instance.
        let asked_before = left < self.low_water && self.asked_for_more.swap(true, Ordering::Relaxed);
        let ask = serial.is_none() || (left < self.low_water && !asked_before);
        (serial, ask)
    }

    fn add(&self, new: Vec<SerialNumber>) {
        self.serials
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(new);
        self.asked_for_more.store(false, Ordering::Relaxed);
    }

    fn len(&self) -> usize {
        self.serials.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn drain(&self) -> Vec<SerialNumber> {
        std::mem::take(&mut *self.serials.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) struct Writer {
    connection: Connection,
    provider: Arc<CryptoProvider>,
    serials: Arc<SerialPool>,
    failures: Failures,
    settings: SqliteSettings,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        provider: Arc<CryptoProvider>,
        serials: Arc<SerialPool>,
        failures: Failures,
        settings: SqliteSettings,
    ) -> Self {
        Self {
            connection,
            provider,
            serials,
            failures,
            settings,
        }
    }

    /// Fills the reserve.
    pub(super) fn reserve_serials(&mut self) -> Result<(), LogError> {
        self.write_group(&[]).map(drop)
    }

    /// Works until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            group.extend(jobs.try_iter().take(MAX_GROUP - 1));
            let outcome = self.write_group(&group);
            self.serials.note_failure(outcome.as_ref().err().cloned());
            if let Err(error) = &outcome {
                tracing::error!(%error, entries = group.len(), "the database took none of the waiting entries");
            }
            for (index, job) in group.into_iter().enumerate() {
                let Some(reply) = job.reply else { continue };
                reply.send(match &outcome {
                    Ok(refused) => refused
                        .iter()
                        .find(|(at, _)| *at == index)
                        .map_or(Ok(()), |(_, e)| Err(e.clone())),
                    Err(error) => Err(error.clone()),
                });
            }
        }
        self.release_unused_serials();
    }

    /// Writes a group in one transaction and fills the reserve of serial numbers. Yields the entries that were not
    /// taken although the others were.
    fn write_group(&mut self, group: &[Job]) -> Result<Vec<(usize, LogError)>, LogError> {
        let wanted = match self.serials.len() {
            left if left < self.settings.low_water() => self.settings.reserved_serials - left,
            _ => 0,
        };
        let kept = self.settings.refused_requests;
        let (provider, failures) = (&self.provider, &self.failures);
        let mut write = || -> Result<_, WriteError> {
            // Immediate: another process's lock is met, and waited for, here and nowhere later.
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut refused = Vec::new();
            for (index, job) in group.iter().enumerate() {
                let written = match &job.work {
                    Work::Issued(record) => insert_certificate(&transaction, record),
                    Work::Refused(record) => insert_refused(&transaction, record),
                    Work::ReserveSerials => Ok(()),
                };
                match written {
                    Err(error) if is_constraint(&error) => refused.push((index, refusal_of(&job.work))),
                    other => other?,
                }
            }
            if group.iter().any(|job| matches!(job.work, Work::Refused(_))) {
                drop_oldest_refused(&transaction, kept)?;
            }
            let new = insert_serials(&transaction, wanted, provider)?;
            transaction.commit()?;
            Ok((refused, new))
        };
        let (refused, new) = write().map_err(|error| error.classify(failures))?;
        self.serials.add(new);
        Ok(refused)
    }

    /// Gives back the numbers nobody took, so that restarts do not fill the table. After a kill they stay.
    fn release_unused_serials(&mut self) {
        let unused = self.serials.drain();
        let release = || -> rusqlite::Result<()> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            for serial in &unused {
                transaction
                    .prepare_cached("DELETE FROM serials WHERE serial = ?1")?
                    .execute([serial.as_bytes().as_slice()])?;
            }
            transaction.commit()
        };
        let mut release = release;
        if let Err(error) = release() {
            tracing::warn!(%error, "unused serial numbers stay on record");
        }
    }
}

enum WriteError {
    Sqlite(rusqlite::Error),
    Log(LogError),
}

impl WriteError {
    fn classify(self, failures: &Failures) -> LogError {
        match self {
            Self::Sqlite(error) => failures.classify(&error),
            Self::Log(error) => error,
        }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<LogError> for WriteError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// A constraint refuses one row and leaves the transaction whole; any other error does not.
fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn refusal_of(work: &Work) -> LogError {
    match work {
        Work::Issued(record) => LogError::SerialNumber {
            serial: record.serial.to_string(),
        },
        Work::Refused(_) | Work::ReserveSerials => LogError::Stopped,
    }
}

/// SQLite's integers are signed. No time before the year 292 billion is cut.
fn integer(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

fn insert_certificate(connection: &Connection, record: &CertificateRecord) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO certificates (serial, not_before, not_after, subject, public_key_sha256, certificate_der,
                                   csr_der, label, requester, authentication, address, issued_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    statement.execute(params![
        record.serial.as_bytes().as_slice(),
        integer(record.not_before),
        integer(record.not_after),
        record.subject,
        record.public_key_sha256.as_slice(),
        record.certificate.as_ref(),
        record.csr,
        record.origin.label,
        record.origin.requester,
        record.origin.authentication,
        record.origin.address,
        integer(record.issued_at),
    ])?;
    Ok(())
}

fn insert_refused(connection: &Connection, record: &RefusedRequest) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO refused_requests (csr_der, label, requester, authentication, address, refused_at, rule, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        record.csr,
        record.origin.label,
        record.origin.requester,
        record.origin.authentication,
        record.origin.address,
        integer(record.refused_at),
        record.rule,
        record.reason,
    ])?;
    Ok(())
}

/// Keeps the latest refused requests. Only the oldest are ever deleted, so the numbers have no gaps.
fn drop_oldest_refused(connection: &Connection, kept: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM refused_requests WHERE sequence <= (SELECT max(sequence) FROM refused_requests) - ?1",
        )?
        .execute([kept])?;
    Ok(())
}

/// Draws `count` numbers that no row has, and takes them.
fn insert_serials(
    connection: &Connection,
    count: usize,
    provider: &CryptoProvider,
) -> Result<Vec<SerialNumber>, WriteError> {
    let mut statement = connection.prepare_cached("INSERT INTO serials (serial) VALUES (?1)")?;
    let mut serials = Vec::with_capacity(count);
    while serials.len() < count {
        let serial = random_serial(provider)?;
        match statement.execute([serial.as_bytes().as_slice()]) {
            Ok(_) => serials.push(serial),
            // Taken already: draw another.
            Err(error) if is_constraint(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(serials)
}
