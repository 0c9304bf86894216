//! `fullcmc`: CMC requests, and what comes back (RFC 7030, section 4.3).

use std::time::Duration;

use pki_common::Certificate;
use rustls_pki_types::CertificateDer;

use super::{Client, unexpected};
use crate::error::WireError;
use crate::exchange::{ClientError, Expectation, Issued, Outcome, RequestBody, answer};
use crate::operation::Operation;
use crate::request::KeyAndRequest;
use crate::request::cmc::{AnswerCheck, CmcAnswer, CmcAnswerError, CmcRequest, read_simple};
use crate::wire::certs_only::DEFAULT_MAX_LENGTH;
use crate::wire::media_type::MediaType;

/// The outcome of a `fullcmc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CmcOutcome<T = CmcAnswer> {
    /// What the server answers. It may well be a refusal: see [`CmcAnswer::granted`] and [`CmcAnswer::done`].
    Answer(T),
    /// The request waits for approval (HTTP status 202). After this time, send it again, or ask for its outcome by the
    /// control `queryPending` with the token of the answer.
    Pending {
        /// The time to wait.
        retry_after: Duration,
        /// What the server answers, when there is a CMC message in the body: [`CmcAnswer::pend_info`] has the token.
        answer: Option<T>,
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
        let outcome = self.fullcmc_message(request.der()).await?;
        self.read_cmc(outcome, |message, check| request.read(message, check))
    }

    /// Sends a Simple PKI Request, which is a PKCS #10 request in DER, and reads the answer: certificates alone, or a
    /// Full PKI Response that says why there are none.
    ///
    /// # Errors
    /// As [`Client::fullcmc`].
    pub async fn fullcmc_simple(&self, csr_der: &[u8]) -> Result<CmcOutcome, ClientError> {
        let outcome = self.fullcmc_message(csr_der).await?;
        self.read_cmc(outcome, read_simple)
    }

    fn read_cmc(
        &self,
        outcome: CmcOutcome<Vec<u8>>,
        read: impl Fn(&[u8], &AnswerCheck<'_>) -> Result<CmcAnswer, CmcAnswerError>,
    ) -> Result<CmcOutcome, ClientError> {
        let anchors = self.config().server_anchors()?;
        let check = AnswerCheck::new(&anchors, self.config().now());
        Ok(match outcome {
            CmcOutcome::Answer(message) => CmcOutcome::Answer(read(&message, &check)?),
            CmcOutcome::Pending { retry_after, answer } => CmcOutcome::Pending {
                retry_after,
                answer: answer.map(|message| read(&message, &check)).transpose()?,
            },
        })
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
            Outcome::Pending {
                retry_after,
                response,
            } => Ok(CmcOutcome::Pending {
                retry_after,
                // A server without CMC messages for this says it by the status alone, or with a text for people.
                answer: answer::binary(&response, DEFAULT_MAX_LENGTH, is_cmc_response)
                    .ok()
                    .flatten()
                    .filter(|_| answer::is_pkcs7(response.headers())),
            }),
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
