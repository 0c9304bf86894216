//! Which certificates of a `cacerts` answer become trust anchors (RFC 7030, section 4.1.3; RFC 4210, section 4.4).
//!
//! An authority that changes its root sends three more certificates: OldWithNew, NewWithOld and NewWithNew. A client
//! that trusts the old root takes the new one because the old key vouches for it in NewWithOld.

use pki_common::Certificate;
use pki_common::trust_store::{TrustStore, TrustStoreError};
use rustls_pki_types::UnixTime;

use super::issued::certified;
use crate::request::issued::extensions;

/// `basicConstraints` (RFC 5280, section 4.2.1.9).
const BASIC_CONSTRAINTS: &str = "2.5.29.19";

/// By what the server was authenticated that sent the certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrustSource {
    /// Explicit anchors: those configured for this server.
    Explicit,
    /// Implicit anchors: those that the system trusts for any web server.
    Implicit,
    /// A fingerprint that matched one certificate: it says nothing of the others.
    Fingerprint,
}

/// Why a new root is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Grounds {
    /// A known anchor vouches for it in NewWithOld.
    Chained,
    /// The server was authenticated by explicit anchors.
    ExplicitConnection,
    /// The server was authenticated by implicit anchors, and there is no explicit one yet.
    ImplicitConnection,
}

/// A root that was not known before and why it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnchor {
    /// The root.
    pub certificate: Certificate,
    /// Why.
    pub grounds: Grounds,
}

/// What a `cacerts` answer changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollover {
    /// Anchors known before that the answer has too.
    pub kept: Vec<Certificate>,
    /// Roots that are new and trusted.
    pub added: Vec<NewAnchor>,
    /// Roots that are new and not trusted: nothing known vouches for them.
    pub refused: Vec<Certificate>,
    /// Anchors known before that the answer has not. They stay trusted until somebody removes them: certificates
    /// under them may still be in use.
    pub missing: Vec<Certificate>,
    /// Certificates that are no roots: intermediates, OldWithNew, NewWithOld.
    pub others: Vec<Certificate>,
}

impl Rollover {
    /// Compares the answer with the anchors known before.
    #[must_use]
    pub fn compare(known: &TrustStore, answer: &[Certificate], source: TrustSource, now: UnixTime) -> Self {
        let mut found = Self::default();
        let mut trusted: Vec<Certificate> = known.anchors().to_vec();
        let mut candidates: Vec<Certificate> = Vec::new();
        for certificate in answer {
            if trusted.contains(certificate) {
                found.kept.push(certificate.clone());
            } else if certificate.is_self_signed() && may_issue(certificate) && is_valid(certificate, now) {
                candidates.push(certificate.clone());
            } else if certificate.is_self_issued() && !certificate.is_self_signed()
                || !certificate.is_self_issued()
            {
                found.others.push(certificate.clone());
            } else {
                found.refused.push(certificate.clone());
            }
        }
        let missing = known.anchors().iter().filter(|anchor| !answer.contains(anchor));
        found.missing = missing.cloned().collect();
        // A root may be vouched for by one that was itself vouched for: two changes since the last look.
        while let Some(position) = candidates
            .iter()
            .position(|root| vouched(root, &trusted, answer, now))
        {
            let certificate = candidates.swap_remove(position);
            trusted.push(certificate.clone());
            found.added.push(NewAnchor {
                certificate,
                grounds: Grounds::Chained,
            });
        }
        let grounds = match source {
            TrustSource::Explicit => Some(Grounds::ExplicitConnection),
            TrustSource::Implicit if known.is_empty() => Some(Grounds::ImplicitConnection),
            TrustSource::Implicit | TrustSource::Fingerprint => None,
        };
        match grounds {
            Some(grounds) => {
                let added = candidates
                    .into_iter()
                    .map(|certificate| NewAnchor { certificate, grounds });
                found.added.extend(added);
            }
            None => found.refused.extend(candidates),
        }
        found
    }

    /// Whether the anchors are the same as before.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.added.is_empty() && self.missing.is_empty()
    }

    /// The anchors from now on: those known before, and the new ones.
    ///
    /// # Errors
    /// [`TrustStoreError`] when a certificate cannot serve as an anchor.
    pub fn anchors(&self, known: &TrustStore) -> Result<TrustStore, TrustStoreError> {
        let mut anchors = known.clone();
        for new in &self.added {
            anchors.add(&new.certificate)?;
        }
        Ok(anchors)
    }
}

/// Whether a trusted root's key signed a certificate for the key and the name of `root`: NewWithOld.
fn vouched(root: &Certificate, trusted: &[Certificate], answer: &[Certificate], now: UnixTime) -> bool {
    answer.iter().any(|new_with_old| {
        new_with_old.subject_der() == root.subject_der()
            && new_with_old.spki_der() == root.spki_der()
            && may_issue(new_with_old)
            && is_valid(new_with_old, now)
            && trusted
                .iter()
                .any(|old| may_issue(old) && is_valid(old, now) && certified(new_with_old, old))
    })
}

fn is_valid(certificate: &Certificate, now: UnixTime) -> bool {
    let now = now.as_secs();
    certificate.not_before().as_secs() <= now && now <= certificate.not_after().as_secs()
}

/// `basicConstraints` with `cA TRUE`. A certificate of version 1 cannot say so, and is no root for this purpose.
pub(super) fn may_issue(certificate: &Certificate) -> bool {
    let Ok(extensions) = extensions(certificate) else {
        return false;
    };
    extensions
        .iter()
        .filter(|extension| extension.oid.to_string() == BASIC_CONSTRAINTS)
        // SEQUENCE { BOOLEAN TRUE, ... }
        .any(
            |extension| matches!(extension.value.as_slice(), [0x30, _, 0x01, 0x01, truth, ..] if *truth != 0),
        )
}
