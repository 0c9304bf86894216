//! Certificate revocation lists (RFC 5280 section 5).

use std::time::Duration;

use der::asn1::{GeneralizedTime, Uint};
use der::{Encode as _, Sequence};
use rustls_pki_types::UnixTime;

use super::signing::signed;
use super::{Issuer, IssuerError};
use crate::ca::database::{CrlContents, RevokedCertificate, SignedCrl};
use crate::ca::revocation::RevocationReason;
use crate::ca::x509::{self, Extension};
use crate::wire::asn1::{self, tag};

/// ENUMERATED, the type of a reason code.
const ENUMERATED: u8 = 0x0a;

/// Version v2 as it stands in a list: `INTEGER 1`.
const V2: [u8; 3] = [tag::INTEGER, 1, 1];

/// When lists are made.
///
/// # Defaults
/// Valid for a week, a new one a day before the end, five minutes back for clocks that are late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlSettings {
    /// From `thisUpdate` to `nextUpdate`.
    pub validity: Duration,
    /// How long before `nextUpdate` the next list is made, so that those who fetch it now and then always have a
    /// current one. Less than the validity.
    pub overlap: Duration,
    /// How far `thisUpdate` lies in the past.
    pub backdate: Duration,
}

impl Default for CrlSettings {
    fn default() -> Self {
        Self {
            validity: Duration::from_secs(7 * 24 * 3600),
            overlap: Duration::from_secs(24 * 3600),
            backdate: Duration::from_secs(5 * 60),
        }
    }
}

/// A CRL entry without its extensions would be valid, too; one with `crlEntryExtensions` has at least one.
#[derive(Sequence)]
struct Entry {
    serial_number: x509_cert::serial_number::SerialNumber,
    revocation_date: x509_cert::time::Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension>>,
}

impl Issuer {
    /// Signs a version 2 list with `cRLNumber` and `authorityKeyIdentifier`. Each entry has its `reasonCode`, unless it
    /// is `unspecified`, and its `invalidityDate`, if there is one. The list covers everything this authority issues,
    /// so there is no `issuingDistributionPoint`.
    ///
    /// # Errors
    /// [`IssuerError::NotACa`] when the CA certificate does not allow it, [`IssuerError::Signing`].
    pub fn sign_crl(
        &self,
        contents: &CrlContents,
        settings: &CrlSettings,
        now: UnixTime,
    ) -> Result<SignedCrl, IssuerError> {
        self.may_sign_crls()?;
        let now = x509::seconds(now);
        let this_update = now.saturating_sub(settings.backdate.as_secs());
        let next_update = now.saturating_add(settings.validity.as_secs());
        let der = signed(self.key.as_ref(), |algorithm| {
            let this_time = x509::time(this_update)?.to_der()?;
            let next_time = x509::time(next_update)?.to_der()?;
            let mut entries = Vec::new();
            for revoked in &contents.revoked {
                entry(revoked)?.encode_to_vec(&mut entries)?;
            }
            // RFC 5280 section 5.1.2.6: without a revoked certificate the list of them must be absent.
            let entries = if entries.is_empty() {
                entries
            } else {
                asn1::encode(tag::SEQUENCE, &[&entries])
            };
            let extensions = asn1::encode(tag::CONTEXT_0, &[&self.crl_extensions(contents.number)?]);
            Ok(asn1::encode(
                tag::SEQUENCE,
                &[
                    &V2,
                    algorithm,
                    &self.fields.subject_der,
                    &this_time,
                    &next_time,
                    &entries,
                    &extensions,
                ],
            ))
        })?;
        Ok(SignedCrl {
            der,
            this_update,
            next_update,
        })
    }

    pub(crate) fn may_sign_crls(&self) -> Result<(), IssuerError> {
        if self.fields.may_sign_crls {
            return Ok(());
        }
        Err(IssuerError::NotACa {
            subject: self.fields.subject_text.clone(),
            missing: "keyUsage cRLSign",
        })
    }

    fn crl_extensions(&self, number: u64) -> der::Result<Vec<u8>> {
        let mut extensions: Vec<Extension> = self.authority_key_identifier()?.into_iter().collect();
        let number = Uint::new(&number.to_be_bytes())?;
        extensions.push(Extension::new(x509::CRL_NUMBER, false, &number)?);
        extensions.to_der()
    }
}

fn entry(revoked: &RevokedCertificate) -> der::Result<Entry> {
    let mut extensions = Vec::new();
    if revoked.reason != RevocationReason::UNSPECIFIED {
        let code = asn1::encode(ENUMERATED, &[&[revoked.reason.0]]);
        extensions.push(Extension::from_value(x509::REASON_CODE, false, code)?);
    }
    if let Some(since) = revoked.invalidity_date {
        // RFC 5280 section 5.3.2: GeneralizedTime also before 2050.
        let since = GeneralizedTime::from_unix_duration(Duration::from_secs(since))?;
        extensions.push(Extension::new(x509::INVALIDITY_DATE, false, &since)?);
    }
    Ok(Entry {
        serial_number: revoked.serial.to_x509()?,
        revocation_date: x509::time(revoked.revoked_at)?,
        extensions: (!extensions.is_empty()).then_some(extensions),
    })
}
