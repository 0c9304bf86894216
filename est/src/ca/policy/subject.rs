//! What the subject may be.

use crate::ca::x509::SUBJECT_ALT_NAME;
use crate::ca::{PolicyRefusal, PolicyRule};
use crate::wire::csr::CertificationRequest;

/// Longest subject, in bytes of DER. A dozen attributes of 64 characters fit; the subject is in every handshake.
pub const DEFAULT_MAX_SUBJECT_LENGTH: usize = 1024;

/// What the subject may be. It is never changed: it is certified as it is, or the request is refused.
///
/// # Defaults
/// Up to [`DEFAULT_MAX_SUBJECT_LENGTH`]; empty when there is a `subjectAltName`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectPolicy {
    /// Longest subject, in bytes of DER.
    pub max_length: usize,
    /// Whether the subject may be empty. There must be a `subjectAltName` then, which becomes critical (RFC 5280
    /// section 4.1.2.6).
    pub allow_empty: bool,
}

impl Default for SubjectPolicy {
    fn default() -> Self {
        Self {
            max_length: DEFAULT_MAX_SUBJECT_LENGTH,
            allow_empty: true,
        }
    }
}

impl SubjectPolicy {
    pub(super) fn check(&self, request: &CertificationRequest) -> Result<(), PolicyRefusal> {
        let refuse = |text: String| Err(PolicyRefusal::new(PolicyRule::Subject, text));
        let length = request.subject_der().len();
        if length > self.max_length {
            return refuse(format!(
                "the subject has {length} bytes; at most {} are certified",
                self.max_length
            ));
        }
        if !request.subject_is_empty() {
            return Ok(());
        }
        if !self.allow_empty {
            return refuse("the subject is empty; put a name into it".to_owned());
        }
        if !request
            .requested_extensions()
            .iter()
            .any(|extension| extension.oid == SUBJECT_ALT_NAME)
        {
            return refuse(
                "the subject is empty and there is no subjectAltName; put a name into one of them".to_owned(),
            );
        }
        Ok(())
    }
}
