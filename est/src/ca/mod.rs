//! Certificate authorities: the seam between EST and whatever issues certificates, and one that is built in.
//!
//! | module | what it holds |
//! |---|---|
//! | [`policy`] | what may be issued; every refusal names its rule |
//! | [`issue`] | request + policy + CA key -> certificate, as a plain function without I/O |
//! | [`issuer`] | the CA certificate with its key; making a root |
//! | [`database`] | the durable log of what was issued, and the serial numbers |
//! | [`embedded`] | all of it together as a [`CertificateAuthority`] |
//! | `command` | an authority behind an external command (feature `tokio`) |

#[cfg(feature = "tokio")]
pub mod command;
pub mod database;
pub mod embedded;
pub mod issue;
pub mod issuer;
pub mod oracle;
pub mod policy;
pub mod serial;

mod crl_publisher;
mod error;
#[cfg(feature = "sqlite")]
mod folder;
#[cfg(feature = "sqlite")]
mod key_file;
mod requester;
mod revocation;
mod x509;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::CertificateDer;

pub use error::{EnrollError, PolicyRefusal, PolicyRule};
pub use requester::{Authentication, ChannelBindingState, ChannelBindingType, Requester};
pub use revocation::{RevocationReason, RevokeRequest};

use crate::wire::csr::{CertificationRequest, VerifiedCsr};
use crate::wire::label::PathLabel;
pub(crate) use database::server_key_identity;
use serial::SerialNumber;

/// What a method of [`CertificateAuthority`] returns: a future of the standard library, tied to no runtime.
pub type CaFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, EnrollError>> + Send + 'a>>;

/// Whatever issues certificates behind an EST server.
///
/// The methods return futures so that an authority may be an external command or another server on the network. An
/// implementation must not block in `poll` for longer than one signature takes: what waits for a disk or another
/// process does so on a thread of its own.
///
/// Calls come from many connections at once. Path labels are the server's business: it has one authority per label,
/// and several of them may be one [`EmbeddedCertificateAuthority`](embedded::EmbeddedCertificateAuthority) with
/// different policies.
pub trait CertificateAuthority: fmt::Debug + Send + Sync {
    /// The certificates that the `cacerts` operation answers with (RFC 7030 section 4.1.3): the current CA
    /// certificate first, then the chain above it and root rollover certificates.
    ///
    /// The same `Arc` as long as nothing has changed, so that a server may keep the encoded answer and compare by
    /// [`Arc::ptr_eq`].
    ///
    /// # Errors
    /// [`EnrollError::Unavailable`] or [`EnrollError::Internal`] when they cannot be had.
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>>;

    /// Issues a certificate for the request (RFC 7030 section 4.2), or says that a person has to look at it first.
    ///
    /// When the future yields [`EnrollOutcome::Issued`], the certificate is on durable record. The caller has
    /// authenticated the requester and checked that this requester may enrol; the authority decides what the
    /// certificate may contain.
    ///
    /// # Errors
    /// See [`EnrollError`]. Nothing was issued then.
    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome>;

    /// Decides about a certificate whose key the server is to make (RFC 7030 section 4.4), before there is a key. The
    /// server makes one after [`ServerKeyDecision::MakeKey`] and calls [`Self::enroll`] with a request for it, which
    /// has the subject, the attributes and the kind of key of this one.
    ///
    /// An authority that has certificates approved does it here: a private key that waits for an approval would have
    /// to be kept somewhere. What [`Self::enroll`] answers with [`EnrollOutcome::Pending`] loses its key, and the next
    /// attempt comes with another one.
    ///
    /// # Errors
    /// As [`Self::enroll`].
    fn approve_server_key(&self, request: ServerKeyRequest) -> CaFuture<'_, ServerKeyDecision> {
        drop(request);
        Box::pin(async { Ok(ServerKeyDecision::MakeKey) })
    }

    /// The current certificate revocation list (RFC 5280 section 5) in DER, `None` when this authority publishes
    /// none.
    ///
    /// # Errors
    /// [`EnrollError::Unavailable`] or [`EnrollError::Internal`] when it cannot be made.
    fn revocation_list(&self) -> CaFuture<'_, Option<Bytes>> {
        Box::pin(async { Ok(None) })
    }

    /// Revokes a certificate of this authority. The caller has checked that the requester may. When the future
    /// yields `Ok`, the revocation is on durable record and in the next answer of [`Self::revocation_list`].
    ///
    /// # Errors
    /// [`EnrollError::Unsupported`] when this authority does not revoke, [`EnrollError::NoSuchCertificate`],
    /// [`EnrollError::AlreadyRevoked`].
    fn revoke(&self, request: RevokeRequest) -> CaFuture<'_, ()> {
        drop(request);
        Box::pin(async {
            Err(EnrollError::Unsupported {
                what: "revocation".to_owned(),
            })
        })
    }
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
    /// Which operation it came by.
    pub operation: EnrollOperation,
    /// Whether the request is bound to the TLS connection it came over.
    pub channel_binding: ChannelBindingState,
}

/// A request for a certificate and a key, which the server makes once the authority agrees.
#[derive(Clone, Debug)]
pub struct ServerKeyRequest {
    /// What is asked for. Of its key only the kind is known yet ([`PublicKey::kind`](crate::wire::csr::PublicKey::kind)),
    /// and nobody has checked its signature, which means nothing.
    pub form: CertificationRequest,
    /// Who asks.
    pub requester: Requester,
    /// The path label the request came in under, if any.
    pub label: Option<PathLabel>,
    /// Whether the request is bound to the TLS connection it came over.
    pub channel_binding: ChannelBindingState,
}

impl ServerKeyRequest {
    /// What makes two such requests the same, those with the key included that the server then makes: subject, kind of
    /// key, extensions and attributes; who asks, how that was proven and by whose certificate; and where.
    ///
    /// The key of the form is none of it, because the server must ignore it (RFC 7030 section 4.4.1). How the requester
    /// was authenticated is, unlike for a key of their own: who gets the answer gets a private key, and a user whose
    /// name reads like the subject of a certificate is not its holder.
    #[must_use]
    pub fn identity(&self) -> [u8; 32] {
        server_key_identity(&self.form, &self.requester, self.label.as_ref())
    }
}

/// What the authority says about a key that the server is to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerKeyDecision {
    /// It may be made now, and certified.
    MakeKey,
    /// Not decided yet: HTTP status 202 with `Retry-After` (RFC 7030 section 4.2.3).
    Pending {
        /// How long the client should wait before it asks again for the same.
        retry_after: Duration,
    },
}

/// The operations that lead to a certificate. `Display` gives the word of the path (RFC 7030 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EnrollOperation {
    /// `simpleenroll`
    SimpleEnroll,
    /// `simplereenroll`
    SimpleReenroll,
    /// `serverkeygen`
    ServerKeyGen,
    /// `fullcmc`
    FullCmc,
}

impl fmt::Display for EnrollOperation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
            Self::ServerKeyGen => "serverkeygen",
            Self::FullCmc => "fullcmc",
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
