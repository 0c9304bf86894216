//! An intermediate authority: the request for its certificate, and the chain that comes back.

use der::Encode as _;
use pki_common::Certificate;
use pki_common::signature::SignaturePolicy;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::signing::{key_spki, load_key, signed};
use super::{Issuer, IssuerError, authority_extensions};
use crate::wire::asn1::{self, tag};
use crate::wire::csr::PublicKey;

/// Most certificates above an authority. Public chains have two or three; a peer has to fetch them all.
pub const MAX_CHAIN_LENGTH: usize = 10;

/// `id-ce-extensionRequest` of PKCS #9 (RFC 2985 section 5.4.2): 1.2.840.113549.1.9.14, in DER.
const EXTENSION_REQUEST: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e";

/// Makes a PKCS #10 request (RFC 2986) for the certificate of an authority: it asks for `CA:TRUE`, `keyCertSign` and
/// `cRLSign`. `subject_der` is a Name in DER. Yields DER.
///
/// # Errors
/// [`IssuerError`]: a key that the provider does not take.
pub fn authority_request(
    subject_der: &[u8],
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Vec<u8>, IssuerError> {
    let key = load_key(key, provider)?;
    let spki = key_spki(key.as_ref())?;
    let public_key = PublicKey::from_spki_der(&spki).map_err(|error| IssuerError::Key(error.to_string()))?;
    signed(key.as_ref(), |_algorithm| {
        let extensions = authority_extensions(&public_key)?.to_der()?;
        let values = asn1::encode(tag::SET, &[&extensions]);
        let attribute = asn1::encode(tag::SEQUENCE, &[EXTENSION_REQUEST, &values]);
        let attributes = asn1::encode(tag::CONTEXT_0, &[&attribute]);
        let version = asn1::encode(tag::INTEGER, &[&[0]]);
        Ok(asn1::encode(
            tag::SEQUENCE,
            &[&version, subject_der, &spki, &attributes],
        ))
    })
}

impl Issuer {
    /// Adds the certificates above this authority, the one that signed it first, up to the root or one below it.
    ///
    /// # Errors
    /// [`IssuerError::Chain`] when one has not signed the one before, or there are more than [`MAX_CHAIN_LENGTH`].
    pub fn with_chain(mut self, chain: Vec<CertificateDer<'static>>) -> Result<Self, IssuerError> {
        let wrong = |position: usize, problem: String| IssuerError::Chain { position, problem };
        if chain.len() > MAX_CHAIN_LENGTH {
            let problem = format!("there are more than {MAX_CHAIN_LENGTH}");
            return Err(wrong(MAX_CHAIN_LENGTH + 1, problem));
        }
        let mut below = Certificate::from_der(&self.certificate)
            .map_err(|error| IssuerError::Certificate(error.to_string()))?;
        for (index, certificate) in chain.iter().enumerate() {
            let above =
                Certificate::from_der(certificate).map_err(|error| wrong(index + 1, error.to_string()))?;
            if above.subject_der() != below.issuer_der() {
                let problem = format!("it is {}, and needed is {}", above.subject(), below.issuer());
                return Err(wrong(index + 1, problem));
            }
            below
                .verify_signed_by(above.spki_der(), SignaturePolicy::strict())
                .map_err(|error| wrong(index + 1, error.to_string()))?;
            below = above;
        }
        self.chain = chain;
        Ok(self)
    }
}
