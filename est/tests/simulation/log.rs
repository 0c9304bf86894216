//! The log of the authority behind a script: the SQLite log, and what can be in its way.

use std::collections::BTreeMap;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use est::ca::database::{
    CertificateEntry, CertificateFilter, CertificateLog, CertificateRecord, CrlOrder, Decision, LogError,
    LogFuture, PolicyRecord, QueueAnswer, QueueEntry, QueueState, RefusedRequest, RevocationRecord,
    SqliteLog, SqliteSettings, StoredCrl, Submission,
};
use est::ca::serial::SerialNumber;
use pki_common::tls::crypto_provider;
use tokio::time::Instant;

/// What is in the way of a write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LogFault {
    /// The disk is full from this write on, for so long.
    Full(Duration),
    /// Another process locks the file before this write, and holds it for so long.
    Locked(Duration),
}

/// The writer of the log works on a thread of its own, which the virtual clock does not wait for. So each write is
/// waited for at once, and runs of the same seed have the same order.
#[derive(Debug)]
pub(crate) struct ScriptedLog {
    path: PathBuf,
    settings: Mutex<SqliteSettings>,
    inner: Mutex<Option<Arc<SqliteLog>>>,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    writes: u64,
    faults: BTreeMap<u64, LogFault>,
    injected: u64,
    full_until: Option<Instant>,
    locked: Option<(rusqlite::Connection, Instant)>,
}

impl Script {
    /// The other process gives up its lock when its time is over.
    fn let_go(&mut self, now: Instant) {
        if self.locked.as_ref().is_some_and(|(_, until)| now >= *until) {
            self.locked = None;
        }
    }
}

/// Another process that waits for nobody is told of the lock at once, so the log is told at once, too.
pub(crate) fn settings() -> SqliteSettings {
    SqliteSettings {
        reserved_serials: 16,
        lock_wait: Duration::ZERO,
        ..SqliteSettings::default()
    }
}

impl ScriptedLog {
    /// The log in this file, made when there is none.
    pub(crate) fn open(path: &Path, settings: SqliteSettings) -> Arc<Self> {
        let provider = crypto_provider().unwrap();
        let inner = match path.exists() {
            true => SqliteLog::open_with(path, provider, settings),
            false => SqliteLog::create_with(path, provider, settings),
        };
        Arc::new(Self {
            path: path.to_owned(),
            settings: Mutex::new(settings),
            inner: Mutex::new(Some(Arc::new(inner.unwrap()))),
            script: Mutex::default(),
        })
    }

    /// Waits until the other process has given up its lock.
    pub(crate) async fn unlocked(&self) {
        let until = self
            .script
            .lock()
            .unwrap()
            .locked
            .as_ref()
            .map(|(_, until)| *until);
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
            self.script.lock().unwrap().locked = None;
        }
    }

    /// Closes the file and opens it again, as a process that starts anew does.
    pub(crate) fn restart(&self) {
        let settings = *self.settings.lock().unwrap();
        self.restart_with(settings);
    }

    /// The same with other bounds.
    pub(crate) fn restart_with(&self, settings: SqliteSettings) {
        *self.settings.lock().unwrap() = settings;
        let mut inner = self.inner.lock().unwrap();
        *inner = None;
        let opened = SqliteLog::open_with(&self.path, crypto_provider().unwrap(), settings);
        *inner = Some(Arc::new(opened.unwrap()));
    }

    /// Somebody else's half megabyte in the file; how large it is then.
    pub(crate) fn add_ballast(&self) -> u64 {
        let other = rusqlite::Connection::open(&self.path).unwrap();
        other
            .execute_batch(
                "CREATE TABLE ballast (x BLOB); INSERT INTO ballast VALUES (zeroblob(500000));
                 PRAGMA wal_checkpoint(TRUNCATE);",
            )
            .unwrap();
        std::fs::metadata(&self.path).unwrap().len()
    }

    /// It goes, and its pages are free.
    pub(crate) fn drop_ballast(&self) {
        let other = rusqlite::Connection::open(&self.path).unwrap();
        other.execute_batch("DROP TABLE ballast").unwrap();
    }

    fn inner(&self) -> Arc<SqliteLog> {
        Arc::clone(self.inner.lock().unwrap().as_ref().unwrap())
    }

    /// Puts a fault before the write that comes after so many others.
    pub(crate) fn inject(&self, after: u64, fault: LogFault) {
        let mut script = self.script.lock().unwrap();
        let number = script.writes + after;
        script.faults.insert(number, fault);
    }

    /// How many faults have met a write so far, and how many writes there were.
    pub(crate) fn injected(&self) -> (u64, u64) {
        let script = self.script.lock().unwrap();
        (script.injected, script.writes)
    }

    /// Forgets what was to come, and ends what goes on.
    pub(crate) fn mend(&self) {
        let mut script = self.script.lock().unwrap();
        script.faults.clear();
        (script.full_until, script.locked) = (None, None);
    }

    /// Every certificate.
    pub(crate) fn rows(&self) -> Vec<CertificateRecord> {
        self.rows_after(0)
    }

    /// Every certificate but the first ones.
    pub(crate) fn rows_after(&self, first: usize) -> Vec<CertificateRecord> {
        let skip = u32::try_from(first).unwrap();
        self.inner().certificates(skip, u32::MAX).unwrap()
    }

    /// How many certificates there are.
    pub(crate) fn number(&self) -> usize {
        usize::try_from(self.inner().count().unwrap()).unwrap()
    }

    /// Every request that is or was in the queue.
    pub(crate) fn entries(&self) -> Vec<QueueEntry> {
        self.inner().queue(None, 0, u32::MAX).unwrap()
    }

    fn write<T: Send + 'static>(&self, write: impl FnOnce(&SqliteLog) -> LogFuture<T>) -> LogFuture<T> {
        let refusal = self.before_write();
        Box::pin(ready(match refusal {
            Some(error) => Err(error),
            None => block_on(write(&self.inner())),
        }))
    }

    fn before_write(&self) -> Option<LogError> {
        let mut script = self.script.lock().unwrap();
        let (number, now) = (script.writes, Instant::now());
        script.writes += 1;
        script.let_go(now);
        match script.faults.remove(&number) {
            Some(LogFault::Full(time)) => script.full_until = Some(now + time),
            // One lock at a time.
            Some(LogFault::Locked(time)) if script.locked.is_none() => {
                script.locked = Some((self.lock(), now + time));
            }
            _ => {}
        }
        let full = script.full_until.is_some_and(|until| now < until);
        if full || script.locked.is_some() {
            script.injected += 1;
        }
        full.then(|| LogError::Full {
            path: self.path.clone(),
            reason: "database or disk is full".to_owned(),
        })
    }

    /// Another connection in the middle of a write, as another process has one.
    fn lock(&self) -> rusqlite::Connection {
        let other = rusqlite::Connection::open(&self.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        other
    }
}

impl CertificateLog for ScriptedLog {
    fn reserve_serial(&self) -> Result<SerialNumber, LogError> {
        self.script.lock().unwrap().let_go(Instant::now());
        let inner = self.inner();
        let reserved = inner.reserve_serial();
        wait_for_writer(&inner);
        // With an empty reserve the answer is that of the time before the writer got more: by now it has, if it can.
        reserved.or_else(|_| inner.reserve_serial())
    }

    fn record_issued(&self, record: CertificateRecord) -> LogFuture {
        self.write(|log| log.record_issued(record))
    }

    fn record_refused(&self, record: RefusedRequest) -> LogFuture {
        self.write(|log| log.record_refused(record))
    }

    fn certificate(&self, serial: &SerialNumber) -> Result<Option<CertificateRecord>, LogError> {
        self.inner().certificate(serial)
    }

    fn certificates(&self, skip: u32, limit: u32) -> Result<Vec<CertificateRecord>, LogError> {
        self.inner().certificates(skip, limit)
    }

    fn serials(&self) -> Result<Vec<SerialNumber>, LogError> {
        self.inner().serials()
    }

    fn count(&self) -> Result<u64, LogError> {
        self.inner().count()
    }

    fn refused(&self, limit: u32) -> Result<Vec<RefusedRequest>, LogError> {
        self.inner().refused(limit)
    }

    fn record_policy(&self, policy: PolicyRecord) {
        self.inner().record_policy(policy);
    }

    fn submit(&self, submission: Submission) -> LogFuture<QueueAnswer> {
        self.write(|log| log.submit(submission))
    }

    fn record_issued_from_queue(&self, id: i64, record: CertificateRecord) -> LogFuture<QueueAnswer> {
        self.write(|log| log.record_issued_from_queue(id, record))
    }

    fn decide(&self, decision: Decision) -> LogFuture {
        self.write(|log| log.decide(decision))
    }

    fn queue(&self, state: Option<QueueState>, after: i64, limit: u32) -> Result<Vec<QueueEntry>, LogError> {
        self.inner().queue(state, after, limit)
    }

    fn revoke(&self, revocation: RevocationRecord) -> LogFuture {
        self.write(|log| log.revoke(revocation))
    }

    fn last_revocation(&self) -> Result<i64, LogError> {
        self.inner().last_revocation()
    }

    fn revocation_list(&self, order: CrlOrder) -> LogFuture<StoredCrl> {
        self.write(|log| log.revocation_list(order))
    }

    fn search(
        &self,
        filter: &CertificateFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<CertificateEntry>, LogError> {
        self.inner().search(filter, after, limit)
    }

    fn policies(&self) -> Result<Vec<PolicyRecord>, LogError> {
        self.inner().policies()
    }
}

/// Taking a number may ask the writer for more, and nobody waits for those. Whether they come before the next lock is
/// the scheduler's decision, so this waits for the answer to something behind them.
fn wait_for_writer(log: &SqliteLog) {
    let nothing = Decision {
        id: -1,
        approved: false,
        by: String::new(),
        reason: None,
        now: 0,
    };
    let refused = block_on(log.decide(nothing));
    assert!(refused.is_err(), "nobody has asked under this number");
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: LogFuture<T>) -> Result<T, LogError> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}
