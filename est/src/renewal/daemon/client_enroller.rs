//! The exchange with an EST server.

use std::sync::Arc;

use http::StatusCode;
use pki_common::{Certificate, Diagnose as _, Failure};
use rustls_pki_types::PrivateKeyDer;

use super::enroller::{Enroller, EnrollerFuture, Exchanged, HeldFiles, PreparationFuture};
use crate::client::{
    Client, ClientConfig, ClientError, EnrollOptions, EnrollOutcome, ProofOfPossession, ReenrollKey,
    ReenrollOptions,
};
use crate::renewal::folder::PendingRequest;
use crate::request::{BindingAttribute, KeyAndRequest, RequestKey, honour};
use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};

/// Enrols and re-enrols with an EST server.
///
/// A certificate that has not ended is renewed by `simplereenroll`, and it is what the client authenticates by. Without
/// one, or when it has ended, `simpleenroll` is used with what the configuration has: user and password, a token, or
/// another certificate.
///
/// After each certificate the server is asked for its `cacerts`: a root that is new is trusted from then on, because the
/// connection is authenticated by those that were trusted before (RFC 7030, section 4.1.3).
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
    fn client(&self, held: &HeldFiles) -> Result<(Client, bool), ClientError> {
        let mut config = self.config.clone();
        let now = config.now();
        let valid = held
            .current
            .as_ref()
            .filter(|identity| now <= identity.certificate().not_after());
        if let Some(identity) = valid {
            config.identity = Some(Arc::clone(identity));
        }
        if !held.anchors.is_empty() {
            let mut anchors = (*config.anchors).clone();
            for anchor in &held.anchors {
                anchors.add(anchor).map_err(|error| ClientError::Anchors {
                    cause: error.to_string(),
                })?;
            }
            config.anchors = Arc::new(anchors);
        }
        Ok((Client::new(config)?, valid.is_some()))
    }

    async fn make(&self, held: &HeldFiles) -> Result<PendingRequest, ClientError> {
        let (client, _) = self.client(held)?;
        let made = match &held.current {
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

    async fn send(&self, request: PendingRequest, held: &HeldFiles) -> Result<Exchanged, ClientError> {
        let (client, renews) = self.client(held)?;
        let csr = UnverifiedCsr::from_der(&request.csr_der, &CsrLimits::default())?
            .verify(&VerificationPolicy::default())?;
        let binding = match self.config.proof_of_possession {
            ProofOfPossession::Never => None,
            always_or_asked if self.config.ask_csr_attributes => {
                let asked = client.csrattrs().await?;
                let asked = asked.and_then(|attributes| honour::binding(&attributes.requirements()));
                asked.or_else(|| {
                    (always_or_asked == ProofOfPossession::Always).then(BindingAttribute::default)
                })
            }
            ProofOfPossession::Always => Some(BindingAttribute::default()),
            ProofOfPossession::WhenAsked => None,
        };
        let request =
            KeyAndRequest::from_csr(&csr, RequestKey::from_pkcs8(request.key)?)?.with_binding(binding);
        let outcome = if renews {
            client.reenroll_with(request).await?
        } else {
            client.enroll_with(request).await?
        };
        Ok(match outcome {
            EnrollOutcome::Enrolled(enrolled) => Exchanged::Issued {
                identity: Box::new(enrolled.identity()?),
                new_anchors: new_anchors(&client).await,
            },
            EnrollOutcome::Pending { retry_after, .. } => Exchanged::Pending { retry_after },
        })
    }
}

impl Enroller for ClientEnroller {
    fn prepare(&self, held: HeldFiles) -> PreparationFuture<'_> {
        Box::pin(async move { self.make(&held).await.map_err(|error| error.diagnose()) })
    }

    fn exchange(&self, request: PendingRequest, held: HeldFiles) -> EnrollerFuture<'_> {
        Box::pin(async move {
            match self.send(request, &held).await {
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

/// The roots that the server has and that were not known. A server that does not tell them has issued all the same.
async fn new_anchors(client: &Client) -> Vec<Certificate> {
    match client.rollover().await {
        Ok(rollover) => rollover.added.into_iter().map(|new| new.certificate).collect(),
        Err(error) => {
            tracing::warn!(%error, "the authority's certificates are not known anew");
            Vec::new()
        }
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
