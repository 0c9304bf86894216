//! Certificate authorities: the seam between EST and whatever issues certificates, and one that is built in.
//!
//! | module | what it holds |
//! |---|---|
//! | [`policy`] | what may be issued; every refusal names its rule |
//! | [`issue`] | request + policy + CA key -> certificate, as a plain function without I/O |
//! | [`issuer`] | the CA certificate with its key; making a root |
//! | [`database`] | the durable log of what was issued, and the serial numbers |
//! | [`embedded`] | all of it together as a [`CertificateAuthority`] |

pub mod database;
pub mod embedded;
pub mod issue;
pub mod issuer;
pub mod oracle;
pub mod policy;
pub mod serial;

mod error;
#[cfg(feature = "sqlite")]
mod folder;
mod x509;

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

pub use error::{EnrollError, PolicyRefusal, PolicyRule};

use crate::wire::csr::VerifiedCsr;
use crate::wire::label::PathLabel;
use serial::SerialNumber;

/// What a method of [`CertificateAuthority`] returns: a future of the standard library, tied to no runtime.
pub type CaFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, EnrollError>> + Send + 'a>>;

/// Whatever issues certificates behind an EST server.
///
/// The methods return futures so that an authority may be an external command or another server on the network. An
/// implementation must not block in `poll` for longer than one signature takes: what waits for a disk or another
/// process does so on a thread of its own.
///
/// Calls come from many connections at once.
pub trait CertificateAuthority: fmt::Debug + Send + Sync {
    /// The certificates that the `cacerts` operation answers with (RFC 7030 section 4.1.3): the current CA
    /// certificate, the chain above it, and root rollover certificates, in any order.
    ///
    /// # Errors
    /// [`EnrollError::UnknownLabel`] when there is no authority under that label.
    fn ca_certificates<'a>(
        &'a self,
        label: Option<&'a PathLabel>,
    ) -> CaFuture<'a, Vec<CertificateDer<'static>>>;

    /// Issues a certificate for the request (RFC 7030 section 4.2), or says that a person has to look at it first.
    ///
    /// When the future yields [`EnrollOutcome::Issued`], the certificate is on durable record. The caller has
    /// authenticated the requester and checked that this requester may enrol; the authority decides what the
    /// certificate may contain.
    ///
    /// # Errors
    /// See [`EnrollError`]. Nothing was issued then.
    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome>;
}

/// A request for a certificate, with what the authority may want to know about where it came from.
#[derive(Clone, Debug)]
pub struct EnrollRequest {
    /// The certification request; its own signature has been checked.
    pub csr: VerifiedCsr,
    /// Who asks.
    pub requester: Requester,
    /// The path label the request came in under, if any.
    pub label: Option<PathLabel>,
}

/// Who asks for a certificate, as the EST server authenticated them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// The user name, or the subject of the client certificate.
    pub name: String,
    /// How the name was proven.
    pub authentication: Authentication,
    /// Where the request came from, when known.
    pub address: Option<IpAddr>,
}

/// How a requester was authenticated (RFC 7030 section 3.3). `Display` gives the form kept in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Authentication {
    /// Not at all.
    None,
    /// By a TLS client certificate.
    ClientCertificate,
    /// By user name and password in HTTP Basic (RFC 7617).
    HttpBasic,
    /// By both.
    ClientCertificateAndHttpBasic,
    /// By being the owner of the CA's files, on the command line.
    Operator,
}

impl fmt::Display for Authentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::ClientCertificate => "client-certificate",
            Self::HttpBasic => "http-basic",
            Self::ClientCertificateAndHttpBasic => "client-certificate+http-basic",
            Self::Operator => "operator",
        })
    }
}

/// What became of an enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnrollOutcome {
    /// The certificate.
    Issued(IssuedCertificate),
    /// Not decided yet: HTTP status 202 with `Retry-After` (RFC 7030 section 4.2.3).
    Pending {
        /// How long the client should wait before it asks again with the same request.
        retry_after: Duration,
    },
}

/// A certificate that has just been issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its serial number.
    pub serial: SerialNumber,
    /// Start of its validity, in seconds since the Unix epoch.
    pub not_before: u64,
    /// End of its validity (inclusive, RFC 5280 section 4.1.2.5), in seconds since the Unix epoch.
    pub not_after: u64,
}
