//! `serverkeygen`: the server makes the key (RFC 7030, section 4.4).

use std::time::Duration;

use http::header::CONTENT_TYPE;
use pki_common::Certificate;
use pki_common::identity::Identity;
use pki_common::signature::SignaturePolicy;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::enroll::{EnrollOptions, body_of};
use super::{Client, unexpected};
use crate::exchange::{ClientError, Expectation, Issued, Outcome};
use crate::operation::Operation;
use crate::request::server_key::{ServerGeneratedKey, ServerKeyError, ServerKeyLimits, read_answer};
use crate::request::{KeyAndRequest, RequestError};
use crate::wire::cms::enveloped_data::DecryptionKey;

/// What to ask for, and how to read the answer.
#[derive(Debug)]
pub struct ServerKeyOptions {
    /// Subject, names and kind of key. The attributes may name for whom the key is to be encrypted (RFC 7030, section
    /// 4.4.1: `DecryptKeyIdentifier`, `AsymmetricDecryptKeyIdentifier`).
    pub enroll: EnrollOptions,
    /// Keys to decrypt the answer with. When there are some, a key that comes in the clear is refused.
    pub decryption_keys: Vec<DecryptionKey>,
}

impl ServerKeyOptions {
    /// Asks for a key that is protected by TLS alone.
    #[must_use]
    pub const fn new(enroll: EnrollOptions) -> Self {
        Self {
            enroll,
            decryption_keys: Vec::new(),
        }
    }
}

/// The outcome of a `serverkeygen`.
#[derive(Debug)]
pub enum ServerKeyOutcome {
    /// Key and certificate are there.
    Made(Box<ServerKey>),
    /// The request waits for approval. Hand `request` to [`Client::serverkeygen_with`] again after `retry_after`.
    Pending {
        /// The request; its own key only signs it.
        request: Box<KeyAndRequest>,
        /// The time to wait.
        retry_after: Duration,
    },
}

/// A key that the server made, and its certificate, verified against the anchors and compared with what was asked for.
#[derive(Debug)]
pub struct ServerKey {
    /// The certificate and what came with it.
    pub issued: Issued,
    /// The key, and who signed its package.
    pub key: ServerGeneratedKey,
}

impl ServerKey {
    /// Certificate, chain and key as an identity for TLS.
    ///
    /// # Errors
    /// [`RequestError::Key`] when certificate and key do not make an identity.
    pub fn identity(&self) -> Result<Identity, RequestError> {
        let key = PrivateKeyDer::Pkcs8(self.key.private_key().clone_key());
        Identity::from_parts(self.issued.chain(), key).map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })
    }
}

impl Client {
    /// Has the server make a key and a certificate for it.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::ServerKey`] when the key cannot be had.
    pub async fn serverkeygen(&self, options: ServerKeyOptions) -> Result<ServerKeyOutcome, ClientError> {
        let request = self.prepare(options.enroll).await?;
        self.serverkeygen_with(request, &options.decryption_keys).await
    }

    /// Like [`Client::serverkeygen`], with a request made before.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::ServerKey`] when the key cannot be had.
    pub async fn serverkeygen_with(
        &self,
        request: KeyAndRequest,
        decryption_keys: &[DecryptionKey],
    ) -> Result<ServerKeyOutcome, ClientError> {
        let response = match self.ask(Operation::ServerKeyGen, body_of(&request)).await? {
            Outcome::Answer(response) => response,
            Outcome::Pending { retry_after, .. } => {
                let request = Box::new(request);
                return Ok(ServerKeyOutcome::Pending { request, retry_after });
            }
            other => return Err(unexpected(&other)),
        };
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let answer = read_answer(content_type, response.body(), ServerKeyLimits::default())?;
        if !decryption_keys.is_empty() && !answer.is_encrypted() {
            return Err(ClientError::ServerKeyInTheClear);
        }
        let key = answer.open(decryption_keys, SignaturePolicy::strict())?;
        let certificate = read(key.certificate())?;
        let expected = Expectation {
            // The request's own key only signs it; the answer's key belongs to the answer's certificate.
            spki_der: certificate.spki_der().to_vec(),
            ..Expectation::of_request(&request)
        };
        let mut certificates = vec![certificate];
        for other in key.other_certificates() {
            certificates.push(read(other)?);
        }
        let issued = self.check(certificates, &expected).await?;
        Ok(ServerKeyOutcome::Made(Box::new(ServerKey { issued, key })))
    }
}

fn read(der: &CertificateDer<'_>) -> Result<Certificate, ClientError> {
    Certificate::from_der(der).map_err(|error| ClientError::Certificate {
        cause: error.to_string(),
    })
}

impl From<ServerKeyError> for ClientError {
    fn from(error: ServerKeyError) -> Self {
        Self::ServerKey(Box::new(error))
    }
}
