//! The embedded authority: CA certificate and key, policy and log, behind the [`CertificateAuthority`] seam.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pki_common::{Diagnose, Failure, Rung};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::CertificateDer;

use super::database::{CertificateLog, CertificateRecord, LogError, RefusedRequest, RequestOrigin};
use super::issue;
use super::issuer::{Issuer, IssuerError};
use super::policy::IssuancePolicy;
use super::{
    CaFuture, CertificateAuthority, EnrollError, EnrollOutcome, EnrollRequest, IssuedCertificate,
    PolicyRefusal, Requester,
};
use crate::wire::csr::VerifiedCsr;
use crate::wire::label::PathLabel;

#[cfg(feature = "sqlite")]
pub use super::folder::{AuthorityFiles, NewAuthority};

/// When a client may try again after the log could not take an entry.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// An authority in this process.
///
/// Signing happens in `poll`, on the thread of the caller: with an EC key it takes some ten microseconds, less than
/// handing it to another thread. Waiting for the log does not block.
#[derive(Clone, Debug)]
pub struct EmbeddedCertificateAuthority {
    issuer: Arc<Issuer>,
    certificates: Arc<[CertificateDer<'static>]>,
    policy: IssuancePolicy,
    log: Arc<dyn CertificateLog>,
    clock: Arc<dyn TimeProvider>,
}

/// An authority that cannot start. The operator's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The CA certificate or key.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The database.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file that is missing, exists already, or cannot be read or written.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No crypto provider, no clock, or a key that cannot be made.
    #[error("{0}")]
    Environment(String),
}

impl Diagnose for AuthorityError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Issuer(_) => "Check the CA certificate and its key, or make a new authority.",
            Self::Log(_) => {
                "Check the database file, its folder and the disk; restore it from a backup if it is damaged."
            }
            Self::File { .. } => "Check the path and the permissions of the file.",
            Self::Environment(_) => "Check how the program was built and the machine it runs on.",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl EmbeddedCertificateAuthority {
    /// Puts an authority together.
    pub fn new(
        issuer: Issuer,
        policy: IssuancePolicy,
        log: Arc<dyn CertificateLog>,
        clock: Arc<dyn TimeProvider>,
    ) -> Self {
        Self {
            certificates: Arc::new([issuer.certificate().clone()]),
            issuer: Arc::new(issuer),
            policy,
            log,
            clock,
        }
    }

    /// The same authority, with the same CA key, log and clock, under another policy: for a server whose path labels
    /// issue different kinds of certificates.
    #[must_use]
    pub fn with_policy(&self, policy: IssuancePolicy) -> Self {
        Self {
            policy,
            ..self.clone()
        }
    }

    /// The CA certificate.
    pub fn ca_certificate(&self) -> &CertificateDer<'static> {
        self.issuer.certificate()
    }

    /// The CA certificate with its key.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The policy.
    pub fn policy(&self) -> &IssuancePolicy {
        &self.policy
    }

    /// The log. Its reading methods may block.
    pub fn log(&self) -> &Arc<dyn CertificateLog> {
        &self.log
    }

    async fn issue(&self, request: EnrollRequest) -> Result<IssuedCertificate, EnrollError> {
        let now = self
            .clock
            .current_time()
            .ok_or_else(|| internal("this machine does not tell the time"))?;
        let origin = origin_of(&request.requester, request.label.as_ref());
        let csr = &request.csr;
        let prepared = match issue::prepare(&self.issuer, csr, &self.policy, now) {
            Ok(prepared) => prepared,
            Err(EnrollError::RejectedByPolicy(refusal)) => {
                self.record_refusal(csr, &refusal, origin, now.as_secs()).await;
                return Err(refusal.into());
            }
            Err(error) => return Err(error),
        };
        let serial = self.log.reserve_serial().map_err(|error| not_recorded(&error))?;
        let issued = prepared.sign(&self.issuer, csr, serial)?;
        let record = CertificateRecord {
            serial,
            not_before: issued.not_before,
            not_after: issued.not_after,
            subject: csr.subject_text().to_owned(),
            public_key_sha256: csr.public_key().sha256(),
            certificate: issued.certificate.clone(),
            csr: csr.der().to_vec(),
            origin,
            issued_at: now.as_secs(),
        };
        // Only what is on disk may leave.
        self.log
            .record_issued(record)
            .await
            .map_err(|error| not_recorded(&error))?;
        tracing::info!(%serial, subject = csr.subject_text(), requester = request.requester.name, "issued a certificate");
        Ok(issued)
    }

    /// Puts a refusal on record. When that fails, the requester still gets the refusal, and the operator the error.
    async fn record_refusal(
        &self,
        csr: &VerifiedCsr,
        refusal: &PolicyRefusal,
        origin: RequestOrigin,
        now: u64,
    ) {
        tracing::info!(subject = csr.subject_text(), requester = origin.requester, %refusal, "refused a request");
        let record = RefusedRequest {
            csr: csr.der().to_vec(),
            origin,
            refused_at: now,
            rule: refusal.rule.to_string(),
            reason: refusal.text.clone(),
        };
        if let Err(error) = self.log.record_refused(record).await {
            tracing::error!(%error, "a refusal is not on record");
        }
    }
}

impl CertificateAuthority for EmbeddedCertificateAuthority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(std::future::ready(Ok(Arc::clone(&self.certificates))))
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        Box::pin(async move { self.issue(request).await.map(EnrollOutcome::Issued) })
    }
}

fn origin_of(requester: &Requester, label: Option<&PathLabel>) -> RequestOrigin {
    RequestOrigin {
        label: label.map(ToString::to_string),
        requester: requester.name.clone(),
        authentication: requester.authentication.to_string(),
        address: requester.address.map(|address| address.to_string()),
        ..RequestOrigin::default()
    }
}

fn internal(reason: &str) -> EnrollError {
    EnrollError::Internal {
        reason: reason.to_owned(),
    }
}

fn not_recorded(error: &LogError) -> EnrollError {
    tracing::error!(%error, "no certificate leaves, because it cannot be put on record");
    let reason = error.to_string();
    if error.is_temporary() {
        EnrollError::Unavailable {
            reason,
            retry_after: RETRY_AFTER,
        }
    } else {
        EnrollError::Internal { reason }
    }
}
