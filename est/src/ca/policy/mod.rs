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
//! | `subjectKeyIdentifier`, `authorityKeyIdentifier` | computed, whatever authority key identifier a request names |
//! | `subjectAltName` | the request, byte for byte, when [`AlternativeNamePolicy`] accepts every name |
//! | other extensions | the request, byte for byte, when listed in [`ExtensionPolicy::copied`] |
//! | `cRLDistributionPoints`, `authorityInfoAccess`, `certificatePolicies` | [`AddedExtensions`] |

mod added;
mod alternative_name;
mod approval;
mod attribute;
mod config;
mod description;
mod extension;
mod key;
mod network;
mod requester;
mod subject;
mod validity;

pub use added::AddedExtensions;
#[cfg(feature = "cli")]
pub(crate) use added::KEY_PLACE;
pub use alternative_name::{AlternativeNamePolicy, DEFAULT_MAX_ALTERNATIVE_NAMES};
pub use approval::{
    Approval, ApprovalSettings, DEFAULT_APPROVAL_RETRY, DEFAULT_APPROVAL_WAIT, DEFAULT_MAX_PENDING,
    DEFAULT_MAX_PENDING_OF_ONE, DEFAULT_PICK_UP,
};
pub use attribute::AttributePolicy;
pub use config::{PolicyConfig, PolicyConfigError};
pub use extension::{
    DEFAULT_MAX_EXTENSION_LENGTH, ExtensionPolicy, ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH, UnlistedExtensions,
};
pub use key::{DEFAULT_MAX_RSA_BITS, DEFAULT_MIN_RSA_BITS, KeyPolicy};
pub use network::{IpNetwork, IpNetworkError};
pub use requester::RequesterRule;
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
    /// Which attributes a request may have.
    pub attributes: AttributePolicy,
    /// Which other extensions are in the certificate.
    pub extensions: ExtensionPolicy,
    /// What the authority adds on its own.
    pub added: AddedExtensions,
    /// Whose certificate it may be, against who asks.
    pub requester: RequesterRule,
    /// Whether a person has to approve first.
    pub approval: Approval,
}

/// A usual kind of certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// For TLS clients: `clientAuth`.
    Client,
    /// For TLS servers: `serverAuth`, and a `subjectAltName` is required (RFC 9525 section 2).
    Server,
    /// For devices that are both: `clientAuth` and `serverAuth`, the default policy.
    ClientAndServer,
}

impl IssuancePolicy {
    /// The policy for a usual kind of certificate.
    pub fn of(template: Template) -> Self {
        let mut policy = Self::default();
        match template {
            Template::ClientAndServer => {}
            Template::Client => policy.extensions.extended_key_usages = vec![ID_KP_CLIENT_AUTH],
            Template::Server => {
                policy.extensions.extended_key_usages = vec![ID_KP_SERVER_AUTH];
                policy.alternative_names.required = true;
            }
        }
        policy
    }

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
        self.attributes.check(request)?;
        extension::select(self, request)
    }
}
