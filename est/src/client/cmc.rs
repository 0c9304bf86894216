//! `fullcmc`: any CMC message, and what comes back (RFC 7030, section 4.3).

use std::time::Duration;

use super::{Client, unexpected};
use crate::exchange::{ClientError, Outcome, RequestBody, answer};
use crate::operation::Operation;
use crate::wire::certs_only::DEFAULT_MAX_LENGTH;
use crate::wire::media_type::MediaType;

/// The outcome of a `fullcmc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CmcOutcome {
    /// The CMC message that the server answers, in DER: a PKIResponse, or a certs-only message (the simple response of
    /// RFC 5272, section 4.1). It may well be a refusal; nothing of it is verified here.
    Answer(Vec<u8>),
    /// The request waits for approval; send it again after this time.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
}

impl Client {
    /// Sends a CMC request in DER, as [`request::cmc`](crate::request) makes them, and gives the answer's message. A
    /// refusal that brings a CMC message (RFC 7030, section 4.3.2) is an answer too.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Cmc`] when the answer is empty.
    pub async fn fullcmc(&self, request_der: &[u8]) -> Result<CmcOutcome, ClientError> {
        let body = RequestBody::Fixed(request_der.to_vec());
        match self.ask(Operation::FullCmc, body).await? {
            Outcome::Answer(response) => {
                let found = answer::binary(&response, DEFAULT_MAX_LENGTH, is_cmc_response)?;
                found.map(CmcOutcome::Answer).ok_or_else(|| ClientError::Cmc {
                    cause: "it is empty".to_owned(),
                })
            }
            Outcome::Pending { retry_after } => Ok(CmcOutcome::Pending { retry_after }),
            other => Err(unexpected(&other)),
        }
    }
}

fn is_cmc_response(media_type: &MediaType) -> bool {
    ["application/pkcs7-mime", "application/x-pkcs7-mime"].contains(&media_type.essence())
}
