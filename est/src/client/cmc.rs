//! `fullcmc`: CMC requests, and what comes back (RFC 7030, section 4.3).

use std::time::Duration;

use pki_common::Certificate;
use rustls_pki_types::CertificateDer;

use super::run::now;
use super::{Client, unexpected};
use crate::error::WireError;
use crate::exchange::{ClientError, Expectation, Issued, Outcome, RequestBody, answer};
use crate::operation::Operation;
use crate::request::KeyAndRequest;
use crate::request::cmc::{AnswerCheck, CmcAnswer, CmcAnswerError, CmcRequest};
use crate::wire::certs_only::DEFAULT_MAX_LENGTH;
use crate::wire::media_type::MediaType;

/// The outcome of a `fullcmc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CmcOutcome<T = CmcAnswer> {
    /// What the server answers. It may well be a refusal: see [`CmcAnswer::granted`] and [`CmcAnswer::done`].
    Answer(T),
    /// The request waits for approval; send it again after this time.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
}

impl Client {
    /// Sends a Full PKI Request ([`CmcRequestBuilder`](crate::request::cmc::CmcRequestBuilder) makes them) and reads
    /// the answer: it must belong to the request, and whoever signed it must lead to the anchors. A refusal that comes
    /// as a CMC message (RFC 7030, section 4.3.2) is an answer too.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Cmc`] when the answer cannot be accepted.
    pub async fn fullcmc(&self, request: &CmcRequest) -> Result<CmcOutcome, ClientError> {
        let message = match self.fullcmc_message(request.der()).await? {
            CmcOutcome::Answer(message) => message,
            CmcOutcome::Pending { retry_after } => return Ok(CmcOutcome::Pending { retry_after }),
        };
        let anchors = self.config().server_anchors()?;
        let read = request.read(&message, &AnswerCheck::new(&anchors, now()))?;
        Ok(CmcOutcome::Answer(read))
    }

    /// The certificate that a CMC answer grants for this request: found by its key, verified against the anchors and
    /// compared with what was asked for, as [`Client::enroll`] does.
    ///
    /// # Errors
    /// [`ClientError::Cmc`] when the answer grants nothing; else as [`Client::enroll`].
    pub async fn issued_by_cmc(
        &self,
        answer: &CmcAnswer,
        request: &KeyAndRequest,
    ) -> Result<Issued, ClientError> {
        let certificates: Result<Vec<Certificate>, ClientError> =
            answer.granted()?.iter().map(read).collect();
        self.check(certificates?, &Expectation::of_request(request)).await
    }

    /// Sends a CMC request in DER that was made elsewhere, and gives the answer's message in DER. Nothing of it is
    /// verified.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Cmc`] when the answer is empty.
    pub async fn fullcmc_message(&self, request_der: &[u8]) -> Result<CmcOutcome<Vec<u8>>, ClientError> {
        let body = RequestBody::Fixed(request_der.to_vec());
        match self.ask(Operation::FullCmc, body).await? {
            Outcome::Answer(response) => {
                let found = answer::binary(&response, DEFAULT_MAX_LENGTH, is_cmc_response)?;
                let empty = || CmcAnswerError::Content(WireError::Empty { what: "CMC response" });
                Ok(CmcOutcome::Answer(found.ok_or_else(empty)?))
            }
            Outcome::Pending { retry_after } => Ok(CmcOutcome::Pending { retry_after }),
            other => Err(unexpected(&other)),
        }
    }
}

fn is_cmc_response(media_type: &MediaType) -> bool {
    ["application/pkcs7-mime", "application/x-pkcs7-mime"].contains(&media_type.essence())
}

fn read(der: &CertificateDer<'_>) -> Result<Certificate, ClientError> {
    Certificate::from_der(der).map_err(|error| ClientError::Certificate {
        cause: error.to_string(),
    })
}

impl From<CmcAnswerError> for ClientError {
    fn from(error: CmcAnswerError) -> Self {
        Self::Cmc(Box::new(error))
    }
}
