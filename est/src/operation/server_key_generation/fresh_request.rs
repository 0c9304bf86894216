//! The request that the server signs with the key it made: what the client's form says, about the new key.

use core::fmt;

use pki_common::tls::crypto_provider;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroize as _;

use crate::operation::Refusal;
use crate::operation::enrollment::internal;
use crate::wire::asn1::{self, tag};
use crate::wire::cms::sign_as_in_certificates;
use crate::wire::csr::{
    Attribute, CertificationRequest, CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr,
};

/// A key and the request for it. Wiped when dropped; `Debug` hides the key.
pub(super) struct FreshRequest {
    pub(super) key: PrivatePkcs8KeyDer<'static>,
    pub(super) csr: VerifiedCsr,
}

impl Drop for FreshRequest {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for FreshRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FreshRequest")
            .field("subject", &self.csr.subject_text())
            .finish_non_exhaustive()
    }
}

impl FreshRequest {
    /// Subject and attributes of the form, byte for byte, and the public key of `key`.
    pub(super) fn new(
        form: &CertificationRequest,
        key: PrivatePkcs8KeyDer<'static>,
        limits: &CsrLimits,
        policy: &VerificationPolicy,
    ) -> Result<Self, Refusal> {
        let provider = crypto_provider().map_err(internal)?;
        let signing_key = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(key.clone_key()))
            .map_err(internal)?;
        let public_key = signing_key
            .public_key()
            .ok_or_else(|| internal("the crypto provider does not tell the public key"))?;
        let attributes: Vec<Vec<u8>> = form.attributes().iter().map(Attribute::to_der).collect();
        let attributes: Vec<&[u8]> = attributes.iter().map(Vec::as_slice).collect();
        let info = asn1::encode(
            tag::SEQUENCE,
            &[
                &[tag::INTEGER, 1, 0],
                form.subject_der(),
                &public_key,
                &asn1::encode(tag::CONTEXT_0, &attributes),
            ],
        );
        let (algorithm, signature) = sign_as_in_certificates(&*signing_key, &info).map_err(internal)?;
        let signature = asn1::encode(tag::BIT_STRING, &[&[0], &signature]);
        let csr = asn1::encode(tag::SEQUENCE, &[&info, &algorithm, &signature]);
        let csr = UnverifiedCsr::from_der(&csr, limits)
            .and_then(|csr| csr.verify(policy))
            .map_err(internal)?;
        Ok(Self { key, csr })
    }
}
