//! The log of an authority: what it issued, to whom, and which serial numbers are taken.
//!
//! A certificate leaves the authority only after its row is on durable storage, and a serial number is on record
//! before anything is signed with it. So whatever happens to the process, no certificate that a client received is
//! missing and no serial number is used twice.
//!
//! [`SqliteLog`] (feature `sqlite`) keeps it in a file; [`MemoryLog`] in memory, for tests and for embedders that
//! keep their own log.

mod error;
mod memory;
#[cfg(feature = "sqlite")]
mod reply;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use rustls_pki_types::CertificateDer;

pub use error::LogError;
pub use memory::MemoryLog;
#[cfg(feature = "sqlite")]
pub use sqlite::{MAX_QUEUE, RESERVED_SERIALS, SqliteLog, SqliteSettings};

use super::serial::SerialNumber;

/// Most refused requests that a log keeps; the oldest go first. An authenticated client can have as many requests
/// refused as it likes, of up to [`DEFAULT_MAX_CSR_LENGTH`](crate::wire::csr::DEFAULT_MAX_CSR_LENGTH) each: this bounds
/// what they take to 128 MiB, and is more than a person looks through.
pub const MAX_REFUSED_REQUESTS: u32 = 4096;

/// A future of the standard library, tied to no runtime, that ends when the entry is durable.
pub type LogFuture = Pin<Box<dyn Future<Output = Result<(), LogError>> + Send>>;

/// Where an authority keeps what it issued.
///
/// The writing methods never block; the reading ones may wait for a disk and belong on a thread that may.
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
}

/// Where a request came from, as the log keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestOrigin {
    /// The path label, if any.
    pub label: Option<String>,
    /// The user name, or the subject of the client certificate.
    pub requester: String,
    /// How that was proven: the `Display` form of [`Authentication`](super::Authentication).
    pub authentication: String,
    /// The requester's IP address, when known.
    pub address: Option<String>,
}

/// An issued certificate, as the log keeps it. Times are in seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// The serial number.
    pub serial: SerialNumber,
    /// Start of the validity.
    pub not_before: u64,
    /// End of the validity.
    pub not_after: u64,
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub public_key_sha256: [u8; 32],
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// The request it was issued for, in DER.
    pub csr: Vec<u8>,
    /// Where the request came from.
    pub origin: RequestOrigin,
    /// When it was issued.
    pub issued_at: u64,
}

/// A request that was refused, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The request, in DER.
    pub csr: Vec<u8>,
    /// Where it came from.
    pub origin: RequestOrigin,
    /// When it was refused, in seconds since the Unix epoch.
    pub refused_at: u64,
    /// The rule of the policy.
    pub rule: String,
    /// What the rule had to say.
    pub reason: String,
}
