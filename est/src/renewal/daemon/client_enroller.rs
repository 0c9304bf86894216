//! The exchange with an EST server.

use std::sync::Arc;

use http::StatusCode;
use pki_common::identity::Identity;
use pki_common::{Diagnose as _, Failure};
use rustls_pki_types::{PrivateKeyDer, UnixTime};

use super::enroller::{Enroller, EnrollerFuture, Exchanged, PreparationFuture};
use crate::client::{
    Client, ClientConfig, ClientError, EnrollOptions, EnrollOutcome, ProofOfPossession, ReenrollKey,
    ReenrollOptions,
};
use crate::renewal::folder::PendingRequest;
use crate::request::{BindingAttribute, KeyAndRequest, RequestKey};
use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

/// Enrols and re-enrols with an EST server.
///
/// A certificate that has not ended is renewed by `simplereenroll`, and it is what the client authenticates by. Without
/// one, or when it has ended, `simpleenroll` is used with what the configuration has: user and password, a token, or
/// another certificate.
#[derive(Debug)]
pub struct ClientEnroller {
    /// The server, and what to show it the first time.
    pub config: ClientConfig,
    /// What to ask for the first time. Later, subject and alternative names are those of the certificate.
    pub first: EnrollOptions,
    /// Whether the key of the certificate is kept. It should not be: a new key ends what a stolen one is good for.
    pub reuse_key: bool,
}

impl ClientEnroller {
    /// The client for this attempt, and whether it renews.
    fn client(&self, current: Option<&Arc<Identity>>) -> Result<(Client, bool), ClientError> {
        let valid = current.filter(|identity| UnixTime::now() <= identity.certificate().not_after());
        let mut config = self.config.clone();
        if let Some(identity) = valid {
            config.identity = Some(Arc::clone(identity));
        }
        Ok((Client::new(config)?, valid.is_some()))
    }

    async fn make(&self, current: Option<Arc<Identity>>) -> Result<PendingRequest, ClientError> {
        let (client, _) = self.client(current.as_ref())?;
        let made = match current {
            None => client.prepare(self.first.clone()).await?,
            // Of a certificate that has ended, too, the names stay.
            Some(identity) => {
                let key = match identity.private_key() {
                    PrivateKeyDer::Pkcs8(key) if self.reuse_key => ReenrollKey::Existing(key.clone_key()),
                    _ => ReenrollKey::New(self.first.key),
                };
                let options = ReenrollOptions {
                    certificate: identity.certificate().clone(),
                    key,
                };
                client.prepare_reenroll(options).await?
            }
        };
        Ok(PendingRequest {
            key: made.private_key().clone_key(),
            csr_der: made.csr_der().to_vec(),
        })
    }

    async fn send(
        &self,
        request: PendingRequest,
        current: Option<Arc<Identity>>,
    ) -> Result<Exchanged, ClientError> {
        let (client, renews) = self.client(current.as_ref())?;
        let csr = UnverifiedCsr::from_der(&request.csr_der, &CsrLimits::default())?
            .verify(&VerificationPolicy::default())?;
        let binding = match self.config.proof_of_possession {
            ProofOfPossession::Always => Some(BindingAttribute::default()),
            ProofOfPossession::WhenAsked if self.config.ask_csr_attributes => {
                let attributes = client.csrattrs().await?;
                let asked = attributes.is_some_and(|asked| asked.requirements().challenge_password);
                asked.then(BindingAttribute::default)
            }
            _ => None,
        };
        let request =
            KeyAndRequest::from_csr(&csr, RequestKey::from_pkcs8(request.key)?)?.with_binding(binding);
        let outcome = if renews {
            client.reenroll_with(request).await?
        } else {
            client.enroll_with(request).await?
        };
        Ok(match outcome {
            EnrollOutcome::Enrolled(enrolled) => Exchanged::Issued(Box::new(enrolled.identity()?)),
            EnrollOutcome::Pending { retry_after, .. } => Exchanged::Pending { retry_after },
        })
    }
}

impl Enroller for ClientEnroller {
    fn prepare(&self, current: Option<Arc<Identity>>) -> PreparationFuture<'_> {
        Box::pin(async move { self.make(current).await.map_err(|error| error.diagnose()) })
    }

    fn exchange(&self, request: PendingRequest, current: Option<Arc<Identity>>) -> EnrollerFuture<'_> {
        Box::pin(async move {
            match self.send(request, current).await {
                Ok(exchanged) => exchanged,
                Err(error) => Exchanged::Failed {
                    retry_after: error.retry_after(),
                    discard_request: refuses_the_request(&error),
                    failure: Box::<Failure>::new(error.diagnose()),
                },
            }
        })
    }
}

/// The same request would be refused again. Who is refused (401, 403) may be told otherwise tomorrow.
fn refuses_the_request(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Status {
            status: StatusCode::BAD_REQUEST
                | StatusCode::NOT_ACCEPTABLE
                | StatusCode::CONFLICT
                | StatusCode::GONE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::UNPROCESSABLE_ENTITY,
            ..
        }
    )
}
