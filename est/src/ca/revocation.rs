//! What is said about a certificate that is revoked (RFC 5280 section 5.3).

use std::fmt;
use std::str::FromStr;

use pki_common::{Diagnose, Failure, Rung};

use super::requester::Requester;
use super::serial::SerialNumber;
use crate::wire::label::PathLabel;

/// A request to revoke a certificate.
#[derive(Clone, Debug)]
pub struct RevokeRequest {
    /// The serial number of the certificate.
    pub serial: SerialNumber,
    /// Why.
    pub reason: RevocationReason,
    /// Since when the key is known or suspected to be compromised, in seconds since the Unix epoch (`invalidityDate`,
    /// RFC 5280 section 5.3.2).
    pub invalidity_date: Option<u64>,
    /// Who asks.
    pub requester: Requester,
    /// The path label the request came in under, if any.
    pub label: Option<PathLabel>,
}

/// A CRLReason (RFC 5280 section 5.3.1). `Display` and `FromStr` use the names of that section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevocationReason(pub u8);

impl RevocationReason {
    /// No reason given; a CRL leaves the extension out.
    pub const UNSPECIFIED: Self = Self(0);
    /// The private key is known to others.
    pub const KEY_COMPROMISE: Self = Self(1);
    /// The private key of the authority is known to others.
    pub const CA_COMPROMISE: Self = Self(2);
    /// A name or another statement of the certificate no longer holds.
    pub const AFFILIATION_CHANGED: Self = Self(3);
    /// There is a newer certificate.
    pub const SUPERSEDED: Self = Self(4);
    /// The holder is out of service.
    pub const CESSATION_OF_OPERATION: Self = Self(5);
    /// Suspended; may be taken back.
    pub const CERTIFICATE_HOLD: Self = Self(6);
    /// Takes back a suspension; in delta CRLs only.
    pub const REMOVE_FROM_CRL: Self = Self(8);
    /// A statement such as a role was withdrawn.
    pub const PRIVILEGE_WITHDRAWN: Self = Self(9);
    /// An attribute authority's key is known to others.
    pub const AA_COMPROMISE: Self = Self(10);

    const NAMES: [(Self, &'static str); 10] = [
        (Self::UNSPECIFIED, "unspecified"),
        (Self::KEY_COMPROMISE, "keyCompromise"),
        (Self::CA_COMPROMISE, "cACompromise"),
        (Self::AFFILIATION_CHANGED, "affiliationChanged"),
        (Self::SUPERSEDED, "superseded"),
        (Self::CESSATION_OF_OPERATION, "cessationOfOperation"),
        (Self::CERTIFICATE_HOLD, "certificateHold"),
        (Self::REMOVE_FROM_CRL, "removeFromCRL"),
        (Self::PRIVILEGE_WITHDRAWN, "privilegeWithdrawn"),
        (Self::AA_COMPROMISE, "aACompromise"),
    ];

    /// Whether a full CRL may give this reason for an end entity certificate: a known one, and not `removeFromCRL`.
    pub fn fits_a_full_crl(self) -> bool {
        self != Self::REMOVE_FROM_CRL && Self::NAMES.iter().any(|(known, _)| *known == self)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => formatter.write_str(name),
            None => write!(formatter, "reason {}", self.0),
        }
    }
}

impl FromStr for RevocationReason {
    type Err = UnknownReason;

    /// Takes the names in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(text))
            .map(|(reason, _)| *reason)
            .ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

/// A text that is no reason for a revocation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no reason for a revocation; use unspecified, keyCompromise, cACompromise, affiliationChanged, superseded, \
     cessationOfOperation, certificateHold, privilegeWithdrawn or aACompromise"
)]
pub struct UnknownReason(String);

impl Diagnose for UnknownReason {
    fn diagnose(&self) -> Failure {
        let remedy = "Take one of these reasons, letter for letter.";
        Failure::new(Rung::Local, format!("{self}."), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_names_it_writes_and_knows_which_fit_a_full_crl() {
        for number in 0..=10 {
            let reason = RevocationReason(number);
            let known = number != 7;
            assert_eq!(reason.to_string().parse() == Ok(reason), known, "{reason}");
            assert_eq!(reason.fits_a_full_crl(), known && number != 8, "{reason}");
        }
        assert_eq!("keycompromise".parse(), Ok(RevocationReason::KEY_COMPROMISE));
        assert!("stolen".parse::<RevocationReason>().is_err());
    }
}
