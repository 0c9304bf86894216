//! Enrolment and re-enrolment: key, request, exchange, and the checks on what comes back.

use core::ops::Deref;
use std::time::Duration;

use pki_common::Certificate;
use pki_common::identity::{Identity, NewKey};
use pki_common::trust_store::{TrustError, TrustStore};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Client, unexpected};
use crate::exchange::{
    ClientError, Expectation, Issued, Outcome, RequestBody, Rollover, answer, compare, find_by_key, validate,
};
use crate::operation::Operation;
use crate::request::{
    KeyAndRequest, RequestError, RequestKey, RequestTemplate, RequestedName, Subject, honour,
};
use crate::wire::csr::{Attribute, CsrLimits, RequestedExtension, UnverifiedCsr, VerificationPolicy};

/// Whether a request is linked to the TLS connection it goes out on (RFC 7030, section 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ProofOfPossession {
    /// Never. TLS 1.2 then works with servers that lack the extended master secret too.
    Never,
    /// When the server's CSR attributes ask for it. RFC 7030 would have clients always do it; certificate authorities
    /// behind a server, however, take a challengePassword they do not expect for a wrong password.
    #[default]
    WhenAsked,
    /// Always; a connection that has no channel binding is an error.
    Always,
}

/// What to ask for.
#[derive(Debug, Clone)]
pub struct EnrollOptions {
    /// The subject of the certificate.
    pub subject: Subject,
    /// Its subject alternative names.
    pub names: Vec<RequestedName>,
    /// The kind of the new key, unless the server's CSR attributes ask for another.
    pub key: NewKey,
    /// Further extensions to ask for.
    pub extensions: Vec<RequestedExtension>,
    /// Further attributes of the request.
    pub attributes: Vec<Attribute>,
}

impl EnrollOptions {
    /// Asks for this subject with a new EC P-256 key and no alternative names.
    #[must_use]
    pub const fn new(subject: Subject) -> Self {
        Self {
            subject,
            names: Vec::new(),
            key: NewKey::EcP256,
            extensions: Vec::new(),
            attributes: Vec::new(),
        }
    }

    fn template(self) -> Result<(RequestTemplate, NewKey), RequestError> {
        let mut template = RequestTemplate::new(self.subject, &self.names)?;
        for extension in self.extensions {
            template.set_extension(extension);
        }
        template.attributes = self.attributes;
        Ok((template, self.key))
    }
}

/// The key of a re-enrolment.
#[derive(Debug)]
pub enum ReenrollKey {
    /// A new key (RFC 7030 calls this rekeying).
    New(NewKey),
    /// An existing key in PKCS #8, for instance that of the certificate (renewing).
    Existing(PrivatePkcs8KeyDer<'static>),
}

/// What to renew.
#[derive(Debug)]
pub struct ReenrollOptions {
    /// The current certificate: its subject and its alternative names are asked for, byte for byte. It should also be
    /// the identity of the client.
    pub certificate: Certificate,
    /// The key of the new one.
    pub key: ReenrollKey,
}

impl ReenrollOptions {
    /// Renews this certificate with a new EC P-256 key.
    #[must_use]
    pub const fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            key: ReenrollKey::New(NewKey::EcP256),
        }
    }
}

/// The outcome of an enrolment.
#[derive(Debug)]
pub enum EnrollOutcome {
    /// The certificate is there, verified against anchors, key and request.
    Enrolled(Box<Enrolled>),
    /// The request waits for approval. Hand `request` to [`Client::enroll_with`] (or [`Client::reenroll_with`]) again
    /// after `retry_after`.
    Pending {
        /// The key and the request, to be sent again unchanged.
        request: Box<KeyAndRequest>,
        /// The time to wait.
        retry_after: Duration,
    },
}

/// The outcome of an enrolment with somebody else's request.
#[derive(Debug)]
pub enum CsrOutcome {
    /// The certificate is there, verified against anchors, key and request.
    Issued(Box<Issued>),
    /// The request waits for approval; send it again after this time.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
}

/// The answer to a `simpleenroll` request.
#[derive(Debug, Clone)]
pub enum SimpleEnrollResponse {
    /// The certificates of the answer, in no particular order. None of them is verified yet.
    Certificates(Vec<Certificate>),
    /// The request waits for approval; send the same request again after this time.
    Pending {
        /// The time to wait.
        retry_after: Duration,
    },
}

/// A certificate that was issued for our request and found to be what was asked for, with the key and the request.
#[derive(Debug)]
pub struct Enrolled {
    /// The certificate and what came with it.
    pub issued: Issued,
    /// The key and the request.
    pub request: KeyAndRequest,
}

impl Deref for Enrolled {
    type Target = Issued;

    fn deref(&self) -> &Issued {
        &self.issued
    }
}

impl Enrolled {
    /// Certificate, chain and key as an identity for TLS.
    ///
    /// # Errors
    /// [`RequestError::Key`] when certificate and key do not make an identity.
    pub fn identity(&self) -> Result<Identity, RequestError> {
        let key = PrivateKeyDer::Pkcs8(self.request.private_key().clone_key());
        Identity::from_parts(self.issued.chain(), key).map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })
    }
}

impl Client {
    /// Makes a key, asks for a certificate for it, and checks what comes back: it must be for the key, lead to the
    /// anchors, and be what was asked for.
    ///
    /// # Errors
    /// [`ClientError`]; any difference from what was asked for is one, unless the configuration accepts it.
    pub async fn enroll(&self, options: EnrollOptions) -> Result<EnrollOutcome, ClientError> {
        self.enroll_with(self.prepare(options).await?).await
    }

    /// Asks for the server's CSR attributes, if the configuration says so, and makes a key and a request that honours
    /// them. Nothing of it is sent yet, so that the key can be kept first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn prepare(&self, options: EnrollOptions) -> Result<KeyAndRequest, ClientError> {
        let (template, kind) = options.template()?;
        self.make(template, ReenrollKey::New(kind)).await
    }

    /// Like [`prepare`](Self::prepare), with an existing key in PKCS #8.
    ///
    /// # Errors
    /// [`ClientError`]; also when the server wants another kind of key.
    pub async fn prepare_with_key(
        &self,
        options: EnrollOptions,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<KeyAndRequest, ClientError> {
        let (template, _) = options.template()?;
        self.make(template, ReenrollKey::Existing(key)).await
    }

    /// Makes the key and the request of a re-enrolment.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn prepare_reenroll(&self, options: ReenrollOptions) -> Result<KeyAndRequest, ClientError> {
        let template = RequestTemplate::renewing(&options.certificate)?;
        self.make(template, options.key).await
    }

    async fn make(
        &self,
        mut template: RequestTemplate,
        key: ReenrollKey,
    ) -> Result<KeyAndRequest, ClientError> {
        let attributes = if self.config().ask_csr_attributes {
            self.csrattrs().await?
        } else {
            None
        };
        let requirements = attributes.map(|attributes| attributes.requirements());
        let mut binding = None;
        let key = match (key, &requirements) {
            (ReenrollKey::New(kind), Some(requirements)) => {
                let kind =
                    honour::key(requirements, kind).map_err(|cause| ClientError::Attributes { cause })?;
                ReenrollKey::New(kind)
            }
            (key, _) => key,
        };
        if let Some(requirements) = &requirements {
            binding = honour::binding(requirements);
            honour::template(requirements, &mut template);
        }
        let binding = match self.config().proof_of_possession {
            ProofOfPossession::Never => None,
            ProofOfPossession::WhenAsked => binding,
            ProofOfPossession::Always => Some(binding.unwrap_or_default()),
        };
        // An RSA key takes seconds to find; the runtime has other things to do meanwhile.
        let made = tokio::task::spawn_blocking(move || {
            let key = match key {
                ReenrollKey::New(kind) => RequestKey::generate(kind)?,
                ReenrollKey::Existing(key) => RequestKey::from_pkcs8(key)?,
            };
            Ok::<_, RequestError>(KeyAndRequest::new(template, key)?.with_binding(binding))
        });
        let made = made.await.map_err(|error| RequestError::Key {
            cause: error.to_string(),
        })??;
        if let Some(requirements) = &requirements {
            honour::check_key(requirements, made.csr_der())
                .map_err(|cause| ClientError::Attributes { cause })?;
        }
        Ok(made)
    }

    /// Like [`Client::enroll`], with a key and a request made before.
    ///
    /// # Errors
    /// [`ClientError`]; any difference from what was asked for is one, unless the configuration accepts it.
    pub async fn enroll_with(&self, request: KeyAndRequest) -> Result<EnrollOutcome, ClientError> {
        self.submit(Operation::SimpleEnroll, request).await
    }

    /// Renews a certificate (RFC 7030, section 4.2.2): the same subject and the same alternative names.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn reenroll(&self, options: ReenrollOptions) -> Result<EnrollOutcome, ClientError> {
        self.reenroll_with(self.prepare_reenroll(options).await?).await
    }

    /// Like [`Client::reenroll`], with a key and a request made before.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn reenroll_with(&self, request: KeyAndRequest) -> Result<EnrollOutcome, ClientError> {
        self.submit(Operation::SimpleReenroll, request).await
    }

    /// Sends somebody else's request, and checks what comes back as [`Client::enroll`] does. It cannot be linked to
    /// the connection, since its key is not here.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Csr`] when the request is not one, or its signature is wrong.
    pub async fn enroll_csr(&self, csr_der: &[u8]) -> Result<CsrOutcome, ClientError> {
        let csr = UnverifiedCsr::from_der(csr_der, &CsrLimits::default())?;
        let expected = Expectation::of_csr(&csr.verify(&VerificationPolicy::default())?)?;
        let body = RequestBody::Fixed(csr_der.to_vec());
        match self.ask(Operation::SimpleEnroll, body).await? {
            Outcome::Pending { retry_after, .. } => Ok(CsrOutcome::Pending { retry_after }),
            Outcome::Answer(response) => {
                let certificates = answer::certificates(&response)?;
                let mut issued = self.check(certificates, &expected).await?;
                issued.answer_length = Some(response.body().len());
                Ok(CsrOutcome::Issued(Box::new(issued)))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a PKCS #10 request in DER (RFC 7030, section 4.2.1). [`Client::enroll_csr`] also checks what comes back.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn simpleenroll(&self, csr_der: &[u8]) -> Result<SimpleEnrollResponse, ClientError> {
        self.send(Operation::SimpleEnroll, RequestBody::Fixed(csr_der.to_vec()))
            .await
    }

    async fn send(
        &self,
        operation: Operation,
        body: RequestBody<'_>,
    ) -> Result<SimpleEnrollResponse, ClientError> {
        match self.ask(operation, body).await? {
            Outcome::Answer(response) => {
                answer::certificates(&response).map(SimpleEnrollResponse::Certificates)
            }
            Outcome::Pending { retry_after, .. } => Ok(SimpleEnrollResponse::Pending { retry_after }),
            other => Err(unexpected(&other)),
        }
    }

    async fn submit(
        &self,
        operation: Operation,
        request: KeyAndRequest,
    ) -> Result<EnrollOutcome, ClientError> {
        let sent = self.send(operation, body_of(&request)).await?;
        let certificates = match sent {
            SimpleEnrollResponse::Certificates(certificates) => certificates,
            SimpleEnrollResponse::Pending { retry_after } => {
                return Ok(EnrollOutcome::Pending {
                    request: Box::new(request),
                    retry_after,
                });
            }
        };
        let issued = self
            .check(certificates, &Expectation::of_request(&request))
            .await?;
        Ok(EnrollOutcome::Enrolled(Box::new(Enrolled { issued, request })))
    }

    /// Finds the certificate by its key, verifies it, and compares it with what was asked for.
    pub(super) async fn check(
        &self,
        certificates: Vec<Certificate>,
        expected: &Expectation,
    ) -> Result<Issued, ClientError> {
        let (certificate, others) = find_by_key(certificates, &expected.spki_der)?;
        let others = self.complete(&certificate, others).await?;
        let above: Vec<_> = others.iter().chain(self.config().anchors.anchors()).collect();
        let accepted = compare(
            &certificate,
            expected,
            &above,
            &self.config().checks,
            self.config().now(),
        )?;
        Ok(Issued {
            certificate,
            others,
            accepted,
            answer_length: None,
        })
    }

    /// Checks that the certificate leads to an anchor, if need be with the help of what `cacerts` has.
    async fn complete(
        &self,
        certificate: &Certificate,
        mut others: Vec<Certificate>,
    ) -> Result<Vec<Certificate>, ClientError> {
        let anchors = &self.config().anchors;
        let untrusted = |error| ClientError::Untrusted(Box::new(error));
        let Err(error) = validate(anchors, certificate, &others, self.config().now()) else {
            return Ok(others);
        };
        // The new root of an authority often has the name of the old one, and then only the signature tells.
        if !matches!(
            error,
            TrustError::UnknownIssuer { .. }
                | TrustError::BadSignature { .. }
                | TrustError::AnchorHasAnotherKey { .. }
        ) {
            return Err(untrusted(error));
        }
        let answer = self.cacerts().await?;
        let anchors = self.anchors_with(&answer)?;
        others.extend(answer);
        validate(&anchors, certificate, &others, self.config().now()).map_err(untrusted)?;
        Ok(others)
    }

    /// The explicit anchors, and with implicit ones what they let the server add: see [`Rollover`].
    fn anchors_with(&self, answer: &[Certificate]) -> Result<TrustStore, ClientError> {
        let known = &self.config().anchors;
        let rollover = Rollover::compare(known, answer, self.config().trust_source(), self.config().now());
        rollover.anchors(known).map_err(|error| ClientError::Anchors {
            cause: error.to_string(),
        })
    }
}

/// The request, signed anew for each connection when it is to be linked to it.
pub(super) fn body_of(request: &KeyAndRequest) -> RequestBody<'_> {
    let Some(attribute) = request.binding() else {
        return RequestBody::Fixed(request.csr_der().to_vec());
    };
    RequestBody::Bound(Box::new(move |bindings| {
        let (_, text) = bindings.preferred().ok_or(ClientError::NoChannelBinding)?;
        Ok(request.bound_csr_der(attribute, &text)?)
    }))
}
