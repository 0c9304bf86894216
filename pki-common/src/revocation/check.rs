//! Asks the lists for a certificate.

use rustls_pki_types::UnixTime;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{RevocationList, RevocationLists, SharedRevocationLists};
use crate::certificate::Certificate;
use crate::signature::SignaturePolicy;
use crate::trust_store::TrustError;

/// Which certificates of a chain are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RevocationDepth {
    /// Every certificate below the anchor, so a list of each issuer is needed.
    #[default]
    Chain,
    /// The peer's own certificate only.
    EndEntity,
}

/// What a verifier does about revocation.
///
/// A certificate that is itself an anchor, or self-signed and admitted by an authlist, has no issuer that could revoke
/// it: take it out of the store or list instead.
#[derive(Debug, Clone)]
pub struct RevocationCheck {
    lists: SharedRevocationLists,
    depth: RevocationDepth,
    accept_missing: bool,
    accept_expired: bool,
}

impl RevocationCheck {
    /// Every certificate below the anchor must be on no list, by a current list of its issuer.
    #[must_use]
    pub fn by(lists: impl Into<SharedRevocationLists>) -> Self {
        Self {
            lists: lists.into(),
            depth: RevocationDepth::default(),
            accept_missing: false,
            accept_expired: false,
        }
    }

    /// The same check for other certificates of the chain.
    #[must_use]
    pub const fn with_depth(mut self, depth: RevocationDepth) -> Self {
        self.depth = depth;
        self
    }

    /// Accepts certificates of an issuer without a usable list: revoking one of them has no effect here.
    #[must_use]
    pub fn dangerous_accept_missing_list(mut self) -> Self {
        tracing::warn!(
            role = self.lists.load().role(),
            "certificates are accepted although their issuer has no revocation list here"
        );
        self.accept_missing = true;
        self
    }

    /// Accepts lists after their nextUpdate: what was revoked since is not known.
    #[must_use]
    pub fn dangerous_accept_expired_list(mut self) -> Self {
        tracing::warn!(
            role = self.lists.load().role(),
            "expired revocation lists are accepted: what was revoked since is not known"
        );
        self.accept_expired = true;
        self
    }

    /// The lists, to replace them.
    #[must_use]
    pub const fn lists(&self) -> &SharedRevocationLists {
        &self.lists
    }

    pub(crate) fn generation(&self) -> u64 {
        self.lists.generation()
    }

    /// Checks a validated path: the peer's certificate first, the anchor last. `authorities` are further holders of
    /// an issuer's name that are trusted as much, so an issuer that changed its key may sign one list with the new one.
    pub(crate) fn check_path(
        &self,
        path: &[Certificate],
        authorities: &[Certificate],
        now: UnixTime,
        policy: SignaturePolicy,
    ) -> Result<(), TrustError> {
        let lists = self.lists.load();
        let checked = match self.depth {
            RevocationDepth::Chain => path.len(),
            RevocationDepth::EndEntity => 1,
        };
        for (certificate, issuer) in path.iter().zip(path.iter().skip(1)).take(checked) {
            let signers: Vec<&Certificate> = core::iter::once(issuer)
                .chain(authorities.iter().filter(|other| {
                    other.subject_der() == issuer.subject_der() && other.spki_der() != issuer.spki_der()
                }))
                .collect();
            self.check_certificate(&lists, certificate, &signers, now, policy)?;
        }
        Ok(())
    }

    fn check_certificate(
        &self,
        lists: &RevocationLists,
        certificate: &Certificate,
        signers: &[&Certificate],
        now: UnixTime,
        policy: SignaturePolicy,
    ) -> Result<(), TrustError> {
        let unknown = |detail: String| TrustError::RevocationUnknown {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            detail,
        };
        let mut problem = None;
        let mut current = false;
        for list in lists.of_issuer(certificate.issuer_der()) {
            if !list.covers(certificate) {
                problem.get_or_insert_with(|| unknown("its list is about other certificates".to_owned()));
            } else if let Err(detail) = check_signer(list, signers, policy) {
                problem = Some(unknown(detail));
            } else if let Some(entry) = list.entry(certificate.serial_number()) {
                return Err(TrustError::Revoked {
                    subject: certificate.subject().to_owned(),
                    issuer: certificate.issuer().to_owned(),
                    since: entry.since,
                    reason: entry.reason,
                });
            } else if now < list.this_update() {
                problem = Some(unknown("its list is from the future".to_owned()));
            } else if now > list.next_update() && !self.accept_expired {
                problem = Some(TrustError::RevocationListExpired {
                    subject: certificate.subject().to_owned(),
                    issuer: certificate.issuer().to_owned(),
                    next_update: list.next_update(),
                    now,
                });
            } else {
                current = true;
            }
        }
        if current || self.accept_missing {
            return Ok(());
        }
        Err(problem.unwrap_or_else(|| unknown("there is no list of this issuer".to_owned())))
    }
}

/// One of the signers made the list and may make lists.
fn check_signer(
    list: &RevocationList,
    signers: &[&Certificate],
    policy: SignaturePolicy,
) -> Result<(), String> {
    let mut problem = "its list is signed by nobody".to_owned();
    for signer in signers {
        match list.verify(signer.spki_der(), policy) {
            Ok(()) if may_sign_lists(signer) => return Ok(()),
            Ok(()) => {
                return Err("the key usage of the issuer does not include cRLSign".to_owned());
            }
            Err(error) => problem = format!("the signature of its list does not verify ({error})"),
        }
    }
    Err(problem)
}

/// RFC 5280 section 6.3.3 (f): where there is a key usage, it includes cRLSign.
fn may_sign_lists(issuer: &Certificate) -> bool {
    X509Certificate::from_der(issuer.der())
        .ok()
        .and_then(|(_, parsed)| {
            let usage = parsed.key_usage().ok()?;
            Some(usage.is_none_or(|usage| usage.value.crl_sign()))
        })
        .unwrap_or(false)
}
