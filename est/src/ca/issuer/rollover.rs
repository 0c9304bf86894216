//! From an old root to a new one (RFC 4210 section 4.4).
//!
//! A device that trusts the old root only accepts what the new one issued by way of NewWithOld; one that trusts the
//! new root only accepts what the old one issued by way of OldWithNew. `cacerts` carries both until everybody has the
//! new root (RFC 7030 section 4.1.3).

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use super::{CertificateContents, Issuer, IssuerError, ROOT_BACKDATE, authority_extensions};
use crate::ca::x509;
use crate::wire::csr::PublicKey;

/// A new root with the certificates that lead to it and back.
#[derive(Debug)]
pub struct Rollover {
    /// The new root, self-signed: NewWithNew.
    pub issuer: Issuer,
    /// The old key, signed with the new one; valid as long as the old root.
    pub old_with_new: CertificateDer<'static>,
    /// The new key, signed with the old one; valid from now to the end of the old root.
    pub new_with_old: CertificateDer<'static>,
}

impl Issuer {
    /// Makes a new root with the same subject and another key.
    ///
    /// # Errors
    /// [`IssuerError::NotARoot`] for an intermediate authority, otherwise as [`Issuer::self_signed`].
    pub fn roll_over(
        &self,
        key: PrivateKeyDer<'static>,
        validity: Duration,
        now: UnixTime,
    ) -> Result<Rollover, IssuerError> {
        let issuer = self.renewed(key, validity, now)?;
        let (old_not_before, old_not_after) = self.validity();
        let since = x509::seconds(now).saturating_sub(ROOT_BACKDATE.as_secs());
        let old_with_new = issuer.certify(self, old_not_before, old_not_after)?;
        let new_with_old = self.certify(&issuer, since.max(old_not_before), old_not_after)?;
        Ok(Rollover {
            issuer,
            old_with_new,
            new_with_old,
        })
    }

    /// Makes a new self-signed certificate with the same subject: for the same key one that is valid for longer, for
    /// another one a new root.
    ///
    /// # Errors
    /// [`IssuerError::NotARoot`] for an intermediate authority, otherwise as [`Issuer::self_signed`].
    pub fn renewed(
        &self,
        key: PrivateKeyDer<'static>,
        validity: Duration,
        now: UnixTime,
    ) -> Result<Self, IssuerError> {
        if !self.is_root() {
            return Err(IssuerError::NotARoot {
                subject: self.fields.subject_text.clone(),
            });
        }
        Self::self_signed_as(
            &self.fields.subject_der,
            key,
            validity,
            now,
            Arc::clone(&self.provider),
        )
    }

    /// Whether the certificate is its own issuer.
    pub fn is_root(&self) -> bool {
        self.fields.is_self_issued
    }

    /// The subject, a Name in DER.
    pub fn subject_der(&self) -> &[u8] {
        &self.fields.subject_der
    }

    /// Signs a certificate for the key of another generation of this authority.
    fn certify(
        &self,
        other: &Self,
        not_before: u64,
        not_after: u64,
    ) -> Result<CertificateDer<'static>, IssuerError> {
        let spki_der = &other.fields.spki_der;
        let public_key =
            PublicKey::from_spki_der(spki_der).map_err(|error| IssuerError::Key(error.to_string()))?;
        let extensions =
            authority_extensions(&public_key).map_err(|error| IssuerError::Signing(error.to_string()))?;
        self.sign(CertificateContents {
            serial: self.random_serial()?,
            not_before,
            not_after,
            subject_der: &other.fields.subject_der,
            spki_der,
            extensions,
        })
    }
}
