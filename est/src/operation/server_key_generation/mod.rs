//! `serverkeygen`: key and certificate made by the server (RFC 7030, section 4.4).
//!
//! The client's PKCS #10 request is a form: subject, attributes and the kind of key count, its public key and signature
//! do not (section 4.4.1). The server makes a key, signs a request of its own with it that has the same subject and
//! attributes, and takes that through the enrolment of the label, so that every rule applies as for `simpleenroll`.
//!
//! The authority is asked before a key is made ([`CertificateAuthority::approve_server_key`]): what waits for approval is
//! the form, never a key.
//!
//! [`CertificateAuthority::approve_server_key`]: crate::ca::CertificateAuthority::approve_server_key

mod delivery;
mod fresh_request;
mod generator;
mod shared_keys;

use std::sync::Arc;

use http::{HeaderValue, StatusCode};
use zeroize::Zeroizing;

pub use delivery::{KeyEncryption, KeyPackageSigner, RecipientCertificate};
pub use generator::{DirectKeyGenerator, KeyFuture, KeyGenerator, ServerKeyKind};
pub use shared_keys::{SharedKeysError, parse_shared_keys};

use super::{
    LabelService, Operation, OperationRequest, OperationResponse, Refusal, csr_attributes, enrollment,
};
use crate::ca::{EnrollOperation, ServerKeyDecision, ServerKeyRequest};
use crate::wire::base64;
use crate::wire::certs_only;
use crate::wire::cms::enveloped_data::{ContentEncryption, KeyEncryptionKey, KeyTransport};
use crate::wire::csr::{CertificationRequest, PublicKeyKind, UnverifiedCsr};
use crate::wire::media_type::PKCS7_MIME_CERTS_ONLY;
use crate::wire::multipart::{self, OutgoingPart};
use crate::wire::server_key::KeyEncryptionWishes;

use delivery::Delivery;
use fresh_request::FreshRequest;

/// How keys are made and returned.
#[derive(Debug, Clone)]
pub struct ServerKeyGenerationSettings {
    /// Makes the keys.
    pub generator: Arc<dyn KeyGenerator>,
    /// Signs the key packages that go out encrypted (RFC 7030, section 4.4.2: whoever made the key).
    pub signer: KeyPackageSigner,
    /// The kinds that are made when the request's own key is of that kind.
    pub kinds: Vec<ServerKeyKind>,
    /// Make this kind whatever the request's key is.
    pub fixed_kind: Option<ServerKeyKind>,
    /// Whether a key may leave without encryption beyond that of TLS.
    pub encryption: KeyEncryption,
    /// How the content is encrypted when the request lists no capabilities.
    pub content_encryption: ContentEncryption,
    /// How the content key is encrypted for RSA when the request lists no capabilities for it.
    pub key_transport: KeyTransport,
    /// Keys that a DecryptKeyIdentifier can name.
    pub shared_keys: Vec<KeyEncryptionKey>,
    /// Certificates that an AsymmetricDecryptKeyIdentifier can name, besides that of the TLS connection.
    pub recipients: Vec<RecipientCertificate>,
}

impl ServerKeyGenerationSettings {
    /// # Defaults
    /// All kinds of keys as the request's own key is, encryption when asked for, AES-256-CBC, RSAES-OAEP, no shared
    /// keys.
    #[must_use]
    pub fn new(generator: Arc<dyn KeyGenerator>, signer: KeyPackageSigner) -> Self {
        Self {
            generator,
            signer,
            kinds: ServerKeyKind::ALL.to_vec(),
            fixed_kind: None,
            encryption: KeyEncryption::default(),
            content_encryption: ContentEncryption::default(),
            key_transport: KeyTransport::default(),
            shared_keys: Vec::new(),
            recipients: Vec::new(),
        }
    }

    fn kind_for(&self, requested: &PublicKeyKind) -> Result<ServerKeyKind, Refusal> {
        if let Some(kind) = self.fixed_kind {
            return Ok(kind);
        }
        let found = ServerKeyKind::like(requested).filter(|kind| self.kinds.contains(kind));
        found.ok_or_else(|| {
            let made: Vec<String> = self.kinds.iter().map(ToString::to_string).collect();
            Refusal::Policy {
                cause: format!(
                    "no key like the request's ({requested}) is made here; send a request with a key of one of {}",
                    made.join(", ")
                ),
            }
        })
    }
}

pub(super) async fn answer(
    service: &LabelService,
    request: &OperationRequest,
) -> Result<OperationResponse, Refusal> {
    let settings = service
        .settings
        .server_key_generation
        .as_ref()
        .ok_or(Refusal::NotConfigured(Operation::ServerKeyGen))?;
    let bad_request = |cause: String| Refusal::BadRequest { cause };
    // "The server MUST ignore the public key values and signature in the CSR" (section 4.4.1).
    let form = UnverifiedCsr::from_body(&request.body, &service.settings.csr_limits)
        .map_err(|error| bad_request(error.to_string()))?;
    let form = form.unverified_contents();
    let wishes = KeyEncryptionWishes::of_request(form).map_err(|error| bad_request(error.to_string()))?;
    // Before anything is made: a request that cannot be answered uses up neither key nor certificate.
    let delivery = Delivery::plan(settings, &wishes, request.connection.certificate.as_ref())?;
    let kind = settings.kind_for(form.public_key().kind())?;
    ask_first(service, request, form, kind).await?;
    let fresh = make(service, settings, form, kind).await?;
    let (key_type, key) = delivery.encode(&fresh.key)?;
    let enrolled =
        enrollment::enroll(service, request, fresh.csr.clone(), EnrollOperation::ServerKeyGen).await?;
    let certificate = certs_only::encode(&[enrolled.issued.certificate]).map_err(enrollment::internal)?;
    let mut response = response(service, request, (key_type, &key), &certificate);
    response.channel_binding = Some(enrolled.channel_binding);
    Ok(response)
}

/// Has the label and the authority look at the form, so that nothing waits that would be refused in the end, and no key
/// is made that has to wait.
async fn ask_first(
    service: &LabelService,
    request: &OperationRequest,
    form: &CertificationRequest,
    kind: ServerKeyKind,
) -> Result<(), Refusal> {
    let form = form.for_key_to_be_made(kind.public_key_kind());
    csr_attributes::check_form(service, &form)?;
    let bindings = &request.connection.channel_bindings;
    let channel_binding = service.settings.proof_of_possession.check(&form, bindings)?;
    let asked = ServerKeyRequest {
        form,
        requester: enrollment::requester(request),
        label: request.route.label.clone(),
        channel_binding,
    };
    let decision = service.authority.approve_server_key(asked).await;
    match decision.map_err(enrollment::refusal_of)? {
        ServerKeyDecision::MakeKey => Ok(()),
        ServerKeyDecision::Pending { retry_after } => Err(Refusal::Pending { retry_after }),
    }
}

async fn make(
    service: &LabelService,
    settings: &ServerKeyGenerationSettings,
    form: &CertificationRequest,
    kind: ServerKeyKind,
) -> Result<FreshRequest, Refusal> {
    let key = settings
        .generator
        .generate(kind)
        .await
        .map_err(enrollment::internal)?;
    FreshRequest::new(
        form,
        key,
        &service.settings.csr_limits,
        &service.settings.verification,
    )
}

/// Key and certificate, each in base64 (RFC 7030, section 4.4.2).
fn response(
    service: &LabelService,
    request: &OperationRequest,
    (key_type, key): (&str, &[u8]),
    certificate: &[u8],
) -> OperationResponse {
    let layout = service.settings.layout.for_client(request.user_agent.as_ref());
    let key = Zeroizing::new(base64::encode(key, layout));
    let certificate = base64::encode(certificate, layout);
    let part = |content_type, body| OutgoingPart {
        content_type,
        transfer_encoding: Some("base64"),
        body,
    };
    let encoded = multipart::encode(&[
        part(key_type, key.as_bytes()),
        part(PKCS7_MIME_CERTS_ONLY, certificate.as_bytes()),
    ]);
    let content_type = HeaderValue::try_from(encoded.content_type)
        .unwrap_or_else(|_| HeaderValue::from_static("multipart/mixed"));
    OperationResponse::new(StatusCode::OK, content_type, encoded.body.into())
}
