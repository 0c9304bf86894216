//! Certification requests (PKCS#10, RFC 2986), from the body of a request to a type that says its signature is good.
//!
//! ```text
//! body --from_body--> UnverifiedCsr --verify--> VerifiedCsr --> certificate authority
//! ```

mod attribute;
mod body;
mod name_text;
pub mod oracle;
mod public_key;
mod request;

use std::ops::Deref;

use pki_common::signature::SignatureError;

pub use attribute::{Attribute, ChallengePassword, RequestedExtension};
pub(crate) use attribute::{MICROSOFT_CERT_EXTENSIONS, PROOFS, directory_string, name_with_oid};
pub use pki_common::signature::SignaturePolicy as VerificationPolicy;
pub use public_key::{PublicKey, PublicKeyKind};
pub use request::CertificationRequest;
pub(crate) use request::{RequestParts, subject_text_of};

use crate::error::{CsrError, WireError};

/// Bounds of what is accepted as a certification request.
///
/// # Defaults
/// [`DEFAULT_MAX_CSR_LENGTH`], [`DEFAULT_MAX_ATTRIBUTES`], [`DEFAULT_MAX_EXTENSIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsrLimits {
    /// Longest request, in bytes of DER.
    pub length: usize,
    /// Most attributes, and most values of one attribute.
    pub attributes: usize,
    /// Most requested extensions.
    pub extensions: usize,
}

/// A request with an RSA-8192 key, its signature and a page of alternative names is under 8 kB.
pub const DEFAULT_MAX_CSR_LENGTH: usize = 32 * 1024;

/// Requests in the field carry up to five (Microsoft clients).
pub const DEFAULT_MAX_ATTRIBUTES: usize = 32;

/// Requests in the field carry up to ten.
pub const DEFAULT_MAX_EXTENSIONS: usize = 64;

impl Default for CsrLimits {
    fn default() -> Self {
        Self {
            length: DEFAULT_MAX_CSR_LENGTH,
            attributes: DEFAULT_MAX_ATTRIBUTES,
            extensions: DEFAULT_MAX_EXTENSIONS,
        }
    }
}

/// A certification request whose structure is sound and whose signature nobody has checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedCsr(CertificationRequest);

impl UnverifiedCsr {
    /// Reads a request in DER.
    ///
    /// # Errors
    /// [`CsrError::Wire`]: too long, not DER, bytes behind the request, a duplicate attribute or extension.
    pub fn from_der(der: &[u8], limits: &CsrLimits) -> Result<Self, CsrError> {
        if der.len() > limits.length {
            return Err(WireError::TooLong {
                what: "certification request",
                limit: limits.length,
            }
            .into());
        }
        Ok(Self(CertificationRequest::parse(der, limits)?))
    }

    /// Reads the body of a `simpleenroll` request: base64 as RFC 8951 says, or PEM armour
    /// (`-----BEGIN CERTIFICATE REQUEST-----` or `-----BEGIN NEW CERTIFICATE REQUEST-----`, text before it ignored),
    /// which many clients send.
    ///
    /// # Errors
    /// As [`Self::from_der`], and [`WireError::Base64`] or [`WireError::Pem`] for what surrounds the request.
    pub fn from_body(body: &[u8], limits: &CsrLimits) -> Result<Self, CsrError> {
        Self::from_der(&body::decode(body, limits.length)?, limits)
    }

    /// A request in another syntax than PKCS #10, of its parts.
    pub(crate) fn from_parts(parts: &RequestParts<'_>, limits: &CsrLimits) -> Result<Self, WireError> {
        CertificationRequest::from_parts(parts, limits).map(Self)
    }

    /// Checks the request's signature with the public key in it (RFC 2986 section 4.2): the sender holds the
    /// private key.
    ///
    /// # Errors
    /// [`CsrError::BadSignature`], [`CsrError::BadKey`], [`CsrError::UnsupportedAlgorithm`], [`CsrError::TooWeak`].
    pub fn verify(self, policy: &VerificationPolicy) -> Result<VerifiedCsr, CsrError> {
        let Self(request) = self;
        pki_common::signature::verify_signature(
            request.public_key().spki_der(),
            request.signature_algorithm_der(),
            request.info_der(),
            request.signature(),
            *policy,
        )
        .map_err(|error| refusal(&error))?;
        Ok(VerifiedCsr(request))
    }

    /// What the request says, for display only: anybody may have written it.
    pub fn unverified_contents(&self) -> &CertificationRequest {
        &self.0
    }
}

/// A certification request made by the holder of its private key. Only [`UnverifiedCsr::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCsr(CertificationRequest);

impl VerifiedCsr {
    /// The same request with other names than it carries, for which it asked in another way (RFC 6402 section 2.8).
    /// [`CertificationRequest::der`] stays what was sent.
    ///
    /// # Errors
    /// [`WireError::Der`] when `subject` is no Name.
    pub(crate) fn with_names(
        mut self,
        subject: Option<Vec<u8>>,
        alternative_names: Option<Vec<u8>>,
    ) -> Result<Self, WireError> {
        self.0.change_names(subject, alternative_names)?;
        Ok(self)
    }
}

impl Deref for VerifiedCsr {
    type Target = CertificationRequest;

    fn deref(&self) -> &CertificationRequest {
        &self.0
    }
}

fn refusal(error: &SignatureError) -> CsrError {
    match error {
        SignatureError::Invalid => CsrError::BadSignature,
        SignatureError::BadPublicKey { .. } | SignatureError::BadAlgorithm { .. } => {
            CsrError::BadKey(error.to_string())
        }
        SignatureError::RsaKeySize { .. } | SignatureError::Sha1Refused => {
            CsrError::TooWeak(error.to_string())
        }
        _ => CsrError::UnsupportedAlgorithm(error.to_string()),
    }
}
