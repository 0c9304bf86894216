//! The log in an SQLite file.

mod failure;
mod insert;
mod queue;
mod read;
mod revocation;
mod schema;
mod serials;
mod settings;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rustls::crypto::CryptoProvider;

use super::reply::{Written, reply};
use super::{
    CertificateEntry, CertificateFilter, CertificateLog, CertificateRecord, CrlOrder, Decision, LogError,
    LogFuture, PolicyRecord, QueueAnswer, QueueEntry, QueueState, RefusedRequest, RevocationRecord,
    StoredCrl, Submission,
};
use crate::ca::serial::SerialNumber;
use failure::Failures;
use serials::SerialPool;
pub use settings::{LOCK_WAIT, MAX_QUEUE, RESERVED_SERIALS, SqliteSettings};
use writer::{Job, Work, Writer};

/// A [`CertificateLog`] in an SQLite file with a write-ahead log.
///
/// One thread writes. It takes whatever entries are waiting into one transaction and answers them after the commit,
/// which has reached the disk by then (`synchronous = FULL`). Serial numbers are drawn and committed ahead of their
/// use, in the same transactions. Other processes may read the file at the same time.
///
/// Dropping the log writes what is still waiting and blocks until that is done.
pub struct SqliteLog {
    path: PathBuf,
    settings: SqliteSettings,
    failures: Failures,
    queue: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    serials: Arc<SerialPool>,
    reader: Mutex<Connection>,
}

impl SqliteLog {
    /// Makes a new file, readable by its owner only (a request in it may hold a challenge password).
    ///
    /// # Errors
    /// [`LogError::Storage`] when the file exists or cannot be made.
    pub fn create(path: impl AsRef<Path>, provider: Arc<CryptoProvider>) -> Result<Self, LogError> {
        Self::create_with(path, provider, SqliteSettings::default())
    }

    /// As [`Self::create`], with other bounds.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_with(
        path: impl AsRef<Path>,
        provider: Arc<CryptoProvider>,
        settings: SqliteSettings,
    ) -> Result<Self, LogError> {
        let path = path.as_ref();
        let storage = |reason: String| LogError::Storage {
            path: path.to_owned(),
            reason,
        };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .map_err(|error| storage(format!("it cannot be made: {error}")))?;
        Self::start(path, provider, settings, true).inspect_err(|_| {
            // An empty file would be in the way of the next try. The first error is the one to report.
            for ending in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(ending);
                drop(std::fs::remove_file(name));
            }
        })
    }

    /// Opens a file that [`Self::create`] made.
    ///
    /// # Errors
    /// [`LogError::Storage`] when it is missing, [`LogError::WrongKind`] when another program or version made it,
    /// [`LogError::Corrupt`] when it is damaged.
    pub fn open(path: impl AsRef<Path>, provider: Arc<CryptoProvider>) -> Result<Self, LogError> {
        Self::open_with(path, provider, SqliteSettings::default())
    }

    /// As [`Self::open`], with other bounds.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        path: impl AsRef<Path>,
        provider: Arc<CryptoProvider>,
        settings: SqliteSettings,
    ) -> Result<Self, LogError> {
        let path = path.as_ref();
        if !path.is_file() {
            let reason = "there is no such file; an authority without its log must not issue".to_owned();
            return Err(LogError::Storage {
                path: path.to_owned(),
                reason,
            });
        }
        Self::start(path, provider, settings, false)
    }

    fn start(
        path: &Path,
        provider: Arc<CryptoProvider>,
        settings: SqliteSettings,
        new: bool,
    ) -> Result<Self, LogError> {
        let settings = settings.at_least_one();
        let failures = Failures::of(path);
        let mut connection = schema::connect(path, settings.lock_wait, &failures)?;
        if new {
            schema::create(&mut connection, &failures)?;
        }
        schema::check(&connection, &failures)?;
        schema::upgrade(&mut connection, &failures)?;
        schema::limit(&connection, settings.max_bytes, &failures)?;
        let reader = schema::connect(path, settings.lock_wait, &failures)?;
        reader
            .pragma_update(None, "query_only", true)
            .map_err(|error| failures.classify(&error))?;

        let serials = Arc::new(SerialPool::new(settings.low_water()));
        let mut writer = Writer::new(
            connection,
            provider,
            Arc::clone(&serials),
            failures.clone(),
            settings,
        );
        writer.reserve_serials()?;
        let (queue, jobs) = mpsc::sync_channel(settings.queue);
        let thread = std::thread::Builder::new()
            .name("certificate-log".to_owned())
            .spawn(move || writer.run(&jobs))
            .map_err(|error| failures.storage(format!("the writer thread did not start: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            settings,
            failures,
            queue: Some(queue),
            writer: Some(thread),
            serials,
            reader: Mutex::new(reader),
        })
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has the writer do it, and takes from its answer what `pick` finds there.
    fn write<T: Send + 'static>(&self, work: Work, pick: fn(Written) -> Option<T>) -> LogFuture<T> {
        let (reply, answer) = reply();
        let queued = self.enqueue(Job {
            work,
            reply: Some(reply),
        });
        Box::pin(async move {
            queued?;
            // The writer gives each kind of work its own kind of answer.
            pick(answer.await?).ok_or(LogError::Stopped)
        })
    }

    fn enqueue(&self, job: Job) -> Result<(), LogError> {
        let queue = self.queue.as_ref().ok_or(LogError::Stopped)?;
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => LogError::Busy {
                waiting: self.settings.queue,
            },
            TrySendError::Disconnected(_) => LogError::Stopped,
        })
    }

    /// A number of the reserve, if one is left; asks the writer for more when they run low.
    fn take_serial(&self) -> Option<SerialNumber> {
        let (serial, running_low) = self.serials.take();
        let ask = Job {
            work: Work::ReserveSerials,
            reply: None,
        };
        if running_low && self.enqueue(ask).is_err() {
            // The queue is full, so the writer is awake and fills the reserve with its next transaction.
            tracing::debug!("no room in the queue to ask for serial numbers");
        }
        serial
    }

    fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LogError> {
        query(&self.reader()).map_err(|error| self.failures.classify(&error))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        // A connection is whole after a panic: SQLite's own state is not Rust's.
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        // Without a sender the writer ends once the queue is empty.
        drop(self.queue.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(path = %self.path.display(), "the database writer ended by a panic");
        }
    }
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SqliteLog")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl CertificateLog for SqliteLog {
    fn reserve_serial(&self) -> Result<SerialNumber, LogError> {
        if let Some(serial) = self.take_serial() {
            return Ok(serial);
        }
        // When the reserve ran out because the writer cannot fill it, its reason is the one to tell. Without one, the
        // writer may have filled it between the look into the reserve and the look at the reason.
        match self.serials.last_failure() {
            Some(failure) => Err(failure),
            None => self.take_serial().ok_or(LogError::Busy {
                waiting: self.settings.reserved_serials,
            }),
        }
    }

    fn record_issued(&self, record: CertificateRecord) -> LogFuture {
        self.write(Work::Issued(Box::new(record)), done)
    }

    fn record_refused(&self, record: RefusedRequest) -> LogFuture {
        self.write(Work::Refused(Box::new(record)), done)
    }

    fn certificate(&self, serial: &SerialNumber) -> Result<Option<CertificateRecord>, LogError> {
        self.read(|connection| read::certificate(connection, serial))
    }

    fn certificates(&self, skip: u32, limit: u32) -> Result<Vec<CertificateRecord>, LogError> {
        self.read(|connection| read::certificates(connection, skip, limit))
    }

    fn serials(&self) -> Result<Vec<SerialNumber>, LogError> {
        self.read(read::serials)
    }

    fn count(&self) -> Result<u64, LogError> {
        self.read(read::count)
    }

    fn refused(&self, limit: u32) -> Result<Vec<RefusedRequest>, LogError> {
        self.read(|connection| read::refused(connection, limit))
    }

    fn record_policy(&self, policy: PolicyRecord) {
        let job = Job {
            work: Work::Policy(Box::new(policy)),
            reply: None,
        };
        // A policy changes when somebody configures it: this waits for room instead of giving up.
        if self.queue.as_ref().is_none_or(|queue| queue.send(job).is_err()) {
            tracing::error!("a policy is not on record, because the database writer has stopped");
        }
    }

    fn submit(&self, submission: Submission) -> LogFuture<QueueAnswer> {
        self.write(Work::Submit(Box::new(submission)), queue_answer)
    }

    fn record_issued_from_queue(&self, id: i64, record: CertificateRecord) -> LogFuture<QueueAnswer> {
        self.write(Work::IssuedFromQueue(id, Box::new(record)), queue_answer)
    }

    fn decide(&self, decision: Decision) -> LogFuture {
        self.write(Work::Decide(Box::new(decision)), done)
    }

    fn queue(&self, state: Option<QueueState>, after: i64, limit: u32) -> Result<Vec<QueueEntry>, LogError> {
        self.read(|connection| read::queue(connection, state, after, limit))
    }

    fn revoke(&self, revocation: RevocationRecord) -> LogFuture {
        self.write(Work::Revoke(Box::new(revocation)), done)
    }

    fn last_revocation(&self) -> Result<i64, LogError> {
        self.read(revocation::last)
    }

    fn revocation_list(&self, order: CrlOrder) -> LogFuture<StoredCrl> {
        self.write(Work::Crl(Some(Box::new(order))), |written| match written {
            Written::Crl(crl) => Some(*crl),
            _ => None,
        })
    }

    fn search(
        &self,
        filter: &CertificateFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<CertificateEntry>, LogError> {
        self.read(|connection| read::search(connection, filter, after, limit))
    }

    fn policies(&self) -> Result<Vec<PolicyRecord>, LogError> {
        self.read(read::policies)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "every answer of the writer is taken by value"
)]
fn done(written: Written) -> Option<()> {
    matches!(written, Written::Done).then_some(())
}

fn queue_answer(written: Written) -> Option<QueueAnswer> {
    match written {
        Written::Queue(answer) => Some(answer),
        _ => None,
    }
}
