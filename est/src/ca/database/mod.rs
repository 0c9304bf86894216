//! The log of an authority: what it issued, to whom, and which serial numbers are taken.
//!
//! A certificate leaves the authority only after its row is on durable storage, and a serial number is on record
//! before anything is signed with it. So whatever happens to the process, no certificate that a client received is
//! missing and no serial number is used twice.
//!
//! [`SqliteLog`] (feature `sqlite`) keeps it in a file; [`MemoryLog`] in memory, for tests and for embedders that
//! keep their own log.

mod crl;
mod error;
mod memory;
mod queue;
mod record;
#[cfg(feature = "sqlite")]
mod reply;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;

pub use crl::{CrlContents, CrlMaker, CrlOrder, MAX_CRL_ENTRIES, RevokedCertificate, SignedCrl, StoredCrl};
pub use error::LogError;
pub use memory::MemoryLog;
pub(crate) use queue::server_key_identity;
pub use queue::{Decision, QueueAnswer, QueueEntry, QueueRules, QueueState, Submission, request_key};
pub use record::{
    CertificateEntry, CertificateFilter, CertificateRecord, PolicyRecord, RefusedRequest, RequestOrigin,
    RevocationRecord,
};
#[cfg(feature = "sqlite")]
pub use sqlite::{LOCK_WAIT, MAX_QUEUE, RESERVED_SERIALS, SqliteLog, SqliteSettings};

use super::serial::SerialNumber;

/// Most refused requests that a log keeps; the oldest go first. An authenticated client can have as many requests
/// refused as it likes, of up to [`DEFAULT_MAX_CSR_LENGTH`](crate::wire::csr::DEFAULT_MAX_CSR_LENGTH) each: this bounds
/// what they take to 128 MiB, and is more than a person looks through.
pub const MAX_REFUSED_REQUESTS: u32 = 4096;

/// A future of the standard library, tied to no runtime, that ends when the entry is durable.
pub type LogFuture<T = ()> = Pin<Box<dyn Future<Output = Result<T, LogError>> + Send>>;

/// Where an authority keeps what it issued.
///
/// The writing methods never block; the reading ones may wait for a disk and belong on a thread that may. Those with
/// a default of [`LogError::NotKept`] are for authorities with a queue or a revocation list; a log for one that has
/// neither need not have them.
pub trait CertificateLog: fmt::Debug + Send + Sync {
    /// A serial number that is on durable record as taken, and that nobody else gets. Does not block.
    ///
    /// # Errors
    /// [`LogError::Busy`] when more enrolments are in flight than serial numbers were reserved in advance.
    fn reserve_serial(&self) -> Result<SerialNumber, LogError>;

    /// Records an issued certificate, under a serial number from [`Self::reserve_serial`].
    ///
    /// # Errors
    /// The future yields [`LogError`]; the certificate must not be handed out then.
    fn record_issued(&self, record: CertificateRecord) -> LogFuture;

    /// Records a request that the policy refused. A log may keep the latest ones only: the logs of this crate keep
    /// [`MAX_REFUSED_REQUESTS`].
    ///
    /// # Errors
    /// The future yields [`LogError`].
    fn record_refused(&self, record: RefusedRequest) -> LogFuture;

    /// The certificate with this serial number. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn certificate(&self, serial: &SerialNumber) -> Result<Option<CertificateRecord>, LogError>;

    /// Up to `limit` certificates in the order they were issued, the first `skip` left out. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn certificates(&self, skip: u32, limit: u32) -> Result<Vec<CertificateRecord>, LogError>;

    /// The serial numbers of all certificates, in the order they were issued. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn serials(&self) -> Result<Vec<SerialNumber>, LogError>;

    /// The number of certificates. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn count(&self) -> Result<u64, LogError>;

    /// Up to `limit` refused requests, the latest first. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn refused(&self, limit: u32) -> Result<Vec<RefusedRequest>, LogError>;

    /// Records a policy that is in force from now on, before anything that is issued under it. Does nothing when it
    /// is on record. May block until there is room in the queue of the writer.
    fn record_policy(&self, policy: PolicyRecord) {
        drop(policy);
    }

    /// Puts a request into the queue for the operator, or finds the entry it has there.
    ///
    /// # Errors
    /// The future yields [`LogError`].
    fn submit(&self, submission: Submission) -> LogFuture<QueueAnswer> {
        drop(submission);
        not_kept("queue")
    }

    /// As [`Self::record_issued`], for an approved entry of the queue. When the same request was issued meanwhile,
    /// nothing is recorded, and the answer is the certificate that was.
    ///
    /// # Errors
    /// The future yields [`LogError`].
    fn record_issued_from_queue(&self, id: i64, record: CertificateRecord) -> LogFuture<QueueAnswer> {
        drop(record);
        let _ = id;
        not_kept("queue")
    }

    /// Approves or rejects an entry of the queue that waits.
    ///
    /// # Errors
    /// The future yields [`LogError::NotWaiting`] when there is no such entry or it does not wait.
    fn decide(&self, decision: Decision) -> LogFuture {
        drop(decision);
        not_kept("queue")
    }

    /// Up to `limit` entries of the queue with numbers above `after`, in this state or, for `None`, any. An entry
    /// whose time is over may still say that it waits, until its request or another one is submitted. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn queue(&self, state: Option<QueueState>, after: i64, limit: u32) -> Result<Vec<QueueEntry>, LogError> {
        let _ = (state, after, limit);
        Err(LogError::NotKept { what: "queue" })
    }

    /// Records a revocation.
    ///
    /// # Errors
    /// The future yields [`LogError::NoSuchCertificate`] or [`LogError::AlreadyRevoked`].
    fn revoke(&self, revocation: RevocationRecord) -> LogFuture {
        drop(revocation);
        not_kept("revocations")
    }

    /// The sequence number of the last revocation, 0 when there is none. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn last_revocation(&self) -> Result<i64, LogError> {
        Ok(0)
    }

    /// The current revocation list, made when need be.
    ///
    /// # Errors
    /// The future yields [`LogError::RevocationList`] when it cannot be signed.
    fn revocation_list(&self, order: CrlOrder) -> LogFuture<StoredCrl> {
        drop(order);
        not_kept("revocations")
    }

    /// Up to `limit` certificates that pass the filter, with sequence numbers above `after`, in the order they were
    /// issued. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn search(
        &self,
        filter: &CertificateFilter,
        after: i64,
        limit: u32,
    ) -> Result<Vec<CertificateEntry>, LogError> {
        let _ = (filter, after, limit);
        Err(LogError::NotKept { what: "index" })
    }

    /// The policies that were in force, in the order they came. May block.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read.
    fn policies(&self) -> Result<Vec<PolicyRecord>, LogError> {
        Ok(Vec::new())
    }
}

fn not_kept<T: Send + 'static>(what: &'static str) -> LogFuture<T> {
    Box::pin(ready(Err(LogError::NotKept { what })))
}
