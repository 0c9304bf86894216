//! Why no certificate was issued, split by whose fault it is.

use std::fmt;
use std::time::Duration;

use pki_common::{Diagnose, Failure, Rung};

/// Why a [`CertificateAuthority`](super::CertificateAuthority) did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollError {
    /// The requester's fault: the policy forbids what was asked. The same request will never succeed (HTTP 4xx).
    #[error(transparent)]
    RejectedByPolicy(#[from] PolicyRefusal),
    /// The requester's fault: there is no authority under the label (HTTP 404).
    #[error("there is no certificate authority under the path label {label:?}")]
    UnknownLabel {
        /// The label asked for; empty for none.
        label: String,
    },
    /// Nobody's fault or the operator's: not now, but perhaps later (HTTP 503 with `Retry-After`).
    #[error("the certificate authority cannot issue at the moment: {reason}")]
    Unavailable {
        /// Why, for the log.
        reason: String,
        /// When it may be worth another try.
        retry_after: Duration,
    },
    /// The operator's fault or a defect (HTTP 500). The reason is for the log; a client has no use for it.
    #[error("the certificate authority failed: {reason}")]
    Internal {
        /// Why, for the log.
        reason: String,
    },
}

/// A rule of the policy, with what it had to say about this request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused by the issuance policy, rule {rule}: {text}")]
pub struct PolicyRefusal {
    /// The rule that refused.
    pub rule: PolicyRule,
    /// What was wrong and what to do about it: one or two sentences, fit to be shown to the requester.
    pub text: String,
}

impl PolicyRefusal {
    pub(crate) fn new(rule: PolicyRule, text: impl Into<String>) -> Self {
        Self {
            rule,
            text: text.into(),
        }
    }
}

/// The rules of an [`IssuancePolicy`](super::policy::IssuancePolicy). `Display` gives the name people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PolicyRule {
    /// Which key types and sizes are certified.
    KeyType,
    /// What the subject may be.
    Subject,
    /// Which alternative names are certified.
    SubjectAlternativeName,
    /// A requested `basicConstraints` must not ask for a CA.
    BasicConstraints,
    /// Which key usages are certified.
    KeyUsage,
    /// Which extended key usages are certified.
    ExtendedKeyUsage,
    /// A requested `subjectKeyIdentifier` must be the one the CA computes.
    SubjectKeyIdentifier,
    /// Any other requested extension.
    Extension,
    /// How long certificates are valid.
    Validity,
    /// Whose certificate it is to be, against who asks.
    Requester,
}

impl fmt::Display for PolicyRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::KeyType => "key-type",
            Self::Subject => "subject",
            Self::SubjectAlternativeName => "subject-alternative-name",
            Self::BasicConstraints => "basic-constraints",
            Self::KeyUsage => "key-usage",
            Self::ExtendedKeyUsage => "extended-key-usage",
            Self::SubjectKeyIdentifier => "subject-key-identifier",
            Self::Extension => "extension",
            Self::Validity => "validity",
            Self::Requester => "requester",
        })
    }
}

impl Diagnose for PolicyRefusal {
    fn diagnose(&self) -> Failure {
        let remedy = match self.rule {
            PolicyRule::KeyType => "Make a key of a kind and size that the text names, and a new request.",
            PolicyRule::Validity => "Renew the certificate of the authority, or have the policy changed.",
            PolicyRule::Requester => "Ask in the name of the device itself, or have the policy changed.",
            _ => "Ask for what the policy allows, or have the policy changed.",
        };
        Failure::new(Rung::Upstream, format!("{self}."), remedy)
    }
}

impl Diagnose for EnrollError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::RejectedByPolicy(_) => "Ask for what the policy allows, or have the policy changed.",
            Self::UnknownLabel { .. } => "Use a path label that the server knows, or none.",
            Self::Unavailable { .. } => "Try again later; if it lasts, look into the log of the authority.",
            Self::Internal { .. } => "Look into the log of the authority.",
        };
        Failure::new(Rung::Upstream, self.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_rule_and_a_remedy_that_fits_it() {
        let found =
            PolicyRefusal::new(PolicyRule::KeyType, "an RSA key of 512 bits is not certified").diagnose();
        assert_eq!(found.rung, Rung::Upstream);
        assert!(
            found.cause.contains("rule key-type: an RSA key of 512 bits"),
            "{found}"
        );
        assert!(found.remedy.contains("key"), "{found}");
    }
}
