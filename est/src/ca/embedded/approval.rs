//! What waits for the operator.
//!
//! A request with its key waits as it is. When the server is to make the key, what waits is the client's form, and the
//! key is made after the approval: nothing secret is kept, in memory or on a disk, and a restart loses nothing. The price
//! is that such a certificate leaves once. When its answer is lost, so is the key, and asking again is a new request
//! for the operator.

use rustls_pki_types::UnixTime;

use super::{EmbeddedCertificateAuthority, internal, issued_from, not_recorded};
use crate::ca::database::{
    CertificateRecord, QueueAnswer, RequestOrigin, Submission, request_key, server_key_identity,
};
use crate::ca::policy::{Approval, ApprovalSettings};
use crate::ca::{
    EnrollError, EnrollOperation, EnrollOutcome, EnrollRequest, IssuedCertificate, PolicyRefusal, PolicyRule,
    Requester, ServerKeyDecision, ServerKeyRequest, issue,
};

/// What the queue makes of a request.
pub(super) enum Queued {
    /// It may be issued; the number of its entry.
    Approved(i64),
    /// There is an answer already.
    Answered(EnrollOutcome),
}

impl EmbeddedCertificateAuthority {
    /// The bounds of the queue when the request has to wait in it.
    pub(super) fn approval_of(
        &self,
        operation: EnrollOperation,
        requester: &Requester,
    ) -> Option<&ApprovalSettings> {
        let Approval::Operator(settings) = &self.policy.approval else {
            return None;
        };
        let at_once = requester.authentication.operator
            || settings.reenroll_at_once && operation == EnrollOperation::SimpleReenroll;
        (!at_once).then_some(settings)
    }

    pub(super) async fn ask_queue_for(
        &self,
        request: &EnrollRequest,
        origin: &RequestOrigin,
        now: UnixTime,
        settings: &ApprovalSettings,
    ) -> Result<Queued, EnrollError> {
        let leaves_once = is_server_key(request);
        let key = if leaves_once {
            server_key_identity(&request.csr, &request.requester, request.label.as_ref())
        } else {
            request_key(&request.csr, origin)
        };
        let submission = Submission {
            key,
            leaves_once,
            csr: request.csr.der().to_vec(),
            subject: request.csr.subject_text().to_owned(),
            origin: origin.clone(),
            now: now.as_secs(),
            rules: settings.rules(),
        };
        self.ask_queue(submission, settings).await
    }

    async fn ask_queue(
        &self,
        submission: Submission,
        settings: &ApprovalSettings,
    ) -> Result<Queued, EnrollError> {
        let subject = submission.subject.clone();
        let refused = |text: String| Err(PolicyRefusal::new(PolicyRule::Approval, text).into());
        let answer = self.log.submit(submission).await;
        match answer.map_err(|error| not_recorded(&error))? {
            QueueAnswer::Approved { id } => Ok(Queued::Approved(id)),
            QueueAnswer::Waiting { id } => {
                tracing::info!(id, subject, "a request waits for approval");
                Ok(Queued::Answered(EnrollOutcome::Pending {
                    retry_after: settings.retry_after,
                }))
            }
            QueueAnswer::Issued(record) => Ok(Queued::Answered(EnrollOutcome::Issued(issued_from(*record)))),
            QueueAnswer::Rejected { reason } if reason.is_empty() => {
                refused("the operator rejected the request".to_owned())
            }
            QueueAnswer::Rejected { reason } => {
                refused(format!("the operator rejected the request: {reason}"))
            }
            QueueAnswer::Expired => refused(
                "the request was not approved, or its certificate not fetched, in time; make a new request"
                    .to_owned(),
            ),
            QueueAnswer::Full {
                limit,
                of_one_requester,
            } => {
                let whose = if of_one_requester {
                    " from this requester"
                } else {
                    ""
                };
                Err(EnrollError::Unavailable {
                    reason: format!("{limit} requests{whose} wait for approval already"),
                    retry_after: settings.retry_after,
                })
            }
        }
    }

    /// Decides about a certificate whose key is yet to be made.
    pub(super) async fn decide_server_key(
        &self,
        request: ServerKeyRequest,
    ) -> Result<ServerKeyDecision, EnrollError> {
        let now = self.now()?;
        let origin = self.origin_of(
            &request.requester,
            request.label.as_ref(),
            EnrollOperation::ServerKeyGen,
            request.channel_binding,
        );
        let decision = self.ask_about_server_key(&request, &origin, now).await;
        if let Err(EnrollError::RejectedByPolicy(refusal)) = &decision
            && refusal.rule != PolicyRule::Approval
        {
            self.record_refusal(&request.form, refusal, origin, now.as_secs())
                .await;
        }
        decision
    }

    async fn ask_about_server_key(
        &self,
        request: &ServerKeyRequest,
        origin: &RequestOrigin,
        now: UnixTime,
    ) -> Result<ServerKeyDecision, EnrollError> {
        let form = &request.form;
        self.policy.requester.check(&request.requester, form)?;
        issue::prepare(&self.issuer, form, &self.applied, now)?;
        let Some(settings) = self.approval_of(EnrollOperation::ServerKeyGen, &request.requester) else {
            return Ok(ServerKeyDecision::MakeKey);
        };
        let submission = Submission {
            key: request.identity(),
            leaves_once: true,
            csr: form.der().to_vec(),
            subject: form.subject_text().to_owned(),
            origin: origin.clone(),
            now: now.as_secs(),
            rules: settings.rules(),
        };
        match self.ask_queue(submission, settings).await? {
            Queued::Approved(_) => Ok(ServerKeyDecision::MakeKey),
            Queued::Answered(EnrollOutcome::Pending { retry_after }) => {
                Ok(ServerKeyDecision::Pending { retry_after })
            }
            Queued::Answered(other) => Err(internal(&format!(
                "the queue answers {other:?} to a request without a key"
            ))),
        }
    }

    /// Puts the certificate of an approved request on record. Of two requests that came at the same time, both get
    /// the one that was first.
    pub(super) async fn record_approved(
        &self,
        id: i64,
        record: CertificateRecord,
        server_key: bool,
    ) -> Result<IssuedCertificate, EnrollError> {
        let own_key = record.public_key_sha256;
        let answer = self.log.record_issued_from_queue(id, record).await;
        match answer.map_err(|error| not_recorded(&error))? {
            // The key of the other one is gone with its answer.
            QueueAnswer::Issued(record) if server_key && record.public_key_sha256 != own_key => {
                let text = "another request for the same took the approval at the same time; ask again for a new one";
                Err(PolicyRefusal::new(PolicyRule::Approval, text).into())
            }
            QueueAnswer::Issued(record) => Ok(issued_from(*record)),
            other => Err(internal(&format!("the queue answers {other:?} to a certificate"))),
        }
    }
}

pub(super) fn is_server_key(request: &EnrollRequest) -> bool {
    request.operation == EnrollOperation::ServerKeyGen
}
