//! Which keys are certified.

use crate::ca::{PolicyRefusal, PolicyRule};
use crate::wire::csr::PublicKeyKind;

/// Shorter RSA keys give less than 112 bits of security (NIST SP 800-57 part 1, table 2).
pub const DEFAULT_MIN_RSA_BITS: usize = 2048;

/// The longest RSA key that the verification behind `VerifiedCsr` works with.
pub const DEFAULT_MAX_RSA_BITS: usize = 8192;

/// Which keys are certified.
///
/// # Defaults
/// P-256, P-384, Ed25519, and RSA from [`DEFAULT_MIN_RSA_BITS`] to [`DEFAULT_MAX_RSA_BITS`]. Not P-521 (rare, and
/// not every provider verifies it) and not RSA-PSS keys (hardly any TLS stack uses them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// EC P-256.
    pub ec_p256: bool,
    /// EC P-384.
    pub ec_p384: bool,
    /// EC P-521.
    pub ec_p521: bool,
    /// Ed25519.
    pub ed25519: bool,
    /// RSA (rsaEncryption).
    pub rsa: bool,
    /// RSA keys for RSASSA-PSS only.
    pub rsa_pss: bool,
    /// Shortest RSA modulus, in bits. A value below [`DEFAULT_MIN_RSA_BITS`] has no effect on its own: see
    /// [`Self::dangerous_allow_rsa_1024`].
    pub min_rsa_bits: usize,
    /// Longest RSA modulus, in bits.
    pub max_rsa_bits: usize,
    /// Certifies RSA keys from 1024 bits up, for devices that cannot do better. Such a key can be factored by those
    /// who can afford it: every certificate for one is logged as a warning. [`Self::min_rsa_bits`] must say so, too. The request must have been verified
    /// with a policy that accepts it, too.
    pub dangerous_allow_rsa_1024: bool,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            ec_p256: true,
            ec_p384: true,
            ec_p521: false,
            ed25519: true,
            rsa: true,
            rsa_pss: false,
            min_rsa_bits: DEFAULT_MIN_RSA_BITS,
            max_rsa_bits: DEFAULT_MAX_RSA_BITS,
            dangerous_allow_rsa_1024: false,
        }
    }
}

impl KeyPolicy {
    pub(super) fn check(&self, kind: &PublicKeyKind) -> Result<(), PolicyRefusal> {
        let allowed = match kind {
            PublicKeyKind::EcP256 => self.ec_p256,
            PublicKeyKind::EcP384 => self.ec_p384,
            PublicKeyKind::EcP521 => self.ec_p521,
            PublicKeyKind::Ed25519 => self.ed25519,
            PublicKeyKind::Rsa { bits } if self.rsa => return self.check_modulus(*bits),
            PublicKeyKind::RsaPss { bits } if self.rsa_pss => return self.check_modulus(*bits),
            _ => false,
        };
        if allowed {
            return Ok(());
        }
        let text = format!(
            "a key of type {kind} is not certified; use one of {}",
            self.accepted()
        );
        Err(PolicyRefusal::new(PolicyRule::KeyType, text))
    }

    fn check_modulus(&self, bits: usize) -> Result<(), PolicyRefusal> {
        let (least, most) = (self.least_rsa_bits(), self.max_rsa_bits);
        if (least..=most).contains(&bits) {
            if bits < DEFAULT_MIN_RSA_BITS {
                tracing::warn!(bits, "certifying a short RSA key: it can be factored");
            }
            return Ok(());
        }
        let text = format!(
            "an RSA key of {bits} bits is not certified; it must have {least} to {most} bits. Use one of {}",
            self.accepted()
        );
        Err(PolicyRefusal::new(PolicyRule::KeyType, text))
    }

    fn least_rsa_bits(&self) -> usize {
        let least = if self.dangerous_allow_rsa_1024 {
            1024
        } else {
            DEFAULT_MIN_RSA_BITS
        };
        self.min_rsa_bits.max(least)
    }

    /// What is certified, for people.
    fn accepted(&self) -> String {
        let rsa = format!("RSA ({} to {} bits)", self.least_rsa_bits(), self.max_rsa_bits);
        let kinds = [
            (self.ec_p256, "EC P-256"),
            (self.ec_p384, "EC P-384"),
            (self.ec_p521, "EC P-521"),
            (self.ed25519, "Ed25519"),
            (self.rsa, rsa.as_str()),
            (self.rsa_pss, "RSA-PSS"),
        ];
        let names: Vec<&str> = kinds
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| name)
            .collect();
        if names.is_empty() {
            "none: the policy allows no key type".to_owned()
        } else {
            names.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_usual_keys_and_names_the_alternatives_when_it_refuses() {
        let policy = KeyPolicy::default();
        let accepted = [
            PublicKeyKind::EcP256,
            PublicKeyKind::EcP384,
            PublicKeyKind::Ed25519,
            PublicKeyKind::Rsa { bits: 2048 },
            PublicKeyKind::Rsa { bits: 8192 },
        ];
        for kind in accepted {
            assert_eq!(policy.check(&kind), Ok(()), "{kind}");
        }
        let refused = [
            PublicKeyKind::EcP521,
            PublicKeyKind::RsaPss { bits: 2048 },
            PublicKeyKind::Rsa { bits: 512 },
            PublicKeyKind::Rsa { bits: 2047 },
            PublicKeyKind::Rsa { bits: 8193 },
            PublicKeyKind::EcOther { curve: None },
        ];
        for kind in refused {
            let refusal = policy.check(&kind).unwrap_err();
            assert_eq!(refusal.rule, PolicyRule::KeyType);
            assert!(
                refusal
                    .text
                    .contains("EC P-256, EC P-384, Ed25519, RSA (2048 to 8192 bits)"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn certifies_rsa_1024_only_when_told_by_the_dangerous_name() {
        let quiet = KeyPolicy {
            min_rsa_bits: 1024,
            ..KeyPolicy::default()
        };
        assert!(quiet.check(&PublicKeyKind::Rsa { bits: 1024 }).is_err());
        let told = KeyPolicy {
            dangerous_allow_rsa_1024: true,
            ..quiet
        };
        assert_eq!(told.check(&PublicKeyKind::Rsa { bits: 1024 }), Ok(()));
        assert!(told.check(&PublicKeyKind::Rsa { bits: 512 }).is_err());
    }
}
