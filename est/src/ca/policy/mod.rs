//! What may be issued.
//!
//! Nothing of a request reaches the certificate unless a rule lets it, and nothing is dropped without a word: what
//! no rule lets through refuses the request, with the name of the rule and of the thing, unless the operator chose
//! [`UnlistedExtensions::Drop`].
//!
//! | field of the certificate | comes from |
//! |---|---|
//! | subject, public key | the request, byte for byte, when [`SubjectPolicy`] and [`KeyPolicy`] accept them |
//! | validity | [`ValidityPolicy`] and the CA certificate |
//! | `basicConstraints` | always `CA:FALSE` |
//! | `keyUsage` | the request's when it fits the key, else by key type |
//! | `extKeyUsage` | the request's when [`ExtensionPolicy::extended_key_usages`] covers it, else those |
//! | `subjectKeyIdentifier`, `authorityKeyIdentifier` | computed |
//! | `subjectAltName` | the request, byte for byte, when [`AlternativeNamePolicy`] accepts every name |
//! | other extensions | the request, byte for byte, when listed in [`ExtensionPolicy::copied`] |

mod alternative_name;
mod extension;
mod key;
mod subject;
mod validity;

pub use alternative_name::{AlternativeNamePolicy, DEFAULT_MAX_ALTERNATIVE_NAMES};
pub use extension::{
    DEFAULT_MAX_EXTENSION_LENGTH, ExtensionPolicy, ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH, UnlistedExtensions,
};
pub use key::{DEFAULT_MAX_RSA_BITS, DEFAULT_MIN_RSA_BITS, KeyPolicy};
pub use subject::{DEFAULT_MAX_SUBJECT_LENGTH, SubjectPolicy};
pub use validity::{DEFAULT_BACKDATE, DEFAULT_MINIMUM_VALIDITY, DEFAULT_VALIDITY, ValidityPolicy};

use super::PolicyRefusal;
use super::x509::Extension;
use crate::wire::csr::CertificationRequest;

/// What an authority issues.
///
/// # Defaults
/// EC P-256 and P-384, RSA from 2048 to 8192 bits, Ed25519; 90 days; any subject, or none beside an alternative
/// name; DNS, IP, e-mail and URI alternative names; `clientAuth` and `serverAuth`; any other requested extension
/// refuses the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuancePolicy {
    /// Which keys are certified.
    pub key: KeyPolicy,
    /// What the subject may be.
    pub subject: SubjectPolicy,
    /// How long certificates are valid.
    pub validity: ValidityPolicy,
    /// Which alternative names are certified.
    pub alternative_names: AlternativeNamePolicy,
    /// Which other extensions are in the certificate.
    pub extensions: ExtensionPolicy,
}

impl IssuancePolicy {
    /// Asks every rule but the validity.
    ///
    /// # Errors
    /// The first refusal.
    pub fn check(&self, request: &CertificationRequest) -> Result<(), PolicyRefusal> {
        self.extensions(request).map(drop)
    }

    /// The extensions of the certificate, without the authority key identifier.
    pub(crate) fn extensions(&self, request: &CertificationRequest) -> Result<Vec<Extension>, PolicyRefusal> {
        self.key.check(request.public_key().kind())?;
        self.subject.check(request)?;
        extension::select(self, request)
    }
}
