//! An authority that takes its time, as one behind a network or a person does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::{
    CaFuture, CertificateAuthority, EnrollOutcome, EnrollRequest, RevokeRequest, ServerKeyDecision,
    ServerKeyRequest,
};
use rustls_pki_types::CertificateDer;

/// What one enrolment takes before and after the certificate is on record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Takes {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
}

/// The embedded authority, slowed down.
#[derive(Debug)]
pub(crate) struct ScriptedAuthority {
    inner: Mutex<Arc<EmbeddedCertificateAuthority>>,
    script: Mutex<VecDeque<Takes>>,
    slowed: Mutex<u64>,
}

impl ScriptedAuthority {
    pub(crate) fn over(inner: EmbeddedCertificateAuthority) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Arc::new(inner)),
            script: Mutex::default(),
            slowed: Mutex::default(),
        })
    }

    pub(crate) fn inner(&self) -> Arc<EmbeddedCertificateAuthority> {
        Arc::clone(&self.inner.lock().unwrap())
    }

    /// What the next enrolment takes; those behind it take no time.
    pub(crate) fn next(&self, takes: Takes) {
        self.script.lock().unwrap().push_back(takes);
    }

    /// Forgets what was to come.
    pub(crate) fn mend(&self) {
        self.script.lock().unwrap().clear();
    }

    /// How many enrolments were slow so far.
    pub(crate) fn slowed(&self) -> u64 {
        *self.slowed.lock().unwrap()
    }
}

impl CertificateAuthority for ScriptedAuthority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        let inner = self.inner();
        Box::pin(async move { inner.ca_certificates().await })
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        let takes = self.script.lock().unwrap().pop_front().unwrap_or_default();
        if takes != Takes::default() {
            *self.slowed.lock().unwrap() += 1;
        }
        let inner = self.inner();
        Box::pin(async move {
            tokio::time::sleep(takes.before).await;
            let outcome = inner.enroll(request).await;
            tokio::time::sleep(takes.after).await;
            outcome
        })
    }

    fn approve_server_key(&self, request: ServerKeyRequest) -> CaFuture<'_, ServerKeyDecision> {
        let inner = self.inner();
        Box::pin(async move { inner.approve_server_key(request).await })
    }

    fn revocation_list(&self) -> CaFuture<'_, Option<Bytes>> {
        let inner = self.inner();
        Box::pin(async move { inner.revocation_list().await })
    }

    fn revoke(&self, request: RevokeRequest) -> CaFuture<'_, ()> {
        let inner = self.inner();
        Box::pin(async move { inner.revoke(request).await })
    }
}
