//! From a verified request to a certificate, without I/O.

use rustls_pki_types::UnixTime;

use super::issuer::{CertificateContents, Issuer};
use super::policy::IssuancePolicy;
use super::serial::SerialNumber;
use super::x509::Extension;
use super::{EnrollError, IssuedCertificate};
use crate::wire::csr::{CertificationRequest, VerifiedCsr};

/// Issues a certificate for `csr`, as far as `policy` allows.
///
/// The subject and the public key are the request's, byte for byte. The extensions are those
/// that [`policy`](super::policy) describes, and an authority key identifier. The certificate never outlives the CA's.
///
/// This is all of the work of an enrolment except the log: an embedder without a database, or a benchmark, calls it
/// directly. The caller sees to it that `serial` was not used before.
///
/// # Errors
/// [`EnrollError::RejectedByPolicy`] names the rule; [`EnrollError::Unavailable`] when the CA certificate is not
/// valid at `now`; [`EnrollError::Internal`] when the key does not sign.
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// # use rustls_pki_types::{PrivateKeyDer, UnixTime, pem::PemObject as _};
/// use est::ca::{issue, issuer::Issuer, policy::IssuancePolicy};
/// use est::wire::csr::{CsrLimits, UnverifiedCsr};
///
/// let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../testdata/ca/p256.key.pem"))?;
/// let provider = pki_common::tls::crypto_provider()?;
/// let year = Duration::from_secs(365 * 24 * 3600);
/// let issuer = Issuer::self_signed("CN=Lab Root,DC=example,DC=com", key, year, UnixTime::now(), provider)?;
///
/// let csr = include_bytes!("../../testdata/csr/p256.der");
/// let csr = UnverifiedCsr::from_der(csr, &CsrLimits::default())?.verify(&Default::default())?;
/// let serial = issuer.random_serial()?;
/// let issued = issue::issue(&issuer, &csr, &IssuancePolicy::default(), serial, UnixTime::now())?;
/// assert_eq!(issued.serial, serial);
/// # Ok(())
/// # }
/// ```
pub fn issue(
    issuer: &Issuer,
    csr: &VerifiedCsr,
    policy: &IssuancePolicy,
    serial: SerialNumber,
    now: UnixTime,
) -> Result<IssuedCertificate, EnrollError> {
    prepare(issuer, csr, policy, now)?.sign(issuer, csr, serial)
}

/// What the policy makes of a request: all of the certificate but its serial number and signature.
#[derive(Debug)]
pub(crate) struct Prepared {
    extensions: Vec<Extension>,
    not_before: u64,
    not_after: u64,
}

/// Asks the policy. Kept apart from signing so that a refused request uses up no serial number.
pub(crate) fn prepare(
    issuer: &Issuer,
    csr: &CertificationRequest,
    policy: &IssuancePolicy,
    now: UnixTime,
) -> Result<Prepared, EnrollError> {
    let extensions = policy.extensions(csr)?;
    let (not_before, not_after) = policy.validity.period(issuer.validity(), now)?;
    Ok(Prepared {
        extensions,
        not_before,
        not_after,
    })
}

impl Prepared {
    pub(crate) fn sign(
        self,
        issuer: &Issuer,
        csr: &VerifiedCsr,
        serial: SerialNumber,
    ) -> Result<IssuedCertificate, EnrollError> {
        let Self {
            extensions,
            not_before,
            not_after,
        } = self;
        let contents = CertificateContents {
            serial,
            not_before,
            not_after,
            subject_der: csr.subject_der(),
            spki_der: csr.public_key().spki_der(),
            extensions,
        };
        let certificate = issuer.sign(contents).map_err(|error| EnrollError::Internal {
            reason: error.to_string(),
        })?;
        Ok(IssuedCertificate {
            certificate,
            serial,
            not_before,
            not_after,
        })
    }
}
