//! The requests that the authority has seen.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use est::ca::{EnrollError, PolicyRule};
use est::wire::csr::VerifiedCsr;
use rustls_pki_types::CertificateDer;

use super::authority::Authority;
use super::disposition::{Disposition, Hresult};
use super::error::SimulatorError;
use super::settings::Verdict;

/// The most requests that are remembered; the oldest goes first. A lab makes some hundreds.
pub const MAX_REQUESTS: usize = 10_000;

/// A request as the authority remembers it.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// Its number.
    pub id: u32,
    /// Who sent it.
    pub requester: String,
    /// The template it names.
    pub template: String,
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// What has become of it.
    pub disposition: Disposition,
    /// The certificate, once there is one.
    pub certificate: Option<CertificateDer<'static>>,
}

/// A request that came in.
pub(super) struct NewRequest {
    pub(super) requester: String,
    pub(super) template: String,
    /// `None` when it could not be read.
    pub(super) csr: Option<VerifiedCsr>,
}

#[derive(Debug)]
pub(super) struct Requests {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    next: u32,
    requests: BTreeMap<u32, Entry>,
}

#[derive(Debug)]
struct Entry {
    record: RequestRecord,
    csr: Option<VerifiedCsr>,
}

impl Requests {
    pub(super) fn new(first: u32) -> Self {
        Self {
            kept: Mutex::new(Kept {
                next: first,
                requests: BTreeMap::new(),
            }),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the request a number and a verdict.
    pub(super) fn add(&self, request: NewRequest, verdict: Verdict, authority: &Authority) -> RequestRecord {
        let mut kept = self.kept();
        let id = kept.next;
        kept.next = kept.next.saturating_add(1);
        let (disposition, certificate) = match (verdict, &request.csr) {
            (Verdict::Fail(code), _) => (Disposition::Failed(code), None),
            (Verdict::Deny(code), _) => (Disposition::DeniedByPolicy(code), None),
            (Verdict::Pending, Some(_)) => (Disposition::UnderSubmission, None),
            (Verdict::Issue, Some(csr)) => issue(authority, csr),
            (_, None) => (Disposition::Failed(Hresult::BAD_REQUEST), None),
        };
        let record = RequestRecord {
            id,
            requester: request.requester,
            template: request.template,
            subject: request
                .csr
                .as_ref()
                .map_or_else(String::new, |csr| csr.subject_text().to_owned()),
            disposition,
            certificate,
        };
        let entry = Entry {
            record: record.clone(),
            csr: request.csr,
        };
        kept.requests.insert(id, entry);
        if kept.requests.len() > MAX_REQUESTS {
            kept.requests.pop_first();
        }
        record
    }

    pub(super) fn find(&self, id: u32) -> Option<RequestRecord> {
        self.kept().requests.get(&id).map(|entry| entry.record.clone())
    }

    pub(super) fn all(&self) -> Vec<RequestRecord> {
        let kept = self.kept();
        kept.requests.values().map(|entry| entry.record.clone()).collect()
    }

    /// Issues the certificate of a request that waits.
    pub(super) fn approve(&self, id: u32, authority: &Authority) -> Result<RequestRecord, SimulatorError> {
        self.decide(id, |entry| match &entry.csr {
            Some(csr) => issue(authority, csr),
            None => (Disposition::Failed(Hresult::BAD_REQUEST), None),
        })
    }

    /// Denies a request that waits.
    pub(super) fn deny(&self, id: u32, code: Hresult) -> Result<RequestRecord, SimulatorError> {
        self.decide(id, |_| (Disposition::DeniedByAdministrator(code), None))
    }

    fn decide(
        &self,
        id: u32,
        verdict: impl FnOnce(&Entry) -> (Disposition, Option<CertificateDer<'static>>),
    ) -> Result<RequestRecord, SimulatorError> {
        let wrong = |problem| SimulatorError::Request { id, problem };
        let mut kept = self.kept();
        let entry = kept
            .requests
            .get_mut(&id)
            .ok_or_else(|| wrong("does not exist"))?;
        if entry.record.disposition != Disposition::UnderSubmission {
            return Err(wrong("is not pending"));
        }
        (entry.record.disposition, entry.record.certificate) = verdict(entry);
        Ok(entry.record.clone())
    }
}

fn issue(authority: &Authority, csr: &VerifiedCsr) -> (Disposition, Option<CertificateDer<'static>>) {
    match authority.issue(csr) {
        Ok(certificate) => (Disposition::Issued, Some(certificate)),
        Err(EnrollError::RejectedByPolicy(refusal)) => {
            tracing::info!(%refusal, "the simulated policy module denies a request");
            let code = match refusal.rule {
                PolicyRule::KeyType => Hresult::KEY_LENGTH,
                PolicyRule::Subject => Hresult::BAD_SUBJECT,
                _ => Hresult::INVALID_ARGUMENT,
            };
            (Disposition::DeniedByPolicy(code), None)
        }
        Err(error) => {
            tracing::warn!(%error, "the simulated authority cannot issue");
            (Disposition::Failed(Hresult::INVALID_ARGUMENT), None)
        }
    }
}
