//! Why no certificate was issued, split by whose fault it is.

use std::fmt;
use std::time::Duration;

use pki_common::{Diagnose, Failure, KnownCause, Rung};

/// Why a [`CertificateAuthority`](super::CertificateAuthority) did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollError {
    /// The requester's fault: the policy forbids what was asked. The same request will never succeed (HTTP 4xx).
    #[error(transparent)]
    RejectedByPolicy(#[from] PolicyRefusal),
    /// The requester's fault: this authority does not do that (HTTP 501).
    #[error("this certificate authority offers no {what}")]
    Unsupported {
        /// What was asked for.
        what: String,
    },
    /// The requester's fault: this authority has issued no certificate with the serial number (HTTP 404).
    #[error("this certificate authority has issued no certificate with the serial number {serial}")]
    NoSuchCertificate {
        /// The number, in hexadecimal.
        serial: String,
    },
    /// The requester's fault: the certificate is revoked already (HTTP 409).
    #[error("the certificate with the serial number {serial} is revoked already")]
    AlreadyRevoked {
        /// The number, in hexadecimal.
        serial: String,
    },
    /// Nobody's fault or the operator's: not now, but perhaps later (HTTP 503 with `Retry-After`).
    #[error("the certificate authority cannot issue at the moment: {reason}")]
    Unavailable {
        /// Why, for the log.
        reason: String,
        /// When it may be worth another try.
        retry_after: Duration,
    },
    /// The authority behind this server refused, failed or was not to be reached. The failure names no secret and is
    /// fit to be shown to the requester.
    #[error("{}", failure.cause)]
    Upstream {
        /// What it is: on the rung [`Rung::Upstream`], with the known cause as this server saw it.
        failure: Box<Failure>,
        /// When another try may succeed without anybody changing anything (HTTP 503 with `Retry-After`); `None` when the
        /// same request will fail again.
        retry_after: Option<Duration>,
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
    /// Which attributes a request may have, in its subject or beside it.
    Attribute,
    /// How long certificates are valid.
    Validity,
    /// Whose certificate it is to be, against who asks.
    Requester,
    /// A person decided, or did not within the time allowed.
    Approval,
    /// An authority outside this program decided.
    ExternalAuthority,
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
            Self::Attribute => "attribute",
            Self::Validity => "validity",
            Self::Requester => "requester",
            Self::Approval => "approval",
            Self::ExternalAuthority => "external-authority",
        })
    }
}

impl Diagnose for PolicyRefusal {
    fn diagnose(&self) -> Failure {
        let remedy = match self.rule {
            PolicyRule::KeyType => "Make a key of a kind and size that the text names, and a new request.",
            PolicyRule::Validity => "Renew the certificate of the authority, or have the policy changed.",
            PolicyRule::Approval => {
                "Ask the operator of the authority, or make a request that is acceptable."
            }
            PolicyRule::ExternalAuthority => "Ask the operator of the external authority.",
            PolicyRule::Requester => "Ask in the name of the device itself, or have the policy changed.",
            _ => "Ask for what the policy allows, or have the policy changed.",
        };
        Failure::new(Rung::Upstream, format!("{self}."), remedy).known_as(KnownCause::RequestDenied)
    }
}

impl Diagnose for EnrollError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Upstream { failure, .. } => return (**failure).clone(),
            Self::RejectedByPolicy(_) => "Ask for what the policy allows, or have the policy changed.",
            Self::Unsupported { .. } => "Ask the operator of the authority to do it another way.",
            Self::NoSuchCertificate { .. } => "Check the serial number; `openssl x509 -serial` prints it.",
            Self::AlreadyRevoked { .. } => "There is nothing to do.",
            Self::Unavailable { .. } => "Try again later; if it lasts, look into the log of the authority.",
            Self::Internal { .. } => "Look into the log of the authority.",
        };
        let failure = Failure::new(Rung::Upstream, self.to_string(), remedy);
        match self {
            Self::RejectedByPolicy(_) => failure.known_as(KnownCause::RequestDenied),
            Self::Unavailable { .. } | Self::Internal { .. } => failure.known_as(KnownCause::ServerFailed),
            _ => failure,
        }
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
