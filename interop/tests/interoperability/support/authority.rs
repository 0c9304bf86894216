//! Authorities that do what the embedded one does not do by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use est::ca::{CaFuture, CertificateAuthority, EnrollOutcome, EnrollRequest};
use rustls_pki_types::CertificateDer;

/// Has the first request wait.
#[derive(Debug)]
pub(crate) struct Waiting {
    inner: Arc<dyn CertificateAuthority>,
    asked: AtomicBool,
}

impl Waiting {
    pub(crate) fn new(inner: Arc<dyn CertificateAuthority>) -> Self {
        Self {
            inner,
            asked: AtomicBool::new(false),
        }
    }
}

impl CertificateAuthority for Waiting {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.inner.ca_certificates()
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        if self.asked.swap(true, Ordering::Relaxed) {
            return self.inner.enroll(request);
        }
        let retry_after = Duration::from_secs(1);
        Box::pin(async move { Ok(EnrollOutcome::Pending { retry_after }) })
    }
}

/// Hands out three other roots with its own. libest takes no two roots of the same name, whatever their keys are.
#[derive(Debug)]
pub(crate) struct Several(pub(crate) Arc<dyn CertificateAuthority>);

impl CertificateAuthority for Several {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(async {
            let mut all = self.0.ca_certificates().await?.to_vec();
            for name in ["One Root", "Another Root", "A Third Root"] {
                let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
                parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
                parameters
                    .distinguished_name
                    .push(rcgen::DnType::CommonName, name);
                let key = rcgen::KeyPair::generate().unwrap();
                all.push(parameters.self_signed(&key).unwrap().der().clone());
            }
            Ok(all.into())
        })
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        self.0.enroll(request)
    }
}
