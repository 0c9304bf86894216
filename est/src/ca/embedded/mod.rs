//! The embedded authority: CA certificate and key, policy and log, behind the [`CertificateAuthority`] seam.

mod approval;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pki_common::{Diagnose, Failure, Rung};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::crl_publisher::CrlPublisher;
use super::database::{
    CertificateLog, CertificateRecord, LogError, PolicyRecord, RefusedRequest, RequestOrigin,
    RevocationRecord,
};
use super::issue;
use super::issuer::{CrlSettings, Issuer, IssuerError};
use super::policy::IssuancePolicy;
use super::{
    CaFuture, CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome,
    EnrollRequest, IssuedCertificate, PolicyRefusal, PolicyRule, Requester, RevokeRequest, ServerKeyDecision,
    ServerKeyRequest,
};
use crate::wire::csr::CertificationRequest;
use crate::wire::label::PathLabel;
use approval::{Queued, is_server_key};

#[cfg(feature = "sqlite")]
pub use super::folder::{AuthorityFiles, KeyChange, NewAuthority, Renewed};
#[cfg(feature = "sqlite")]
pub use pki_common::identity::Passphrase;

/// When a client may try again after the log could not take an entry.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// An authority in this process.
///
/// Signing happens in `poll`, on the thread of the caller: with an EC key it takes some ten microseconds, less than
/// handing it to another thread. Waiting for the log does not block.
///
/// # Repeated requests
/// A request that waits for approval is found again by what it asks for, its requester, operation and path label
/// ([`request_key`](super::database::request_key)): asking twice makes one entry, and one certificate. A request that is issued at once is issued again when it comes again, under
/// another serial number. That is on purpose: a client may ask anew with the same request, after its certificate was
/// lost or is about to expire, and a certificate whose answer was lost is on record and of no use to anybody but the
/// owner of the key.
#[derive(Clone, Debug)]
pub struct EmbeddedCertificateAuthority {
    issuer: Arc<Issuer>,
    certificates: Arc<[CertificateDer<'static>]>,
    /// As given; on record by its version.
    policy: IssuancePolicy,
    /// The same for this key.
    applied: IssuancePolicy,
    policy_version: String,
    log: Arc<dyn CertificateLog>,
    clock: Arc<dyn TimeProvider>,
    crl: Option<Arc<CrlPublisher>>,
    /// From before a new key; they sign nothing but revocation lists.
    earlier: Arc<[Arc<Issuer>]>,
    earlier_lists: Arc<[Arc<CrlPublisher>]>,
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
    /// Puts an authority together. It publishes no revocation list; see [`Self::with_revocation_list`].
    pub fn new(
        issuer: Issuer,
        policy: IssuancePolicy,
        log: Arc<dyn CertificateLog>,
        clock: Arc<dyn TimeProvider>,
    ) -> Self {
        let certificates = std::iter::once(issuer.certificate())
            .chain(issuer.chain())
            .cloned()
            .collect();
        Self {
            certificates,
            applied: policy_for(&issuer, &policy),
            issuer: Arc::new(issuer),
            policy_version: policy.version(),
            policy,
            log,
            clock,
            crl: None,
            earlier: Arc::default(),
            earlier_lists: Arc::default(),
        }
        .with_policy_on_record()
    }

    /// The same authority, with the same CA key, log and clock, under another policy: for a server whose path labels
    /// issue different kinds of certificates. The policy is put on record.
    #[must_use]
    pub fn with_policy(&self, policy: IssuancePolicy) -> Self {
        Self {
            policy_version: policy.version(),
            applied: policy_for(&self.issuer, &policy),
            policy,
            ..self.clone()
        }
        .with_policy_on_record()
    }

    fn with_policy_on_record(self) -> Self {
        self.log.record_policy(PolicyRecord {
            version: self.policy_version.clone(),
            description: self.policy.description(),
            first_used: self.clock.current_time().map_or(0, |now| now.as_secs()),
        });
        self
    }

    /// Hands these out in `cacerts` as well, after the CA certificate and its chain: root rollover certificates and
    /// earlier roots (RFC 7030 section 4.1.3).
    #[must_use]
    pub fn with_rollover_certificates(mut self, certificates: Vec<CertificateDer<'static>>) -> Self {
        self.certificates = self.certificates.iter().cloned().chain(certificates).collect();
        self
    }

    /// Has the keys of before a renewal sign revocation lists as well, the latest first. A certificate under an earlier
    /// key can be checked then by whoever knows only the root of that time.
    #[must_use]
    pub fn with_earlier_keys(mut self, earlier: Vec<Issuer>) -> Self {
        self.earlier = earlier.into_iter().map(Arc::new).collect();
        self
    }

    /// Publishes a revocation list: made anew when a certificate is revoked, in this process or by `est ca revoke` in
    /// another one (within a second), and before the current one ends. A thread sees to it until the last clone of
    /// this authority is gone.
    ///
    /// # Errors
    /// [`IssuerError::NotACa`] when the CA certificate does not allow to sign lists.
    pub fn with_revocation_list(mut self, settings: CrlSettings) -> Result<Self, IssuerError> {
        let publisher = CrlPublisher::start(
            Arc::clone(&self.issuer),
            Arc::clone(&self.log),
            Arc::clone(&self.clock),
            settings,
        )?;
        self.crl = Some(Arc::new(publisher));
        self.earlier_lists = self.publishers_of_earlier_keys(settings);
        Ok(self)
    }

    /// A certificate of an earlier generation that is over needs no list: nothing that it has signed is valid.
    fn publishers_of_earlier_keys(&self, settings: CrlSettings) -> Arc<[Arc<CrlPublisher>]> {
        let now = self.clock.current_time().map_or(0, |now| now.as_secs());
        let publisher = |issuer: &Arc<Issuer>| {
            let (log, clock) = (Arc::clone(&self.log), Arc::clone(&self.clock));
            let started = CrlPublisher::start(Arc::clone(issuer), log, clock, settings);
            started
                .inspect_err(|error| tracing::warn!(%error, "an earlier key signs no revocation list"))
                .ok()
        };
        let valid = self.earlier.iter().filter(|issuer| issuer.validity().1 > now);
        valid.filter_map(publisher).map(Arc::new).collect()
    }

    /// This authority and, for each earlier key that signs revocation lists, the same with the list of that key; each
    /// with the key identifier in hexadecimal, as it stands in place of `{key}` in distribution points.
    pub fn by_list_key(&self) -> Vec<(String, Self)> {
        let earlier = self.earlier_lists.iter().map(|publisher| {
            let authority = Self {
                crl: Some(Arc::clone(publisher)),
                ..self.clone()
            };
            (key_text(publisher.issuer()), authority)
        });
        std::iter::once((key_text(&self.issuer), self.clone()))
            .chain(earlier)
            .collect()
    }

    /// The same with other times for its revocation lists, which hold from the next list on. An authority that
    /// publishes none goes on without.
    ///
    /// # Errors
    /// As [`Self::with_revocation_list`].
    pub fn with_revocation_list_times(self, settings: CrlSettings) -> Result<Self, IssuerError> {
        match &self.crl {
            Some(crl) if !crl.keeps_to(settings) => self.with_revocation_list(settings),
            _ => Ok(self),
        }
    }

    /// Whether it publishes a revocation list.
    pub fn publishes_revocation_list(&self) -> bool {
        self.crl.is_some()
    }

    /// The same authority, log, clock and policy with the CA certificate, key and rollover certificates of `fresh`,
    /// for after a renewal. Its revocation list, where there is one, is signed by the new key from now on, and by
    /// the `earlier` ones for those who know only these.
    #[cfg(feature = "sqlite")]
    pub(in crate::ca) fn renewed_as(
        &self,
        issuer: Issuer,
        rollover: Vec<CertificateDer<'static>>,
        earlier: Vec<Issuer>,
    ) -> Result<Self, AuthorityError> {
        let clock = Arc::clone(&self.clock);
        let renewed = Self::new(issuer, self.policy.clone(), Arc::clone(&self.log), clock)
            .with_rollover_certificates(rollover)
            .with_earlier_keys(earlier);
        if renewed.certificates == self.certificates {
            return Ok(self.clone());
        }
        match &self.crl {
            Some(crl) => Ok(renewed.with_revocation_list(crl.settings())?),
            None => Ok(renewed),
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

    async fn answer(&self, request: EnrollRequest) -> Result<EnrollOutcome, EnrollError> {
        let now = self.now()?;
        let origin = self.origin_of(
            &request.requester,
            request.label.as_ref(),
            request.operation,
            request.channel_binding,
        );
        match self.decide(&request, &origin, now).await {
            Err(EnrollError::RejectedByPolicy(refusal)) => {
                // What the operator or the clock decided is on record in the queue.
                if refusal.rule != PolicyRule::Approval {
                    self.record_refusal(&request.csr, &refusal, origin, now.as_secs())
                        .await;
                }
                Err(refusal.into())
            }
            other => other,
        }
    }

    async fn decide(
        &self,
        request: &EnrollRequest,
        origin: &RequestOrigin,
        now: UnixTime,
    ) -> Result<EnrollOutcome, EnrollError> {
        self.policy.requester.check(&request.requester, &request.csr)?;
        let prepared = issue::prepare(&self.issuer, &request.csr, &self.applied, now)?;
        let approved = match self.approval_of(request.operation, &request.requester) {
            None => None,
            Some(settings) => match self.ask_queue_for(request, origin, now, settings).await? {
                Queued::Approved(id) => Some(id),
                Queued::Answered(outcome) => return Ok(outcome),
            },
        };
        let serial = self.log.reserve_serial().map_err(|error| not_recorded(&error))?;
        let csr = &request.csr;
        let issued = prepared.sign(&self.issuer, csr, serial)?;
        let record = CertificateRecord {
            serial,
            not_before: issued.not_before,
            not_after: issued.not_after,
            subject: csr.subject_text().to_owned(),
            public_key_sha256: csr.public_key().sha256(),
            certificate: issued.certificate.clone(),
            csr: csr.der().to_vec(),
            origin: origin.clone(),
            issued_at: now.as_secs(),
        };
        // Only what is on disk may leave.
        let issued = match approved {
            None => {
                let recorded = self.log.record_issued(record).await;
                recorded.map_err(|error| not_recorded(&error))?;
                issued
            }
            Some(id) => self.record_approved(id, record, is_server_key(request)).await?,
        };
        let (serial, requester) = (issued.serial, &request.requester.name);
        tracing::info!(%serial, subject = csr.subject_text(), requester, "issued a certificate");
        Ok(EnrollOutcome::Issued(issued))
    }

    async fn revoke_certificate(&self, request: RevokeRequest) -> Result<(), EnrollError> {
        let RevokeRequest {
            serial,
            reason,
            invalidity_date,
            requester,
            label: _,
        } = request;
        if !reason.fits_a_full_crl() {
            return Err(EnrollError::Unsupported {
                what: format!("revocation for the reason {reason}"),
            });
        }
        let revocation = RevocationRecord {
            serial,
            revoked_at: self.now()?.as_secs(),
            reason,
            invalidity_date,
            authentication: requester.authentication.to_string(),
            address: requester.address.map(|address| address.to_string()),
            requester: requester.name,
        };
        match self.log.revoke(revocation).await {
            Err(LogError::NoSuchCertificate { serial }) => {
                return Err(EnrollError::NoSuchCertificate { serial });
            }
            Err(LogError::AlreadyRevoked { serial }) => return Err(EnrollError::AlreadyRevoked { serial }),
            Err(LogError::NotKept { what }) => {
                return Err(EnrollError::Unsupported {
                    what: what.to_owned(),
                });
            }
            other => other.map_err(|error| not_recorded(&error))?,
        }
        tracing::info!(%serial, %reason, "revoked a certificate");
        if let Some(crl) = &self.crl {
            for crl in std::iter::once(crl).chain(self.earlier_lists.iter()) {
                crl.publish().await.map_err(|error| not_recorded(&error))?;
            }
        }
        Ok(())
    }

    fn now(&self) -> Result<UnixTime, EnrollError> {
        self.clock
            .current_time()
            .ok_or_else(|| internal("this machine does not tell the time"))
    }

    fn origin_of(
        &self,
        requester: &Requester,
        label: Option<&PathLabel>,
        operation: EnrollOperation,
        channel_binding: ChannelBindingState,
    ) -> RequestOrigin {
        RequestOrigin {
            label: label.map(ToString::to_string),
            requester: requester.name.clone(),
            authentication: requester.authentication.to_string(),
            address: requester.address.map(|address| address.to_string()),
            operation: operation.to_string(),
            channel_binding: channel_binding.to_string(),
            policy: Some(self.policy_version.clone()),
        }
    }

    /// Puts a refusal on record. When that fails, the requester still gets the refusal, and the operator the error.
    async fn record_refusal(
        &self,
        csr: &CertificationRequest,
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
        Box::pin(self.answer(request))
    }

    fn approve_server_key(&self, request: ServerKeyRequest) -> CaFuture<'_, ServerKeyDecision> {
        Box::pin(self.decide_server_key(request))
    }

    fn revocation_list(&self) -> CaFuture<'_, Option<Bytes>> {
        Box::pin(async move {
            match &self.crl {
                None => Ok(None),
                Some(crl) => {
                    let list = crl.current().await;
                    list.map(Some).map_err(|error| unavailable(&error))
                }
            }
        })
    }

    fn revoke(&self, request: RevokeRequest) -> CaFuture<'_, ()> {
        Box::pin(self.revoke_certificate(request))
    }
}

/// The key identifier in hexadecimal.
fn key_text(issuer: &Issuer) -> String {
    let octets = issuer.key_identifier().iter();
    octets.map(|octet| format!("{octet:02x}")).collect()
}

fn policy_for(issuer: &Issuer, policy: &IssuancePolicy) -> IssuancePolicy {
    let mut applied = policy.clone();
    applied.added = policy.added.for_key(&key_text(issuer));
    applied
}

fn issued_from(record: CertificateRecord) -> IssuedCertificate {
    IssuedCertificate {
        certificate: record.certificate,
        serial: record.serial,
        not_before: record.not_before,
        not_after: record.not_after,
    }
}

fn internal(reason: &str) -> EnrollError {
    EnrollError::Internal {
        reason: reason.to_owned(),
    }
}

fn not_recorded(error: &LogError) -> EnrollError {
    tracing::error!(%error, "no certificate leaves, because it cannot be put on record");
    unavailable(error)
}

fn unavailable(error: &LogError) -> EnrollError {
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
